"""`contenders_from_spec`: grids from specifications, and errors in these."""

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV, EarlyStopping, contenders_from_spec
from skdistsearch.contenders._fit_params import WithFitParams
from skdistsearch.exceptions import SpecError
from skdistsearch.model_selection._param_grid import check_param_grid, make_candidates

DIABETES = load_diabetes(return_X_y=True)
EXAMPLES = Path(__file__).parents[2] / "examples"
RIDGE = "sklearn.linear_model.Ridge"
TREES = "sklearn.ensemble.HistGradientBoostingRegressor"
OPTIONAL = ("lightgbm", "scikeras", "tensorflow")
MISSING = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]


class FitValueRegressor(RegressorMixin, BaseEstimator):
    """Predicts a value that is a parameter of its ``fit``."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y, value=0.0, other=None):
        self.value_ = value * self.factor
        return self

    def predict(self, X):
        return np.full(len(X), self.value_)


@pytest.mark.parametrize(
    ("init", "fit"),
    [
        ("__model__init_kwargs__", "__model__fit_kwargs__"),
        ("__init_kwargs__model__", "__fit_kwargs__model__"),
    ],
)
def test_both_spellings_of_prefixes(init, fit):
    spec = [{"__model": [FitValueRegressor], f"{init}factor": [1.0, 2.0], f"{fit}value": [3.0]}]
    estimator, grid = contenders_from_spec(spec)
    search = GridSearchCV(estimator, grid, cv=2, refit=False).fit(*DIABETES)
    values = [
        clone(estimator).set_params(**params).fit(*DIABETES).predict(DIABETES[0])[0]
        for params in search.cv_results_["params"]
    ]
    assert values == [3.0, 6.0]


def test_search_equals_that_over_a_handwritten_grid():
    spec = [
        {"__model": [RIDGE], "__model__init_kwargs__alpha": loguniform(0.01, 1), "__n_iter": 3},
        {"__model": RIDGE.replace("Ridge", "Lasso"), "__model__init_kwargs__alpha": [0.1, 1]},
    ]
    estimator, grid = contenders_from_spec(spec, preprocessing=StandardScaler())
    by_hand = [
        {"model": [Ridge()], "model__alpha": loguniform(0.01, 1), "__n_iter": 3},
        {"model": [Lasso()], "model__alpha": [0.1, 1]},
    ]
    assert list(estimator.named_steps) == ["preprocessing", "model"]
    searches = [
        DistributedSearchCV(estimator, g, cv=3, random_state=0).fit(*DIABETES)
        for g in (grid, by_hand)
    ]
    first, second = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "model", [RIDGE, [RIDGE], Ridge, [Ridge], Ridge(alpha=5), [Ridge, RIDGE], "mine"]
)
def test_models_may_be_classes_paths_or_instances(model):
    _, (grid,) = contenders_from_spec({"__model": model}, aliases={"mine": RIDGE})
    assert {type(instance) for instance in grid["model"]} == {Ridge}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2], [1, 2]),
        ((1, 2), [1, 2]),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        (1, [1]),
        (None, [None]),
        ("auto", ["auto"]),
        ([(15, 15), ()], [(15, 15), ()]),
        ([None], [None]),
        (["alias"], [Ridge]),
    ],
)
def test_values_may_be_lists_or_single(value, expected):
    spec = {"__model": [FitValueRegressor], "__model__init_kwargs__factor": value}
    _, (grid,) = contenders_from_spec(spec, aliases={"alias": Ridge})
    assert grid["model__factor"] == expected


def test_n_iter_candidates_are_sampled():
    spec = {"__model": RIDGE, "__model__init_kwargs__alpha": loguniform(0.1, 1), "__n_iter": 4}
    _, grid = contenders_from_spec(spec)
    assert len(make_candidates(grid, 0)) == 4


@pytest.mark.parametrize("name", ["early_stopping_rounds", "patience"])
def test_early_stopping_equals_the_wrapper_by_hand(name):
    spec = {
        "__model": [TREES],
        "__model__init_kwargs__learning_rate": [0.1, 0.3],
        "__model__init_kwargs__random_state": [0],
        f"__model__fit_kwargs__{name}": [5],
        "__model__fit_kwargs__validation_split": [0.3],
        "__model__fit_kwargs__epochs": [50],
    }
    estimator, grid = contenders_from_spec(spec, random_state=1)
    search = DistributedSearchCV(estimator, grid, cv=3).fit(*DIABETES)
    model = HistGradientBoostingRegressor(random_state=0)
    by_hand = EarlyStopping(model, patience=5, validation_split=0.3, max_iter=50, random_state=1)
    rates = {"estimator__learning_rate": [0.1, 0.3]}
    expected = GridSearchCV(by_hand, rates, cv=3).fit(*DIABETES)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert search.best_estimator_["model"].best_iteration_ < 50


def test_former_parameter_of_fit_is_set_on_the_model():
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    spec = {
        "__model": ["lightgbm.LGBMRegressor"],
        "__model__init_kwargs__n_estimators": [50],
        "__model__init_kwargs__n_jobs": [1],
        "__model__fit_kwargs__eval_metric": ["mse"],
        "__model__fit_kwargs__early_stopping_rounds": [3],
        "__model__fit_kwargs__verbose": [-1],
    }
    estimator, (grid,) = contenders_from_spec(spec)
    assert grid["model__estimator__estimator__verbose"] == [-1]
    assert grid["model__fit_params__eval_metric"] == ["mse"]
    search = DistributedSearchCV(estimator, grid, cv=2, error_score="raise").fit(*DIABETES)
    fitted = search.best_estimator_["model"]
    assert isinstance(fitted.estimator_.estimator_, lightgbm.LGBMRegressor)
    assert fitted.best_iteration_ < 50


BROKEN = {
    "no list": (
        "nonsense",
        r"A spec must be a list of dicts, one for each contender. Got 'nonsense'",
    ),
    "empty": ([], r"A spec must be a list of dicts, one for each contender. Got \[\]"),
    "no dict": ([3], r"spec\[0\] is not a dict: 3"),
    "no model": (
        [{"__model__init_kwargs__alpha": [1]}],
        r"spec\[0\] has no '__model': give a class, or the path to import it from",
    ),
    "empty list of models": ([{"__model": []}], r"spec\[0\]\['__model'\]: the list is"),
    "no such module": (
        [{"__model": ["no_such_module.Ridge"]}],
        r"\['__model'\]: 'no_such_module.Ridge' cannot be imported: No module named",
    ),
    "no such class": (
        [{"__model": ["sklearn.linear_model.Rigde"]}],
        r"\['__model'\]: 'sklearn.linear_model.Rigde' cannot be imported: module",
    ),
    "no module": ([{"__model": ["Ridge"]}], r"\['__model'\]: 'Ridge' cannot be imported"),
    "number as a model": ([{"__model": [3]}], r"\['__model'\]: 3 is neither a class nor a path to"),
    "no estimator": (
        [{"__model": ["collections.OrderedDict"]}],
        r"\['__model'\]: OrderedDict is not a scikit-learn estimator",
    ),
    "misspelt key": (
        [{"__model": [RIDGE], "__model__init_kwarg__alpha": [1]}],
        r"\['__model__init_kwarg__alpha'\]: not a key of a spec. Did you mean "
        r"'__model__init_kwargs__NAME'\?",
    ),
    "prefix alone": (
        [{"__model": [RIDGE], "__model__init_kwargs__": [1]}],
        r"\['__model__init_kwargs__'\]: not a key of a spec",
    ),
    "unknown parameter": (
        [{"__model": [RIDGE], "__model__init_kwargs__alpah": [1]}],
        r"\['__model__init_kwargs__alpah'\]: Ridge has no parameter 'alpah'. Did you mean 'alpha'",
    ),
    "parameter refused": (
        [{"__model": ["sklearn.ensemble.VotingRegressor"]}],
        r"\['__model'\]: VotingRegressor cannot be created with the first values: .*estimators",
    ),
    "unknown parameter of fit": (
        [{"__model": [RIDGE], "__model__fit_kwargs__sample_wieght": [1]}],
        r"\['__model__fit_kwargs__sample_wieght'\]: fit of Ridge has no parameter "
        r"'sample_wieght'. Did you mean 'sample_weight'\?",
    ),
    "empty values": (
        [{"__model": [RIDGE], "__model__init_kwargs__alpha": []}],
        r"\['__model__init_kwargs__alpha'\]: the list is empty",
    ),
    "both spellings": (
        [
            {
                "__model": [RIDGE],
                "__model__init_kwargs__alpha": [1],
                "__init_kwargs__model__alpha": [2],
            }
        ],
        r"\['__init_kwargs__model__alpha'\]: the same as '__model__init_kwargs__alpha'",
    ),
    "distribution in a grid": (
        [{"__model": [RIDGE], "__model__init_kwargs__alpha": loguniform(0.1, 1)}],
        r"\['__model__init_kwargs__alpha'\]: a distribution needs '__n_iter' in the same dict",
    ),
    "number of samples": (
        [{"__model": [RIDGE], "__n_iter": 0}],
        r"\['__n_iter'\]: must be an integer of at least 1, got 0",
    ),
    "cannot stop early": (
        [{"__model": [RIDGE], "__model__fit_kwargs__patience": [10]}],
        r"\['__model__fit_kwargs__patience'\]: EarlyStopping cannot stop Ridge",
    ),
    "two patiences": (
        [
            {
                "__model": [TREES],
                "__model__fit_kwargs__patience": [10],
                "__model__fit_kwargs__early_stopping_rounds": [10],
            }
        ],
        r"spec\[0\]: '__model__fit_kwargs__early_stopping_rounds' and "
        r"'__model__fit_kwargs__patience' mean the same: give one of them",
    ),
    "only Keras": (
        [
            {
                "__model": [TREES],
                "__model__fit_kwargs__patience": [10],
                "__model__fit_kwargs__min_delta": [0.1],
            }
        ],
        r"\['__model__fit_kwargs__min_delta'\]: a parameter of Keras only, not of Hist",
    ),
}


@pytest.mark.parametrize(("spec", "message"), BROKEN.values(), ids=BROKEN)
def test_errors_name_their_keys(spec, message):
    with pytest.raises(SpecError, match=message) as info:
        contenders_from_spec(spec)
    assert len(str(info.value).splitlines()) == 1


def test_all_errors_are_raised_at_once():
    spec = [entry for broken, _ in BROKEN.values() if isinstance(broken, list) for entry in broken]
    with pytest.raises(SpecError) as info:
        contenders_from_spec(spec)
    lines = str(info.value).splitlines()
    assert len(lines) == len(spec) == len(BROKEN) - 2
    assert [line.partition("]")[0] for line in lines] == [
        f"spec[{number}" for number in range(len(spec))
    ]


# Example configurations


@pytest.fixture
def config(monkeypatch, request):
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    monkeypatch.syspath_prepend(EXAMPLES)
    yield importlib.import_module("configs").load_config(request.param)
    for name in [name for name in sys.modules if name.partition(".")[0] == "configs"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("config", "n"),
    [("grid", 3 + 4), ("randomized", 5 + 5), ("small_grid", 2), ("small_randomized", 3)],
    indirect=["config"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_example_configurations_give_candidates(config, n):
    estimator, grid = contenders_from_spec(config["contenders_spec"])
    check_param_grid(grid, estimator)
    sampled = make_candidates(grid, 0)
    assert len(sampled) == n
    for candidate in sampled:
        model = clone(estimator).set_params(**candidate)["model"]
        assert isinstance(model, WithFitParams)
        assert isinstance(model.estimator, EarlyStopping)
