"""Searches with every kind of output of their models, and the check of these outputs."""

import math

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict

from skdistsearch import DistributedSearchCV


def tree_depth(model):
    return model.get_depth()


def search_with_all_outputs(tree, grid, **options):
    """Return a search over trees that extracts values, and keeps predictions and models."""
    defaults = {
        "extract": {"depth": tree_depth, "leaves": "tree___n_leaves"},
        "keep": ("predictions", "predict", "estimators"),
    }
    return DistributedSearchCV(tree, grid, cv=3, **{**defaults, **options})


def assert_all_outputs(search, X, y):
    """Check the outputs of a fitted `search_with_all_outputs`."""
    assert_predictions_equal_cross_val_predict(search, X, y)
    models = search.fold_estimators_
    _assert_extracted(search, "depth", [[model.get_depth() for model in row] for row in models])
    _assert_extracted(search, "leaves", [[model.get_n_leaves() for model in row] for row in models])
    _assert_fit_times(search, n_candidates=len(models))


def assert_predictions_equal_cross_val_predict(search, X, y):
    """Compare the out-of-fold predictions of all candidates, bit for bit."""
    assert search.oof_predictions_
    for method, predictions in search.oof_predictions_.items():
        for number, params in enumerate(search.cv_results_["params"]):
            model = clone(search.estimator).set_params(**params)
            expected = cross_val_predict(model, X, y, cv=search.cv, method=method)
            has_outputs = isinstance(expected, list)
            for ours, theirs in zip(
                predictions if has_outputs else [predictions],
                expected if has_outputs else [expected],
                strict=True,
            ):
                np.testing.assert_array_equal(ours[number], theirs)
                assert ours.dtype == np.asarray(theirs).dtype or theirs.dtype == object


def _assert_extracted(search, name, expected):
    results, expected = search.cv_results_, np.array(expected)
    columns = [results[f"split{split}_{name}"] for split in range(search.n_splits_)]
    np.testing.assert_array_equal(np.column_stack(columns), expected)
    np.testing.assert_allclose(results[f"mean_{name}"], expected.mean(axis=1))
    np.testing.assert_allclose(results[f"std_{name}"], expected.std(axis=1))
    standard_error = expected.std(axis=1, ddof=1) / math.sqrt(search.n_splits_)
    np.testing.assert_allclose(results[f"std_error_{name}"], standard_error)
    assert getattr(search, f"best_{name}_") == results[f"mean_{name}"][search.best_index_]


def _assert_fit_times(search, n_candidates):
    times = sorted(search._fit_times)
    assert [row[:2] for row in times] == [
        (candidate, split) for candidate in range(n_candidates) for split in range(search.n_splits_)
    ]
    assert all(
        0 < started_at <= finished_at and worker for _, _, started_at, finished_at, worker in times
    )
