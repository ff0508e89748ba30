"""Parts of values: all that can change a result counts, caches and memory layout do not."""

import collections
import functools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.special
import scipy.stats
import sklearn
from helpers.values_to_digest import (
    HAS_POLARS,
    RECORD,
    Color,
    Cyclic,
    OwnEstimator,
    Point,
    Row,
    Setting,
    X,
    decorate,
    digest,
    make_frame,
    make_local,
    make_polars_frame,
    make_ring,
    named_function,
)
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, fbeta_score, get_scorer, make_scorer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.discovery import all_estimators


def object_series(*contents):
    return pd.Series([*contents], dtype=object)


def change_frame(column, value):
    table = make_frame()
    table[column] = value
    return table


def make_requesting(weight):
    with sklearn.config_context(enable_metadata_routing=True):
        return Ridge().set_fit_request(sample_weight=weight)


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
        make_frame(),
        change_frame("number", [1.0, 2.0, 3.0]),
        change_frame("whole", [1.0, 2.0, 3.0]),
        change_frame("text", ["a", "b", ""]),
        change_frame("nullable", pd.array([1, 2, 3], dtype="Int64")),
        change_frame("nullable", pd.array([1, None, 3], dtype="Int32")),
        change_frame("category", pd.Categorical(["u", "v", "u"], categories=["v", "u"])),
        change_frame("category", pd.Categorical(["u", "v", "u"], ordered=True)),
        change_frame("category", pd.Categorical(["u", "w", "u"])),
        change_frame("zoned", pd.date_range("2020", periods=3, tz="UTC")),
        change_frame("zoned", make_frame()["zoned"].dt.tz_convert("UTC")),
        change_frame("period", pd.period_range("2020", periods=3, freq="D")),
        make_frame().rename(columns={"whole": "part"}),
        make_frame().rename(index={3: 7}),
        make_frame()[sorted(make_frame())],
        make_frame().drop(columns="whole"),
    ],
    "series": lambda: [
        object_series("a"),
        object_series("b"),
        object_series(None),
        object_series(math.nan),
        object_series("a").rename("n"),
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
    "metadata": lambda: [Ridge(), make_requesting(True), make_requesting(False)],
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
        OwnEstimator(1).score,
        OwnEstimator(2).score,
        OwnEstimator(2).get_params,
        OwnEstimator.score,
        OwnEstimator,
        named_function,
        decorate(named_function),
    ],
    "own object": lambda: [
        Color.RED,
        Color.BLUE,
        Point(1, 2),
        Point(2, 1),
        Setting(1),
        Setting(2),
    ],
    "closure": lambda: [make_local(1)[0], make_local(2)[0], make_local(1)[1], make_local(2)[1]],
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
        make_ring("ab"),
        make_ring("ba"),
        make_ring("aab"),
        make_ring("abb"),
        make_ring("aabab"),
        make_ring("aabb"),
    ],
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_values_have_different_digests(name):
    values = DIFFERENT[name]()
    digests = [digest(value) for value in values]
    assert [values[n] for n, found in enumerate(digests) if digests.index(found) != n] == []


@pytest.mark.skipif(not HAS_POLARS, reason="needs polars")
def test_different_polars_frames_have_different_digests():
    import polars

    table = make_polars_frame()
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


def test_dtypes_of_other_packages_have_different_digests():
    others = pytest.importorskip("ml_dtypes")
    one, other = (np.zeros(2, kind) for kind in (others.int4, others.uint4))
    assert digest(one) != digest(other)


def test_order_of_attributes_does_not_count():
    one, other = OwnEstimator(), OwnEstimator()
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


def test_padding_between_fields_does_not_count():
    raw = np.full(RECORD.itemsize, 255, np.uint8)
    record, other = raw.view(RECORD), np.zeros(1, RECORD)
    for name in RECORD.names:
        record[name] = other[name]
    assert record.tobytes() != other.tobytes()
    assert digest(record) == digest(other)


def test_caches_of_a_frame_do_not_count():
    table = make_frame()
    for name in table:
        table[name].isna().any()
    table.index.get_loc(3)
    table.columns.get_loc("text")
    table["nullable"].array.dtype.name  # noqa: B018
    table["category"].cat.codes.sum()
    assert digest(table) == digest(make_frame())


def test_blocks_of_a_frame_do_not_count():
    joined = pd.DataFrame(X, columns=list("abcdef"))
    apart = pd.DataFrame({name: X[:, n].copy() for n, name in enumerate("abcdef")})
    assert digest(joined) == digest(apart)


def test_memory_behind_missing_values_does_not_count():
    mask = np.array([False, True])
    one, other = (pd.arrays.IntegerArray(np.array([1, n]), mask) for n in (2, 3))
    assert digest(pd.Series(one)) == digest(pd.Series(other))


def test_caches_of_a_sparse_matrix_do_not_count():
    matrix = scipy.sparse.random(5, 5, 0.5, "csr", random_state=0)
    fresh = matrix.copy()
    assert matrix.has_sorted_indices
    assert matrix.has_canonical_format
    assert digest(matrix) == digest(fresh)


def test_global_random_state_does_not_count():
    distribution = scipy.stats.uniform(0, 1)
    before = digest(distribution)
    np.random.rand()
    assert digest(distribution) == before


def try_to_build(cls):
    for arguments in ((), (Ridge(),), (LogisticRegression(),), ([("a", Ridge())],), (Ridge(), {})):
        try:
            return cls(*arguments)
        except TypeError:
            continue
    return None


@pytest.mark.filterwarnings("ignore:Class .* is deprecated:FutureWarning")  # on being made
def test_clone_of_every_estimator_has_the_same_digest():
    estimators = [
        estimator for _, cls in all_estimators() if (estimator := try_to_build(cls)) is not None
    ]
    assert len(estimators) > 150
    digests = [digest(estimator) for estimator in estimators]
    assert [digest(clone(estimator)) for estimator in estimators] == digests
    assert len(set(digests)) == len(digests)
