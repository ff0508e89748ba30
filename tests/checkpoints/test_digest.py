import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import functools
import importlib.util
import itertools
import json
import math
import operator
import os
import pickle
import random
import re
import subprocess
import sys
import textwrap
import threading
import time
import types
from hashlib import sha256
from pathlib import Path, PurePosixPath

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.special
import scipy.stats
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, fbeta_score, get_scorer, make_scorer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.discovery import all_estimators

from skdistsearch.checkpoints import _digest
from skdistsearch.checkpoints._digest import Digester
from skdistsearch.checkpoints._versions import versions
from skdistsearch.exceptions import NotPicklableError


def digest(value):
    return Digester().digest(value)


def script(source, **names):
    """What ``source`` defines as a script, whose code nobody can import."""
    names["__name__"] = "__main__"
    exec(compile(textwrap.dedent(source), "<cell>", "exec"), names)
    return types.SimpleNamespace(**names)


class Colour(enum.Enum):
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


class Mine(BaseEstimator):
    def __init__(self, a=1):
        self.a = a

    def score(self, X, y=None):
        return self.a


class Row(list):
    pass


class Cyclic:
    def __init__(self, name):
        self.name, self.other = name, self


def named(x):
    return x


def decorated(function):
    """Another function under the name of the first."""

    @functools.wraps(function)
    def wrapper(x):
        return function(x)

    return wrapper


def within(factor):
    def local(x):
        return x * factor

    class Local(Mine):
        def score(self, X, y=None):
            return super().score(X, y) * factor

    return local, Local(2)


SCRIPT = """
    import enum, functools, typing, abc, dataclasses
    import numpy as np
    from sklearn.base import BaseEstimator, TransformerMixin

    LIMIT = 3

    def helper(x):
        return x + LIMIT

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    class Base(abc.ABC):
        def scale(self):
            return 2

    class Model(BaseEstimator, TransformerMixin, Base):
        "A model."
        rate: float = 0.1

        def __init__(self, a=1, *, b=2):
            self.a, self.b = a, b

        def fit(self, X: int, y=None):
            # a comment
            return helper(X) * self.scale() * even(self.b)

        def transform(self, X):
            import math
            return super().scale() + np.log(X) + math.pi + Model.rate

        @property
        def size(self):
            return 4

        @functools.cached_property
        def weight(self):
            return 5

        @staticmethod
        def one():
            return 6

        @classmethod
        def new(cls):
            return cls(7)

    class Kind(enum.Enum):
        A = 8

    @dataclasses.dataclass
    class Options:
        depth: int = 9

    class Slots:
        __slots__ = ("x",)

    @functools.lru_cache
    def cached(x):
        return x + 10

    def make(factor):
        return lambda x: x * factor + LIMIT

    def outer(x):
        return (lambda: x + INNER)()

    INNER = 12
    made = make(11)
    everything = [Model(), Kind.A, Options(), Slots(), cached, made, helper, even, outer]
"""


def frame():
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


def polars_frame():
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

# How to make values: all are made here and again in another process.
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
    "own": lambda: [Colour.RED, Setting(0.1, ("a",)), Point(1, 2), Mine(3), Cyclic("a")],
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
    "pandas": frame,
    "pandas parts": lambda: [
        frame()["number"],
        frame()["category"],
        frame().index,
        frame().columns,
        frame().set_index(["whole", "text"]).index,
        pd.RangeIndex(3),
        pd.date_range("2020", periods=3, freq="D"),
        pd.array([1, None]),
        pd.Timestamp("2020"),
        pd.NaT,
        pd.NA,
    ],
    "polars": polars_frame,
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
        functools.partial(named, x=1),
        operator.itemgetter(1),
        named,
        Mine(1).score,
        Mine.score,
        np.random.RandomState(3).normal,
        os.path.join,
        itertools.chain.from_iterable,
    ],
    "types": lambda: [int, type(None), types.FunctionType, np.ndarray, np.float64, Mine, Ridge],
    "modules": lambda: [np, os.path, sys],
    "local": lambda: within(3),
    "lambda": lambda: [lambda x, y=1, *, z=(2,): [i * x for i in range(y) if i in {"a", "b"}]],
    "script": lambda: script(SCRIPT).everything,
    "documents": lambda: [f"document {n}" for n in range(10_000)],
}
HAS_POLARS = importlib.util.find_spec("polars") is not None
IN_ANOTHER_PROCESS = """
import json, sys
import sklearn.svm, scipy.stats
sys.path.insert(0, sys.argv[1])
import test_digest as t
digests = {name: t.digest(t.VALUES[name]()) for name in json.loads(sys.argv[2])}
print(json.dumps(digests | {"this": t.digest(everything)}))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The digests that a script finds, with other hashes and imports."""
    names = [name for name in VALUES if name != "polars" or HAS_POLARS]
    path = tmp_path_factory.mktemp("script") / "run.py"
    source = textwrap.dedent(SCRIPT).replace("# a comment", "# another")
    path.write_text("# A comment.\n\n\n" + source + IN_ANOTHER_PROCESS)
    made = subprocess.run(
        [sys.executable, "-W", "error", path, str(Path(__file__).parent), json.dumps(names)],
        env=os.environ | {"PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(made.stdout)


@pytest.mark.parametrize("name", VALUES)
def test_digest_is_the_same_in_another_process(name, elsewhere):
    assert digest(VALUES[name]()) == elsewhere[name]


def test_code_has_the_same_digest_in_another_file_on_other_lines(elsewhere):
    assert digest(script(SCRIPT).everything) == elsewhere["this"]


COPIED = sorted(set(VALUES) - {"modules", "distributions"})
PICKLED = sorted(set(COPIED) - {"collections", "types", "local", "lambda", "script", "byte order"})


@pytest.mark.parametrize("name", COPIED)
def test_deep_copy_has_the_same_digest(name):
    value = VALUES[name]()
    assert digest(copy.deepcopy(value)) == digest(value)


@pytest.mark.parametrize("name", PICKLED)
def test_pickled_value_has_the_same_digest(name):
    value = VALUES[name]()
    assert digest(pickle.loads(pickle.dumps(value))) == digest(value)


def test_code_that_travelled_has_the_same_digest():
    made = script(SCRIPT)
    value = [*within(3), made.helper, made.even, made.made, made.Options()]
    assert digest(cloudpickle.loads(cloudpickle.dumps(value))) == digest(value)


def test_digest_is_a_sha256_in_hex():
    assert re.fullmatch("[0-9a-f]{64}", digest(None))


def test_all_values_differ():
    names = [name for name in VALUES if name != "polars" or HAS_POLARS]
    assert len({digest(VALUES[name]()) for name in names}) == len(names)


def cells(*contents):
    return pd.Series([*contents], dtype=object)


def changed_frame(column, value):
    table = frame()
    table[column] = value
    return table


DIFFERENT = {
    "type of a number": lambda: [1, 1.0, True, 1 + 0j, "1", b"1", np.float64(1), np.int64(1)],
    "sign of zero": lambda: [0.0, -0.0, 0],
    "nan": lambda: [math.nan, math.inf, None, pd.NA, pd.NaT],
    "container": lambda: [[1, 2], (1, 2), {1, 2}, {1: 2}, frozenset([1, 2]), [[1, 2]], [2, 1]],
    "nesting": lambda: [[[], []], [[[]]], [], [[]], [[], [], []]],
    "where a string ends": lambda: [
        ["ab", "c"],
        ["a", "bc"],
        ["abc"],
        ["asbc"],
        ["a" * 65, "b"],
        ["a" * 66],
    ],
    "order of a dict": lambda: [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}],
    "content of a big string": lambda: ["a" * 1000, "a" * 999 + "b", b"a" * 1000],
    "dtype": lambda: [
        np.zeros(2, kind) for kind in ("f8", "i8", "u8", "M8[s]", "M8[D]", ">f8", "V8")
    ],
    "shape": lambda: [
        np.zeros(6),
        np.zeros((2, 3)),
        np.zeros((3, 2)),
        np.zeros((6, 1)),
        np.zeros(0),
    ],
    "array order": lambda: [X, np.asfortranarray(X), np.ones((2, 2)), np.ones((2, 2), order="F")],
    "array value": lambda: [X, X + 1e-9 * (X == 7), X[:, ::2], X[:, 1::2], X[::-1]],
    "content of a container": lambda: [
        *(cls([part]) for cls in (collections.deque, collections.Counter, Row) for part in "ab"),
        *map(collections.OrderedDict.fromkeys, "ab"),
    ],
    "array of objects": lambda: [
        np.array(["a", "b"], dtype=object),
        np.array(["a", "b"]),
        np.array(["a", None], dtype=object),
        np.array([["a", "b"]], dtype=object),
    ],
    "fields": lambda: [
        np.zeros(2, [("a", "i4"), ("b", "i4")]),
        np.zeros(2, [("b", "i4"), ("a", "i4")]),
        np.array([(0, 0), (0, 1)], [("a", "i4"), ("b", "i4")]),
        np.zeros(2, [("a", "i4", (2,))]),
    ],
    "mask": lambda: [np.ma.array([1, 2], mask=mask) for mask in ([0, 0], [0, 1])],
    "sparse": lambda: [
        make(values)
        for values in ([[0, 1], [2, 0]], [[0, 2], [1, 0]])
        for make in (scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.csc_array)
    ],
    "cell of a frame": lambda: [
        frame(),
        changed_frame("number", [1.0, 2.0, 3.0]),
        changed_frame("whole", [1.0, 2.0, 3.0]),
        changed_frame("text", ["a", "b", ""]),
        changed_frame("nullable", pd.array([1, 2, 3], dtype="Int64")),
        changed_frame("nullable", pd.array([1, None, 3], dtype="Int32")),
        changed_frame("category", pd.Categorical(["u", "v", "u"], categories=["v", "u"])),
        changed_frame("category", pd.Categorical(["u", "v", "u"], ordered=True)),
        changed_frame("category", pd.Categorical(["u", "w", "u"])),
        changed_frame("zoned", pd.date_range("2020", periods=3, tz="UTC")),
        changed_frame("zoned", frame()["zoned"].dt.tz_convert("UTC")),
        changed_frame("period", pd.period_range("2020", periods=3, freq="D")),
        frame().rename(columns={"whole": "part"}),
        frame().rename(index={3: 7}),
        frame()[sorted(frame())],
        frame().drop(columns="whole"),
    ],
    "series": lambda: [
        cells("a"),
        cells("b"),
        cells(None),
        cells(math.nan),
        cells("a").rename("n"),
    ],
    "index": lambda: [
        pd.RangeIndex(3),
        pd.Index([0, 1, 2]),
        pd.Index([0, 1, 2], name="n"),
        pd.date_range("2020-01-31", periods=1, freq="D"),
        pd.date_range("2020-01-31", periods=1, freq="B"),
        pd.MultiIndex.from_arrays([[1, 1], [1, 2]]),
        pd.MultiIndex.from_arrays([[1, 1], [2, 1]]),
    ],
    "random state": lambda: [
        np.random.RandomState(0),
        np.random.RandomState(1),
        np.random.default_rng(0),
        np.random.default_rng(1),
        None,
    ],
    "distribution": lambda: [
        scipy.stats.uniform(1, 2),
        scipy.stats.uniform(1, 3),
        scipy.stats.norm(1, 2),
    ],
    "parameter": lambda: [
        Ridge(),
        Ridge(alpha=2),
        Ridge(alpha=1),
        LogisticRegression(),
        make_pipeline(Ridge()),
        make_pipeline(Ridge(alpha=3)),
        Pipeline([("other", Ridge())]),
        make_pipeline(StandardScaler(), Ridge()),
        Ridge().fit(X, X[:, 0]),
        Ridge().fit(X, X[:, 1]),
    ],
    "metadata": lambda: [Ridge(), requesting(True), requesting(False)],
    "scorer": lambda: [
        make_scorer(fbeta_score, beta=2),
        make_scorer(fbeta_score, beta=3),
        make_scorer(accuracy_score),
        make_scorer(accuracy_score, greater_is_better=False),
        get_scorer("f1"),
        "f1",
    ],
    "function": lambda: [
        np.log,
        np.exp,
        scipy.special.expit,
        math.exp,
        functools.partial(np.log),
        functools.partial(np.log, out=None),
        Mine(1).score,
        Mine(2).score,
        Mine(2).get_params,
        Mine.score,
        Mine,
        named,
        decorated(named),
    ],
    "own object": lambda: [
        Colour.RED,
        Colour.BLUE,
        Point(1, 2),
        Point(2, 1),
        Setting(1),
        Setting(2),
    ],
    "closure": lambda: [within(1)[0], within(2)[0], within(1)[1], within(2)[1]],
    "lambda": lambda: [
        lambda x: x + 1,
        lambda x: x + 2,
        lambda x: x - 1,
        lambda x: x + 1.0,
        lambda y: y + 1,
        lambda x, y=1: x + 1,
        lambda x, y=2: x + 1,
        lambda x, *, y=1: x + 1,
        lambda x, *, y=2: x + 1,
        lambda **x: x + 1,
        lambda *x: x + 1,
        lambda x: x.real,
        lambda x: x.imag,
        lambda x: x in {1, 2},
        lambda x: x in {1, 3},
        lambda x: lambda: x + 1,
        lambda x: lambda: x + 2,
    ],
    "cycle": lambda: [
        Cyclic("a"),
        Cyclic("b"),
        ring("ab"),
        ring("ba"),
        ring("aab"),
        ring("abb"),
        ring("aabab"),
        ring("aabb"),
    ],
}


def requesting(weight):
    with sklearn.config_context(enable_metadata_routing=True):
        return Ridge().set_fit_request(sample_weight=weight)


def ring(names):
    """The first of objects that each know the next."""
    members = [Cyclic(name) for name in names]
    for member, other in zip(members, [*members[1:], members[0]], strict=True):
        member.other = other
    return members[0]


@pytest.mark.parametrize("name", DIFFERENT)
def test_digest_tells_apart(name):
    values = DIFFERENT[name]()
    digests = [digest(value) for value in values]
    assert [values[n] for n, found in enumerate(digests) if digests.index(found) != n] == []


@pytest.mark.skipif(not HAS_POLARS, reason="needs polars")
def test_digest_tells_polars_frames_apart():
    import polars

    table = polars_frame()
    tables = [
        table,
        table.with_columns(number=polars.Series([1.0, math.nan, None])),
        table.with_columns(whole=polars.Series([1, 2, 4])),
        table.with_columns(whole=polars.Series([1, 2, 3], dtype=polars.Int32)),
        table.with_columns(text=polars.Series(["a", "b", ""])),
        table.with_columns(category=polars.Series(["u", "u", "v"], dtype=polars.Categorical)),
        table.with_columns(polars.col("date") + polars.duration(days=1)),
        table.with_columns(polars.col("category").cast(polars.String)),
        table.with_columns(lists=polars.Series([[1, 2], [3], None])),
        table.rename({"whole": "part"}),
        table.select(sorted(table.columns)),
    ]
    assert len(set(map(digest, tables))) == len(tables)


def test_digest_tells_dtypes_of_others_apart():
    others = pytest.importorskip("ml_dtypes")
    one, other = (np.zeros(2, kind) for kind in (others.int4, others.uint4))
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),  # a global that a helper reads
        ("return x + LIMIT", "return x - LIMIT"),
        ("n == 0 or", "n == 1 or"),  # in functions that call each other
        ("n != 0 and", "n != 1 and"),
        ("return 2", "return -2"),  # in a base class
        ("rate: float = 0.1", "rate: float = 0.2"),
        ("a=1, *", "a=3, *"),
        ("b=2)", "b=3)"),
        ("helper(X) *", "helper(X) +"),
        ("return 4", "return -4"),  # in a property
        ("return 5", "return -5"),
        ("return 6", "return -6"),
        ("cls(7)", "cls(-7)"),
        ("A = 8", "A = -8"),
        ("depth: int = 9", "depth: int = -9"),
        ('("x",)', '("x", "y")'),
        ("INNER = 12", "INNER = 13"),  # a global that a function within a function reads
        ("x + 10", "x + -10"),
        ("make(11)", "make(12)"),
        ("x * factor", "x / factor"),
        ("import math", "import cmath as math"),
        ("np.log(X)", "np.exp(X)"),
        ("import numpy as np", "import math as np"),
        ("TransformerMixin, Base)", "Base, TransformerMixin)"),
    ],
)
def test_change_of_code_changes_the_digest(old, new):
    assert SCRIPT.count(old) == 1
    assert digest(script(SCRIPT.replace(old, new)).everything) != digest(script(SCRIPT).everything)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another\n\n            # comment"),
        ("LIMIT = 3", "OTHER = 5\n\n    def unrelated():\n        return OTHER\n\n    LIMIT = 3"),
        ("X: int", "X: float"),
        ("rate: float", "rate: int"),
        ('"A model."', '"A better model."'),
        (
            "def odd",
            "scale = 1\n\n    def odd",
        ),  # the name of somebody's attribute, no global in use
        ("Model(), Kind.A", "Model(b=2, a=1), Kind(8)"),
    ],
)
def test_change_beside_the_code_keeps_the_digest(old, new):
    assert SCRIPT.count(old) == 1
    assert digest(script(SCRIPT.replace(old, new)).everything) == digest(script(SCRIPT).everything)


def test_code_that_ran_has_the_same_digest():
    made = script(SCRIPT)
    before = digest(made.everything)
    for n in range(2000):  # enough for Python to specialize the bytecode
        made.Model().fit(n)
    made.cached(1)
    assert digest(made.everything) == before


def test_functions_that_call_each_other_do_not_depend_on_who_comes_first():
    made = script(SCRIPT)
    even, odd = digest(made.even), digest(made.odd)
    assert even != odd
    assert digest([made.even, made.odd]) == digest([script(SCRIPT).even, made.odd])
    digester = Digester()
    assert [digester.digest(made.odd), digester.digest(made.even)] == [odd, even]


def test_functions_that_all_call_each_other_take_no_time():
    names = [f"f{n}" for n in range(40)]
    calls = ", ".join(f"{name}()" for name in names)
    made = script("\n".join(f"def {name}(): return {n}, {calls}" for n, name in enumerate(names)))
    start = time.perf_counter()
    assert digest(made.f0) != digest(made.f1)
    assert time.perf_counter() - start < 5


def test_rings_of_equal_objects_are_alike():
    assert digest(ring("aa")) == digest(Cyclic("a"))
    assert digest(ring("abab")) == digest(ring("ab"))
    assert digest(ring("ab").other) == digest(ring("ba"))


def test_shared_and_unshared_parts_have_the_same_digest():
    part, array, text = [1, {"a"}], np.arange(3), "".join(["ab", "c"])
    shared = [part, part, array, array, text, "abc", Mine(part), Mine(part)]
    unshared = [copy.deepcopy(value) for value in shared]
    assert digest(shared) == digest(unshared)


def test_attributes_may_be_set_in_any_order():
    one, other = Mine(), Mine()
    one.b, one.c = 1, 2
    other.c, other.b = 2, 1
    assert digest(one) == digest(other)


def test_memory_map_has_the_digest_of_its_array(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X)
    assert digest(np.load(path, mmap_mode="r")) == digest(X)


@pytest.mark.parametrize("step", [1, 2, -1])
@pytest.mark.parametrize("dtype", ["f8", "M8[s]", "U5", "?", RECORD])
def test_strided_array_has_the_digest_of_its_copy_in_c_order(dtype, step):
    array = np.zeros((300, 1000), dtype)
    if array.dtype.names is None:
        array[:] = np.random.RandomState(0).randint(2, size=array.shape)
    view = array[:, ::step]
    assert digest(view) == digest(view.copy(order="C"))


def test_padding_of_records_does_not_count():
    raw = np.full(RECORD.itemsize, 255, np.uint8)
    record, other = raw.view(RECORD), np.zeros(1, RECORD)
    for name in RECORD.names:
        record[name] = other[name]
    assert record.tobytes() != other.tobytes()
    assert digest(record) == digest(other)


def test_used_frame_has_the_digest_of_a_fresh_one():
    table = frame()
    for name in table:
        table[name].isna().any()
    table.index.get_loc(3)
    table.columns.get_loc("text")
    table["nullable"].array.dtype.name  # noqa: B018
    table["category"].cat.codes.sum()
    assert digest(table) == digest(frame())


def test_blocks_of_a_frame_do_not_count():
    joined = pd.DataFrame(X, columns=list("abcdef"))
    apart = pd.DataFrame({name: X[:, n].copy() for n, name in enumerate("abcdef")})
    assert digest(joined) == digest(apart)


def test_what_lies_under_missing_values_does_not_count():
    mask = np.array([False, True])
    one, other = (pd.arrays.IntegerArray(np.array([1, n]), mask) for n in (2, 3))
    assert digest(pd.Series(one)) == digest(pd.Series(other))


def test_used_sparse_matrix_has_the_digest_of_a_fresh_one():
    matrix = scipy.sparse.random(5, 5, 0.5, "csr", random_state=0)
    fresh = matrix.copy()
    assert matrix.has_sorted_indices
    assert matrix.has_canonical_format
    assert digest(matrix) == digest(fresh)


def test_global_random_state_is_no_state():
    distribution = scipy.stats.uniform(0, 1)
    before = digest(distribution)
    np.random.rand()
    assert digest(distribution) == before


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(),
    st.sampled_from([0.0, -0.0, math.nan, math.inf]),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.complex_numbers(allow_nan=False),
)
NESTED = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(NESTED)
@settings(deadline=None, max_examples=60)
def test_copies_of_nested_values_have_the_same_digest(value):
    assert digest(copy.deepcopy(value)) == digest(value)
    assert digest(pickle.loads(pickle.dumps([value, value]))) == digest([value, value])


@given(NESTED, NESTED)
@settings(deadline=None, max_examples=60)
def test_different_nested_values_have_different_digests(one, other):
    assert (digest(one) == digest(other)) == (repr(one) == repr(other))


@given(st.lists(ATOMS, max_size=6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_order_within_a_set_does_not_count(values, rng):
    shuffled = list(values)
    rng.shuffle(shuffled)
    one = set(values)
    other = {value for value in shuffled if value in one}  # of those that are equal, the first
    if {repr(value) for value in one} == {repr(value) for value in other}:
        assert digest(one) == digest(other)


def built(cls):
    for arguments in ((), (Ridge(),), (LogisticRegression(),), ([("a", Ridge())],), (Ridge(), {})):
        try:
            return cls(*arguments)
        except TypeError:
            continue
    return None


@pytest.mark.filterwarnings("ignore:Class .* is deprecated:FutureWarning")  # on being made
def test_clone_of_every_estimator_has_the_same_digest():
    estimators = [estimator for _, cls in all_estimators() if (estimator := built(cls)) is not None]
    assert len(estimators) > 150
    digests = [digest(estimator) for estimator in estimators]
    assert [digest(clone(estimator)) for estimator in estimators] == digests
    assert len(set(digests)) == len(digests)


def raw_generator():
    yield 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: {"a": [1, raw_generator()]}, r"^estimator\['a'\]\[1\] \(generator\) cannot be"),
        (lambda: Mine(threading.Lock()), r"^estimator\.a \(lock\).*cannot pickle '_thread.lock'"),
        (
            lambda: Pipeline([("f", FunctionTransformer(raw_generator()))]),
            r"^estimator\.steps\[0\]\[1\]\.func \(generator\)",
        ),
        (lambda: sys.__stdout__, r"^estimator \(TextIOWrapper\)"),
        (lambda: np.frompyfunc(named, 1, 1), r"^estimator \(ufunc\).*neither numpy's nor"),
        (lambda: types.ModuleType("made"), r"^estimator \(module\).*'made' has no file"),
        (
            lambda: script("import _thread\nlock = _thread.allocate_lock()\nf = lambda: lock").f,
            r"^estimator\.lock \(lock\)",
        ),
        (lambda: pd.DataFrame({"c": [raw_generator()]}), r"^estimator\['c'\]\[0\] \(generator\)"),
    ],
)
def test_part_that_cannot_be_recognized_is_named(make, message):
    with pytest.raises(NotPicklableError, match=message):
        Digester().digest(make(), "estimator")


def test_digester_works_on_after_an_error():
    digester = Digester()
    with pytest.raises(NotPicklableError):
        digester.digest([X, raw_generator()])
    assert digester.digest(X) == digest(X)


def test_depth_has_no_limit():
    deep = []
    for _ in range(10 * sys.getrecursionlimit()):
        deep = [deep]
    assert digest(deep) != digest([deep])


def test_structure_that_is_shared_many_times_over_takes_no_time():
    shared = [0]
    for _ in range(200):
        shared = [shared, shared]
    assert digest(shared) != digest([shared])


def test_many_documents_take_no_time():
    documents = [f"document {n} " * 20 for n in range(100_000)]
    start = time.perf_counter()
    digest(documents)
    assert time.perf_counter() - start < 5  # 0.4 s on a quiet machine


BIG = {
    "array": lambda: np.zeros(1_000_000),
    "list": lambda: ["a"] * 100_000,
    "set": lambda: set(range(10_000)),
    "dicts": lambda: [{"a": n} for n in range(10_000)],
    "objects": lambda: np.array(["a"] * 100_000, dtype=object),
    "frame": lambda: pd.DataFrame({"a": ["b"] * 100_000}),
    "sparse": lambda: scipy.sparse.eye(100_000, format="csr"),
}


@pytest.mark.parametrize("name", BIG)
def test_big_value_is_digested_once(name, monkeypatch):
    digester, value = Digester(), BIG[name]()
    first = digester.digest({"X": value})
    hashed = []
    monkeypatch.setattr(_digest, "sha256", lambda data=b"": hashed.append(data) or sha256(data))
    assert digester.digest({"X": value}) == first
    assert sum(map(len, hashed)) < 1000


def test_object_that_may_change_is_digested_each_time():
    digester, steps = Digester(), [Mine(["a"] * 100_000)]
    first = digester.digest(steps)
    steps[0].b = 1
    assert digester.digest(steps) != first


def test_id_of_a_remembered_value_is_not_given_to_another():
    digester = Digester()
    digests = [digester.digest(np.full(100_000, n)) for n in range(20)]
    assert len(set(digests)) == 20


def test_modules_are_noted():
    digester = Digester()
    digester.digest([Ridge(), np.log, named, lambda: __import__("os"), Path("a")])
    assert {"sklearn", "numpy", "test_digest", "pathlib"} <= digester.modules
    digester = Digester()
    digester.digest(script("import pandas as pd\ndef f():\n    import scipy.stats\n    pd").f)
    assert {"pandas", "scipy"} <= digester.modules
    assert "__main__" not in digester.modules


def test_versions_name_distributions_and_what_they_require():
    found = versions({"sklearn", "os", "builtins"})
    assert found["scikit-learn"] == sklearn.__version__
    assert found["numpy"] == np.__version__
    assert found["scipy"] == scipy.__version__
    assert not {"os", "builtins", "sklearn", "pytest", "matplotlib"} & set(found)


@pytest.fixture
def own_source(tmp_path, monkeypatch):
    """A module and a package of a user's own."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_module.py").write_text("def f():\n    import own_package.part, numpy, absent")
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("from . import part")
    (tmp_path / "own_package" / "part.py").write_text("import json\nfrom own_third import x")
    (tmp_path / "own_third.py").write_text("x = 1")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def test_versions_of_own_source_follow_its_imports(own_source):
    found = versions({"own_module"})
    assert set(found) == {"own_module", "own_package", "own_third", "numpy", "absent"}
    assert found["absent"] == "missing"
    assert found["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("own_module.py", "own_module"),
        ("own_package/part.py", "own_package"),
        ("own_package/new/other.py", "own_package"),
        ("own_third.py", "own_third"),
    ],
)
def test_changed_source_has_another_version(own_source, path, name):
    before = versions({"own_module"})
    (own_source / path).parent.mkdir(exist_ok=True)
    with open(own_source / path, "a") as file:
        file.write("\n# changed")
    after = versions({"own_module"})
    assert {key for key in after if after[key] != before[key]} == {name}


def test_module_whose_source_cannot_be_read_is_an_error(monkeypatch):
    module = types.ModuleType("own_zipped")
    module.__file__ = "/nowhere/app.zip/own_zipped.py"
    monkeypatch.setitem(sys.modules, "own_zipped", module)
    with pytest.raises(NotPicklableError, match=r"module 'own_zipped' cannot be read at '/nowhere"):
        versions({"own_zipped"})


def test_function_of_own_source_is_known_by_name_and_version(own_source):
    import own_third

    exec("def f(): return 1", own_third.__dict__)
    digester = Digester()
    digester.digest(own_third.f)
    assert digester.modules == {"own_third"}
    assert versions(digester.modules) == versions({"own_third"})
