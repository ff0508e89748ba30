"""Keys are equal for copies of a value, and differ for values that code can tell apart."""

import collections
import copy
import functools

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from skdistsearch.execution._value_key import key_of


def keep_columns(X, n=1):
    return X[:, :n]


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("a", b"a"),
        ([1], (1,)),
        ({"a": 1}, {"a": 2}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (slice(1), slice(2)),
        (range(3), range(0, 3, 2)),
        (np.arange(3), np.arange(3.0)),
        (np.zeros((2, 3)), np.zeros((2, 3), order="F")),
        (np.array(["a", 1], dtype=object), np.array(["a", 1.0], dtype=object)),
        (np.float64(1), np.float32(1)),
        (Ridge(), Ridge(alpha=2)),
        (StandardScaler(), StandardScaler().set_output(transform="pandas")),
        (KFold(2), KFold(3)),
        (keep_columns, lambda X: X),
        (functools.partial(keep_columns, n=1), functools.partial(keep_columns, n=2)),
        (np.random.RandomState(0), np.random.RandomState(1)),
        (sparse.eye(2).tocsr(), sparse.eye(3).tocsr()),
    ],
)
def test_keys_are_equal_for_copies_and_differ_for_similar_values(value, other):
    assert key_of(value) == key_of(copy.deepcopy(value))
    assert key_of(value) != key_of(other)


class EqualToAll(str):
    """Says that it equals everything."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class ListWithName(list):
    def __init__(self, values, name):
        super().__init__(values)
        self.name = name


class IntWithName(int):
    def __new__(cls, value, name):
        self = super().__new__(cls, value)
        self.name = name
        return self


class Slotted:
    __slots__ = ("__k",)

    def __init__(self, k):
        self.__k = k


class HoldsDict:
    def __init__(self, values):
        self.values = values


class Forgetful:
    def __init__(self, k):
        self.k = k

    def __getstate__(self):
        return {}


class SlottedTransformer(BaseEstimator):
    __slots__ = ("k",)

    def __init__(self, k=1):
        self.k = k


STORE = {}


class StoresElsewhere(BaseEstimator):
    def __init__(self, k=1):
        self.k = k

    @property
    def k(self):
        return STORE[id(self)]

    @k.setter
    def k(self, value):
        STORE[id(self)] = value


class ReadsElsewhere(BaseEstimator):
    def __init__(self, k=1):
        STORE[id(self)] = k

    def get_params(self, deep=True):
        return {"k": STORE[id(self)]}


OTHER_FIRST = {"b": 2, "a": 1}
SIMILAR_VALUES = {
    "slots": (Slotted(1), Slotted(2)),
    "slots of an estimator": (SlottedTransformer(1), SlottedTransformer(2)),
    "ordered dict": (collections.OrderedDict(a=1, b=2), collections.OrderedDict(OTHER_FIRST)),
    "dict in an object": (HoldsDict({"a": 1, "b": 2}), HoldsDict(OTHER_FIRST)),
    "mask": (np.ma.masked_array([1, 2], [0, 1]), np.ma.masked_array([1, 2], [0, 0])),
    "matrix": (np.eye(2), np.eye(2).view(np.matrix)),
    "str with an own equality": (EqualToAll("a"), EqualToAll("b")),
    "list with an attribute": (ListWithName([1], "a"), ListWithName([1], "b")),
    "int with an attribute": (IntWithName(1, "a"), IntWithName(1, "b")),
    "state that is not pickled": (Forgetful(1), Forgetful(2)),
    "property kept elsewhere": (StoresElsewhere(1), StoresElsewhere(2)),
    "parameter read elsewhere": (ReadsElsewhere(1), ReadsElsewhere(2)),
    "field": (np.zeros(1, [("a", float)]), np.zeros(1, [("b", float)])),
}


@pytest.mark.parametrize("case", SIMILAR_VALUES)
def test_keys_differ_unless_equality_is_certain(case):
    value, other = SIMILAR_VALUES[case]
    assert key_of(value) == key_of(value)
    assert key_of(value) != key_of(other)


def test_object_that_cannot_be_read_has_the_key_of_itself_only():
    class Unreadable(BaseEstimator):
        def get_params(self, deep=True):
            raise ZeroDivisionError

    value, other = Unreadable(), Unreadable()
    assert key_of(value) == key_of(value)
    assert key_of(value) != key_of(other)


def test_values_that_contain_themselves_have_a_key():
    value = HoldsDict({})
    value.values["self"] = value
    assert key_of(value) == key_of(value)
