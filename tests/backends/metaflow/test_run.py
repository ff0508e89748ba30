"""Runs of Metaflow as a user meets them: where they are, and what they leave alone."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.subprocesses import Script
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.backends import Batch
from skdistsearch.exceptions import BackendConfigError, BackendError
from skdistsearch.scheduling._chunks import interleaved_chunks
from skdistsearch.testing import FaultyRegressor

pytestmark = pytest.mark.slow

FIT = """
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from skdistsearch import DistributedSearchCV, MetaflowBackend

X, y = load_diabetes(return_X_y=True)

class Mine(Ridge):
    pass

def fit(backend="metaflow", **options):
    grid = {"alpha": [0.1, 1.0]}
    expected = GridSearchCV(Mine(), grid, cv=2).fit(X, y).cv_results_["mean_test_score"]
    search = DistributedSearchCV(Mine(), grid, cv=2, backend=backend, **options).fit(X, y)
    assert list(search.cv_results_["mean_test_score"]) == list(expected)
    return search
"""


def run(tmp_path, source, env=None):
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    script = Script(work / "script.py", FIT + source, env)
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
    """Where runs go that nobody has configured a place for."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "skdistsearch"


def test_run_is_an_ordinary_run_that_the_client_finds(tmp_path, home):
    output = run(
        tmp_path,
        """
import json, os
environment, folder = dict(os.environ), os.listdir()
search = fit(MetaflowBackend(tags=["mine"], fits_per_task=1), n_jobs=2)
assert dict(os.environ) == environment and os.listdir() == folder
import metaflow
metaflow.namespace(None)
run = metaflow.Flow("DistributedSearch").latest_successful_run
assert [run.pathspec] == search.runs_, (run, search.runs_)
assert {"mine", "skdistsearch"} <= run.tags
assert len(list(run["fit"])) == 4
print(json.dumps(run.data.outcomes))
""",
    )
    outcomes = json.loads(output.splitlines()[-1])
    assert [outcome["fit"] for outcome in outcomes] == [0, 1, 2, 3]
    assert {outcome["status"] for outcome in outcomes} == {"ok"}
    assert len(runs_in(home)) == 1
    assert sorted(os.listdir(tmp_path / "work")) == ["script.py"]


def test_users_own_metaflow_folder_above_the_script_is_used(tmp_path, home):
    (tmp_path / ".metaflow").mkdir()
    run(tmp_path, "fit()")
    assert len(runs_in(tmp_path)) == 1
    assert not home.exists()


@pytest.mark.parametrize("how", ["environment", "profile"])
def test_configured_metaflow_gets_the_run(how, tmp_path, home):
    root = tmp_path / "configured"
    root.mkdir()
    env = dict(os.environ)
    setting = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(root)}
    if how == "environment":
        env |= setting
    else:
        (tmp_path / "config_mine.json").write_text(json.dumps(setting))
        env |= {"METAFLOW_HOME": str(tmp_path), "METAFLOW_PROFILE": "mine"}
    run(tmp_path, "fit()", env)
    assert len(runs_in(root)) == 1
    assert not home.exists()


def test_without_any_user_name(tmp_path, home):
    names = {"USER", "USERNAME", "SUDO_USER", "LOGNAME", "METAFLOW_USER"}
    run(tmp_path, "fit()", {key: value for key, value in os.environ.items() if key not in names})
    assert len(runs_in(home)) == 1


def test_in_a_thread(tmp_path, home):
    run(
        tmp_path,
        """
import threading
runs = []
thread = threading.Thread(target=lambda: runs.extend(fit().runs_))
thread.start(); thread.join()
assert len(runs) == 1
""",
    )


def test_with_a_main_guard(tmp_path, home):
    run(tmp_path, "if __name__ == '__main__':\n    fit()")
    assert len(runs_in(home)) == 1


def test_within_a_step_of_another_flow(tmp_path, home):
    source = """
from metaflow import FlowSpec, step

class Outer(FlowSpec):
    @step
    def start(self):
        self.runs = fit(n_jobs=1).runs_
        self.next(self.end)

    @step
    def end(self):
        print("runs", self.runs)

if __name__ == "__main__":
    Outer()
"""
    work = tmp_path / "work"
    work.mkdir()
    env = {**os.environ, "METAFLOW_USER": "someone"}
    env["METAFLOW_DATASTORE_SYSROOT_LOCAL"] = str(tmp_path / "outer")
    script = Script(work / "outer.py", FIT + source, env, arguments=["run"])
    output, code = script.finish()
    assert code == 0, output
    assert "runs ['DistributedSearch/" in output
    assert len(runs_in(tmp_path / "outer")) == 1


@pytest.mark.parametrize("options", ["n_jobs=2, backend='local'", "backend='metaflow'"])
def test_in_a_notebook_kernel(options, tmp_path, home, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="runs a notebook")
    nbformat = pytest.importorskip("nbformat", reason="runs a notebook")
    kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    cells = [
        nbformat.v4.new_code_cell(source)
        for source in (FIT, f"search = fit({options}, verbose=3)", "search.best_params_")
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    printed = [output["text"] for output in cells[1].outputs if output.get("name") == "stdout"]
    assert "".join(printed).count("[CV 1/2] END") == 2
    assert cells[2].outputs[0]["data"]["text/plain"] == "{'alpha': 0.1}"


def test_run_that_fails_as_a_whole_tells_what_metaflow_said(monkeypatch, home):
    monkeypatch.setenv("METAFLOW_DEFAULT_DATASTORE", "floppy")
    with pytest.raises(
        BackendError, match=r"(?s)The Metaflow run .* failed. Its last lines:.*flop"
    ):
        fit_small()


def test_place_for_runs_that_cannot_be_made_is_one_error(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/dev/null")
    with pytest.raises(BackendConfigError, match="Set METAFLOW_DATASTORE_SYSROOT_LOCAL to a fold"):
        fit_small()


def test_absent_metaflow_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "metaflow", None)
    with pytest.raises(BackendConfigError, match="pip install metaflow"):
        fit_small()


def test_every_wrong_setting_is_named_at_once():
    with pytest.raises(BackendConfigError) as info:
        MetaflowBackend(compute="moon", fits_per_task=0, max_workers="two", tags=[1])
    for name in ("compute='moon': must be one of local", "fits_per_task=0", "max_workers=", "tags"):
        assert name in str(info.value)


def test_one_tag_may_be_a_string():
    assert MetaflowBackend(tags="mine") == MetaflowBackend(tags=("mine",))


@pytest.mark.parametrize(
    ("fits_per_task", "n_jobs", "sizes"),
    [("auto", 2, [25, 25]), (1, 2, [1] * 50), (20, 2, [20, 20, 10]), ("auto", 80, [1] * 50)],
)
def test_fits_per_task(fits_per_task, n_jobs, sizes):
    backend = MetaflowBackend(fits_per_task=fits_per_task)
    chunks = backend.chunks(range(50), Batch("key", dict, (), {}, [], n_jobs=n_jobs))
    assert [len(chunk) for chunk in chunks] == sizes


def test_few_fits_have_a_container_each_and_many_share_them():
    backend = MetaflowBackend(compute="batch")
    batch = Batch("key", dict, (), {}, [])
    assert [len(chunk) for chunk in backend.chunks(range(50), batch)] == [1] * 50
    chunks = backend.chunks(range(10_000), batch)
    assert len(chunks) == 200
    assert sorted(fit for chunk in chunks for fit in chunk) == list(range(10_000))


@pytest.mark.parametrize(("n_chunks", "period"), [(2, 2), (10, 5), (50, 10)])
def test_dealt_chunks_do_not_fall_in_step_with_the_grid(n_chunks, period):
    """Where every ``period``-th fit is slow, no worker gets all of them."""
    chunks = interleaved_chunks(range(1000), n_chunks)
    slow = [sum(fit % period == 0 for fit in chunk) for chunk in chunks]
    assert max(slow) <= 2 * 1000 / period / n_chunks
    assert {len(chunk) for chunk in chunks} == {1000 // n_chunks}


def test_task_that_dies_leaves_no_temporary_file(tmp_path, home):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    run(
        tmp_path,
        f"""
from skdistsearch.testing import FaultyRegressor
grid = {{"behavior": ["exit once"], "folder": [{str(tmp_path)!r}]}}
DistributedSearchCV(
    FaultyRegressor(), grid, cv=2, backend="metaflow", n_jobs=1, refit=False
).fit(X, y)
""",
        {**os.environ, "TMPDIR": str(temporary)},
    )
    assert len(list(tmp_path.glob("exit once-*"))) == 3  # one died
    assert list(temporary.glob("skdistsearch-*")) == []


def test_tasks_of_this_machine_take_from_each_other(home):
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
    assert min(counts.values()) < 10  # of the task that has had the two slow fits


def test_task_that_is_tried_again_has_its_fits_again(tmp_path, home):
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
