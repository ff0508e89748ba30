"""The terminal commands."""

import subprocess
import sys

import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV, jobs
from skdistsearch.__main__ import main
from skdistsearch.testing import FaultyRegressor

X, y = make_regression(40, 3, random_state=0)


@pytest.fixture
def done():
    search = DistributedSearchCV(Ridge(), {"alpha": [0.1]}, cv=2)
    job = jobs.submit(search, X, y, name="night")
    assert job.wait(120) == "done", job.log()
    return job


def test_jobs_are_listed_with_status_and_progress(done, capsys):
    assert main(["jobs"]) == 0
    assert capsys.readouterr().out.startswith("night: done; 2 of 2 fits; best 0.9")


def test_log_of_a_job_is_shown(done):
    command = [sys.executable, "-m", "skdistsearch", "jobs", "log", "night"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "INFO Attempt 1 of job night begins" in output


def test_cancel_ends_a_job(capsys):
    search = DistributedSearchCV(FaultyRegressor(behavior="sleep"), {"factor": [1.0]}, cv=2)
    job = jobs.submit(search, X, y, name="night")
    assert main(["jobs", "cancel", "night"]) == 0
    assert job.status == "cancelled"
    assert "night: cancelled" in capsys.readouterr().out


def test_unknown_job_is_one_line(capsys):
    assert main(["jobs", "status", "monday"]) == 1
    assert capsys.readouterr().err.startswith("There is no job 'monday'. Known: none")


@pytest.mark.parametrize("arguments", [["job"], ["jobs", "status"], ["jobs", "list", "night"]])
def test_wrong_command_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        sys.exit(main(arguments))
    assert exit_.value.code == 2
    assert "python -m skdistsearch jobs" in capsys.readouterr().err
