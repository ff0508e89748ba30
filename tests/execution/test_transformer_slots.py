"""Slots of an estimator come in data order, and equal keys mean equal work."""

import numpy as np
import pandas as pd
import pytest
from helpers.transformers import CALLS, GRID, PIPELINE, make_data
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from skdistsearch import DistributedSearchCV
from skdistsearch.execution._transformer_slots import (
    is_pairwise,
    iter_slots,
    may_modify_input,
    size_mb,
)


def names_of(estimator):
    return [type(slot.transformer).__name__ for slot in iter_slots(estimator)]


def test_slots_are_in_the_order_in_which_data_reaches_them():
    union = FeatureUnion([("a", Pipeline([("s", StandardScaler()), ("p", PCA())])), ("b", PCA())])
    pipe = Pipeline([("first", MaxAbsScaler()), ("union", union), ("model", Ridge())])
    assert names_of(pipe) == [
        "MaxAbsScaler",
        "StandardScaler",
        "Pipeline",
        "PCA",
        "FeatureUnion",
    ]


def test_last_step_has_slots_only_if_it_is_a_composite():
    inner = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
    assert names_of(inner) == ["StandardScaler"]
    assert names_of(Pipeline([("inner", inner)])) == ["StandardScaler"]


def test_column_transformer_as_last_step_has_no_slots():
    columns = ColumnTransformer([("a", StandardScaler(), [0])])
    assert names_of(Pipeline([("scale", StandardScaler()), ("b", columns)])) == ["StandardScaler"]


def test_placeholders_have_no_slot():
    columns = ColumnTransformer([("a", "drop", [0]), ("b", "passthrough", [1])])
    assert names_of(Pipeline([("a", "passthrough"), ("b", columns), ("c", Ridge())])) == [
        "ColumnTransformer"
    ]


def test_subclasses_and_parallel_unions_have_no_slots():
    class OwnPipeline(Pipeline):
        pass

    steps = [("scale", StandardScaler()), ("model", Ridge())]
    assert names_of(OwnPipeline(steps)) == []
    assert names_of(FeatureUnion([("scale", StandardScaler())], n_jobs=2)) == []


def test_key_depends_on_earlier_steps_only():
    first = Pipeline([("a", StandardScaler()), ("b", PCA()), ("model", Ridge())])
    other_model = clone(first).set_params(model__alpha=2.0)
    other_step = clone(first).set_params(a=MinMaxScaler())
    keys, same_keys, other_keys = (
        [slot.key for slot in iter_slots(pipe)] for pipe in (first, other_model, other_step)
    )
    assert keys == same_keys
    assert not set(keys) & set(other_keys)


def test_key_in_a_column_transformer_depends_on_the_columns():
    first, other = (ColumnTransformer([("a", StandardScaler(), columns)]) for columns in ([0], [1]))
    (slot,), (other_slot,) = iter_slots(first), iter_slots(other)
    assert slot.columns != other_slot.columns
    assert slot.key != other_slot.key


def test_replace_puts_an_object_in_the_slot():
    pipe = Pipeline([("a", StandardScaler()), ("model", Ridge())])
    columns = ColumnTransformer([("a", StandardScaler(), [0])])
    for estimator in (pipe, columns):
        (slot,) = iter_slots(estimator)
        slot.replace("passthrough")
    assert pipe.steps[0] == ("a", "passthrough")
    assert columns.transformers[0] == ("a", "passthrough", [0])


def test_memory_of_a_pipeline_is_respected(tmp_path):
    pipe = clone(PIPELINE).set_params(memory=str(tmp_path))
    DistributedSearchCV(pipe, GRID, cv=2, refit=False).fit(*make_data())
    assert list(tmp_path.rglob("output.pkl"))
    assert CALLS.count(("transform", 1.0)) > 2 * 2  # joblib.Memory caches those of the fit only


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (StandardScaler(), False),
        (StandardScaler(copy=False), True),
        (Pipeline([("a", MaxAbsScaler(copy=False)), ("model", Ridge())]), True),
        (Ridge(copy_X=False), True),
    ],
)
def test_estimator_with_copy_false_may_modify_its_input(estimator, expected):
    assert may_modify_input(estimator) is expected


def test_only_square_data_of_a_kernel_estimator_is_pairwise():
    square, data = np.eye(4), np.ones((4, 2))
    assert is_pairwise(SVC(kernel="precomputed"), square)
    assert not is_pairwise(SVC(kernel="precomputed"), data)
    assert not is_pairwise(SVC(), square)


def test_size_counts_arrays_frames_and_containers():
    array = np.zeros(125_000)
    model = Ridge()
    model.coef_ = array
    frame = pd.DataFrame(array)
    assert size_mb(array) == 1.0
    assert size_mb(frame) == pytest.approx(1.0, rel=0.01)
    assert size_mb(model) == pytest.approx(1.0, rel=0.01)
    assert size_mb([array] * 1000) == pytest.approx(1000, rel=0.01)
