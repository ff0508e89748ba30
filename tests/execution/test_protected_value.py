"""Fits get values whose changes do not reach other fits, or are noticed."""

import array

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils.fixes import parse_version

from skdistsearch.execution._protected_value import DataKey, ProtectedValue

KEY = DataKey(0, "train")


def protect(value):
    if isinstance(value, pd.DataFrame | pd.Series) and parse_version(pd.__version__).major < 3:
        pytest.skip("pandas < 3 has no copy-on-write: frames are made again for each fit")
    return ProtectedValue.protect(value, KEY)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0),
        np.arange(6.0)[::2],
        np.arange(6.0).reshape(2, 3).T,
        np.array(["a", "b"]),
        np.array(["a", None, 1.5], dtype=object),
    ],
    ids=["array", "view", "transposed", "strings", "objects"],
)
def test_shared_arrays_are_read_only(value):
    shared = protect(value).share()
    assert np.shares_memory(shared, value)
    assert shared.strides == value.strides
    with pytest.raises(ValueError, match="read-only"):
        shared[0] = shared[1]
    with pytest.raises(ValueError, match="WRITEABLE"):
        shared.flags.writeable = True


def test_arrays_that_a_shared_array_is_a_view_of_are_read_only():
    owner = np.arange(6.0)
    protect(owner[1:][::2])
    with pytest.raises(ValueError, match="read-only"):
        owner[1] = 0.0


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_shared_sparse_matrices_are_read_only(convert):
    matrix = convert(np.eye(3))
    shared = protect(matrix).share()
    assert type(shared) is type(matrix)
    with pytest.raises(ValueError, match="read-only"):
        shared.data += 1.0


def test_arrays_of_a_shared_frame_cannot_be_made_writeable():
    shared = protect(pd.DataFrame(np.zeros((2, 2)))).share()
    with pytest.raises(ValueError, match="WRITEABLE"):
        shared.to_numpy().flags.writeable = True


@pytest.mark.parametrize(
    "value",
    [
        np.array([[1], None], dtype=object),
        [[1.0], [2.0]],
        pd.DataFrame({"a": [[1.0], [2.0]]}),
        sparse.lil_matrix((3, 3)),
        np.ma.masked_array([1.0, 2.0], [True, False]),
        {"a": 1},
    ],
    ids=["array of lists", "list of lists", "frame of lists", "lil", "masked", "dict"],
)
def test_values_of_other_types_are_not_shared(value):
    assert protect(value) is None


def append(shared):
    shared.append("c")


def set_shape(shared):
    shared.shape = (-1, 1)


def set_data(shared):
    shared.data = shared.data * 2


def set_nullable(shared):
    shared["a"].array[0] = 5


CHANGES = {
    "list": (["a", "b"], append),
    "shape": (np.arange(4.0), set_shape),
    "sparse data": (sparse.csr_matrix(np.eye(3)), set_data),
    "new column": (pd.DataFrame({"a": [1.0, 2.0]}), lambda shared: shared.insert(0, "b", 0.0)),
    "item": (pd.Series([1.0, 2.0]), lambda shared: shared.__setitem__(0, 5.0)),
    "name": (pd.Series([1.0, 2.0]), lambda shared: setattr(shared, "name", "b")),
    "labels": (pd.DataFrame({"a": [1.0]}), lambda shared: setattr(shared, "columns", ["b"])),
    "level": (pd.DataFrame({"a": [1.0]}), lambda shared: setattr(shared.index, "name", "b")),
}


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
@pytest.mark.parametrize("case", CHANGES)
def test_change_of_a_shared_value_is_noticed_and_reaches_no_other_fit(case):
    value, change = CHANGES[case]
    protected = protect(value)
    changed, other = protected.share(), protected.share()
    assert protected.is_unchanged(changed)
    change(changed)
    assert not protected.is_unchanged(changed)
    assert protected.is_unchanged(other)
    assert protected.is_unchanged(protected.share())


def test_extension_array_of_a_shared_frame_is_read_only():
    protected = protect(pd.DataFrame({"a": pd.array([1, 2], dtype="Int64")}))
    with pytest.raises(ValueError, match="read-only"):
        set_nullable(protected.share())


def test_frame_that_only_computed_something_is_unchanged():
    protected = protect(pd.DataFrame({"a": [1.0, 2.0]}).assign(b=[3.0, 4.0]))
    shared = protected.share()
    shared.mean()
    shared.to_numpy()
    assert protected.is_unchanged(shared)


def kept_view():
    owner = np.zeros(10)[:]
    return owner[:5], owner


def kept_buffer():
    buffer = array.array("d", [0.0] * 5)
    return np.frombuffer(buffer), buffer


@pytest.mark.parametrize("make", [kept_view, kept_buffer])
@pytest.mark.parametrize(
    "convert", [np.asarray, lambda data: sparse.csr_matrix((data, range(5), [0, 5]))]
)
def test_write_to_memory_that_the_maker_kept_is_noticed(make, convert):
    data, kept = make()
    protected = protect(convert(data))
    assert protected.is_intact()
    kept[0] = 1.0
    assert not protected.is_intact()


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (pd.DataFrame({"a": [1.0, 2.0]}), lambda kept: kept.__setitem__("a", 0.0)),
        (pd.DataFrame({"a": [1.0, 2.0]}), lambda kept: kept.iloc.__setitem__((0, 0), 0.0)),
        (sparse.csr_matrix(np.eye(3)), set_data),
        (["a", "b"], append),
    ],
    ids=["column", "item", "sparse data", "list"],
)
def test_change_of_the_original_does_not_reach_the_protected_value(value, change):
    protected = protect(value)
    before = protected.share()
    change(value)
    assert protected.is_unchanged(before)


def test_digest_depends_on_content_and_layout():
    values = [np.zeros((2, 3)), np.zeros((2, 3), order="F"), np.ones((2, 3)), np.zeros((3, 2))]
    digests = {protect(value).digest() for value in [*values, np.zeros((2, 3))]}
    assert len(digests) == len(values)
    assert protect(["a"]).digest() is None
