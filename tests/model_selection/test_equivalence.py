"""Distributed searches give the results of scikit-learn's own, bit for bit.

The cases are generated (`helpers.strategies`). ``fit`` must set the same attributes with the same
types and values, and the refitted estimators must predict the same. Only times may differ.
"""

import pickle

import numpy as np
import pytest
from helpers.strategies import MODELS, Case, UnreliableRegressor, cases
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
    # scikit-learn's warnings about fits and scorers that fail, as some do here on purpose
    pytest.mark.filterwarnings(r"ignore:\s*\d+ fits failed:sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the (test|train) scores are non-finite"),
    # scikit-learn >= 1.9 warns about every scorer without weights if the fits have weights
    pytest.mark.filterwarnings("ignore:The scoring :UserWarning"),
]
NOT_COMPARED = {"best_estimator_", "scorer_", "refit_time_"}  # differ, or are compared below
METHODS = ("predict", "transform", "score_samples")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Limit BLAS and OpenMP: threads that wait for each other dominate such small fits."""
    with threadpool_limits(1):
        yield


each_model = pytest.mark.parametrize("model", MODELS)
repeatable = settings(deadline=None, derandomize=True)


@each_model
@settings(repeatable, max_examples=5)
@given(data=st.data())
def test_results_are_equal_in_this_process(model, data):
    case = data.draw(cases(model))
    assert_equal_to_scikit_learn(case, case.fit_search(DistributedSearchCV))


@each_model
@settings(repeatable, max_examples=4)
@given(data=st.data())
def test_results_are_equal_in_two_processes(model, data):
    case = data.draw(cases(model))
    assert_equal_to_scikit_learn(case, case.fit_search(DistributedSearchCV, n_jobs=2))


@each_model
@settings(repeatable, max_examples=4)
@given(data=st.data())
def test_results_are_equal_when_planned_and_assembled(model, data):
    case = data.draw(cases(model))
    X, y, params = case.make_data()
    with case.sklearn_config():
        plan = pickled(case.make_search(DistributedSearchCV).plan(X, y, **params))
        outcomes = [pickled(plan.run(chunk)) for chunk in reversed(range(len(plan)))]
        assembled = case.make_search(DistributedSearchCV).assemble(plan, outcomes)
    assert_equal_to_scikit_learn(case, assembled)


METAFLOW_CASES = [
    Case("columns", (0, 1), "frame", "names", "stratified", "names", "accuracy"),
    Case(
        model="unreliable",
        grids=(1, 2),
        container="lists",
        targets="floats",
        cv="list",
        scoring="dict",
        refit="scorer",
        fit_params=("shift", "note"),
    ),
    Case("pipeline", (1, 0), "sparse", "floats", "grouped", "scorer", True, seed=1),
    Case("density", (0, 1), "floats", "none", "generator", "function of several", False),
    Case(
        model="ridge",
        grids=(0,),
        container="integers",
        targets="integers",
        cv="leave one group out",
        scoring="dict",
        refit="callable",
        fit_params=("sample_weight",),
        routing=True,
        return_train_score=True,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", METAFLOW_CASES, ids=lambda case: case.model)
def test_results_are_equal_on_metaflow(case, tmp_path, monkeypatch):
    (tmp_path / ".metaflow").mkdir()  # the runs go here
    monkeypatch.chdir(tmp_path)
    backend = MetaflowBackend(max_workers=2)
    assert_equal_to_scikit_learn(case, case.fit_search(DistributedSearchCV, backend=backend))


OTHER_SEARCHES = {
    "randomized": (
        RandomizedSearchCV,
        DistributedRandomizedSearchCV,
        lambda search_class, **options: search_class(
            LogisticRegression(tol=0.1),
            {"C": loguniform(1e-3, 10), "fit_intercept": [True, False]},
            n_iter=5,
            random_state=3,
            return_train_score=True,
            **options,
        ),
    ),
    "randomized, several dicts, RandomState": (
        RandomizedSearchCV,
        DistributedRandomizedSearchCV,
        lambda search_class, **options: search_class(
            DecisionTreeClassifier(random_state=0),
            [{"max_depth": randint(1, 9)}, {"criterion": ["gini", "entropy"], "max_features": [1]}],
            n_iter=5,
            random_state=np.random.RandomState(3),
            scoring=["accuracy", "f1_micro"],
            refit="f1_micro",
            **options,
        ),
    ),
    "halving": (
        HalvingGridSearchCV,
        DistributedHalvingGridSearchCV,
        lambda search_class, **options: search_class(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": [1, 2, 3, None], "criterion": ["gini", "entropy"]},
            cv=3,
            random_state=3,
            **options,
        ),
    ),
    "halving, number of leaves": (
        HalvingGridSearchCV,
        DistributedHalvingGridSearchCV,
        lambda search_class, **options: search_class(
            DecisionTreeClassifier(random_state=0),
            {"splitter": ["best", "random"], "max_features": [1, 2, 3]},
            cv=StratifiedKFold(3, shuffle=True, random_state=5),
            factor=2,
            resource="max_leaf_nodes",
            max_resources=16,
            aggressive_elimination=True,
            return_train_score=False,
            **options,
        ),
    ),
    "randomized halving": (
        HalvingRandomSearchCV,
        DistributedHalvingRandomSearchCV,
        lambda search_class, **options: search_class(
            DecisionTreeClassifier(random_state=0),
            {"max_depth": randint(1, 9), "min_samples_leaf": [1, 2, 0.1]},
            cv=3,
            random_state=3,
            **options,
        ),
    ),
    "randomized halving, RandomState, failed fits": (
        HalvingRandomSearchCV,
        DistributedHalvingRandomSearchCV,
        lambda search_class, **options: search_class(
            UnreliableRegressor(),
            {"behavior": ["fit", "raise if odd"], "slope": loguniform(0.1, 10)},
            n_candidates=6,
            cv=4,
            factor=2,
            random_state=np.random.RandomState(3),
            refit=False,
            **options,
        ),
    ),
}


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("name", OTHER_SEARCHES)
def test_results_of_other_searches_are_equal(name, n_jobs):
    sklearn_class, our_class, make_search = OTHER_SEARCHES[name]
    X, y = make_classification(n_samples=120, random_state=0)
    expected = make_search(sklearn_class).fit(X, y)
    search = make_search(our_class, n_jobs=n_jobs).fit(X, y)
    assert_equal_attributes(expected, search)
    assert_equal_predictions(expected, search, X)


def pickled(value):
    return pickle.loads(pickle.dumps(value))


def assert_equal_to_scikit_learn(case, search):
    """Compare a fitted search with scikit-learn's of the same case."""
    expected = case.fit_search(GridSearchCV)
    with case.sklearn_config():
        assert_equal_attributes(expected, search)
        assert_equal_predictions(expected, search, case.make_data()[0])


def assert_equal_attributes(expected, search):
    """Compare the fitted attributes."""
    names = fitted_attributes(expected)
    assert fitted_attributes(search) == names
    for name in names - NOT_COMPARED:
        assert_same(getattr(expected, name), getattr(search, name), name)


def fitted_attributes(search):
    """Return the names of fitted attributes, except ``runs_``, which scikit-learn does not have."""
    names = {name for name in vars(search) if name.endswith("_") and not name.startswith("_")}
    properties = {name for name in ("classes_", "n_features_in_") if hasattr(search, name)}
    return (names | properties) - {"runs_"}


def assert_equal_predictions(expected, search, X):
    """Compare the refitted estimators: their parameters, and what they return for X."""
    if not expected.refit:
        return
    assert_same(expected.best_estimator_, search.best_estimator_, "best_estimator_")
    for name in METHODS:
        if hasattr(expected, name):
            assert_same(getattr(expected, name)(X), getattr(search, name)(X), name)


def assert_same(expected, actual, path):
    """Compare two values, however deeply nested, to the last bit. Skip times."""
    assert type(actual) is type(expected), path
    if isinstance(expected, dict):
        assert list(actual) == list(expected), path
        for key in expected:
            if not str(key).endswith("_time"):
                assert_same(expected[key], actual[key], f"{path}[{key!r}]")
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected), path
        for number, pair in enumerate(zip(expected, actual, strict=True)):
            assert_same(*pair, f"{path}[{number}]")
    elif isinstance(expected, np.ma.MaskedArray):
        assert_same(np.ma.getmaskarray(expected), np.ma.getmaskarray(actual), f"{path}.mask")
        assert_same(expected.compressed(), actual.compressed(), path)
    elif isinstance(expected, np.ndarray):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), path
        if expected.dtype.hasobject:
            assert_same(expected.tolist(), actual.tolist(), path)
        else:
            np.testing.assert_array_equal(actual, expected, path, strict=True)
    elif isinstance(expected, BaseEstimator):
        assert_same(expected.get_params(deep=False), actual.get_params(deep=False), path)
    elif isinstance(expected, np.random.RandomState):
        assert_same(expected.get_state(), actual.get_state(), path)
    else:
        np.testing.assert_equal(actual, expected, path)
