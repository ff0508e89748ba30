"""Whatever GridSearchCV gives, DistributedSearchCV gives, bit for bit."""

import pickle

import numpy as np
import pytest
from helpers.strategies import MODELS, Case, Moody, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import loguniform, randint
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedHalvingRandomSearchCV,
    DistributedRandomizedSearchCV,
    DistributedSearchCV,
    MetaflowBackend,
)

pytestmark = [
    # What scikit-learn says of fits and scorers that fail, as some do here on purpose
    pytest.mark.filterwarnings(r"ignore:\s*\d+ fits failed:sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the (test|train) scores are non-finite"),
    # scikit-learn >= 1.9 says so of every scorer without weights, where the fits have some
    pytest.mark.filterwarnings("ignore:The scoring :UserWarning"),
]
VARIES = {"best_estimator_", "scorer_", "refit_time_"}  # by their nature, or looked at elsewhere
ANSWERS = ("predict", "transform", "score_samples")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take most of the time of fits as small as these."""
    with threadpool_limits(1):
        yield


each_model = pytest.mark.parametrize("model", MODELS)
repeatable = settings(deadline=None, derandomize=True)


@each_model
@settings(repeatable, max_examples=5)
@given(data=st.data())
def test_equal_in_this_process(model, data):
    case = data.draw(cases(model))
    assert_equal(case, case.fitted(DistributedSearchCV))


@each_model
@settings(repeatable, max_examples=4)
@given(data=st.data())
def test_equal_in_two_processes(model, data):
    case = data.draw(cases(model))
    assert_equal(case, case.fitted(DistributedSearchCV, n_jobs=2))


@each_model
@settings(repeatable, max_examples=4)
@given(data=st.data())
def test_equal_when_planned_and_assembled(model, data):
    case = data.draw(cases(model))
    X, y, params = case.data()
    with case.configured():
        plan = travelled(case.search(DistributedSearchCV).plan(X, y, **params))
        outcomes = [travelled(plan.run(chunk)) for chunk in reversed(range(len(plan)))]
        assembled = case.search(DistributedSearchCV).assemble(plan, outcomes)
    assert_equal(case, assembled)


ON_METAFLOW = [
    Case("columns", (0, 1), "frame", "named", "stratified", "names", "accuracy"),
    Case("moody", (1, 2), "lists", "real", "list", "mapping", "made", given=("shift", "note")),
    Case("pipeline", (1, 0), "sparse", "real", "grouped", "made", True, seed=1),
    Case("density", (0, 1), "floats", "none", "generator", "function of several", False),
    Case(
        *("ridge", (0,), "ints", "whole", "a group out", "mapping", "by a function"),
        given=("sample_weight",),
        routing=True,
        return_train_score=True,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", ON_METAFLOW, ids=lambda case: case.model)
def test_equal_on_metaflow(case, tmp_path, monkeypatch):
    (tmp_path / ".metaflow").mkdir()  # the runs go here
    monkeypatch.chdir(tmp_path)
    assert_equal(case, case.fitted(DistributedSearchCV, backend=MetaflowBackend(max_workers=2)))


OTHERS = {
    "randomized": (
        RandomizedSearchCV,
        DistributedRandomizedSearchCV,
        lambda search, **where: search(
            LogisticRegression(tol=0.1),
            {"C": loguniform(1e-3, 10), "fit_intercept": [True, False]},
            n_iter=5,
            random_state=3,
            return_train_score=True,
            **where,
        ),
    ),
    "randomized over several dicts by a state": (
        RandomizedSearchCV,
        DistributedRandomizedSearchCV,
        lambda search, **where: search(
            DecisionTreeClassifier(random_state=0),
            [{"max_depth": randint(1, 9)}, {"criterion": ["gini", "entropy"], "max_features": [1]}],
            n_iter=5,
            random_state=np.random.RandomState(3),
            scoring=["accuracy", "f1_micro"],
            refit="f1_micro",
            **where,
        ),
    ),
    "halving": (
        HalvingGridSearchCV,
        DistributedHalvingGridSearchCV,
        lambda search, **where: search(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": [1, 2, 3, None], "criterion": ["gini", "entropy"]},
            cv=3,
            random_state=3,
            **where,
        ),
    ),
    "halving of leaves": (
        HalvingGridSearchCV,
        DistributedHalvingGridSearchCV,
        lambda search, **where: search(
            DecisionTreeClassifier(random_state=0),
            {"splitter": ["best", "random"], "max_features": [1, 2, 3]},
            cv=StratifiedKFold(3, shuffle=True, random_state=5),
            factor=2,
            resource="max_leaf_nodes",
            max_resources=16,
            aggressive_elimination=True,
            return_train_score=False,
            **where,
        ),
    ),
    "randomized halving": (
        HalvingRandomSearchCV,
        DistributedHalvingRandomSearchCV,
        lambda search, **where: search(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": randint(1, 9), "min_samples_leaf": [1, 2, 0.1]},
            cv=3,
            random_state=3,
            **where,
        ),
    ),
    "randomized halving by a state, some failing": (
        HalvingRandomSearchCV,
        DistributedHalvingRandomSearchCV,
        lambda search, **where: search(
            Moody(),
            {"mood": ["good", "fickle"], "slope": loguniform(0.1, 10)},
            n_candidates=6,
            cv=4,
            factor=2,
            random_state=np.random.RandomState(3),
            refit=False,
            **where,
        ),
    ),
}


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("name", OTHERS)
def test_other_searches_equal_scikit_learns(name, n_jobs):
    theirs, ours, make = OTHERS[name]
    X, y = make_classification(n_samples=120, random_state=0)
    expected, found = make(theirs).fit(X, y), make(ours, n_jobs=n_jobs).fit(X, y)
    assert_equal_attributes(expected, found)
    assert_equal_answers(expected, found, X)


def travelled(value):
    return pickle.loads(pickle.dumps(value))


def assert_equal(case, found):
    """``found`` is what scikit-learn makes of ``case``."""
    expected = case.fitted(GridSearchCV)
    with case.configured():
        assert_equal_attributes(expected, found)
        assert_equal_answers(expected, found, case.data()[0])


def assert_equal_attributes(expected, found):
    """All that ``fit`` leaves behind for users is equal, but for what varies by its nature."""
    names = learnt(expected)
    assert learnt(found) == names
    for name in names - VARIES:
        assert_same(getattr(expected, name), getattr(found, name), name)


def learnt(search):
    """Names of what ``fit`` learnt; runs of Metaflow are no business of scikit-learn's."""
    names = {name for name in vars(search) if name.endswith("_") and not name.startswith("_")}
    properties = {name for name in ("classes_", "n_features_in_") if hasattr(search, name)}
    return (names | properties) - {"runs_"}


def assert_equal_answers(expected, found, X):
    """The refitted estimators have the same parameters, and answer the same."""
    if not expected.refit:
        return
    assert_same(expected.best_estimator_, found.best_estimator_, "best_estimator_")
    for name in ANSWERS:
        if hasattr(expected, name):
            assert_same(getattr(expected, name)(X), getattr(found, name)(X), name)


def assert_same(expected, found, where):
    """Both are the same to the last bit, however deep, except for times."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key in expected:
            if not str(key).endswith("_time"):
                assert_same(expected[key], found[key], f"{where}[{key!r}]")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for number, pair in enumerate(zip(expected, found, strict=True)):
            assert_same(*pair, f"{where}[{number}]")
    elif isinstance(expected, np.ma.MaskedArray):
        assert_same(np.ma.getmaskarray(expected), np.ma.getmaskarray(found), f"{where}.mask")
        assert_same(expected.compressed(), found.compressed(), where)
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), where
        if expected.dtype.hasobject:
            assert_same(expected.tolist(), found.tolist(), where)
        else:
            np.testing.assert_array_equal(found, expected, where, strict=True)
    elif isinstance(expected, BaseEstimator):
        assert_same(expected.get_params(deep=False), found.get_params(deep=False), where)
    elif isinstance(expected, np.random.RandomState):
        assert_same(expected.get_state(), found.get_state(), where)
    else:
        np.testing.assert_equal(found, expected, where)
