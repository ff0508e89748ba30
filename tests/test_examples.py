"""The flows and the tournament, run as a user runs them: in a folder in which they leave nothing.

The other examples run, with their assertions, when the gallery of the documentation is built.
"""

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skdistsearch import contenders_from_spec, skops_trusted_types
from skdistsearch.early_stopping import replace_early_stopping

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = Path(__file__).parent / "scripts"
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
    """A function that runs an example in ``folder`` and returns its output."""
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
        assert "Warning:" not in done.stderr
        assert "oneDNN" not in done.stderr + done.stdout  # TensorFlow's greeting
        return done.stdout

    return run


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_flow_of_the_user_plans_fits_and_assembles(run, folder):
    output = run("own_flow.py", "run")
    assert "Foreach yields 3 child steps" in output
    assert re.search(r"Best score: 0\.4\d+", output)
    assert "Best parameters: {'max_depth': 4}" in output
    assert not files_in(folder)


def result_files(output, folder):
    """Return the files of the tournament by name; the folder has no others."""
    files = files_in(folder)
    (run,) = {path.parent for path in files}
    assert run.parent == folder / "results"
    names = ", ".join(path.name for path in files)
    assert f"In {run.relative_to(folder)}: {names}" in " ".join(output.split())
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in files if p.suffix == ".png")
    return {path.name: path for path in files}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_tournament_ranks_tests_and_writes(run, folder, tmp_path):
    # The gallery runs it with local worker processes
    options = ("--config", "small_grid", "--backend", "metaflow", "--n-jobs", "2")
    output = run("tournament.py", *options, timeout_s=550)
    rows = re.findall(r"^ +(\d) +-?\d\.\d{4} .* (LGBM|Keras)Regressor", output, re.M)
    assert [int(rank) for rank, _ in rows] == [1, 2]
    assert {contender for _, contender in rows} == {"Keras", "LGBM"}
    assert re.search(r"^and -?\d\.\d{4} on 20 held-out rows\.$", output, re.M)
    assert re.search(r"^Final model: fitted on all rows for \d+ iterations\.$", output, re.M)

    files = result_files(output, folder)
    assert {"predictions.png", "report.html", "scores.png", "timeline.png"} < files.keys()
    assert files["model.joblib"].stat().st_size > 1000
    assert len(files["leaderboard.csv"].read_text(encoding="utf-8").splitlines()) == 1 + 2
    assert files["summary.txt"].read_text(encoding="utf-8").partition("\n\n")[2] in output
    report = files["report.html"].read_text(encoding="utf-8")
    for name, value in (("random_state", "0"), ("backend", "metaflow"), ("scikit-learn", "1.")):
        assert f'<th scope="row">{name}</th><td><pre>{value}' in report
    run_id = files["scores.png"].parent.name
    assert (tmp_path / ".metaflow" / "DistributedSearch" / run_id).is_dir()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_tournament_flow_keeps_its_results_in_the_run(run, folder):
    output = run("tournament_flow.py", "run", "--config", "small_grid", timeout_s=550)
    assert "on 20 held-out rows." in output
    assert not files_in(folder)
    seen = json.loads(run(SCRIPTS / "inspect_tournament_run.py", EXAMPLES).splitlines()[-1])
    assert seen == {
        "files": [
            "leaderboard.csv",
            "model.joblib",
            "predictions.png",
            "report.html",
            "scores.png",
            "summary.txt",
            "timeline.png",
        ],
        "ranks": [1, 2],
        "n_predictions": 100,
        "pictures_in_card": 3,
        "conclusion_in_card": True,
    }


@pytest.fixture
def examples(monkeypatch):
    """A function that imports a module of the examples."""
    monkeypatch.syspath_prepend(EXAMPLES)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("configs", "mock_data", "plots", "tournament_parts"):
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_configurations_make_the_same_data_each_time(examples):
    configs, make_data = examples("configs"), examples("mock_data").make_data
    files = {path.stem for path in (EXAMPLES / "configs").glob("*.py")}
    assert set(configs.NAMES) == files - {"__init__", "base", "models"}
    shapes = {}
    for name in configs.NAMES:
        config = configs.load_config(name)
        contenders_from_spec(config["contenders_spec"])
        (X, y), (X_again, y_again) = make_data(config), make_data(config)
        assert X.equals(X_again)
        assert (y == y_again).all()
        shapes[name] = X.shape[0], X["category"].nunique(), *y.shape[1:]
    assert shapes == {
        "classification": (2000, 2),
        "grid": (1000, 1),
        "multilabel": (2000, 2, 4),
        "randomized": (10_000, 2),
        "small_grid": (100, 1),
        "small_randomized": (500, 1),
    }


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_final_model_does_not_stop_early(examples):
    from lightgbm import LGBMRegressor

    config = examples("configs").load_config("small_randomized")
    X, y = examples("mock_data").make_data(config)
    model, grid = examples("tournament_parts").make_contenders(config, X)
    trees = grid[0]["model"][0]
    final = replace_early_stopping(model.set_params(model=trees), 7).fit(X, y)
    model = final["model"].estimator_
    assert type(model) is LGBMRegressor
    assert model.n_estimators_ == 7


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_final_model_is_saved_without_pickle_if_that_is_possible(examples, tmp_path, capsys):
    skops = pytest.importorskip("skops.io", reason="the format of the model")
    config = examples("configs").load_config("small_randomized")
    X, y = examples("mock_data").make_data(config)
    parts = examples("tournament_parts")
    model, grid = parts.make_contenders(config, X)
    trees, net = (entry["model"][0] for entry in grid)
    final = replace_early_stopping(model.set_params(model=trees), 3).fit(X, y)
    parts.save_model(final, tmp_path, "skops")
    path = tmp_path / "model.skops"
    loaded = skops.load(path, trusted=skops_trusted_types(path))
    assert np.array_equal(loaded.predict(X), final.predict(X))
    path.unlink()
    parts.save_model(
        replace_early_stopping(model.set_params(model=net), 1).fit(X, y), tmp_path, "skops"
    )
    assert "cannot be saved without pickle" in capsys.readouterr().out
    assert not path.exists()


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize(
    ("truth", "n_panels"),
    [
        (np.linspace(0, 1, 30), 1),
        (np.arange(30) % 3, 1),
        (np.stack([np.arange(30) % 2, np.arange(30) % 5 == 0], axis=1).astype(int), 2),
    ],
    ids=["numbers", "classes", "labels"],
)
def test_predictions_have_a_picture_for_each_kind_of_target(examples, truth, n_panels):
    figure = examples("plots").draw_predictions(truth, truth[::-1])
    assert len(figure.axes) == n_panels
    examples("matplotlib.pyplot").close(figure)
