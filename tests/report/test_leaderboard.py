"""Ranked table of the candidates."""

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV, RepeatedKFold, ShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedSearchCV,
    one_standard_error,
)
from skdistsearch.exceptions import ReportError
from skdistsearch.report import leaderboard

pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

PIPE = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
GRID = [
    {"model": [Lasso(), Ridge()], "model__alpha": [0.1, 10.0]},
    {"model": [DummyRegressor()], "scale": [MinMaxScaler(), "passthrough"]},
]


@pytest.fixture(scope="module")
def data():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def search(data):
    return DistributedSearchCV(PIPE, GRID, cv=4).fit(*data)


@pytest.fixture(scope="module")
def two_metrics(data):
    scoring = {"first": "r2", "second": "neg_mean_absolute_error"}
    return DistributedSearchCV(Ridge(), {"alpha": [0.1, 1e4]}, scoring=scoring, refit="second")


def split_scores(search, metric="score"):
    splits = range(search.n_splits_)
    return np.array([search.cv_results_[f"split{k}_test_{metric}"] for k in splits]).T


def test_best_candidate_is_first_and_ties_share_a_rank(search):
    table = leaderboard(search)
    assert table.index[0] == search.best_index_
    assert table["mean_score"].is_monotonic_decreasing
    assert sorted(table.index) == list(range(6))
    assert table["rank"].tolist() == sorted(search.cv_results_["rank_test_score"])
    assert table["rank"].tolist()[-2:] == [5, 5]


def test_contenders_and_parameters_have_short_names(search):
    table = leaderboard(search).sort_index()
    assert table["contender"].tolist() == [*["Lasso"] * 2, *["Ridge"] * 2, *["DummyRegressor"] * 2]
    assert table["parameters"].tolist() == [
        *["alpha=0.1", "alpha=10"] * 2,
        *["scale=MinMaxScaler", "scale=passthrough"],
    ]


def test_constant_parameters_of_a_contender_are_omitted(data):
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


def test_standard_errors_and_times_are_over_the_splits(search):
    table, scores = leaderboard(search).sort_index(), split_scores(search)
    np.testing.assert_allclose(table["mean_score"], scores.mean(axis=1))
    np.testing.assert_allclose(table["std_error"], scores.std(axis=1, ddof=1) / 2)
    np.testing.assert_array_equal(table["fit_time_s"], search.cv_results_["mean_fit_time"])


def test_differences_are_paired_by_split(search):
    table, scores = leaderboard(search).sort_index(), split_scores(search)
    differences = scores - scores[search.best_index_]
    np.testing.assert_allclose(table["difference"], differences.mean(axis=1))
    assert table.loc[search.best_index_, ["difference", "difference_std_error"]].tolist() == [0, 0]


@pytest.mark.parametrize("search_class", [DistributedSearchCV, GridSearchCV])
def test_corrected_standard_errors_are_half_as_large_again_for_five_folds(search_class, data):
    X, y = (part[:400] for part in data)
    search = search_class(Ridge(), {"alpha": [0.1, 10.0]}, cv=5).fit(X, y)
    table, scores = leaderboard(search).sort_index(), split_scores(search)
    np.testing.assert_allclose(table["corrected_std_error"], 1.5 * table["std_error"])
    differences = scores - scores[search.best_index_]
    naive = differences.std(axis=1, ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(table["difference_std_error"], 1.5 * naive)


@pytest.mark.parametrize(
    "cv", [RepeatedKFold(n_splits=5, n_repeats=2, random_state=0), ShuffleSplit(10, test_size=0.2)]
)
def test_correction_uses_the_rows_of_the_splits(cv, data):
    X, y = (part[:400] for part in data)
    table = leaderboard(DistributedSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=cv).fit(X, y))
    expected = table["std_error"] * np.sqrt(1 + 10 * 80 / 320)
    np.testing.assert_allclose(table["corrected_std_error"], expected)


def test_correction_counts_the_rows_of_masks(data):
    X, y = (part[:400] for part in data)
    splits = [(np.arange(400) % 5 != fold, np.arange(400) % 5 == fold) for fold in range(5)]
    table = leaderboard(DistributedSearchCV(Ridge(), {"alpha": [0.1]}, cv=splits).fit(X, y))
    np.testing.assert_allclose(table["corrected_std_error"], 1.5 * table["std_error"])


def test_extracted_values_have_a_column(data):
    grid = [{"model": [Ridge(), DecisionTreeRegressor(max_depth=2)]}]
    search = DistributedSearchCV(PIPE, grid, cv=3)
    search.set_params(extract={"size": lambda fitted: len(fitted[-1].get_params())})
    table = leaderboard(search.fit(*data))
    models = {"Ridge": Ridge(), "DecisionTreeRegressor": DecisionTreeRegressor()}
    sizes = {name: len(model.get_params()) for name, model in models.items()}
    assert table.set_index("contender")["mean_size"].to_dict() == sizes
    assert "mean_size" not in leaderboard(search.set_params(extract=None).fit(*data))


def test_contender_table_has_the_best_candidate_of_each(search):
    table, candidates = leaderboard(search, by="contender"), leaderboard(search)
    assert sorted(table["contender"]) == ["DummyRegressor", "Lasso", "Ridge"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["candidates"].tolist() == [2, 2, 2]
    best = candidates.groupby("contender")["mean_score"].max()
    assert table.set_index("contender")["mean_score"].to_dict() == best.to_dict()


def test_contenders_with_equal_scores_share_a_rank(data):
    grid = {"model": [DummyRegressor(), TransformedTargetRegressor(DummyRegressor()), Ridge()]}
    grid["model"].append(DummyRegressor(strategy="mean"))
    table = leaderboard(DistributedSearchCV(PIPE, grid, cv=3).fit(*data), by="contender")
    assert table["rank"].tolist() == [1, 2]
    assert table["candidates"].tolist() == [1, 3]
    grid = {"model": [DecisionTreeRegressor(max_depth=1), DummyRegressor(), "passthrough"]}
    same = DistributedSearchCV(PIPE, grid, cv=3, scoring=lambda *_: 0.5, refit=False).fit(*data)
    assert leaderboard(same, by="contender")["rank"].tolist() == [1, 1, 1]


def test_metric_of_refit_is_the_default(two_metrics, data):
    search = two_metrics.fit(*data)
    assert leaderboard(search).attrs["metric"] == "second"
    assert leaderboard(search).index[0] == search.best_index_
    by_first = leaderboard(search, metric="first")
    np.testing.assert_allclose(
        by_first["mean_score"].max(), split_scores(search, "first")[0].mean()
    )
    search.refit = False
    assert leaderboard(search).attrs["metric"] == "first"


def test_first_metric_is_the_default_for_a_callable_refit(data):
    rule = partial(one_standard_error, by="-param_alpha", metric="r2")
    scoring = {"r2": "r2", "error": "neg_mean_absolute_error"}
    search = DistributedSearchCV(Lasso(), {"alpha": [0.01, 0.1, 1.0]}, scoring=scoring, refit=rule)
    table = leaderboard(search.fit(*data))
    assert table.attrs["metric"] == "r2"
    assert table.index[0] == 0


def test_unknown_metric_is_named_with_the_known_ones(two_metrics, data):
    two_metrics.fit(*data)
    with pytest.raises(
        ReportError, match=r"metric='frist' is not a metric .* Known: first, second"
    ):
        leaderboard(two_metrics, metric="frist")
    with pytest.raises(ReportError, match="by='split' must be 'candidate' or 'contender'"):
        leaderboard(two_metrics, by="split")


def test_search_that_is_not_fitted_raises():
    search = DistributedSearchCV(Ridge(), {"alpha": [1.0]})
    with pytest.raises(NotFittedError):
        leaderboard(search)


def test_search_of_scikit_learn_has_a_leaderboard(data):
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=3).fit(*data)
    assert leaderboard(search)["contender"].tolist() == ["Ridge", "Ridge"]


def test_candidate_without_a_score_is_last(data):
    grid = {"alpha": [-1.0, 0.1]}
    search = DistributedSearchCV(Ridge(), grid, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the failed fits and their scores
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


def test_halving_ranks_each_candidate_once_and_later_rounds_first(data):
    tree, grid = DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2, 3, 4, 5, 6]}
    search = DistributedHalvingGridSearchCV(tree, grid, cv=3, random_state=0).fit(*data)
    table = leaderboard(search)
    rounds = search.cv_results_["iter"][table.index]
    assert table.index[0] == search.best_index_
    assert sorted(table["parameters"]) == [f"max_depth={depth}" for depth in grid["max_depth"]]
    assert rounds.tolist() == sorted(rounds, reverse=True)
    assert table["rank"].is_monotonic_increasing
    assert (table["difference"].isna() == (rounds < rounds.max())).all()
    assert table["round"].tolist() == rounds.tolist()
    assert table["n_resources"].tolist() == search.cv_results_["n_resources"][table.index].tolist()
