"""Validation data: which rows it has, and action is split with them."""

import numpy as np
import pytest
from helpers.probe_family import ANY_MODEL, CALLS, N, ProbeRegressor, X, Y, rows_of, stopping
from scipy import sparse
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.model_selection import (
    LeaveOneGroupOut,
    PredefinedSplit,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline

from skdistsearch import EarlyStopping

LGBM = {"n_estimators": 20, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}


def test_seed_determines_the_validation_data():
    for seed in (0, 0, 1):
        stopping(random_state=seed).fit(X, Y)
    first, second, third = rows_of("validate")
    assert first == second != third


def test_split_of_a_classifier_is_stratified():
    rows = np.column_stack([np.arange(100), np.zeros(100)])
    y = np.array(["many"] * 80 + ["few"] * 20)
    model = HistGradientBoostingClassifier(max_iter=2)
    EarlyStopping(model, family=ANY_MODEL, random_state=0).fit(rows, y)
    assert np.unique(y[rows_of("validate")[0]], return_counts=True)[1].tolist() == [4, 16]


def test_only_row_of_a_class_is_a_training_row():
    y = np.array(["a", "b"] * 19 + ["b", "alone"])
    model = EarlyStopping(HistGradientBoostingClassifier(max_iter=2), family=ANY_MODEL)
    model.fit(X, y)
    assert N - 1 in rows_of("train")[0]
    assert len(rows_of("validate")[0]) == 8
    assert model.classes_.tolist() == ["a", "alone", "b"]


@pytest.mark.parametrize("classes", [False, True])
def test_groups_are_not_split(classes):
    groups = np.arange(N) % 10
    model = HistGradientBoostingClassifier(max_iter=2) if classes else ProbeRegressor()
    y = np.arange(N) % 3 if classes else Y
    EarlyStopping(model, family=ANY_MODEL, random_state=0).fit(X, y, groups=groups)
    (validation,), (train,) = rows_of("validate"), rows_of("train")
    assert sorted(validation + train) == list(range(N))
    assert len(validation) == 8
    assert not set(groups[validation]) & set(groups[train])


def test_validation_rows_of_unknown_classes_are_dropped():
    pytest.importorskip("lightgbm", reason="LightGBM is optional")
    from lightgbm import LGBMClassifier

    groups = np.repeat([0, 1, 2, 3], 25)
    y = np.array(["a", "b"] * 45 + ["only here"] * 10)
    rows = np.random.default_rng(0).normal(size=(100, 2))
    model = EarlyStopping(LGBMClassifier(**LGBM), validation_split=LeaveOneGroupOut())
    model.fit(rows, y, groups=groups)
    assert model.classes_.tolist() == ["a", "b", "only here"]


def test_last_split_of_a_splitter_is_used():
    stopping(validation_split=TimeSeriesSplit(4)).fit(X, Y)
    assert rows_of("validate") == [list(range(32, 40))]
    assert rows_of("fit")[0] == list(range(32))


def test_masks_and_predefined_splits_are_splitters():
    fold = np.where(np.arange(N) < 30, -1, 0)
    stopping(validation_split=PredefinedSplit(fold)).fit(X, Y)
    stopping(validation_split=[(fold == -1, fold == 0)]).fit(X.tolist(), Y)
    assert rows_of("validate") == [list(range(30, 40))] * 2


def test_empty_validation_data_is_an_error():
    with pytest.raises(ValueError, match="leaves 40 training rows and 0 validation rows"):
        stopping(validation_split=[(np.arange(N), [])]).fit(X, Y)


@pytest.mark.parametrize("container", [list, "frame", sparse.csr_matrix, sparse.coo_matrix])
def test_rows_of_any_container(container):
    rows = X
    if container == "frame":
        rows = pytest.importorskip("pandas").DataFrame(X, columns=["id", "value"])
    elif container is list:
        rows = X.tolist()
    else:
        rows = container(X)
    model = HistGradientBoostingRegressor() if not sparse.issparse(rows) else None
    if model is None:
        from sklearn.preprocessing import FunctionTransformer

        dense = FunctionTransformer(lambda part: part.toarray(), accept_sparse=True)
        model = make_pipeline(dense, HistGradientBoostingRegressor())
    fitted = EarlyStopping(model, random_state=0).fit(rows, Y.tolist())
    assert fitted.n_features_in_ == 2 if not sparse.issparse(rows) else True
    assert hasattr(fitted, "feature_names_in_") == (container == "frame")


def test_fit_params_with_one_value_per_row_are_split_like_the_rows():
    weights, extra = np.arange(N) + 1.0, [f"row {number}" for number in range(N)]
    stopping().fit(X, Y, sample_weight=weights, extra=extra, known="all")
    for action, rows, params in CALLS:
        given = params if action == "validate" else {**params, "sample_weight": params["weights"]}
        np.testing.assert_array_equal(given["sample_weight"], weights[rows])
        assert given["extra"] == [f"row {number}" for number in rows]
    assert [params.get("known") for _, _, params in CALLS] == [None, "all", "all"]
