"""scikit-learn slices a view of the data as it slices the data itself, and only once per split."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.transformers import CONTAINERS, assert_same_results, make_data
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from skdistsearch import DistributedSearchCV
from skdistsearch.execution._split_data import SplitData, _Slicer, slice_test_part
from skdistsearch.execution._transform_cache import TransformCache

INDICES = {
    "ordered": np.arange(30),
    "unordered": np.random.default_rng(0).permutation(40)[:30],
    "mask": np.arange(40) % 3 > 0,
}
Y_CONTAINERS = {
    "array": np.array,
    "two outputs": lambda y: np.c_[y, y],
    "series": pd.Series,
    "list": list,
    "None": lambda y: None,
}


def make_X_and_y(container="array", y_container="array"):
    X, y = make_data("array" if container == "lists" else container)
    return X.tolist() if container == "lists" else X, Y_CONTAINERS[y_container](y)


def make_split_data(X, y, keywords):
    return SplitData((Ridge(), X, y), keywords, TransformCache(100.0, lambda token: 1))


def assert_same_data(actual, expected):
    """Compare type, values, index, dtype and memory layout."""
    assert type(actual) is type(expected)
    assert getattr(actual, "dtype", None) == getattr(expected, "dtype", None)
    if isinstance(expected, np.ndarray):
        assert actual.strides == expected.strides
    if isinstance(expected, pd.DataFrame | pd.Series):
        pd.testing.assert_index_equal(actual.index, expected.index)
    if sparse.issparse(expected):
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name))
    else:
        np.testing.assert_equal(np.asarray(actual), np.asarray(expected))


@pytest.mark.parametrize("indices", INDICES)
@pytest.mark.parametrize("container", [*CONTAINERS, "lists"])
@pytest.mark.parametrize("y_container", Y_CONTAINERS)
def test_slices_of_a_view_equal_slices_of_the_data(container, y_container, indices):
    X, y = make_X_and_y(container, y_container)
    keywords = {"train": INDICES[indices], "test": np.arange(30, 40)}
    split_data = make_split_data(X, y, keywords)
    for _ in range(2):  # the first fit and a later one
        for part, other in (("train", None), ("test", "train")):
            other_indices = [other and source[other] for source in (keywords, split_data.keywords)]
            expected = _safe_split(Ridge(), X, y, keywords[part], other_indices[0])
            views, marker = split_data.data, split_data.keywords[part]
            actual = _safe_split(Ridge(), *views, marker, other_indices[1])
            assert_same_data(actual[0], expected[0])
            if y is None:
                assert actual[1] is None
            else:
                assert_same_data(actual[1], expected[1])


@pytest.mark.parametrize("group", ["fit_params", "score_params"])
def test_slices_of_viewed_params_equal_slices_of_params(group):
    X, y = make_X_and_y()
    weights = np.random.default_rng(1).random(len(y))
    params = {
        "array": weights,
        "list": weights.tolist(),
        "series": pd.Series(weights),
        "text": "text",
        "number": 3,
        "other length": [1, 2],
    }
    keywords = {"train": np.arange(30), "test": np.arange(30, 40), group: params}
    split_data = make_split_data(X, y, keywords)
    for part in ("train", "test"):
        expected = _check_method_params(X, params, keywords[part])
        views, marker = split_data.keywords[group], split_data.keywords[part]
        actual = _check_method_params(split_data.data[0], views, marker)
        assert actual.keys() == expected.keys()
        for name in expected:
            assert_same_data(actual[name], expected[name])


def test_test_part_is_sliced_as_for_a_scorer():
    X, y = make_X_and_y("frame")
    keywords = {"train": np.arange(30), "test": np.arange(30, 40)}
    split_data = make_split_data(X, y, keywords)
    expected = slice_test_part(Ridge(), (Ridge(), X, y), keywords)
    actual = slice_test_part(Ridge(), (Ridge(), *split_data.data), split_data.keywords)
    assert_same_data(actual, expected)
    assert_same_data(actual, X.iloc[30:])


def test_slicing_leaves_the_data_unchanged():
    X, y = make_X_and_y("csr")
    before = pickle.dumps((X, y))
    split_data = make_split_data(X, y, {"train": np.arange(30), "test": np.arange(30, 40)})
    _safe_split(Ridge(), *split_data.data, split_data.keywords["train"])
    assert pickle.dumps((X, y)) == before
    assert X.data.flags.writeable


@pytest.mark.parametrize("container", [*CONTAINERS, "lists"])
def test_large_data_is_sliced_once_per_split(container, monkeypatch):
    n_slices = []
    slice_array = _Slicer.slice
    monkeypatch.setattr(
        _Slicer, "slice", lambda self, *args: n_slices.append(1) or slice_array(self, *args)
    )
    monkeypatch.setattr("skdistsearch.execution._shared_work._DATA_MIN_MB", 0.0)
    X, y = make_X_and_y(container, "list" if container == "lists" else "array")
    grid = {"alpha": [0.1, 1.0, 10.0]}
    search = DistributedSearchCV(Ridge(), grid, cv=2, return_train_score=True).fit(X, y)
    expected = GridSearchCV(Ridge(), grid, cv=2, return_train_score=True).fit(X, y)
    assert_same_results(search.cv_results_, expected.cv_results_)
    # Lists of lists cannot be protected; copies of frames have another memory layout in pandas < 3
    if container != "lists" and (container != "frame" or pd.__version__ >= "3"):
        assert len(n_slices) == 2 * 2 * 2  # train and test of X and y


def test_sample_weights_are_sliced_with_the_data():
    X, y = make_data()
    weights = np.random.default_rng(1).random(len(y))
    pipe = Pipeline([("a", StandardScaler()), ("model", Ridge())])
    grid = {"model__alpha": [0.1, 1.0]}
    params = {"model__sample_weight": weights, "a__sample_weight": weights}
    search = DistributedSearchCV(pipe, grid, cv=3).fit(X, y, **params)
    expected = GridSearchCV(pipe, grid, cv=3).fit(X, y, **params)
    assert_same_results(search.cv_results_, expected.cv_results_)


def test_precomputed_kernels_are_sliced_along_both_axes(monkeypatch):
    monkeypatch.setattr("skdistsearch.execution._shared_work._DATA_MIN_MB", 0.0)
    X, y = make_data()
    kernel, svr = X @ X.T, SVR(kernel="precomputed")
    grid = {"C": [0.1, 1.0]}
    search = DistributedSearchCV(svr, grid, cv=2, refit=False).fit(kernel, y)
    expected = GridSearchCV(svr, grid, cv=2, refit=False).fit(kernel, y)
    assert_same_results(search.cv_results_, expected.cv_results_)
    with pytest.raises(ValueError, match="have to be passed as arrays or sparse matrices"):
        DistributedSearchCV(svr, grid, cv=2).fit(kernel.tolist(), y)
