"""The rule that refits the simplest candidate within one standard error of the best."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso

from skdistsearch import DistributedSearchCV, one_standard_error
from skdistsearch.exceptions import ReportError

TIMES = {"mean_fit_time": [3.0, 2.0, 1.0, 0.5]}


def make_results(*scores, **columns):
    """Return ``cv_results_`` of candidates with these scores on the splits."""
    scores = np.array(scores, dtype=float)
    means = scores.mean(axis=1)
    splits = {f"split{k}_test_score": column for k, column in enumerate(scores.T)}
    ranks = np.array([1 + sum(means > mean) for mean in means])
    return {**splits, "mean_test_score": means, "rank_test_score": ranks, **columns}


def test_fastest_within_one_standard_error_is_selected():
    scores = [[0.8, 0.9, 1.0], [0.8, 0.9, 0.98], [0.84, 0.84, 0.86], [0.8, 0.8, 0.8]]
    # the standard error of the best is 0.058: 0.847 is within, 0.8 is not
    assert one_standard_error(make_results(*scores, **TIMES)) == 2


def test_parameter_defines_simplicity_in_either_direction():
    depth = np.ma.array([3, 1, 2, None], mask=[0, 0, 0, 1], dtype=object)
    table = make_results(*[[0.8, 0.9, 1.0]] * 4, param_depth=depth)
    assert one_standard_error(table, by="param_depth") == 1
    assert one_standard_error(table, by="-param_depth") == 0


@pytest.mark.parametrize("by", ["mean_size", "-mean_size"])
def test_candidate_with_nan_as_its_cost_is_not_the_simplest(by):
    table = make_results(*[[0.8, 0.9, 1.0]] * 3, mean_size=[np.nan, 1.0, 1.0])
    assert one_standard_error(table, by=by) == 1


def test_equally_simple_candidates_are_ordered_by_score():
    scores = [[0.8, 0.9, 1.0], [0.8, 0.9, 0.98], [0.8, 0.9, 0.99]]
    table = make_results(*scores, param_a=np.ma.array([2, 1, 1]))
    assert one_standard_error(table, by="param_a") == 2


@pytest.mark.parametrize("scores", [[[0.5], [0.6], [0.4], [0.3]], [[0.3, np.nan]] * 4])
def test_best_is_selected_without_a_standard_error(scores):
    table = make_results(*scores, **TIMES)
    assert one_standard_error(table) == np.argmin(table["rank_test_score"])


def test_unknown_column_or_metric_is_named_with_the_known_ones():
    values = np.ma.array(["a", "b"], dtype=object)
    table = make_results([0.1, 0.2], [0.1, 0.2], param_kind=values, mean_fit_time=[1, 2])
    with pytest.raises(
        ReportError, match=r"'param_x' is not a column .* mean_fit_time, param_kind"
    ):
        one_standard_error(table, by="param_x")
    with pytest.raises(ReportError, match="by='param_kind' has values that are not numbers"):
        one_standard_error(table, by="param_kind")
    with pytest.raises(
        ReportError, match=r"metric='r2' is not a metric of this search. Known: score\."
    ):
        one_standard_error(table, metric="r2")


def test_search_refits_with_the_rule():
    rule = partial(one_standard_error, by="-param_alpha", metric="r2")
    scoring = {"r2": "r2", "error": "neg_mean_absolute_error"}
    search = DistributedSearchCV(Lasso(), {"alpha": [0.01, 0.1, 1.0]}, scoring=scoring, refit=rule)
    search = pickle.loads(pickle.dumps(clone(search)))
    search.fit(*load_diabetes(return_X_y=True))
    assert search.best_params_ == {"alpha": 0.1}
    assert search.best_estimator_.alpha == 0.1
