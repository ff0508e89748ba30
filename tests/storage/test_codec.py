"""Data comes back exactly, and nothing else is data."""

import decimal
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.utils import Bunch

from skdistsearch.exceptions import CorruptDataError
from skdistsearch.storage import NotDataError, decode, encode


def assert_same(found, expected):
    """Check that two values are equal, with equal types, also those of their parts."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert_same(list(found.items()), list(expected.items()))  # NaN can be a key
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.flags.f_contiguous == expected.flags.f_contiguous
        np.testing.assert_array_equal(found, expected)
    elif sparse.issparse(expected):
        for name in (
            ("data", "row", "col")
            if expected.format == "coo"
            else (
                "data",
                "indices",
                "indptr",
            )
        ):
            assert_same(getattr(found, name), getattr(expected, name))
        assert found.shape == expected.shape
    elif isinstance(expected, float) and math.isnan(expected):
        assert math.isnan(found)
    else:
        assert repr(found) == repr(expected)


NUMBERS = np.arange(6.0).reshape(2, 3)
VALUES = [
    None,
    True,
    0,
    -(2**53) - 1,
    10**30,
    -0.0,
    math.inf,
    math.nan,
    1 + 2j,
    "ß\ud800",
    b"\0\xff",
    np.float64(1.5),
    np.float32(0.1),
    np.int8(-3),
    np.bool_(True),
    np.str_("a"),
    np.datetime64("2020-01-01"),
    NUMBERS,
    np.asfortranarray(NUMBERS),
    np.array(3),
    np.empty((0, 4)),
    np.array(["a", None, 1.5], dtype=object),
    np.array([1, 2], dtype=">i4"),
    np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    [1, (2.0, "x"), {"k": [None]}],
    {1: "a", (1, 2): NUMBERS, None: {}},
    Bunch(importances=NUMBERS, mean=1.5),
    sparse.csr_matrix(NUMBERS),
    sparse.csc_array(NUMBERS),
    sparse.coo_matrix(NUMBERS),
]


@pytest.mark.parametrize("values", [[0.1, 1.0, -0.0], ["a", None, 2]], ids=["float", "object"])
def test_masked_column_comes_back_exactly(values):
    column = np.ma.MaskedArray(np.array(values), mask=[False, True, False], fill_value=values[0])
    found = decode(encode(column))
    assert type(found) is np.ma.MaskedArray
    assert_same(found.data, column.data)
    assert_same(found.mask, column.mask)
    assert_same(found.fill_value, column.fill_value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_data_comes_back_exactly(value):
    assert_same(decode(encode(value)), value)


def test_integers_of_a_sparse_matrix_keep_their_type():
    matrix = sparse.csr_matrix(NUMBERS)
    matrix.indices = matrix.indices.astype(np.int64)
    matrix.indptr = matrix.indptr.astype(np.int64)
    assert decode(encode(matrix)).indices.dtype == np.int64


def test_array_that_occurs_twice_is_one_array():
    first, second = decode(encode([NUMBERS, NUMBERS]))
    assert first is second


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
arrays = st_numpy.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_, np.complex128]),
    st_numpy.array_shapes(max_dims=3, max_side=3, min_side=0),
)
values = st.recursive(
    plain | arrays,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(plain, inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(values)
def test_any_data_comes_back_exactly(value):
    assert_same(decode(encode(value)), value)


class _MyList(list):
    pass


def _with_itself():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Ridge(), r"Ridge"),
        ([1, {"a": Ridge()}], r"Ridge"),
        (_MyList(), r"_MyList"),
        ({1, 2}, r"builtins\.set"),
        (decimal.Decimal(1), r"decimal\.Decimal"),
        (len, r"builtin_function_or_method"),
        (np.ma.array([1], hard_mask=True), r"hard mask"),
        (np.array([Ridge()], dtype=object), r"Ridge"),
        (sparse.dok_matrix(NUMBERS), r"dok_matrix"),
        (_with_itself(), r"a container that contains itself"),
    ],
    ids=str,
)
def test_objects_are_no_data(value, reason):
    with pytest.raises(NotDataError, match=reason):
        encode(value)


def corrupted():
    """Yield bytes that no `encode` wrote."""
    data = encode([1, NUMBERS])
    yield data[:-8]
    yield data[:10]
    yield b""
    yield data.replace(b'"format": 1', b'"format": 9')
    for tree in ({"array": 7}, {"unknown": 1}, {"list": 3}, {"sparse": ["Ridge", [], {}]}, {}):
        yield json.dumps({"format": 1, "tree": tree, "arrays": []}).encode() + b"\n"
    pickled = np.array([Ridge()], dtype=object)
    path = __import__("io").BytesIO()
    np.save(path, pickled, allow_pickle=True)
    size = len(path.getvalue())
    header = json.dumps({"format": 1, "tree": {"array": 0}, "arrays": [size]}).encode()
    yield header + b"\n" + path.getvalue()


@pytest.mark.parametrize("data", corrupted(), ids=range(10))
def test_corrupt_bytes_are_one_error_and_run_no_code(data):
    with pytest.raises(CorruptDataError, match="A stored result is corrupt"):
        decode(data)
