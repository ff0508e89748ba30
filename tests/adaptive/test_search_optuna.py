"""DistributedOptunaSearchCV: candidates, repeatability, scores and the study."""

import os
import pickle

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch.exceptions import ParamGridError, PlanError

optuna = pytest.importorskip("optuna")

from skdistsearch import DistributedOptunaSearchCV  # noqa: E402

DATA = make_regression(40, 4, noise=10, random_state=0)
SPACE = {"alpha": loguniform(0.01, 100), "fit_intercept": [True, False]}
OPTIONS = {"n_trials": 8, "n_pending": 3, "cv": 2, "random_state": 0}


def make_search(**options):
    return DistributedOptunaSearchCV(Ridge(), SPACE, **{**OPTIONS, **options})


def assert_equal_results(search, other):
    assert search.cv_results_["params"] == other.cv_results_["params"]
    for name, values in other.cv_results_.items():
        if "score" in name and "time" not in name:
            np.testing.assert_array_equal(search.cv_results_[name], values, err_msg=name)


@pytest.fixture(scope="module")
def search():
    return make_search().fit(*DATA)


def test_scores_equal_those_of_grid_search(search):
    grid = [{k: [v] for k, v in params.items()} for params in search.cv_results_["params"]]
    expected = GridSearchCV(Ridge(), grid, cv=2).fit(*DATA)
    assert_equal_results(search, expected)
    assert search.best_params_ == expected.best_params_
    np.testing.assert_array_equal(search.predict(DATA[0]), expected.predict(DATA[0]))


def test_study_has_the_candidates_and_scores(search):
    trials = search.study_.trials
    assert [trial.params for trial in trials] == search.cv_results_["params"]
    np.testing.assert_array_equal(
        [trial.value for trial in trials], search.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("options", [{"n_jobs": 2}, {"cache_mb": 0}], ids=str)
def test_results_do_not_depend_on(options, search):
    assert_equal_results(make_search(**options).fit(*DATA), search)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [3, 4])
def test_candidates_do_not_depend_on_the_number_of_workers(n_jobs, search):
    assert_equal_results(make_search(n_jobs=n_jobs).fit(*DATA), search)


def test_second_fit_repeats_the_first():
    sampler = optuna.samplers.RandomSampler(seed=1)
    search = make_search(sampler=sampler, random_state=None).fit(*DATA)
    assert_equal_results(clone(search).fit(*DATA), search)
    first = search.cv_results_["params"]
    assert search.fit(*DATA).cv_results_["params"] == first


def test_number_of_pending_candidates_matters(search):
    params = make_search(n_pending=1, n_trials=14).fit(*DATA).cv_results_["params"]
    assert params != make_search(n_pending=14, n_trials=14).fit(*DATA).cv_results_["params"]
    assert params[:8] == search.cv_results_["params"]  # TPE begins with ten random candidates


class Interrupted(Exception):
    pass


class InterruptedRidge(Ridge):
    """Counts fits in the environment, on which the keys of fits do not depend."""

    def fit(self, X, y):
        n_left = int(os.environ["TEST_N_FITS"]) - 1
        os.environ["TEST_N_FITS"] = str(n_left)
        if n_left < 0:
            raise Interrupted
        return super().fit(X, y)


@pytest.mark.parametrize("n_fits", [1, 7, 12])
def test_interrupted_search_goes_on_where_it_was(n_fits, tmp_path, monkeypatch):
    def make():
        options = OPTIONS | {"checkpoint": tmp_path, "error_score": "raise"}
        return DistributedOptunaSearchCV(InterruptedRidge(), SPACE, refit=False, **options)

    monkeypatch.setenv("TEST_N_FITS", str(n_fits))
    with pytest.raises(Interrupted):
        make().fit(*DATA)
    monkeypatch.setenv("TEST_N_FITS", str(16 - n_fits))
    assert_equal_results(make().fit(*DATA), make_search().fit(*DATA))
    assert os.environ["TEST_N_FITS"] == "0"


RACE = {"race": True, "cv": 4}


def test_race_keeps_the_scores_of_complete_candidates():
    search = make_search(**RACE).fit(*DATA)
    results = search.cv_results_
    is_complete = results["n_splits_done"] == 4
    assert set(results["n_splits_done"]) == {2, 4}
    assert np.isnan(results["mean_test_score"][~is_complete]).all()
    assert is_complete[search.best_index_]
    assert search.study_.best_trial.number == search.best_index_
    states = [trial.state.name for trial in search.study_.trials]
    assert states == np.where(is_complete, "COMPLETE", "PRUNED").tolist()
    grid = [{k: [v] for k, v in params.items()} for params in results["params"]]
    expected = GridSearchCV(Ridge(), grid, cv=4).fit(*DATA).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(results["mean_test_score"][is_complete], expected[is_complete])


def test_race_does_not_depend_on_the_number_of_workers():
    assert_equal_results(make_search(n_jobs=2, **RACE).fit(*DATA), make_search(**RACE).fit(*DATA))


def test_search_begins_with_known_candidates():
    known = [{"alpha": 1.0, "fit_intercept": False}, {"alpha": 2.0}]
    params = make_search(enqueue=known).fit(*DATA).cv_results_["params"]
    assert params[0] == known[0]
    assert params[1]["alpha"] == 2.0


def test_several_families_and_estimators_as_values():
    pipe = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
    space = [
        {"model": [Ridge()], "model__alpha": loguniform(0.1, 10)},
        {"model": [Lasso()], "model__alpha": [0.1, 1.0], "model__positive": [True, False]},
    ]
    search = DistributedOptunaSearchCV(pipe, space, **OPTIONS).fit(*DATA)
    assert {type(p["model"]) for p in search.cv_results_["params"]} == {Ridge, Lasso}


def test_metric_named_by_refit_decides():
    metrics = {"r2": "r2", "mae": "neg_mean_absolute_error"}
    search = make_search(scoring=metrics, refit="mae").fit(*DATA)
    values = [trial.value for trial in search.study_.trials]
    np.testing.assert_array_equal(values, search.cv_results_["mean_test_mae"])
    with pytest.raises(ValueError, match="such as refit='mae'"):
        make_search(scoring=metrics, refit=False).fit(*DATA)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_candidate_that_fails_is_a_failed_trial():
    search = DistributedOptunaSearchCV(Ridge(), {"alpha": [1.0, -1.0]}, **OPTIONS).fit(*DATA)
    states = {t.params["alpha"]: t.state.name for t in search.study_.trials}
    assert states == {1.0: "COMPLETE", -1.0: "FAIL"}
    assert search.best_params_ == {"alpha": 1.0}


def test_predictions_and_values_are_kept():
    search = make_search(keep="predictions", extract={"b": "intercept_"}).fit(*DATA)
    assert search.oof_predictions_["predict"].shape == (8, 40)
    assert len(search.cv_results_["mean_b"]) == 8


def test_fitted_search_can_be_pickled(search):
    loaded = pickle.loads(pickle.dumps(search))
    assert loaded.study_.best_value == search.best_score_


def test_optuna_writes_nothing(capsys):
    make_search().fit(*DATA)
    assert capsys.readouterr() == ("", "")


def test_search_cannot_be_planned():
    with pytest.raises(PlanError, match="runs in several rounds"):
        make_search().plan(*DATA)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": 0}, "n_trials=0 must be an integer of at least 1"),
        ({"n_pending": 0}, "n_pending=0 must be an integer of at least 1"),
        ({"enqueue": [{"alpha": 1.0}, {"beta": 1}]}, r"enqueue\[1\] is not in param_distributions"),
        ({"checkpoint": "x", "random_state": None}, "Set random_state=0"),
    ],
    ids=str,
)
def test_mistakes_raise_before_any_fit(options, message):
    with pytest.raises(ValueError, match=message):
        make_search(**options).fit(*DATA)


def test_unknown_parameter_raises_before_any_fit():
    with pytest.raises(ParamGridError, match="alpah"):
        DistributedOptunaSearchCV(Ridge(), {"alpah": [1]}, **OPTIONS).fit(*DATA)
