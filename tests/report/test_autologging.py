"""MLflow's autologging: one run for a search, and none for its fits."""

import threading

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV

pytestmark = pytest.mark.xdist_group("mlflow")

X, y = load_diabetes(return_X_y=True)
X, y = X[:60], y[:60]
GRID = {"alpha": [1.0, 0.1]}


@pytest.fixture
def autolog(experiment):
    """Switch autologging on, without models: to log one takes seconds."""
    sklearn = pytest.importorskip("mlflow.sklearn")
    patched = pytest.importorskip("mlflow.utils.autologging_utils")
    sklearn.autolog(log_models=False, silent=True)
    yield sklearn.autolog
    sklearn.autolog(disable=True, silent=True)
    assert patched._AUTOLOGGING_GLOBALLY_DISABLED is False


def new_search(**params):
    return DistributedSearchCV(Ridge(), GRID, cv=2, **params)


def classes_of(runs):
    return [run.data.tags["estimator_name"] for run in runs]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_is_logged_as_one_run_with_children(autolog, experiment, n_jobs):
    search = new_search(n_jobs=n_jobs).fit(X, y)
    (parent,) = experiment.parents
    assert parent.data.tags["estimator_name"] == "DistributedSearchCV"
    assert parent.data.tags["mlflow.autologging"] == "sklearn"
    assert parent.data.metrics["best_cv_score"] == search.best_score_
    assert set(experiment.children) == {"candidate 0", "candidate 1"}


def test_grid_search_has_the_same_runs(autolog, experiment):
    GridSearchCV(Ridge(), GRID, cv=2).fit(X, y)
    new_search().fit(X, y)
    theirs, ours = experiment.parents
    params = {"cv", "n_jobs", "refit", "best_alpha"}
    assert {name: theirs.data.params[name] for name in params} == {
        name: ours.data.params[name] for name in params
    }
    assert ours.data.metrics["best_cv_score"] == theirs.data.metrics["best_cv_score"]
    assert len(experiment.runs) == 2 * 3


def test_scores_are_those_without_autologging(autolog):
    logged = new_search().fit(X, y).cv_results_["mean_test_score"]
    autolog(disable=True, silent=True)
    assert np.array_equal(new_search().fit(X, y).cv_results_["mean_test_score"], logged)


def test_assembled_search_is_logged_once(autolog, experiment):
    search = new_search()
    plan = search.plan(X, y)
    search.assemble(plan, [plan.run(chunk) for chunk in range(len(plan))])
    assert classes_of(experiment.parents) == ["DistributedSearchCV"]


def test_active_run_gets_the_search(autolog, experiment):
    import mlflow

    with mlflow.start_run() as active:
        search = new_search().fit(X, y)
    (parent,) = experiment.parents
    assert parent.info.run_id == active.info.run_id
    assert parent.data.metrics["best_cv_score"] == search.best_score_


def test_search_within_a_search_is_not_logged(autolog, experiment):
    outer = DistributedSearchCV(new_search(), {"cv": [2, 3]}, cv=2)
    outer.fit(X, y)
    assert classes_of(experiment.parents) == ["DistributedSearchCV"]
    assert len(experiment.children) == 2


def test_search_within_a_logged_fit_is_not_logged(autolog, experiment):
    GridSearchCV(new_search(), {"cv": [2, 3]}, cv=2).fit(X, y)
    assert classes_of(experiment.parents) == ["GridSearchCV"]


def test_disabled_autologging_logs_nothing(autolog, experiment):
    autolog(disable=True, silent=True)
    new_search().fit(X, y)
    assert experiment.runs == []


def test_switched_off_autologging_stays_off(autolog, experiment):
    from mlflow.utils.autologging_utils import disable_autologging

    with disable_autologging():
        new_search().fit(X, y)
        Ridge().fit(X, y)
    assert experiment.runs == []


def test_exclusive_autologging_leaves_the_users_run_alone(autolog, experiment):
    import mlflow

    autolog(log_models=False, silent=True, exclusive=True)
    with mlflow.start_run():
        new_search().fit(X, y)
    (run,) = experiment.runs
    assert run.data.metrics == {}


def test_other_fits_are_logged_before_and_after(autolog, experiment):
    Ridge().fit(X, y)
    new_search().fit(X, y)
    Ridge().fit(X, y)
    assert sorted(classes_of(experiment.parents)) == ["DistributedSearchCV", "Ridge", "Ridge"]


class WaitingRegressor(RegressorMixin, BaseEstimator):
    """Waits for another search: for its first fits if alpha is less than 2, else for its end."""

    meeting, other_has_ended = threading.Barrier(2), threading.Event()

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        if self.alpha < 2:
            self.meeting.wait(timeout=60)
        else:
            assert self.other_has_ended.wait(timeout=60)
        self.model_ = Ridge(alpha=self.alpha).fit(X, y)  # autologging would log it
        return self

    def predict(self, X):
        return self.model_.predict(X)


def test_parallel_searches_are_logged_each(autolog, experiment):
    def run(alphas):
        DistributedSearchCV(WaitingRegressor(), {"alpha": alphas}, cv=2, refit=False).fit(X, y)

    long = threading.Thread(target=run, args=[[0, 1, 2, 3]])
    long.start()
    run([0, 1])
    WaitingRegressor.other_has_ended.set()
    long.join()
    assert classes_of(experiment.parents) == ["DistributedSearchCV"] * 2
    assert {run.data.metrics["n_candidates"] for run in experiment.parents} == {2, 4}


def test_failed_search_is_not_logged(autolog, experiment):
    with pytest.raises(ValueError, match="NaN"):
        new_search().fit(np.full_like(X, np.nan), y)
    assert experiment.runs == []


def test_error_of_mlflow_leaves_the_search_alone(autolog, experiment, caplog):
    import mlflow

    with mlflow.start_run():
        new_search().fit(X, y)
        search = DistributedSearchCV(Ridge(), GRID, cv=3).fit(X, y)
    assert search.best_score_ is not None
    assert "was not logged to MLflow: The active run of MLflow has other values of cv" in (
        caplog.text
    )


@pytest.mark.slow
def test_metaflow_tasks_log_nothing(autolog, experiment):
    new_search(backend="metaflow").fit(X, y)
    (parent,) = experiment.parents
    assert parent.data.tags["skdistsearch.runs"].startswith("DistributedSearch/")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of type hints, by MLflow
def test_model_is_logged_by_default(autolog, experiment):
    mlflow = pytest.importorskip("mlflow")
    autolog(silent=True)
    search = new_search().fit(X, y)
    (parent,) = experiment.parents
    model = mlflow.sklearn.load_model(f"runs:/{parent.info.run_id}/best_estimator")
    assert np.array_equal(model.predict(X), search.predict(X))
