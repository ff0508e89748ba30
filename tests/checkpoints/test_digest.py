"""Digests are equal in every process exactly when the values are equal."""

import copy
import json
import math
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import types
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from helpers.values_to_digest import (
    CODE,
    HAS_POLARS,
    SCRIPTS,
    VALUES,
    Cyclic,
    OwnEstimator,
    X,
    digest,
    make_ring,
    named_function,
    run_as_script,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skdistsearch.checkpoints import _decompose_values, _digest
from skdistsearch.checkpoints._digest import Digester
from skdistsearch.exceptions import NotPicklableError


@pytest.fixture(scope="module")
def digests_elsewhere(tmp_path_factory):
    """Digests in a process with other hashes and imports; the code is on other lines."""
    names = [name for name in VALUES if name != "polars" or HAS_POLARS]
    path = tmp_path_factory.mktemp("script") / "code.py"
    path.write_text("# A comment.\n\n\n" + CODE.replace("# a comment", "# another"))
    script = str(SCRIPTS / "print_digests.py")
    environment = {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    completed = subprocess.run(
        [sys.executable, "-W", "error", script, str(path), json.dumps(names)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(completed.stdout)


@pytest.mark.parametrize("name", VALUES)
def test_digest_is_the_same_in_another_process(name, digests_elsewhere):
    assert digest(VALUES[name]()) == digests_elsewhere[name]


def test_code_in_another_file_has_the_same_digest(digests_elsewhere):
    assert digest(run_as_script(CODE).everything) == digests_elsewhere["code"]


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


def test_digest_is_a_sha256_in_hex():
    assert re.fullmatch("[0-9a-f]{64}", digest(None))


def test_all_values_have_different_digests():
    names = [name for name in VALUES if name != "polars" or HAS_POLARS]
    assert len({digest(VALUES[name]()) for name in names}) == len(names)


def test_order_of_mutually_recursive_functions_does_not_count():
    code = run_as_script(CODE)
    even, odd = digest(code.even), digest(code.odd)
    assert even != odd
    assert digest([code.even, code.odd]) == digest([run_as_script(CODE).even, code.odd])
    digester = Digester()
    assert [digester.digest(code.odd), digester.digest(code.even)] == [odd, even]


def test_many_mutually_recursive_functions_are_fast():
    names = [f"f{n}" for n in range(40)]
    calls = ", ".join(f"{name}()" for name in names)
    source = "\n".join(f"def {name}(): return {n}, {calls}" for n, name in enumerate(names))
    code = run_as_script(source)
    start = time.perf_counter()
    assert digest(code.f0) != digest(code.f1)
    assert time.perf_counter() - start < 5


def test_cycles_of_equal_objects_have_equal_digests():
    assert digest(make_ring("aa")) == digest(Cyclic("a"))
    assert digest(make_ring("abab")) == digest(make_ring("ab"))
    assert digest(make_ring("ab").other) == digest(make_ring("ba"))


def test_shared_and_unshared_parts_have_the_same_digest():
    part, array, text = [1, {"a"}], np.arange(3), "".join(["ab", "c"])
    shared = [part, part, array, array, text, "abc", OwnEstimator(part), OwnEstimator(part)]
    unshared = [copy.deepcopy(value) for value in shared]
    assert digest(shared) == digest(unshared)


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
    other = {value for value in shuffled if value in one}  # the first of equal values, as in `one`
    if {repr(value) for value in one} == {repr(value) for value in other}:
        assert digest(one) == digest(other)


def generate():
    yield 1


USES_A_LOCK = "import _thread\nlock = _thread.allocate_lock()\nread_lock = lambda: lock"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: {"a": [1, generate()]}, r"^estimator\['a'\]\[1\] \(generator\) cannot be"),
        (
            lambda: OwnEstimator(threading.Lock()),
            r"^estimator\.a \(lock\).*cannot pickle '_thread.lock'",
        ),
        (
            lambda: Pipeline([("f", FunctionTransformer(generate()))]),
            r"^estimator\.steps\[0\]\[1\]\.func \(generator\)",
        ),
        (lambda: sys.__stdout__, r"^estimator \(TextIOWrapper\)"),
        (
            lambda: np.frompyfunc(named_function, 1, 1),
            r"^estimator \(ufunc\).*is not a function of numpy",
        ),
        (lambda: types.ModuleType("made"), r"^estimator \(module\).*'made' has no file"),
        (lambda: run_as_script(USES_A_LOCK).read_lock, r"^estimator\.lock \(lock\)"),
        (lambda: pd.DataFrame({"c": [generate()]}), r"^estimator\['c'\]\[0\] \(generator\)"),
    ],
)
def test_unrecognizable_part_is_named(make, message):
    with pytest.raises(NotPicklableError, match=message):
        Digester().digest(make(), "estimator")


def test_digester_is_usable_after_an_error():
    digester = Digester()
    with pytest.raises(NotPicklableError):
        digester.digest([X, generate()])
    assert digester.digest(X) == digest(X)


def test_nesting_is_not_limited():
    deep = []
    for _ in range(10 * sys.getrecursionlimit()):
        deep = [deep]
    assert digest(deep) != digest([deep])


def test_repeatedly_shared_parts_are_fast():
    shared = [0]
    for _ in range(200):
        shared = [shared, shared]
    assert digest(shared) != digest([shared])


def test_many_documents_are_fast():
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
    for module in (_digest, _decompose_values):
        monkeypatch.setattr(module, "sha256", lambda data=b"": hashed.append(data) or sha256(data))
    assert digester.digest({"X": value}) == first
    assert sum(map(len, hashed)) < 1000


def test_mutable_object_is_digested_each_time():
    digester, steps = Digester(), [OwnEstimator(["a"] * 100_000)]
    first = digester.digest(steps)
    steps[0].b = 1
    assert digester.digest(steps) != first


def test_cached_value_keeps_its_id():
    digester = Digester()
    digests = [digester.digest(np.full(100_000, n)) for n in range(20)]
    assert len(set(digests)) == 20


def test_modules_behind_values_are_collected():
    digester = Digester()
    digester.digest([Ridge(), np.log, named_function, lambda: __import__("os"), Path("a")])
    assert {"sklearn", "numpy", "helpers", "pathlib"} <= digester.modules
    digester = Digester()
    source = "import pandas as pd\ndef f():\n    import scipy.stats\n    pd"
    digester.digest(run_as_script(source).f)
    assert {"pandas", "scipy"} <= digester.modules
    assert "__main__" not in digester.modules
