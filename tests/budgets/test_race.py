"""A race drops the worse half of the candidates after each split."""

import math
import warnings

import numpy as np
import pytest
from helpers.transformers import assert_same_results
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, KFold

from skdistsearch import DistributedRandomizedSearchCV, DistributedSearchCV
from skdistsearch.exceptions import PlanError

X, Y = load_diabetes(return_X_y=True)
FITS = []


class Scripted(RegressorMixin, BaseEstimator):
    """Scores that depend on a number and on the split, as given."""

    def __init__(self, number=0, table=None, fails=False):
        self.number = number
        self.table = table
        self.fails = fails

    def fit(self, X, y):
        FITS.append(self.number)
        if self.fails:
            raise ValueError("on purpose")
        return self

    def score(self, X, y):
        return self.table[self.number, split_of(X)]

    def predict(self, X):
        return np.zeros(len(X))


CV = KFold(5)
STARTS = [X[test][0].tobytes() for _, test in CV.split(X)]


def split_of(X):
    return STARTS.index(X[0].tobytes())


def run_race(table, **options):
    FITS.clear()
    options = {"cv": CV, "refit": True, "race": True, **options}
    search = DistributedSearchCV(Scripted(table=table), {"number": range(len(table))}, **options)
    return search.fit(X, Y)


def race_by_hand(table):
    """Return the number of splits that each candidate is fitted on."""
    n_candidates, n_splits = table.shape
    alive, done = list(range(n_candidates)), np.zeros(n_candidates, int)
    for split in range(n_splits):
        done[alive] += 1
        if split < n_splits - 1:
            means = {c: math.fsum(table[c, : split + 1]) / (split + 1) for c in alive}
            n_kept = max(math.ceil(len(alive) / 2), 5)
            alive = sorted(sorted(alive, key=lambda c: (-means[c], c))[:n_kept])
    return done


@settings(max_examples=20, deadline=None)
@given(n_candidates=st.integers(1, 23), seed=st.integers(0, 1000), ties=st.booleans())
def test_dropped_candidates_are_those_of_the_rule(n_candidates, seed, ties):
    table = np.random.default_rng(seed).normal(size=(n_candidates, 5))
    search = run_race(np.round(table) if ties else table)
    expected = race_by_hand(np.round(table) if ties else table)
    assert list(search.cv_results_["n_splits_done"]) == list(expected)


def test_number_of_fits_is_known_beforehand():
    table = np.random.default_rng(0).normal(size=(81, 5))
    run_race(table, refit=False)
    assert len(FITS) == 81 + 41 + 21 + 11 + 6


def test_results_of_dropped_candidates():
    table = np.random.default_rng(0).normal(size=(20, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = run_race(table, return_train_score=True)
    results, complete = search.cv_results_, search.cv_results_["n_splits_done"] == 5
    assert complete.sum() == 5
    assert np.isfinite(results["mean_test_score"][complete]).all()
    assert np.isnan(results["mean_test_score"][~complete]).all()
    assert results["rank_test_score"][complete].max() < results["rank_test_score"][~complete].min()
    assert complete[search.best_index_]
    assert search.stopped_ == "race"
    scores = [results[f"split{split}_test_score"] for split in range(5)]
    for number, n_done in enumerate(results["n_splits_done"]):
        assert [score[number] for score in scores[:n_done]] == list(table[number, :n_done])
        assert np.isnan([score[number] for score in scores[n_done:]]).all()


def test_race_with_few_candidates_equals_grid_search():
    table = np.random.default_rng(0).normal(size=(5, 5))
    expected = GridSearchCV(Scripted(table=table), {"number": range(5)}, cv=CV).fit(X, Y)
    search = run_race(table)
    columns = dict(search.cv_results_)
    assert list(columns.pop("n_splits_done")) == [5] * 5
    assert_same_results(columns, expected.cv_results_)
    assert search.stopped_ == ""


@pytest.mark.parametrize("n_jobs", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_result_does_not_depend_on_the_number_of_processes(n_jobs):
    table = np.random.default_rng(1).normal(size=(12, 5))
    counts = run_race(table, n_jobs=n_jobs).cv_results_["n_splits_done"]
    assert list(counts) == list(race_by_hand(table))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_candidates_that_fail_are_dropped_first():
    table = np.random.default_rng(0).normal(size=(10, 5))
    grid = [
        {"number": range(10), "fails": [True]},
        {"number": range(10), "fails": [False]},
    ]
    search = DistributedSearchCV(Scripted(table=table), grid, cv=CV, race=True)
    with pytest.warns(UserWarning, match="One or more of the test scores are non-finite"):
        search.fit(X, Y)
    assert list(search.cv_results_["n_splits_done"][:10]) == [1] * 10


def test_finished_fits_come_from_a_checkpoint(tmp_path):
    table = np.random.default_rng(0).normal(size=(12, 5))
    first = run_race(table, checkpoint=str(tmp_path), refit=False)
    second = run_race(table, checkpoint=str(tmp_path), refit=False)
    assert FITS == []
    assert_same_results(second.cv_results_, first.cv_results_)


def test_several_metrics_need_a_name():
    search = DistributedSearchCV(
        Scripted(), {"number": [0]}, scoring=["r2", "max_error"], refit=False, race=True
    )
    with pytest.raises(ValueError, match=r"refit must name the one that decides\. Known: r2, max_"):
        search.fit(X, Y)


def test_metrics_of_a_function_need_a_name_too():
    search = DistributedSearchCV(
        Scripted(),
        {"number": [0]},
        scoring=lambda model, X, y: {"a": 1.0, "b": 2.0},
        refit=False,
        race=True,
    )
    with pytest.raises(ValueError, match=r"Known: a, b\."):
        search.fit(X, Y)


def test_metric_of_refit_decides():
    tables = np.random.default_rng(0).normal(size=(2, 12, 5))

    def score(model, X, y):
        return {
            "a": tables[0, model.number, split_of(X)],
            "b": tables[1, model.number, split_of(X)],
        }

    search = run_race(tables[0], scoring=score, refit="b")
    assert list(search.cv_results_["n_splits_done"]) == list(race_by_hand(tables[1]))


def test_sampled_candidates_race():
    table = np.random.default_rng(0).normal(size=(30, 5))
    search = DistributedRandomizedSearchCV(
        Scripted(table=table), {"number": range(30)}, n_iter=20, cv=CV, race=True, random_state=0
    ).fit(X, Y)
    assert sorted(search.cv_results_["n_splits_done"])[-5:] == [5] * 5
    assert search.cv_results_["n_splits_done"].sum() == 20 + 10 + 5 * 3


def test_race_cannot_be_planned():
    search = DistributedSearchCV(Scripted(), {"number": [0, 1]}, race=True)
    with pytest.raises(PlanError, match="decide while fits run which fits to skip"):
        search.plan(X, Y)


def test_race_and_time_budget_cannot_be_combined():
    search = DistributedSearchCV(Scripted(), {"number": [0]}, race=True, time_budget_s=5)
    with pytest.raises(ValueError, match="cannot be combined"):
        search.fit(X, Y)
