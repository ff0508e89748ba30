"""Outputs of fitted models on every backend, with checkpoints and with plans."""

import pickle

import joblib
import numpy as np
import pytest
from helpers.all_outputs import assert_all_outputs, search_with_all_outputs
from helpers.counting_estimator import CountingRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.tree import DecisionTreeClassifier

from skdistsearch import DistributedSearchCV, MetaflowBackend, checkpoints

DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 3]}


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "checkpoint"


@pytest.fixture
def fits(tmp_path):
    """Return the folder in which each fit of a `CountingRegressor` creates a file."""
    folder = tmp_path / "fits"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_jobs": 2},
        pytest.param({"backend": MetaflowBackend(max_workers=2)}, marks=pytest.mark.slow),
    ],
    ids=["in-process", "processes", "metaflow"],
)
class TestBackendsOfThisMachine:
    def test_all_outputs_return(self, options):
        search = search_with_all_outputs(TREE, GRID, **options).fit(*IRIS)
        assert_all_outputs(search, *IRIS)

    def test_all_outputs_return_from_a_checkpoint(self, options, checkpoint):
        for _ in range(2):
            search = search_with_all_outputs(TREE, GRID, checkpoint=checkpoint, **options)
            assert_all_outputs(search.fit(*IRIS), *IRIS)
        assert checkpoints.inspect(checkpoint).n_fits == 6
        checkpoints.delete(checkpoint)
        assert not checkpoint.exists()


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_all_outputs_return_from_other_joblib_backends(backend):
    with joblib.parallel_config(backend, n_jobs=2):
        search = search_with_all_outputs(TREE, GRID).fit(*IRIS)
    assert_all_outputs(search, *IRIS)


def test_assembled_search_has_all_outputs():
    search = search_with_all_outputs(TREE, GRID)
    plan = pickle.loads(pickle.dumps(search.plan(*IRIS)))
    outcomes = [pickle.loads(pickle.dumps(plan.run(chunk))) for chunk in range(len(plan))]
    assert_all_outputs(search.assemble(plan, outcomes), *IRIS)


def test_resumed_search_runs_missing_fits_and_has_all_outputs(fits, checkpoint):
    model, grid = CountingRegressor(folder=str(fits)), {"factor": [1.0, 2.0]}
    options = {
        "cv": 4,
        "extract": {"mean": "mean_"},
        "keep": ("predictions", "estimators"),
        "checkpoint": checkpoint,
        "refit": False,
    }
    expected = DistributedSearchCV(model, grid, **options).fit(*DIABETES)
    (journal,) = (checkpoint / "fits").glob("*/*.fits.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:5]))  # the header, then half of the eight fits
    for path in fits.iterdir():
        path.unlink()
    search = DistributedSearchCV(model, grid, **options).fit(*DIABETES)
    assert len(list(fits.iterdir())) == 4
    np.testing.assert_array_equal(
        search.oof_predictions_["predict"], expected.oof_predictions_["predict"]
    )
    np.testing.assert_array_equal(
        search.cv_results_["mean_mean"], expected.cv_results_["mean_mean"]
    )
    assert [[m.mean_ for m in folds] for folds in search.fold_estimators_] == [
        [m.mean_ for m in folds] for folds in expected.fold_estimators_
    ]


@pytest.mark.parametrize(
    "outputs", [{"keep": "predictions"}, {"extract": {"mean": "mean_"}}, {"keep": "estimators"}]
)
def test_fits_run_again_if_the_checkpoint_lacks_their_outputs(outputs, fits, checkpoint):
    for options, n_fits in (({}, 2), (outputs, 4), (outputs, 4)):
        DistributedSearchCV(
            CountingRegressor(folder=str(fits)),
            {},
            cv=2,
            refit=False,
            checkpoint=checkpoint,
            **options,
        ).fit(*DIABETES)
        assert len(list(fits.iterdir())) == n_fits


def test_fit_runs_again_if_its_file_was_removed(checkpoint):
    first = search_with_all_outputs(TREE, GRID, checkpoint=checkpoint).fit(*IRIS)
    next(checkpoint.glob("fits/*/*-predict.npy")).unlink()
    second = search_with_all_outputs(TREE, GRID, checkpoint=checkpoint).fit(*IRIS)
    assert_all_outputs(second, *IRIS)
    del first  # the first search still existed during the second
