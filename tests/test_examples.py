"""The examples, run as a user runs them: in a folder of one's own, in which nothing is left."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
RIVALS = ("lightgbm", "tensorflow", "scikeras", "matplotlib", "pandas")
MISSING = [name for name in RIVALS if importlib.util.find_spec(name) is None]  # unimported: slow

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Metaflow needs Linux or macOS")


@pytest.fixture
def folder(tmp_path):
    """The working directory of an example."""
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def run(folder, tmp_path):
    """Runs an example in ``folder``, with Metaflow's runs kept elsewhere; gives its output."""
    metaflow = {"METAFLOW_USER": "tests", "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path)}

    def run(name, *arguments, timeout_s=250):
        done = subprocess.run(
            [sys.executable, EXAMPLES / name, *arguments],
            cwd=folder,
            env=os.environ | metaflow,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Warning:" not in done.stderr  # Python's; TensorFlow's C++ has "WARNING:"
        return done.stdout

    return run


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_quickstart_finds_the_same_three_ways(run, folder):
    output = run("quickstart.py")
    best = re.findall(r"^(?:GridSearchCV|DistributedSearchCV|on Metaflow) +(.*)$", output, re.M)
    assert len(best) == 3
    assert len(set(best)) == 1
    assert re.search(r"^Runs: DistributedSearch/\d+$", output, re.M)
    assert "All 8 columns of scores in cv_results_ are equal bit for bit." in output
    assert not files_in(folder)


@pytest.mark.slow
def test_overnight_goes_on_where_it_was(run, folder, tmp_path):
    checkpoint = str(tmp_path / "kept")
    first = run("overnight.py", "--checkpoint", checkpoint)
    again = run("overnight.py", "--checkpoint", checkpoint, "--backend", "metaflow")
    best = [line for line in first.splitlines() if line.startswith("Best mean accuracy 0.956")]
    assert best
    assert best[0] in again
    assert ": 100 fits;" in first
    assert "DistributedSearch" not in again  # nothing was left to run
    wider = run("overnight.py", "--checkpoint", checkpoint, "--widen")
    assert ": 150 fits;" in wider
    assert not files_in(folder)


@pytest.mark.slow
def test_own_flow_plans_fits_and_assembles(run, folder):
    output = run("own_flow.py", "run")
    assert "Foreach yields 3 child steps" in output
    assert re.search(r"Best score: 0\.4\d+", output)
    assert "Best parameters: {'max_depth': 4}" in output
    assert not files_in(folder)


@pytest.mark.slow
def test_early_stopping_stops_in_a_search(run, folder):
    output = run("early_stopping.py")
    best = re.findall(r"It stopped at (\d+) and was fitted for (\d+) iterations", output)
    stopped, fitted = map(int, best[0])
    assert 1 < stopped < fitted == round(stopped * 500 / 400) < 1000
    assert not files_in(folder)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_spec_in_a_file_becomes_a_tournament(run, folder):
    output = run("from_spec.py", "test_randomized")
    assert re.search(r"^  1  R² -?0\.\d+  learning_rate=0\.\d+, max_depth=\d$", output, re.M)
    assert re.search(r"^  2  R² -?\d\.\d+  dense_layer_widths=\(\), l1_factor=", output, re.M)
    assert "Best iteration of the winner: " in output
    assert not files_in(folder)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("backend", ["local", "metaflow"])
def test_tournament_ranks_all_candidates(run, folder, tmp_path, backend):
    output = run("tournament.py", "--small", "--backend", backend, "--n-jobs", "2", timeout_s=550)
    rows = re.findall(r"^ +(\d) (LGBM|Keras)Regressor +\S+=.* -?\d\.\d{4} ", output, re.M)
    assert [rank for rank, _ in rows] == ["1", "2", "3", "4"]
    assert sorted(contender for _, contender in rows) == ["Keras", "Keras", "LGBM", "LGBM"]

    picture, standings, summary = files_in(folder)  # and nothing else
    written = [str(path.relative_to(folder)) for path in (summary, standings, picture)]
    assert f"Written: {', '.join(written)}" in output
    assert standings.name == "standings.csv"
    assert len(standings.read_text(encoding="utf-8").splitlines()) == 5
    assert picture.parent.parent == summary.parent.parent == folder / "results"
    assert picture.name == "scores.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert summary.name == "summary.txt"
    text = summary.read_text(encoding="utf-8")
    assert f"backend={backend}" in text
    assert "scikit-learn 1." in text
    table, _, _ = text.partition("\n\n")
    assert table in output
    metaflow_run = tmp_path / ".metaflow" / "DistributedSearch" / summary.parent.name
    assert metaflow_run.is_dir() == (backend == "metaflow")
