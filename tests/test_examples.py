"""The examples, run as a user runs them: in a folder of one's own, in which nothing is left."""

import importlib
import importlib.util
import json
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


LOOK = rf"""
import base64, json, re, sys

import metaflow
from metaflow.cards import get_cards

sys.path.insert(0, {str(EXAMPLES / "configs")!r})  # the model's function is there
metaflow.namespace(None)
run = metaflow.Flow("TournamentFlow").latest_run
found = run.data
names = sorted(found.files)
pictures = [name for name in names if name.endswith(".png")]
(data,) = re.findall(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', get_cards(run["judge"].task)[0].get())
card = base64.b64decode(data).decode()
shown = card.count("data:image/png") == len(pictures) and "that nothing has seen" in card
ranks, predicted = found.leaderboard["rank"].tolist(), found.final.predict(found.X)
others = [name for name in names if name not in pictures]
print(json.dumps([pictures, others, ranks, len(predicted), shown]))
"""


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
def test_ensemble_is_shown_beside_the_best_candidate(run, folder):
    rows = re.findall(r"^(\S.*?) +(0\.\d{4}) +(0\.\d{4}) +0\.\d{4} +\d+$", run("ensemble.py"), re.M)
    found = {name: (float(out_of_fold), float(nested)) for name, out_of_fold, nested in rows}
    best = found.pop("best candidate")
    assert set(found) == {"greedy", "mean", "stack", "weighted"}
    assert all(out_of_fold >= best[0] for out_of_fold, _ in found.values())
    assert found["greedy"][1] > best[1]
    assert not files_in(folder)


def written_by(output, folder):
    """The tournament's files, by name; nothing else is in the folder."""
    files = files_in(folder)
    (run,) = {path.parent for path in files}
    assert run.parent == folder / "results"
    names = ", ".join(path.name for path in files)
    assert f"In {run.relative_to(folder)}: {names}\n" in output
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in files if p.suffix == ".png")
    return {path.name: path for path in files}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize(
    ("config", "backend"),
    [("test_grid", "local"), ("test_randomized", "metaflow")],
)
def test_tournament_ranks_tests_and_writes(run, folder, tmp_path, config, backend):
    given = ("--config", config, "--backend", backend, "--n-jobs", "2")
    output = run("tournament.py", *given, timeout_s=550)
    rows = re.findall(r"^ +(\d) (LGBM|Keras)Regressor +.* -?\d\.\d{4} ", output, re.M)
    assert sorted(rank for rank, _ in rows) == ["1", "2"]
    assert sorted(contender for _, contender in rows) == ["Keras", "LGBM"]
    assert re.search(r"; -?\d\.\d{4} on 20 rows that nothing has seen\.$", output, re.M)
    assert re.search(r"^Final model: fitted on all rows for \d+ iterations\.$", output, re.M)

    files = written_by(output, folder)
    assert {"predictions.png", "report.html", "scores.png", "timeline.png"} < files.keys()
    assert files["model.joblib"].stat().st_size > 1000
    assert len(files["leaderboard.csv"].read_text(encoding="utf-8").splitlines()) == 3
    text = files["summary.txt"].read_text(encoding="utf-8")
    assert f"seed=0, config={config}, backend={backend}" in text
    assert "scikit-learn 1." in text
    assert text.partition("\n\nSettings")[0] in output
    metaflow_run = tmp_path / ".metaflow" / "DistributedSearch" / files["scores.png"].parent.name
    assert metaflow_run.is_dir() == (backend == "metaflow")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_tournament_as_a_flow_keeps_its_results_in_the_run(run, folder):
    output = run("tournament_flow.py", "run", "--config", "test_grid", timeout_s=550)
    assert "rows that nothing has seen." in output
    assert not files_in(folder)
    (folder / "look.py").write_text(LOOK)
    pictures, *seen = json.loads(run(folder / "look.py").splitlines()[-1])
    assert set(pictures) >= {"predictions.png", "scores.png", "timeline.png"}
    assert seen == [
        ["model.joblib", "report.html", "leaderboard.csv", "summary.txt"],
        [1, 2],
        100,
        True,
    ]


@pytest.fixture
def tournament(monkeypatch):
    """The module."""
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    yield importlib.import_module("tournament")
    for name in ("tournament", "models"):
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_configurations_load_and_their_data_is_the_same_each_time(tournament):
    shapes = {}
    for name in tournament.CONFIG_NAMES:
        config = tournament.configuration(name)
        tournament.contenders_from_spec(config["contenders_spec"])
        (X, y), (again, y_again) = tournament.mock_data(config), tournament.mock_data(config)
        assert X.equals(again)
        assert (y == y_again).all()
        shapes[name] = X.shape[0], X["category"].nunique(), *y.shape[1:]
    assert shapes == {
        "classification": (2000, 2),
        "grid": (1000, 1),
        "multilabel": (2000, 2, 4),
        "randomized": (10_000, 2),
        "test_grid": (100, 1),
        "test_randomized": (100, 1),
    }


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_final_model_watches_nothing_and_has_the_iterations_it_is_given(tournament):
    from lightgbm import LGBMRegressor

    config = tournament.configuration("test_randomized")
    X, y = tournament.mock_data(config)
    estimator, grid = tournament.contenders_from_spec(
        config["contenders_spec"][:1], preprocessing=tournament.preprocessing(X)
    )
    final = tournament.for_so_many(7, estimator.set_params(model=grid[0]["model"][0])).fit(X, y)
    model = final["model"].estimator_
    assert type(model) is LGBMRegressor
    assert model.n_estimators_ == 7
