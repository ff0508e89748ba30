"""The table of the candidates, and the choice of the simplest."""

import pickle
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedSearchCV,
    EarlyStopping,
    one_standard_error,
)
from skdistsearch.exceptions import ReportError
from skdistsearch.report import leaderboard
from skdistsearch.report._leaderboard import contender_of, parameter_names, readable

pytest.importorskip("pandas", reason="leaderboard are a DataFrame")

PIPE = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
GRID = [
    {"model": [Lasso(), Ridge()], "model__alpha": [0.1, 10.0]},
    {"model": [DummyRegressor()], "scale": [MinMaxScaler(), "passthrough"]},
]
TIMES = {"mean_fit_time": [3.0, 2.0, 1.0, 0.5]}


@pytest.fixture(scope="module")
def data():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def search(data):
    return DistributedSearchCV(PIPE, GRID, cv=4).fit(*data)


@pytest.fixture(scope="module")
def of_two_metrics(data):
    scoring = {"first": "r2", "second": "neg_mean_absolute_error"}
    return DistributedSearchCV(Ridge(), {"alpha": [0.1, 1e4]}, scoring=scoring, refit="second")


def scores_of(search, metric="score"):
    splits = range(search.n_splits_)
    return np.array([search.cv_results_[f"split{k}_test_{metric}"] for k in splits]).T


def results(*scores, **columns):
    """``cv_results_`` of candidates with these scores of the splits."""
    scores = np.array(scores, dtype=float)
    means = scores.mean(axis=1)
    splits = {f"split{k}_test_score": column for k, column in enumerate(scores.T)}
    ranks = np.array([1 + sum(means > mean) for mean in means])
    return {**splits, "mean_test_score": means, "rank_test_score": ranks, **columns}


def test_best_candidate_is_first_and_equals_share_a_rank(search):
    table = leaderboard(search)
    assert table.index[0] == search.best_index_
    assert table["mean_score"].is_monotonic_decreasing
    assert sorted(table.index) == list(range(6))
    assert table["rank"].tolist() == sorted(search.cv_results_["rank_test_score"])
    assert table["rank"].tolist()[-2:] == [5, 5]


def test_contender_and_parameters_are_readable(search):
    table = leaderboard(search).sort_index()
    assert table["contender"].tolist() == [*["Lasso"] * 2, *["Ridge"] * 2, *["DummyRegressor"] * 2]
    assert table["parameters"].tolist() == [
        *["alpha=0.1", "alpha=10"] * 2,
        *["scale=MinMaxScaler", "scale=passthrough"],
    ]


def test_constant_parameters_of_a_contender_are_left_out(data):
    grid = [
        {"model": [Ridge()], "model__alpha": [0.1, 10.0], "scale": [MinMaxScaler()]},
        {"model": [Lasso()], "model__alpha": [0.1]},
    ]
    table = leaderboard(DistributedSearchCV(PIPE, grid, cv=3).fit(*data)).sort_index()
    assert table["parameters"].tolist() == ["alpha=0.1", "alpha=10", ""]


def test_parameter_of_some_candidates_only_is_not_constant(data):
    grid = [{"alpha": [1.0]}, {"alpha": [1.0], "fit_intercept": [False]}]
    table = leaderboard(DistributedSearchCV(Ridge(), grid, cv=3).fit(*data)).sort_index()
    assert table["parameters"].tolist() == ["", "fit_intercept=False"]


def test_standard_errors_and_times_are_of_the_splits(search):
    table, scores = leaderboard(search).sort_index(), scores_of(search)
    np.testing.assert_allclose(table["mean_score"], scores.mean(axis=1))
    np.testing.assert_allclose(table["std_error"], scores.std(axis=1, ddof=1) / 2)
    np.testing.assert_array_equal(table["fit_time_s"], search.cv_results_["mean_fit_time"])


def test_difference_is_paired_over_the_splits(search):
    table, scores = leaderboard(search).sort_index(), scores_of(search)
    differences = scores - scores[search.best_index_]
    np.testing.assert_allclose(table["difference"], differences.mean(axis=1))
    np.testing.assert_allclose(
        table["difference_std_error"], differences.std(axis=1, ddof=1) / 2, atol=1e-15
    )
    assert table.loc[search.best_index_, ["difference", "difference_std_error"]].tolist() == [0, 0]


def test_what_the_search_recorded_has_a_column(data):
    grid = [{"model": [Ridge(), DecisionTreeRegressor(max_depth=2)]}]
    search = DistributedSearchCV(PIPE, grid, cv=3)
    search.set_params(extract={"size": lambda fitted: len(fitted[-1].get_params())})
    table = leaderboard(search.fit(*data))
    models = {"Ridge": Ridge(), "DecisionTreeRegressor": DecisionTreeRegressor()}
    sizes = {name: len(model.get_params()) for name, model in models.items()}
    assert table.set_index("contender")["mean_size"].to_dict() == sizes
    assert "mean_size" not in leaderboard(search.set_params(extract=None).fit(*data))


def test_by_contender_has_the_best_candidate_of_each(search):
    table, candidates = leaderboard(search, by="contender"), leaderboard(search)
    assert sorted(table["contender"]) == ["DummyRegressor", "Lasso", "Ridge"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["candidates"].tolist() == [2, 2, 2]
    best = candidates.groupby("contender")["mean_score"].max()
    assert table.set_index("contender")["mean_score"].to_dict() == best.to_dict()


def test_contenders_that_are_equal_share_a_rank(data):
    grid = {"model": [DummyRegressor(), TransformedTargetRegressor(DummyRegressor()), Ridge()]}
    grid["model"].append(DummyRegressor(strategy="mean"))
    table = leaderboard(DistributedSearchCV(PIPE, grid, cv=3).fit(*data), by="contender")
    assert table["rank"].tolist() == [1, 2]
    assert table["candidates"].tolist() == [1, 3]
    grid = {"model": [DecisionTreeRegressor(max_depth=1), DummyRegressor(), "passthrough"]}
    same = DistributedSearchCV(PIPE, grid, cv=3, scoring=lambda *_: 0.5, refit=False).fit(*data)
    assert leaderboard(same, by="contender")["rank"].tolist() == [1, 1, 1]


def test_metric_of_refit_ranks_unless_another_is_named(of_two_metrics, data):
    search = of_two_metrics.fit(*data)
    assert leaderboard(search).attrs["metric"] == "second"
    assert leaderboard(search).index[0] == search.best_index_
    by_first = leaderboard(search, metric="first")
    np.testing.assert_allclose(by_first["mean_score"].max(), scores_of(search, "first")[0].mean())
    search.refit = False
    assert leaderboard(search).attrs["metric"] == "first"


def test_unknown_metric_is_named_with_those_there_are(of_two_metrics, data):
    of_two_metrics.fit(*data)
    with pytest.raises(ReportError, match=r"metric='frist' is none of .* Known: first, second"):
        leaderboard(of_two_metrics, metric="frist")
    with pytest.raises(ReportError, match="by='split' is neither 'candidate' nor 'contender'"):
        leaderboard(of_two_metrics, by="split")


def test_search_that_is_not_fitted_has_no_standings():
    search = DistributedSearchCV(Ridge(), {"alpha": [1.0]})
    with pytest.raises(NotFittedError):
        leaderboard(search)


def test_search_of_scikit_learn_has_standings(data):
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=3).fit(*data)
    assert leaderboard(search)["contender"].tolist() == ["Ridge", "Ridge"]


def test_candidate_without_a_score_is_last(data):
    grid = {"alpha": [-1.0, 0.1]}
    search = DistributedSearchCV(Ridge(), grid, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three, of the fits that fail and their scores
        search.fit(*data)
    table = leaderboard(search)
    assert table.index.tolist() == [1, 0]
    assert table.loc[0, ["mean_score", "std_error", "difference"]].isna().all()


def test_single_split_has_no_standard_error(data):
    split = np.arange(300), np.arange(300, 442)
    search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=[split])
    table = leaderboard(search.fit(*data))
    assert table[["std_error", "difference_std_error"]].isna().all(axis=None)
    assert table["difference"].iloc[0] == 0 > table["difference"].iloc[1]


def test_after_halving_later_rounds_come_first_and_each_candidate_once(data):
    tree, grid = DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2, 3, 4, 5, 6]}
    search = DistributedHalvingGridSearchCV(tree, grid, cv=3, random_state=0).fit(*data)
    table = leaderboard(search)
    rounds = search.cv_results_["iter"][table.index]
    assert table.index[0] == search.best_index_
    assert sorted(table["parameters"]) == [f"max_depth={depth}" for depth in grid["max_depth"]]
    assert rounds.tolist() == sorted(rounds, reverse=True)
    assert table["rank"].is_monotonic_increasing
    assert (table["difference"].isna() == (rounds < rounds.max())).all()


@pytest.mark.parametrize(
    ("estimator", "params", "contender"),
    [
        (Ridge(), {"alpha": 1}, "Ridge"),
        (PIPE, {"model__alpha": 1}, "Ridge"),
        (PIPE, {"model": Lasso(), "scale": MinMaxScaler()}, "Lasso"),
        (PIPE, {"model": "passthrough"}, "passthrough"),
        (TransformedTargetRegressor(), {}, "TransformedTargetRegressor"),
        (TransformedTargetRegressor(Lasso()), {"regressor__alpha": 1}, "Lasso"),
        (TransformedTargetRegressor(), {"regressor": PIPE}, "Ridge"),
        (EarlyStopping(PIPE), {"estimator__model": TransformedTargetRegressor(Lasso())}, "Lasso"),
        (
            Pipeline([("model", EarlyStopping(TransformedTargetRegressor()))]),
            {"model__estimator__regressor": DummyRegressor(), "model__patience": 3},
            "DummyRegressor",
        ),
    ],
)
def test_contender_is_the_innermost_model(estimator, params, contender):
    assert contender_of(estimator, params) == contender


def test_parameters_that_end_alike_keep_more_of_their_names():
    params = {"a__scale__n": 1, "a__model__n": 2.00001, "a__model__f": np.sqrt, "n": "x\n y"}
    names = parameter_names(Ridge(), [params])
    assert readable(params, names) == "scale__n=1, model__n=2, f=sqrt, n=x y"


def test_simplest_within_one_standard_error_is_taken():
    scores = [[0.8, 0.9, 1.0], [0.8, 0.9, 0.98], [0.84, 0.84, 0.86], [0.8, 0.8, 0.8]]
    # the standard error of the best is 0.058: 0.847 is within, 0.8 is not
    assert one_standard_error(results(*scores, **TIMES)) == 2


def test_parameter_says_what_is_simple_in_either_direction():
    depth = np.ma.array([3, 1, 2, None], mask=[0, 0, 0, 1], dtype=object)
    table = results(*[[0.8, 0.9, 1.0]] * 4, param_depth=depth)
    assert one_standard_error(table, by="param_depth") == 1
    assert one_standard_error(table, by="-param_depth") == 0


def test_equally_simple_are_taken_by_their_scores():
    scores = [[0.8, 0.9, 1.0], [0.8, 0.9, 0.98], [0.8, 0.9, 0.99]]
    assert one_standard_error(results(*scores, param_a=np.ma.array([2, 1, 1])), by="param_a") == 2


@pytest.mark.parametrize("scores", [[[0.5], [0.6], [0.4], [0.3]], [[0.3, np.nan]] * 4])
def test_best_is_taken_where_there_is_no_standard_error(scores):
    table = results(*scores, **TIMES)
    assert one_standard_error(table) == np.argmin(table["rank_test_score"])


def test_rule_for_what_is_not_there_names_what_is():
    values = np.ma.array(["a", "b"], dtype=object)
    table = results([0.1, 0.2], [0.1, 0.2], param_kind=values, mean_fit_time=[1, 2])
    with pytest.raises(
        ReportError, match=r"'param_x' is not a column .* mean_fit_time, param_kind"
    ):
        one_standard_error(table, by="param_x")
    with pytest.raises(ReportError, match="by='param_kind' has values that are not numbers"):
        one_standard_error(table, by="param_kind")
    with pytest.raises(ReportError, match=r"metric='r2' is none of this search. Known: score\."):
        one_standard_error(table, metric="r2")


def test_search_refits_with_the_rule(data):
    rule = partial(one_standard_error, by="-param_alpha", metric="r2")
    scoring = {"r2": "r2", "error": "neg_mean_absolute_error"}
    search = DistributedSearchCV(Lasso(), {"alpha": [0.01, 0.1, 1.0]}, scoring=scoring, refit=rule)
    search = pickle.loads(pickle.dumps(clone(search))).fit(*data)
    assert search.best_params_ == {"alpha": 0.1}
    assert search.best_estimator_.alpha == 0.1
    assert leaderboard(search).index[0] == 0
