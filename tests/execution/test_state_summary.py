"""Summaries of a state differ after changes of all kinds, and stay equal without one."""

import array

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from skdistsearch.execution._state_summary import summarize


class Holder:
    """An object with one attribute."""

    def __init__(self, part):
        self.part = part


class SlottedHolder:
    __slots__ = ("part",)

    def __init__(self, part):
        self.part = part


def add_one(values):
    values += 1


CHANGES = {
    "attribute": (Holder(1), lambda state: setattr(state, "part", 2)),
    "new attribute": (Holder(1), lambda state: setattr(state, "other", 2)),
    "slot": (SlottedHolder(1), lambda state: setattr(state, "part", 2)),
    "array": (np.zeros(3), add_one),
    "large array": (np.zeros((1000, 300)), add_one),
    "column of a large array": (np.zeros((3000, 100)), lambda a: add_one(a[:, 7])),
    "transposed array": (np.zeros((300, 1000)).T, add_one),
    "strided array": (np.zeros((3000, 100))[:, ::2], add_one),
    "objects": (np.array(["a", None], dtype=object), lambda a: a.__setitem__(1, 2)),
    "shape": (np.zeros(4), lambda a: a.resize((2, 2), refcheck=False)),
    "dict": ({"n": 1}, lambda state: state.update(n=2)),
    "list": ([1], lambda state: state.append(2)),
    "set": ({1}, lambda state: state.add(2)),
    "array in an object in a dict": ({"a": Holder(np.zeros(3))}, lambda s: add_one(s["a"].part)),
    "bytearray": (bytearray(8), lambda state: state.__setitem__(0, 1)),
    "array.array": (array.array("d", [1.0]), lambda state: state.__setitem__(0, 2.0)),
    "sparse": (sparse.csr_matrix(np.eye(3)), lambda matrix: add_one(matrix.data)),
    "sparse attribute": (sparse.csr_matrix(np.eye(3)), lambda m: setattr(m, "data", m.data * 2)),
    "frame": (pd.DataFrame({"a": [1.0]}), lambda frame: frame.__setitem__("a", 2.0)),
    "columns": (pd.DataFrame({"a": [1.0]}), lambda f: setattr(f, "columns", ["b"])),
    "series": (pd.Series(["a", "b"]), lambda series: series.__setitem__(0, "c")),
    "nullable": (pd.Series(pd.array([1, None])), lambda series: series.__setitem__(0, 3)),
    "category": (pd.Series(["a", "b"], dtype="category"), lambda s: s.__setitem__(0, "b")),
    "generator": (np.random.default_rng(0), lambda rng: rng.normal()),
    "random state": (np.random.RandomState(0), lambda rng: rng.normal()),
    "object in C": (Holder(memoryview), lambda state: setattr(state, "part", map(str, []))),
}


@pytest.mark.parametrize("case", CHANGES)
def test_summary_differs_after_a_change(case):
    state, change = CHANGES[case]
    before = summarize(state)
    assert summarize(state) == before
    change(state)
    assert summarize(state) != before


def test_values_that_contain_themselves_have_a_summary():
    holder = Holder([])
    holder.part.append(holder)
    assert summarize(holder) == summarize(holder)


def test_transform_leaves_the_summary_of_scikit_learns_transformers_as_it_is():
    texts = ["a b c", "b c d"]
    for transformer, X in (
        (TfidfVectorizer(token_pattern="."), texts),
        (StandardScaler(), np.eye(3)),
    ):
        transformer.fit(X)
        before = summarize(transformer)
        transformer.transform(X)
        assert summarize(transformer) == before
