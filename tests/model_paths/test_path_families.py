"""Built-in path families: prefixes of models equal models that were fitted with their values."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import (
    SelectKBest,
    SelectPercentile,
    f_regression,
    mutual_info_regression,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from skdistsearch.exceptions import FamilyError
from skdistsearch.model_paths import (
    PathFamily,
    all_path_families,
    find_path_family,
    register_path_family,
)
from skdistsearch.testing import PathFamilySuite, find_differences

SEED = {"random_state": 0}
WEIGHTS = np.random.default_rng(0).exponential(size=90)
TREES = {"n_jobs": 1, "min_child_samples": 5, "verbose": -1}


class WithWeights(PathFamilySuite):
    """Adds data with weights."""

    def make_data(self, model):
        for X, y, params in super().make_data(model):
            yield X, y, params
        yield X, y, {"sample_weight": WEIGHTS}


class TestHistGradientBoosting(WithWeights):
    models = [
        HistGradientBoostingClassifier(**SEED),
        HistGradientBoostingClassifier(max_features=0.5, class_weight="balanced", **SEED),
        HistGradientBoostingClassifier(early_stopping=True, n_iter_no_change=2, **SEED),
        HistGradientBoostingRegressor(**SEED),
        HistGradientBoostingRegressor(early_stopping=True, scoring="loss", **SEED),
    ]
    parameter = "max_iter"
    values = [1, 5, 12]


class TestGradientBoosting(WithWeights):
    models = [
        GradientBoostingClassifier(max_depth=2, **SEED),
        GradientBoostingClassifier(subsample=0.7, max_features=0.5, **SEED),
        GradientBoostingRegressor(n_iter_no_change=2, init="zero", **SEED),
    ]
    parameter = "n_estimators"
    values = [1, 5, 12]


class TestForests(WithWeights):
    models = [
        RandomForestClassifier(class_weight="balanced_subsample", **SEED),
        RandomForestRegressor(max_samples=0.5, **SEED),
        ExtraTreesClassifier(bootstrap=True, **SEED),
        ExtraTreesRegressor(**SEED),
    ]
    parameter = "n_estimators"
    values = [1, 4, 9]


class TestBagging(WithWeights):
    models = [
        BaggingClassifier(LogisticRegression(C=0.1), max_features=0.5, **SEED),
        BaggingRegressor(max_samples=0.5, **SEED),
    ]
    parameter = "n_estimators"
    values = [1, 4]


@pytest.mark.filterwarnings("ignore:The SAMME.R algorithm:FutureWarning")  # scikit-learn < 1.6
class TestAdaBoost(WithWeights):
    models = [
        AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), **SEED),
        AdaBoostRegressor(loss="square", **SEED),
    ]
    parameter = "n_estimators"
    values = [1, 4, 9]


class TestTrees(WithWeights):
    models = [
        DecisionTreeClassifier(class_weight="balanced", **SEED),
        DecisionTreeRegressor(max_depth=5, **SEED),
        ExtraTreeClassifier(**SEED),
        ExtraTreeRegressor(min_samples_leaf=3, **SEED),
    ]
    parameter = "ccp_alpha"
    values = [0.0, 0.001, 0.02, 100.0]


@pytest.mark.filterwarnings("ignore:No features were selected")
class TestSelectKBest(PathFamilySuite):
    models = [
        SelectKBest(f_regression),
        SelectKBest(partial(mutual_info_regression, random_state=0)),
    ]
    parameter = "k"
    values = [0, 2, np.int64(3), 6, "all"]


@pytest.mark.filterwarnings("ignore:No features were selected")
class TestSelectPercentile(PathFamilySuite):
    models = [SelectPercentile(f_regression)]
    parameter = "percentile"
    values = [0, 20.5, 100]


class TestLightGBM(WithWeights):
    parameter = "n_estimators"
    values = [1, 5, 12]

    @property
    def models(self):
        lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
        classifier, regressor = lightgbm.LGBMClassifier, lightgbm.LGBMRegressor
        return [
            classifier(class_weight="balanced", **TREES),
            classifier(subsample=0.7, subsample_freq=1, colsample_bytree=0.5, **TREES),
            classifier(boosting_type="rf", subsample=0.6, subsample_freq=1, **TREES),
            regressor(data_sample_strategy="goss", **TREES),
            regressor(extra_trees=True, importance_type="gain", **TREES),
        ]


class TestXGBoost(WithWeights):
    parameter = "n_estimators"
    values = [1, 5, 12]

    @property
    def models(self):
        xgboost = pytest.importorskip("xgboost", reason="XGBoost is optional")
        return [
            xgboost.XGBClassifier(n_jobs=1, subsample=0.7),
            xgboost.XGBRegressor(n_jobs=1, num_parallel_tree=2, colsample_bytree=0.5),
        ]


class TestCatBoost(WithWeights):
    parameter = "iterations"
    values = [1, 5, 12]

    @property
    def models(self):
        catboost = pytest.importorskip("catboost", reason="CatBoost is optional")
        options = {"learning_rate": 0.1, "verbose": 0, "allow_writing_files": False}
        return [
            catboost.CatBoostClassifier(thread_count=1, **options),
            catboost.CatBoostRegressor(
                thread_count=1, bootstrap_type="Bernoulli", subsample=0.7, **options
            ),
        ]


UNSHAREABLE = {
    "forest without a seed": (RandomForestRegressor(), "n_estimators"),
    "seed as an object": (
        RandomForestRegressor(random_state=np.random.RandomState(0)),
        "n_estimators",
    ),
    "out-of-bag score": (RandomForestRegressor(oob_score=True, **SEED), "n_estimators"),
    "warm start": (GradientBoostingRegressor(warm_start=True, **SEED), "n_estimators"),
    "initial model": (GradientBoostingRegressor(init=DecisionTreeRegressor()), "n_estimators"),
    "random early stopping": (HistGradientBoostingRegressor(early_stopping=True), "max_iter"),
    "random features": (HistGradientBoostingRegressor(max_features=0.5), "max_iter"),
    "tree without a seed": (DecisionTreeRegressor(), "ccp_alpha"),
    "random scores": (SelectKBest(mutual_info_regression), "k"),
    "scores of unknown code": (SelectKBest(lambda X, y: abs(X).sum(axis=0)), "k"),
}


@pytest.mark.parametrize("name", UNSHAREABLE)
def test_random_or_length_dependent_models_are_not_shared(name):
    model, parameter = UNSHAREABLE[name]
    assert not find_path_family(model, parameter).can_share(model, 90)


def test_large_unseeded_hist_gradient_boosting_is_not_shared():
    model = HistGradientBoostingRegressor()
    family = find_path_family(model, "max_iter")
    assert family.can_share(model, 10_000)
    assert not family.can_share(model, 10_001)  # early_stopping="auto" holds out rows
    assert family.can_share(HistGradientBoostingRegressor(early_stopping=False), 200_000)
    assert not family.can_share(HistGradientBoostingRegressor(early_stopping=False), 200_001)


@pytest.mark.parametrize(
    "options",
    [
        {"boosting_type": "dart"},
        {"boosting": "dart"},
        {"early_stopping_round": 5},
        {"num_iterations": 5},
        {"snapshot_freq": 1},
    ],
    ids=str,
)
def test_lightgbm_with_settings_that_see_the_number_of_trees_is_not_shared(options):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    model = lightgbm.LGBMRegressor(**options)
    assert not find_path_family(model, "n_estimators").can_share(model, 90)


@pytest.mark.parametrize(
    "options", [{"booster": "dart"}, {"booster": "gblinear"}, {"early_stopping_rounds": 3}], ids=str
)
def test_xgboost_with_settings_that_see_the_number_of_trees_is_not_shared(options):
    xgboost = pytest.importorskip("xgboost", reason="XGBoost is optional")
    model = xgboost.XGBRegressor(**options)
    assert not find_path_family(model, "n_estimators").can_share(model, 90)


def test_catboost_that_derives_its_learning_rate_is_not_shared():
    catboost = pytest.importorskip("catboost", reason="CatBoost is optional")
    model = catboost.CatBoostRegressor()
    assert not find_path_family(model, "iterations").can_share(model, 90)


def test_subclass_has_no_family():
    class Forest(RandomForestRegressor):
        pass

    assert find_path_family(Forest(random_state=0), "n_estimators") is None


def test_more_features_than_there_are_have_no_prefix():
    X, y = make_regression(20, 3, random_state=0)
    family = find_path_family(SelectKBest(), "k")
    assert family.prefix(SelectKBest(f_regression, k="all").fit(X, y), 4) is None


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 9),
    n_more=st.integers(0, 6),
    rate=st.floats(0.01, 1.0),
    max_leaf_nodes=st.integers(2, 9),
    l2=st.floats(0, 10),
    n_classes=st.integers(2, 3),
)
def test_prefixes_of_generated_boostings(n, n_more, rate, max_leaf_nodes, l2, n_classes):
    X, y = make_classification(60, 6, n_informative=4, n_classes=n_classes, random_state=0)
    model = HistGradientBoostingClassifier(
        learning_rate=rate,
        max_leaf_nodes=max_leaf_nodes,
        l2_regularization=l2,
        max_iter=n,
        random_state=0,
    )
    fitted = model.fit(X, y)
    longest = type(model)(**model.get_params()).set_params(max_iter=n + n_more).fit(X, y)
    prefix = find_path_family(model, "max_iter").prefix(longest, n)
    assert find_differences(prefix, fitted) == []


def test_registered_family_comes_first_and_replaces_one_of_its_name(monkeypatch):
    monkeypatch.setattr("skdistsearch.model_paths._registry._REGISTERED", [])
    model = DecisionTreeRegressor()
    mine, newer = (
        PathFamily("mine", lambda model: True, "ccp_alpha", lambda model, value: None)
        for _ in range(2)
    )
    register_path_family(mine)
    register_path_family(newer)
    assert find_path_family(model, "ccp_alpha") is newer
    assert [family.name for family in all_path_families()].count("mine") == 1


def test_registering_something_else_is_an_error():
    with pytest.raises(FamilyError, match=r"Not a skdistsearch\.model_paths\.PathFamily: 3"):
        register_path_family(3)
