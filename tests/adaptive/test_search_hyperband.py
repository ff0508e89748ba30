"""DistributedHyperbandSearchCV: scores, rungs, models that go on, and repeatability."""

import os

import numpy as np
import pytest
from scipy.stats import loguniform, uniform
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_regression
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, KFold, ParameterSampler, ShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedHyperbandSearchCV
from skdistsearch.exceptions import ParamGridError, PlanError
from skdistsearch.report import leaderboard
from skdistsearch.testing import FaultyRegressor

REGRESSION = make_regression(60, 4, noise=10, random_state=0)
SPACE = {"learning_rate": [0.1, 0.3, 1.0], "max_depth": [1, 2, 3]}
BOOSTING = GradientBoostingRegressor(random_state=0)
TREES = {"resource": "n_estimators", "max_resources": 9, "cv": 3, "random_state": 0}


def scores_of(search):
    return {
        name: np.asarray(values)
        for name, values in search.cv_results_.items()
        if "time" not in name and not name.startswith("param")
    }


def assert_equal_scores(search, other):
    assert search.cv_results_["params"] == other.cv_results_["params"]
    for name, values in scores_of(other).items():
        np.testing.assert_array_equal(scores_of(search)[name], values, err_msg=name)


def boost(**options):
    return DistributedHyperbandSearchCV(BOOSTING, SPACE, **{**TREES, **options})


@pytest.fixture(scope="module")
def search():
    return boost().fit(*REGRESSION)


def test_scores_equal_those_of_grid_search(search):
    results = search.cv_results_
    assert results["is_resumed"].any()
    for row in range(0, len(results["params"]), 4):
        grid = {name: [value] for name, value in results["params"][row].items()}
        expected = GridSearchCV(BOOSTING, grid, cv=3, refit=False).fit(*REGRESSION).cv_results_
        for split in range(3):
            name = f"split{split}_test_score"
            assert results[name][row] == expected[name][0]


def test_best_candidate_has_the_largest_amount(search):
    final = search.cv_results_["n_resources"] == 9
    assert search.best_score_ == search.cv_results_["mean_test_score"][final].max()
    assert search.best_params_["n_estimators"] == 9
    expected = clone(BOOSTING).set_params(**search.best_params_).fit(*REGRESSION)
    X, _ = REGRESSION
    np.testing.assert_array_equal(search.predict(X), expected.predict(X))


def test_rungs_are_those_of_the_plan(search):
    results = search.cv_results_
    for rung in search.plan_:
        rows = (results["bracket"] == rung["bracket"]) & (results["iter"] == rung["iter"])
        assert rows.sum() == rung["n_candidates"]
        assert set(results["n_resources"][rows]) == {rung["n_resources"]}


def test_plan_is_known_before_the_fit():
    assert boost().plan_ == boost().fit(*REGRESSION).plan_
    with pytest.raises(AttributeError, match="depend on the number of rows"):
        _ = DistributedHyperbandSearchCV(BOOSTING, SPACE).plan_


@pytest.mark.parametrize("options", [{"n_jobs": 2}, {"resume": False}], ids=str)
def test_results_do_not_depend_on(options, search):
    other = boost(**options).fit(*REGRESSION)
    if "resume" in options:
        assert not other.cv_results_["is_resumed"].any()
        other.cv_results_["is_resumed"] = search.cv_results_["is_resumed"]
    assert_equal_scores(other, search)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [3, 4])
def test_results_do_not_depend_on_the_number_of_workers(n_jobs, search):
    assert_equal_scores(boost(n_jobs=n_jobs).fit(*REGRESSION), search)


@pytest.mark.slow
def test_results_are_equal_in_a_metaflow_run():
    options = {"n_brackets": 1, "n_candidates": 3, "max_resources": 3}
    remote = boost(backend="metaflow", **options).fit(*REGRESSION)
    assert_equal_scores(remote, boost(**options).fit(*REGRESSION))
    assert len(remote.runs_) == 1  # its workers stay from rung to rung


def test_splits_grow_and_other_scores_are_nan():
    search = boost(splits="growing", random_state=None, n_brackets=1).fit(*REGRESSION)
    results = search.cv_results_
    first = results["iter"] == 0
    assert set(results["n_splits_done"][first]) == {1}
    assert np.isfinite(results["split0_test_score"][first]).all()
    assert np.isnan(results["split2_test_score"][first]).all()
    assert np.isnan(results["mean_test_score"][first]).all()
    assert results["n_splits_done"][search.best_index_] == 3


def test_rows_are_nested_and_the_last_rung_has_all():
    seen = []

    class Recorder(Ridge):
        def fit(self, X, y):
            seen.append({tuple(row) for row in X})
            return super().fit(X, y)

    search = DistributedHyperbandSearchCV(
        Recorder(), {"alpha": [0.1, 1.0, 10.0]}, cv=2, n_brackets=1, min_resources=10, refit=False
    ).fit(*REGRESSION)
    assert [rung["n_resources"] for rung in search.plan_] == [10, 30]
    assert [len(rows) for rows in seen] == [10] * 6 + [30] * 2
    assert seen[0] < seen[6] or seen[0] < seen[7]


def test_final_scores_on_rows_equal_those_of_grid_search():
    X, y = make_classification(60, 5, random_state=0)
    estimator = make_pipeline(StandardScaler(), SGDClassifier(random_state=0))
    grid = {"sgdclassifier__alpha": [1e-4, 1e-2, 1.0]}
    search = DistributedHyperbandSearchCV(estimator, grid, cv=3, random_state=0).fit(X, y)
    expected = GridSearchCV(estimator, grid, cv=3).fit(X, y).cv_results_
    results = search.cv_results_
    for row in np.flatnonzero(results["n_resources"] == 40):
        index = expected["params"].index(results["params"][row])
        assert results["mean_test_score"][row] == expected["mean_test_score"][index]


def test_passes_go_on_and_so_does_the_refit():
    X, y = load_digits(n_class=3, return_X_y=True)
    model = MLPClassifier(hidden_layer_sizes=(4,), random_state=0)
    options = {"resource": "partial_fit", "max_resources": 3, "cv": 2, "random_state": 0}
    search = DistributedHyperbandSearchCV(model, {"alpha": [1e-4, 1.0]}, **options)
    search.fit(X, y)
    assert search.cv_results_["is_resumed"].any()
    assert search.best_estimator_.t_ == 3 * len(X)
    assert "alpha" in search.best_params_
    assert search.estimator is model
    assert "fit" not in vars(search.best_estimator_)
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()
    anew = clone(search).set_params(resume=False).fit(X, y)
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], anew.cv_results_[name])


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_rungs_count_passes(is_pipeline):
    X, y = make_classification(40, 4, random_state=0)
    model = SGDClassifier(random_state=0)
    estimator = make_pipeline(StandardScaler(), model) if is_pipeline else model
    name = "sgdclassifier__alpha" if is_pipeline else "alpha"
    options = {"resource": "partial_fit", "max_resources": 3, "n_brackets": 1, "cv": 2}
    search = DistributedHyperbandSearchCV(
        estimator, {name: [1e-4, 1e-2, 1.0]}, keep="estimators", random_state=0, **options
    ).fit(X, y)
    models = [folds[0] for folds in search.fold_estimators_]
    counts = [(kept[-1] if is_pipeline else kept).t_ for kept in models]
    assert counts == [1 + 20 * amount for amount in search.cv_results_["n_resources"]]


def test_model_that_would_differ_is_fitted_from_the_start():
    X, y = make_classification(40, 4, random_state=0)
    options = {"resource": "n_estimators", "max_resources": 3, "cv": 2, "random_state": 0}
    space = {"max_depth": [1, 2, 3]}
    search = DistributedHyperbandSearchCV(RandomForestClassifier(), space, **options).fit(X, y)
    assert not search.cv_results_["is_resumed"].any()


def test_resume_can_be_forced_and_repeats_itself(tmp_path):
    X, y = make_classification(40, 4, random_state=0)
    options = {"resource": "max_iter", "max_resources": 9, "cv": 2, "random_state": 0}
    model = SGDClassifier(random_state=0, tol=None)
    make = lambda **more: DistributedHyperbandSearchCV(  # noqa: E731
        model, {"alpha": [1e-4, 1e-2, 1.0]}, resume=True, **options, **more
    )
    search = make().fit(X, y)
    assert search.cv_results_["is_resumed"].any()
    saved = make(checkpoint=tmp_path / "c").fit(X, y)
    assert_equal_scores(saved, search)
    journals = sorted((tmp_path / "c").rglob("*.jsonl"))
    journals[0].unlink()  # of the first wave: its models have to be trained in the same stages
    assert_equal_scores(make(checkpoint=tmp_path / "c").fit(X, y), search)


def test_sampled_candidates_are_those_of_parameter_sampler():
    space = {"alpha": loguniform(0.01, 10), "tol": uniform(0.1, 1)}
    search = DistributedHyperbandSearchCV(Ridge(), space, cv=2, max_resources=24, random_state=3)
    results = search.fit(*REGRESSION).cv_results_
    first = [p for p, i in zip(results["params"], results["iter"], strict=True) if i == 0]
    assert first == list(ParameterSampler(space, len(first), random_state=3))


def test_one_bracket_over_a_grid_is_halving_of_the_grid():
    search = boost(n_brackets=1)
    assert [rung["n_candidates"] for rung in search.plan_] == [9, 3, 1]


def test_checkpoint_saves_all_fits(tmp_path, search):
    assert_equal_scores(boost(checkpoint=tmp_path).fit(*REGRESSION), search)
    before = sorted(tmp_path.rglob("*"))
    assert_equal_scores(boost(checkpoint=tmp_path, n_jobs=2).fit(*REGRESSION), search)
    assert [path for path in sorted(tmp_path.rglob("*.jsonl")) if path not in before] == []


class Interrupted(BaseException):
    pass


def score_unless_interrupted(estimator, X, y):
    """Count fits in the environment, on which the keys of fits do not depend."""
    n_left = int(os.environ["TEST_N_FITS"]) - 1
    os.environ["TEST_N_FITS"] = str(n_left)
    if n_left < 0:
        raise Interrupted
    return estimator.score(X, y)


@pytest.mark.parametrize("n_fits", [1, 20, 40])
def test_interrupted_search_goes_on_where_it_was(n_fits, search, tmp_path, monkeypatch):
    n_all = int(search.cv_results_["n_splits_done"].sum())
    options = {"checkpoint": tmp_path, "scoring": score_unless_interrupted}
    monkeypatch.setenv("TEST_N_FITS", str(n_fits))
    with pytest.raises(Interrupted):
        boost(**options).fit(*REGRESSION)
    monkeypatch.setenv("TEST_N_FITS", str(n_all - n_fits))
    assert_equal_scores(boost(**options).fit(*REGRESSION), search)
    assert int(os.environ["TEST_N_FITS"]) >= 0  # brackets share some of the fits


def test_leaderboard_ranks_candidates_by_what_they_reached(search):
    pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")
    table = leaderboard(search)
    assert table.index[0] == search.best_index_
    assert len(table) == sum(r["n_candidates"] for r in search.plan_ if r["iter"] == 0)
    assert table["n_resources"].is_monotonic_decreasing


def test_values_and_models_are_kept():
    options = {"n_brackets": 1, "splits": "growing", "keep": ("predictions", "estimators")}
    search = boost(extract={"n_trees": "n_estimators_"}, **options).fit(*REGRESSION)
    results = search.cv_results_
    done = results["n_splits_done"] == 3
    np.testing.assert_array_equal(results["mean_n_trees"][done], results["n_resources"][done])
    assert search.best_n_trees_ == 9
    assert np.isfinite(search.oof_predictions_["predict"][search.best_index_]).all()
    models = search.fold_estimators_[search.best_index_]
    assert [len(model.estimators_) for model in models] == [9, 9, 9]
    assert [model.warm_start for model in models] == [False] * 3
    assert [model is None for model in search.fold_estimators_[0]].count(True) == 2


def test_random_splits_are_drawn_once():
    cv = ShuffleSplit(2, test_size=0.5)
    search = boost(cv=cv, keep="predictions", max_resources=1).fit(*REGRESSION)
    oof = search.oof_predictions_["predict"][0]
    rows = np.isfinite(oof)
    assert rows.any()
    assert len(search.cv_results_["params"]) == 1


def test_several_metrics_need_one_that_decides():
    metrics = ["r2", "neg_mean_squared_error"]
    search = boost(scoring=metrics, refit="r2").fit(*REGRESSION)
    assert "mean_test_neg_mean_squared_error" in search.cv_results_
    with pytest.raises(ValueError, match="the name of the one that decides"):
        boost(scoring=metrics, refit=False).fit(*REGRESSION)


def test_callable_refit_gets_the_last_rungs_only():
    def first(results):
        assert set(results["n_resources"]) == {9}
        return 0

    search = boost(refit=first).fit(*REGRESSION)
    assert search.best_params_["n_estimators"] == 9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_failed_candidates_are_dropped():
    space = {"learning_rate": [0.1, -1.0, 0.3], "max_depth": [1]}
    search = DistributedHyperbandSearchCV(BOOSTING, space, **TREES | {"n_brackets": 1})
    search.fit(*REGRESSION)
    assert search.best_params_["learning_rate"] != -1.0


def test_search_fails_if_all_fits_fail():
    space = {"learning_rate": [-1.0, -2.0, -3.0]}
    with pytest.raises(ValueError, match=r"All the \d+ fits failed"):
        DistributedHyperbandSearchCV(BOOSTING, space, **TREES).fit(*REGRESSION)


def test_error_of_a_fit_is_raised():
    space = {"learning_rate": [-1.0]}
    search = DistributedHyperbandSearchCV(BOOSTING, space, **TREES, error_score="raise")
    with pytest.raises(ValueError, match="learning_rate"):
        search.fit(*REGRESSION)


@pytest.mark.campaign
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_candidate_whose_worker_dies_is_dropped(tmp_path):
    space = {"factor": [1.0, 2.0], "behavior": ["fit", "kill"], "folder": [str(tmp_path)]}
    search = DistributedHyperbandSearchCV(
        FaultyRegressor(), space, cv=2, max_resources=20, n_jobs=2, refit=False
    ).fit(*REGRESSION)
    assert search.best_params_["behavior"] == "fit"


def test_sample_weight_goes_on_with_the_model():
    X, y = REGRESSION
    weight = np.arange(len(y)) + 1.0
    search = boost().fit(X, y, sample_weight=weight)
    assert search.cv_results_["is_resumed"].any()
    grid = {name: [value] for name, value in search.best_params_.items()}
    expected = GridSearchCV(BOOSTING, grid, cv=3).fit(X, y, sample_weight=weight)
    assert search.best_score_ == expected.best_score_


def test_search_cannot_be_planned():
    with pytest.raises(PlanError, match="runs in several rounds"):
        boost().plan(*REGRESSION)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resource": "n_estimator"}, "Did you mean 'n_estimators'"),
        ({"resource": "partial_fit"}, "needs a model with partial_fit"),
        ({"resource": "max_depth"}, "cannot be in param_distributions"),
        ({"max_resources": "auto"}, "such as max_resources=81"),
        ({"max_resources": 2, "min_resources": 3}, "is less than min_resources"),
        ({"resource": "n_samples", "max_resources": 999}, "more than the 40 training rows"),
        ({"factor": 1}, "must be greater than 1"),
        ({"splits": "few"}, "must be 'all' or 'growing'"),
        ({"resume": "yes"}, "True, False or 'auto'"),
        ({"n_brackets": 0}, "n_brackets=0 must be an integer of at least 1"),
    ],
    ids=str,
)
def test_mistakes_raise_before_any_fit(options, message):
    with pytest.raises(ValueError, match=message):
        boost(**options).fit(*REGRESSION)


def test_unknown_parameter_raises_before_any_fit():
    with pytest.raises(ParamGridError, match="max_deep"):
        DistributedHyperbandSearchCV(BOOSTING, {"max_deep": [1]}, **TREES).fit(*REGRESSION)


def test_splits_of_a_generator_are_used():
    X, _ = REGRESSION
    search = boost(cv=KFold(2).split(X)).fit(*REGRESSION)
    assert search.n_splits_ == 2
