"""`to_mlflow`, with a real SQLite store."""

import csv
import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV
from skdistsearch.exceptions import ReportError
from skdistsearch.report import to_mlflow
from skdistsearch.testing import FaultyRegressor

pytestmark = pytest.mark.xdist_group("mlflow")

X, y = load_diabetes(return_X_y=True)
X, y = X[:60], y[:60]
GRID = {"alpha": [1.0, 0.1]}


@pytest.fixture(scope="module")
def search():
    extract = {"intercept": "intercept_"}
    return DistributedSearchCV(Ridge(), GRID, cv=3, extract=extract).fit(X, y)


def log(search, **options):
    return to_mlflow(search, **{"report": False, **options})


def test_search_is_one_run_with_a_child_for_each_candidate(search, experiment):
    run_id = log(search, run_name="ridge", tags={"team": "blue"})
    (parent,) = experiment.parents
    assert parent.info.run_id == run_id
    assert parent.info.run_name == "ridge"
    assert parent.data.tags["team"] == "blue"
    assert parent.data.params["best_alpha"] == str(search.best_params_["alpha"])
    assert parent.data.metrics["best_cv_score"] == search.best_score_
    children = experiment.children
    assert {name: run.data.params for name, run in children.items()} == {
        "candidate 0": {"alpha": "1.0"},
        "candidate 1": {"alpha": "0.1"},
    }
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {run_id}
    assert {run.info.status for run in experiment.runs} == {"FINISHED"}


def test_metrics_are_those_of_cv_results(search, experiment):
    log(search)
    for candidate in (0, 1):
        run = experiment.children[f"candidate {candidate}"]
        for name in ("mean_test_score", "std_test_score", "rank_test_score", "mean_intercept"):
            assert run.data.metrics[name] == search.cv_results_[name][candidate]
        for name in ("test_score", "intercept"):
            splits = [search.cv_results_[f"split{n}_{name}"][candidate] for n in range(3)]
            assert experiment.steps(run, name) == dict(enumerate(splits))


def test_child_has_the_time_of_its_fits(search, experiment):
    log(search)
    times = [times for candidate, _, *times, _ in search._fit_times if candidate == 1]
    info = experiment.children["candidate 1"].info
    assert info.start_time == int(1000 * min(start for start, _ in times))
    assert info.end_time == int(1000 * max(end for _, end in times))


def test_run_has_the_results_and_the_report(search, experiment):
    pytest.importorskip("matplotlib", reason="draws the pictures of the report")
    run_id = to_mlflow(search)
    assert experiment.files(experiment.parents[0]) == ["cv_results.csv", "report.html"]
    path = experiment.client.download_artifacts(run_id, "cv_results.csv")
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    means = [float(row["mean_test_score"]) for row in rows]
    assert means == search.cv_results_["mean_test_score"].tolist()


def test_best_children_are_logged_first(search, experiment):
    log(search, children=1)
    assert list(experiment.children) == [f"candidate {search.best_index_}"]


def test_search_of_scikit_learn_is_logged(experiment):
    search = GridSearchCV(
        Ridge(), GRID, cv=3, scoring=["r2", "neg_max_error"], refit="neg_max_error"
    )
    log(search.fit(X, y))
    run = experiment.children["candidate 1"]
    assert run.data.metrics["mean_test_r2"] == search.cv_results_["mean_test_r2"][1]


def test_candidates_of_late_rounds_come_first(experiment):
    grid = {"alpha": [0.1, 1.0, 10.0, 100.0]}
    search = DistributedHalvingGridSearchCV(Ridge(), grid, cv=2, factor=2, random_state=0)
    log(search.fit(X, y), children=1)
    (name,) = experiment.children
    assert search.cv_results_["iter"][int(name.split()[1])] == search.n_iterations_ - 1


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_candidate_without_a_score_is_a_failed_run(experiment):
    grid = {"behavior": ["fit", "raise"]}
    search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, refit=False)
    with pytest.warns(FitFailedWarning):
        search.fit(X, y)
    log(search)
    statuses = [experiment.children[f"candidate {n}"].info.status for n in (0, 1)]
    assert statuses == ["FINISHED", "FAILED"]
    assert "test_score" not in experiment.children["candidate 1"].data.metrics


def test_active_run_gets_the_search(search, experiment):
    import mlflow

    with mlflow.start_run() as active:
        assert log(search) == active.info.run_id
    (parent,) = experiment.parents
    assert parent.data.metrics["best_cv_score"] == search.best_score_


def test_named_searches_become_children_of_the_active_run(search, experiment):
    import mlflow

    with mlflow.start_run() as active:
        log(search, run_name="first", children=0)
        log(search, run_name="second", children=0)
    assert {run.data.tags["mlflow.parentRunId"] for run in experiment.children.values()} == {
        active.info.run_id
    }
    assert set(experiment.children) == {"first", "second"}


def test_second_search_in_the_active_run_needs_a_name(search, experiment):
    import mlflow

    other = DistributedSearchCV(Ridge(), GRID, cv=2).fit(X, y)
    with mlflow.start_run():
        log(search, children=0)
        with pytest.raises(ReportError, match=r"other values of cv, extract already.*run_name="):
            log(other)


class WithoutText:
    """A value that cannot be logged."""

    def __str__(self):
        raise ZeroDivisionError


def test_error_ends_the_run_as_failed(search, experiment, monkeypatch):
    monkeypatch.setattr(search, "error_score", WithoutText())
    with pytest.raises(ZeroDivisionError):
        log(search)
    assert [run.info.status for run in experiment.runs] == ["FAILED"]


def test_long_texts_and_many_parameters_are_cut_to_what_mlflow_takes(experiment):
    names = [f"a{number}" for number in range(150)]
    search = GridSearchCV(ManyParameters(), [{name: ["x" * 9000] for name in names}], cv=2)
    log(search.fit(X, y))
    params = experiment.children["candidate 0"].data.params
    assert sorted(params) == sorted(names)
    assert {len(text) for text in params.values()} == {6000}


class ManyParameters(Ridge):
    """Ridge that accepts any parameter."""

    def get_params(self, deep=True):
        return {name: getattr(self, name, None) for name in (f"a{n}" for n in range(150))}

    def set_params(self, **params):
        vars(self).update(params)
        return self

    def __init__(self, **params):
        super().__init__()


def test_name_of_a_metric_has_valid_characters_only(experiment):
    search = GridSearchCV(Ridge(), GRID, cv=2, scoring={"R² (%)": "r2"}, refit=False)
    log(search.fit(X, y), children=1)
    (run,) = experiment.children.values()
    assert "mean_test_R² ___" in run.data.metrics


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"children": -1}, "children=-1 must be None or an integer"),
        ({"model": "onnx"}, "model='onnx' must be True, False"),
    ],
)
def test_wrong_option_is_an_error_before_any_run(search, experiment, options, message):
    with pytest.raises(ReportError, match=message):
        log(search, **options)
    assert experiment.runs == []


def test_model_needs_a_refit(experiment):
    search = GridSearchCV(Ridge(), GRID, cv=2, refit=False).fit(X, y)
    with pytest.raises(ReportError, match=r"has no best_estimator_. Use refit=True"):
        log(search, model=True)


def test_missing_mlflow_is_named(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match=r'pip install "skdistsearch\[mlflow\]"'):
        log(search)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of type hints, by MLflow
@pytest.mark.parametrize("model", [True, "skops"])
def test_model_is_logged(search, experiment, model, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    if model == "skops":
        pytest.importorskip("skops", reason="saves the model")
    run_id = log(search, model=model, children=0)
    (parent,) = experiment.parents
    assert parent.info.status == "FINISHED"
    loaded = mlflow.sklearn.load_model(f"runs:/{run_id}/best_estimator")
    assert np.array_equal(loaded.predict(X), search.predict(X))
