"""A driver on this machine outlives its submitter, is started again, and ends completely."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.jobs import TIMEOUT_S, assert_same_results, driver_of, processes_of, wait_for
from helpers.subprocesses import SCRIPTS
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV, jobs
from skdistsearch.exceptions import CorruptDataError, JobError
from skdistsearch.testing import FaultyRegressor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

X, y = make_regression(60, 4, random_state=0)
N_FITS = 12
GRID = {"factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]}


def make_search(folder, duration_s=0.15, **options):
    model = FaultyRegressor(folder=str(folder), duration_s=duration_s)
    return DistributedSearchCV(model, GRID, cv=2, refit=False, **options)


def expected_results(folder):
    model = FaultyRegressor(folder=str(folder), duration_s=0.15)
    return (
        GridSearchCV(model.set_params(duration_s=0), GRID, cv=2, refit=False).fit(X, y).cv_results_
    )


def wait_for_fits(fits, count):
    wait_for(lambda: len(list(fits.iterdir())) >= count)


def assert_done(job, tmp_path):
    assert job.wait(TIMEOUT_S) == "done", job.reason + job.log()
    other = tmp_path / "other"
    other.mkdir()
    assert_same_results(job.results()["cv_results_"], expected_results(other))


@pytest.fixture
def submit_and_die(fits):
    """Return a function that submits a job from a process that is killed by SIGKILL then."""

    def submit(**options):
        arguments = [sys.executable, SCRIPTS / "submit_job.py", "night", fits, json.dumps(options)]
        done = subprocess.run(arguments, capture_output=True, text=True, cwd=SCRIPTS)
        assert done.returncode == -signal.SIGKILL, done.stderr
        return jobs.attach("night")

    return submit


def test_job_of_a_killed_process_ends_with_equal_results(submit_and_die, fits, monkeypatch):
    job = submit_and_die(duration_s=0.1, n_jobs=2)
    assert job.wait(TIMEOUT_S) == "done", job.log()
    monkeypatch.syspath_prepend(SCRIPTS)
    import submit_job

    expected = submit_job.make_search().fit(submit_job.X, submit_job.y)
    assert_same_results(job.results()["cv_results_"], expected.cv_results_)
    assert job.result().predict(X) == expected.predict(X)


@pytest.mark.slow
def test_result_names_the_module_that_is_missing(submit_and_die, fits):
    job = submit_and_die()
    assert job.wait(TIMEOUT_S) == "done", job.log()
    assert job.results()["best_params_"].keys() == {"markup__rate", "mine__factor"}
    code = f"from skdistsearch import jobs; jobs.attach({job.name!r}).result()"
    folder = fits  # without the user's modules
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert "JobError" in done.stderr
    assert "No module named 'shop'" in done.stderr


@pytest.mark.parametrize("n_kills", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_driver_runs_only_the_missing_fits(n_kills, fits, tmp_path):
    job = jobs.submit(make_search(fits), X, y, name="night")
    for attempt in range(1, n_kills + 1):
        wait_for_fits(fits, 4 * attempt)
        os.kill(driver_of(job, attempt), signal.SIGKILL)
    assert_done(job, tmp_path)
    assert job.progress.attempt == n_kills + 1
    assert len(list(fits.iterdir())) <= N_FITS + n_kills
    assert job.progress.done == N_FITS


@pytest.mark.slow
def test_killed_driver_with_worker_processes_is_started_again(fits, tmp_path):
    job = jobs.submit(make_search(fits, n_jobs=2), X, y, name="night")
    wait_for_fits(fits, 4)
    os.kill(driver_of(job), signal.SIGKILL)
    assert_done(job, tmp_path)
    wait_for(lambda: processes_of(job) == [], 10)


@pytest.mark.slow
def test_driver_that_dies_each_time_is_given_up(fits):
    model = FaultyRegressor(behavior="kill", folder=str(fits))
    search = DistributedSearchCV(model, {"factor": [1.0]}, cv=2)
    job = jobs.submit(search, X, y, name="night", attempts=2)
    assert job.wait(TIMEOUT_S) == "failed"
    assert len(list(fits.iterdir())) == 2
    with pytest.raises(JobError, match="Its driver ended 2 times: SIGKILL, SIGKILL"):
        job.result()


def test_stopped_driver_goes_on(fits, tmp_path):
    job = jobs.submit(make_search(fits), X, y, name="night")
    wait_for_fits(fits, 3)
    for process in processes_of(job):
        os.kill(process, signal.SIGSTOP)
    time.sleep(0.5)
    assert job.status == "running"
    for process in processes_of(job):
        os.kill(process, signal.SIGCONT)
    assert_done(job, tmp_path)
    assert job.progress.attempt == 1


@pytest.mark.slow
def test_job_ignores_a_closed_terminal(fits, tmp_path):
    job = jobs.submit(make_search(fits), X, y, name="night")
    driver = driver_of(job)
    assert os.getsid(driver) != os.getsid(0)
    for process in processes_of(job):
        os.kill(process, signal.SIGHUP)
    assert_done(job, tmp_path)
    assert job.progress.attempt == 1


@pytest.mark.parametrize("n_jobs", [pytest.param(None, marks=pytest.mark.slow), 2])
def test_cancelled_job_leaves_no_process(n_jobs, fits):
    job = jobs.submit(make_search(fits, 60.0, n_jobs=n_jobs), X, y, name="night")
    wait_for_fits(fits, 1)
    job.cancel()
    assert job.status == "cancelled"
    assert processes_of(job) == []
    with pytest.raises(JobError, match="'night' is cancelled"):
        job.results()
    job.cancel()  # again


@pytest.mark.slow
def test_job_that_is_cancelled_on_another_machine_ends(fits):
    job = jobs.submit(make_search(fits, 60.0), X, y, name="night")
    wait_for_fits(fits, 1)
    Path(job.url, "cancelled.json").write_text("{}")
    assert job.wait(TIMEOUT_S) == "cancelled"
    assert job.progress.attempt == 1


@pytest.mark.slow
def test_ctrl_c_while_waiting_leaves_the_job_alone(fits, tmp_path):
    job = jobs.submit(make_search(fits), X, y, name="night")
    code = (
        f"from skdistsearch import jobs; print('on', flush=True); jobs.attach({job.name!r}).wait()"
    )
    waiting = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert waiting.stdout.readline() == "on\n"
    time.sleep(0.5)
    waiting.send_signal(signal.SIGINT)
    _, errors = waiting.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert_done(job, tmp_path)


def test_wait_has_a_time_limit(fits):
    job = jobs.submit(make_search(fits, 60.0), X, y, name="night")
    with pytest.raises(TimeoutError, match=r"is running after 0\.1 s, and goes on"):
        job.wait(0.1)


def test_error_of_the_search_ends_the_job_once_with_its_type(fits):
    model = FaultyRegressor(behavior="raise", folder=str(fits))
    search = DistributedSearchCV(model, {"factor": [1.0]}, cv=2, error_score="raise")
    job = jobs.submit(search, X, y, name="night")
    assert job.wait(TIMEOUT_S) == "failed"
    assert job.progress.attempt == 1
    assert job.reason == "ZeroDivisionError: factor=1.0 was meant to fail"
    with pytest.raises(ZeroDivisionError, match="meant to fail"):
        job.result()
    assert "meant to fail" in job.log()


@pytest.mark.slow
def test_changed_payload_is_refused_before_it_is_unpickled(fits):
    job = jobs.submit(make_search(fits, 60.0), X, y, name="night")
    wait_for_fits(fits, 1)
    (payload,) = Path(job.url, "payload").iterdir()
    payload.write_bytes(payload.read_bytes() + b"!")
    os.kill(driver_of(job), signal.SIGKILL)
    assert job.wait(TIMEOUT_S) == "failed"
    with pytest.raises(CorruptDataError, match="None of it was loaded"):
        job.result()
    assert len(list(fits.iterdir())) == 1


def test_changed_result_is_refused_before_it_is_unpickled(fits):
    job = jobs.submit(make_search(fits, 0), X, y, name="night")
    assert job.wait(TIMEOUT_S) == "done"
    Path(job.url, "result.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(CorruptDataError, match="None of it was loaded"):
        job.result()


def test_job_whose_submitter_died_before_the_driver_began_has_failed(fits):
    job = jobs.submit(make_search(fits, 0), X, y, name="night")
    assert job.wait(TIMEOUT_S) == "done"
    about = Path(job.url, "job.json")
    for path in Path(job.url).glob("*.*"):
        if path != about:
            path.unlink()
    fields = json.loads(about.read_text())
    about.write_text(json.dumps(fields | {"submitted_at": time.time()}))
    assert job.status == "submitted"
    about.write_text(json.dumps(fields | {"submitted_at": 0}))
    assert job.status == "failed"
    assert "has ended before it started the driver" in job.reason
