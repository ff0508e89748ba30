"""Values of all kinds to digest, and functions that make and change them."""

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import importlib.util
import itertools
import math
import operator
import os
import random
import re
import sys
import types
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.special
import scipy.stats
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, fbeta_score, get_scorer, make_scorer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdistsearch.checkpoints._digest import Digester

SCRIPTS = Path(__file__).parents[1] / "scripts"
CODE = (SCRIPTS / "code_to_digest.py").read_text()
"""Source of a script with code that cannot be imported."""


def digest(value):
    return Digester().digest(value)


def run_as_script(source):
    """Return the names that a source defines if it is run as a script."""
    names = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), names)
    return types.SimpleNamespace(**names)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True)
class Setting:
    rate: float
    names: tuple = ()


@dataclasses.dataclass
class Point:
    __slots__ = ("x", "y")
    x: int
    y: int


class OwnEstimator(BaseEstimator):
    def __init__(self, a=1):
        self.a = a

    def score(self, X, y=None):
        return self.a


class Row(list):
    pass


class Cyclic:
    def __init__(self, name):
        self.name, self.other = name, self


def make_ring(names):
    """Return the first of some objects that each refer to the next."""
    members = [Cyclic(name) for name in names]
    for member, other in zip(members, [*members[1:], members[0]], strict=True):
        member.other = other
    return members[0]


def named_function(x):
    return x


def decorate(function):
    """Return another function with the name of the first."""

    @functools.wraps(function)
    def wrapper(x):
        return function(x)

    return wrapper


def make_local(factor):
    def local(x):
        return x * factor

    class Local(OwnEstimator):
        def score(self, X, y=None):
            return super().score(X, y) * factor

    return local, Local(2)


def make_frame():
    return pd.DataFrame(
        {
            "number": [1.0, 2.0, math.nan],
            "whole": [1, 2, 3],
            "text": ["a", "b", None],
            "string": pd.array(["a", "b", None], dtype="string"),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "category": pd.Categorical(["u", "v", "u"]),
            "zoned": pd.date_range("2020", periods=3, tz="Europe/Paris"),
            "naive": pd.date_range("2020", periods=3),
            "period": pd.period_range("2020", periods=3, freq="M"),
            "interval": pd.interval_range(0, 3),
            "sparse": pd.arrays.SparseArray([0, 0, 1]),
        },
        index=pd.Index([3, 4, 5], name="key"),
    )


def make_polars_frame():
    polars = pytest.importorskip("polars")
    return polars.DataFrame(
        {
            "number": [1.0, None, math.nan],
            "whole": [1, 2, 3],
            "text": ["a", "b", None],
            "category": polars.Series(["u", "v", "u"], dtype=polars.Categorical),
            "date": [datetime.date(2020, 1, day) for day in (1, 2, 3)],
            "lists": [[1], [2, 3], None],
        }
    )


X = np.arange(24.0).reshape(4, 6)
RECORD = np.dtype([("a", "i1"), ("b", "f8", (2,)), ("c", "U3")], align=True)

# Functions that make values: called by the tests and in another process
VALUES = {
    "none": lambda: None,
    "numbers": lambda: [0, -1, 10**5000, 1.5, -0.0, math.inf, math.nan, 1j, True],
    "strings": lambda: ["", "a", "é", "\ud800", "x" * 1000, b"", b"\0" * 100, bytearray(b"b")],
    "ellipsis": lambda: (Ellipsis, NotImplemented, slice(1, 2), range(3)),
    "nested": lambda: {"a": [1, (2, {"b": {3, "x", None}})], 4: frozenset("abcdef")},
    "set": lambda: {"a", "b", "c", "d", 1, 2.5, (1, "e"), None},
    "collections": lambda: [
        collections.OrderedDict(a=1),
        collections.Counter("abca"),
        collections.defaultdict(list, a=[1]),
        collections.deque([1, 2], 3),
        collections.namedtuple("Row", "a b", module=__name__)(1, 2),
    ],
    "standard": lambda: [
        Path("a/b"),
        PurePosixPath("/c"),
        datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
        datetime.timedelta(1),
        decimal.Decimal("1.10"),
        re.compile("a+", re.IGNORECASE),
        types.SimpleNamespace(a=1),
        random.Random(0),
    ],
    "own": lambda: [Color.RED, Setting(0.1, ("a",)), Point(1, 2), OwnEstimator(3), Cyclic("a")],
    "typing": lambda: [list[int], dict[str, list[int]], int | None],
    "arrays": lambda: [X, X.T, X[:, ::2], X[0, 0], X[:0], np.array(5), X > 3, np.float32(1)],
    "dtypes": lambda: [
        np.array(["a", "bc"]),
        np.array([b"a"]),
        np.array(["2020", "NaT"], dtype="M8[s]"),
        np.array([1, "a", None, [2.5]], dtype=object),
        np.array([(1, (2, 3), "x")], dtype=RECORD),
        np.array([(1, [2])], dtype=[("a", "i4"), ("b", "O")]),
        np.zeros(2, "V3"),
        np.dtype("f4"),
        RECORD,
    ],
    "byte order": lambda: np.array([1], dtype=">i2"),  # pickle swaps it
    "subclasses": lambda: [np.ma.array([1, 2], mask=[0, 1]), np.rec.array([(1, 2.0)])],
    "random": lambda: [
        np.random.RandomState(0),
        np.random.default_rng(0),
        np.random.Generator(np.random.MT19937(1)),
        np.random.SeedSequence(2),
    ],
    "sparse": lambda: [
        make(scipy.sparse.eye(3, format=form))
        for form in ("csr", "csc", "coo", "dia", "lil", "dok", "bsr")
        for make in (getattr(scipy.sparse, f"{form}_{kind}") for kind in ("matrix", "array"))
    ],
    "pandas": make_frame,
    "pandas parts": lambda: [
        make_frame()["number"],
        make_frame()["category"],
        make_frame().index,
        make_frame().columns,
        make_frame().set_index(["whole", "text"]).index,
        pd.RangeIndex(3),
        pd.date_range("2020", periods=3, freq="D"),
        pd.array([1, None]),
        pd.Timestamp("2020"),
        pd.NaT,
        pd.NA,
    ],
    "polars": make_polars_frame,
    "distributions": lambda: [scipy.stats.loguniform(1, 2), scipy.stats.randint(0, 5)],
    "pipeline": lambda: Pipeline(
        [
            ("columns", ColumnTransformer([("a", StandardScaler(), ["x"])])),
            ("inner", make_pipeline(FunctionTransformer(np.log1p), "passthrough")),
            ("forest", RandomForestClassifier(random_state=np.random.RandomState(1))),
        ]
    ),
    "target": lambda: TransformedTargetRegressor(Ridge(), func=np.exp, inverse_func=np.log),
    "fitted": lambda: make_pipeline(StandardScaler(), Ridge()).fit(X, X[:, 0]),
    "splitter": lambda: KFold(3, shuffle=True, random_state=0),
    "scorers": lambda: [
        get_scorer("f1"),
        make_scorer(fbeta_score, beta=2),
        make_scorer(accuracy_score),
        "accuracy",
    ],
    "callables": lambda: [
        len,
        math.sqrt,
        str.lower,
        int.__add__,
        [].append,
        np.mean,
        np.add,
        scipy.special.expit,
        functools.partial(named_function, x=1),
        operator.itemgetter(1),
        named_function,
        OwnEstimator(1).score,
        OwnEstimator.score,
        np.random.RandomState(3).normal,
        os.path.join,
        itertools.chain.from_iterable,
    ],
    "types": lambda: [
        int,
        type(None),
        types.FunctionType,
        np.ndarray,
        np.float64,
        OwnEstimator,
        Ridge,
    ],
    "modules": lambda: [np, os.path, sys],
    "local": lambda: make_local(3),
    "lambda": lambda: [lambda x, y=1, *, z=(2,): [i * x for i in range(y) if i in {"a", "b"}]],
    "script": lambda: run_as_script(CODE).everything,
    "documents": lambda: [f"document {n}" for n in range(10_000)],
}


HAS_POLARS = importlib.util.find_spec("polars") is not None
