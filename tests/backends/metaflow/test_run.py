"""Metaflow runs as users meet them: where they are stored, and what they leave behind."""

import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.probing_regressor import probe_fits
from helpers.subprocesses import SCRIPTS, Script
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.exceptions import BackendConfigError, BackendError
from skdistsearch.testing import FaultyRegressor

pytestmark = pytest.mark.slow

COMPARE = SCRIPTS / "search_and_compare.py"


def run_script(tmp_path, *arguments, path=COMPARE, env=None):
    """Run a script in an empty working directory; return its output."""
    work = tmp_path / "work"
    work.mkdir()
    script = Script(path, env=env, arguments=arguments, cwd=work)
    output, code = script.finish()
    assert code == 0, output
    assert script.left_over() == []
    return output


def fit_small():
    search = DistributedSearchCV(Ridge(), {"alpha": [1.0]}, backend="metaflow")
    return search.fit([[1], [2]] * 5, [0, 1] * 5)


def runs_in(root):
    return [path.name for path in Path(root, ".metaflow", "DistributedSearch").glob("[0-9]*")]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the default folder for runs, if no other is configured."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "skdistsearch"


def test_client_finds_the_run(tmp_path, home):
    output = run_script(tmp_path, "fit_and_find_run")
    outcomes = json.loads(output.splitlines()[-1])
    assert [outcome["fit"] for outcome in outcomes] == [0, 1, 2, 3]
    assert {outcome["status"] for outcome in outcomes} == {"ok"}
    assert len(runs_in(home)) == 1
    assert os.listdir(tmp_path / "work") == []


def test_metaflow_folder_above_the_working_directory_is_used(tmp_path, home):
    (tmp_path / ".metaflow").mkdir()
    run_script(tmp_path, "fit")
    assert len(runs_in(tmp_path)) == 1
    assert not home.exists()


def test_configured_metaflow_gets_the_run(tmp_path, home):
    root = tmp_path / "configured"
    root.mkdir()
    setting = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(root)}
    (tmp_path / "config_mine.json").write_text(json.dumps(setting))
    env = {**os.environ, "METAFLOW_HOME": str(tmp_path), "METAFLOW_PROFILE": "mine"}
    run_script(tmp_path, "fit", env=env)
    assert len(runs_in(root)) == 1
    assert not home.exists()


def test_search_needs_no_user_name(tmp_path, home):
    names = {"USER", "USERNAME", "SUDO_USER", "LOGNAME", "METAFLOW_USER"}
    env = {name: value for name, value in os.environ.items() if name not in names}
    run_script(tmp_path, "fit", env=env)
    assert len(runs_in(home)) == 1


def test_search_in_a_thread(tmp_path, home):
    run_script(tmp_path, "fit_in_thread")
    assert len(runs_in(home)) == 1


def test_script_needs_no_main_guard(tmp_path, home):
    run_script(tmp_path, path=SCRIPTS / "search_without_main_guard.py")
    assert len(runs_in(home)) == 1


def test_search_in_a_step_of_another_flow(tmp_path, home):
    env = {**os.environ, "METAFLOW_USER": "someone"}
    env["METAFLOW_DATASTORE_SYSROOT_LOCAL"] = str(tmp_path / "outer")
    output = run_script(tmp_path, "run", path=SCRIPTS / "search_in_flow.py", env=env)
    assert "runs ['DistributedSearch/" in output
    assert len(runs_in(tmp_path / "outer")) == 1
    assert not home.exists()


@pytest.mark.parametrize("options", ["n_jobs=2, backend='local'", "backend='metaflow'"])
def test_search_in_a_notebook(options, tmp_path, home):
    nbclient = pytest.importorskip("nbclient", reason="runs a notebook")
    nbformat = pytest.importorskip("nbformat", reason="runs a notebook")
    kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    definitions = COMPARE.read_text().partition("\nif __name__")[0]
    cells = [
        nbformat.v4.new_code_cell(source)
        for source in (definitions, f"search = fit({options}, verbose=3)", "search.best_params_")
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    printed = [output["text"] for output in cells[1].outputs if output.get("name") == "stdout"]
    assert "".join(printed).count("[CV 1/2] END") == 2
    (bar,) = [output["data"] for output in cells[1].outputs if "data" in output]
    assert re.search(r"^[48]/[48] fits  best .* s$", bar["text/plain"])
    assert cells[2].outputs[0]["data"]["text/plain"] == "{'alpha': 0.1}"


def test_failed_run_is_reported_with_its_last_lines(monkeypatch, home):
    monkeypatch.setenv("METAFLOW_DEFAULT_DATASTORE", "floppy")
    with pytest.raises(
        BackendError, match=r"(?s)The Metaflow run .* failed. Its last lines:.*flop"
    ):
        fit_small()


def test_folder_for_runs_that_cannot_be_created_is_one_error(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/dev/null")
    with pytest.raises(BackendConfigError, match="Set METAFLOW_DATASTORE_SYSROOT_LOCAL to a fold"):
        fit_small()


def test_task_that_dies_leaves_no_temporary_file(tmp_path, home):
    temporary, fits = tmp_path / "tmp", tmp_path / "fits"
    temporary.mkdir()
    fits.mkdir()
    env = {**os.environ, "TMPDIR": str(temporary), "FITS": str(fits)}
    run_script(tmp_path, "fit_in_task_that_dies", env=env)
    assert len(list(fits.glob("exit once-*"))) == 3  # one of them died
    assert list(temporary.glob("skdistsearch-*")) == []


def leave_temporary_file():
    tempfile.mkstemp()
    return 1.0


def test_temporary_files_of_tasks_are_removed_with_the_run(tmp_path, home, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert probe_fits(leave_temporary_file, backend="metaflow", n_jobs=1) == {1.0}
    assert os.listdir(temporary) == []


def test_idle_local_task_takes_fits_of_a_busy_one(home):
    durations = [2.0, *(0.02 + number / 1e4 for number in range(20))]
    search = DistributedSearchCV(
        FaultyRegressor(),
        {"duration_s": durations},
        cv=2,
        backend="metaflow",
        n_jobs=2,
        refit=False,
    ).fit([[1], [2]] * 5, [0, 1] * 5)
    counts = Counter(worker for *_, worker in search._fit_times)
    assert sum(counts.values()) == 42
    assert len(counts) == 2
    assert min(counts.values()) < 10  # the task that ran the two slow fits


def test_retried_task_runs_its_missing_fits(tmp_path, home):
    folder = str(tmp_path)
    search = DistributedSearchCV(
        FaultyRegressor(),
        {"behavior": ["fit", "exit once"], "folder": [folder]},
        cv=3,
        backend=MetaflowBackend(retries=1),
        n_jobs=2,
        refit=False,
    ).fit([[1], [2]] * 5, [0, 1] * 5)
    assert len(search.runs_) == 1
    assert [FaultyRegressor.fits_begun(folder, behavior) for behavior in ("fit", "exit once")] == [
        3,
        4,
    ]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
