"""Built-in families: each equals early stopping done by hand with its library."""

import pickle

import numpy as np
import pytest
import sklearn
from helpers.probe_family import X, Y
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

from skdistsearch import EarlyStopping, early_stopping
from skdistsearch.early_stopping._hist_gradient_boosting import _fit_and_look_back

DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
WEIGHTS = np.random.default_rng(1).exponential(size=len(IRIS[1])) ** 2
LGBM = {"n_estimators": 20, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}
SKLEARN = tuple(map(int, sklearn.__version__.split(".")[:2]))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_lightgbm_equals_early_stopping_by_hand(kind, weights):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    features, target = IRIS if kind == "regressor" else (IRIS[0], NAMES)
    cls = lightgbm.LGBMRegressor if kind == "regressor" else lightgbm.LGBMClassifier
    params = LGBM | {"n_estimators": 500, "random_state": 0}
    strata = None if kind == "regressor" else target
    w = np.ones(len(target)) if weights is None else weights
    X_in, X_val, y_in, y_val, w_in, w_val = train_test_split(
        features, target, w, test_size=0.2, random_state=3, stratify=strata
    )
    inner = cls(**params).fit(
        X_in,
        y_in,
        sample_weight=None if weights is None else w_in,
        eval_set=[(X_val, y_val)],
        eval_sample_weight=None if weights is None else [w_val],
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
    )
    final = cls(**params).set_params(n_estimators=inner.best_iteration_)
    final.fit(features, target, sample_weight=weights)

    ours = EarlyStopping(cls(**params), patience=5, random_state=3)
    ours.fit(features, target, sample_weight=weights)
    assert ours.best_iteration_ == inner.best_iteration_ < 500
    assert ours.validation_metric_ == ("l2" if kind == "regressor" else "multi_logloss")
    (values,) = inner.evals_result_.values()
    np.testing.assert_array_equal(ours.validation_history_, values[ours.validation_metric_])
    predict = "predict" if kind == "regressor" else "predict_proba"
    np.testing.assert_array_equal(
        getattr(ours, predict)(features), getattr(final, predict)(features)
    )
    without_refit = clone(ours).set_params(refit=False).fit(features, target, sample_weight=weights)
    np.testing.assert_array_equal(
        getattr(without_refit, predict)(features), getattr(inner, predict)(features)
    )


@pytest.mark.parametrize("name", ["n_estimators", "num_boost_round"])
def test_lightgbm_iterations_are_set_under_any_alias(name):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    model = lightgbm.LGBMRegressor(**{**LGBM, name: 20}, early_stopping_round=3)
    early_stopping.find_family(model).set_iterations(model, 4)
    assert model.get_params()[name] == 4
    assert model.get_params()["early_stopping_round"] is None


@pytest.mark.parametrize("name", ["boosting_type", "boosting", "boost"])
def test_lightgbm_dart_cannot_stop_early_under_any_alias(name):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    with pytest.raises(ValueError, match=f"no early stopping for {name}='dart'"):
        EarlyStopping(lightgbm.LGBMRegressor(**LGBM, **{name: "dart"})).fit(X, Y)


@pytest.mark.parametrize("name", ["early_stopping_round", "early_stopping", "n_iter_no_change"])
def test_patience_replaces_that_of_a_lightgbm_model(name):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    params = LGBM | {"n_estimators": 500}
    without, with_own = (
        EarlyStopping(lightgbm.LGBMRegressor(**params, **own), patience=30, random_state=0)
        for own in ({}, {name: 2})
    )
    histories = [model.fit(*DIABETES).validation_history_ for model in (without, with_own)]
    np.testing.assert_array_equal(*histories)
    assert len(histories[0]) == without.best_iteration_ + 30


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_lightgbm_min_delta_is_honoured():
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    params = LGBM | {"n_estimators": 500, "early_stopping_min_delta": 50.0}
    X_in, X_val, y_in, y_val = train_test_split(*DIABETES, test_size=0.2, random_state=3)
    inner = lightgbm.LGBMRegressor(**params, early_stopping_round=5)
    inner.fit(X_in, y_in, eval_set=[(X_val, y_val)])
    without = {name: value for name, value in params.items() if "delta" not in name}
    ours, any_improvement = (
        EarlyStopping(lightgbm.LGBMRegressor(**own), patience=5, random_state=3).fit(*DIABETES)
        for own in (params, without)
    )
    assert ours.best_iteration_ == inner.best_iteration_ < any_improvement.best_iteration_


def test_history_is_that_of_the_metric_that_stopped_the_model():
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    rising = (lambda y, predicted: ("rising", float(np.abs(predicted - 50).mean()), True),)
    model = EarlyStopping(lightgbm.LGBMRegressor(**LGBM | {"n_estimators": 500}), random_state=3)
    model.fit(*DIABETES, eval_metric=["l1", *rising])
    history, best = model.validation_history_, model.best_iteration_
    assert model.validation_metric_ in {"l1", "l2", "rising"}
    assert history[best - 1] in (history.min(), history.max())


@pytest.mark.skipif(SKLEARN < (1, 7), reason="HistGradientBoosting takes X_val from 1.7 on")
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_hist_gradient_boosting_equals_early_stopping_by_hand(kind):
    features, target = DIABETES if kind == "regressor" else (IRIS[0], NAMES)
    cls = {
        "regressor": HistGradientBoostingRegressor,
        "classifier": HistGradientBoostingClassifier,
    }[kind]
    params = {"max_iter": 300, "random_state": 0}
    strata = None if kind == "regressor" else target
    X_in, X_val, y_in, y_val = train_test_split(
        features, target, test_size=0.2, random_state=3, stratify=strata
    )
    inner = cls(**params, early_stopping=True, n_iter_no_change=5)
    inner.fit(X_in, y_in, X_val=X_val, y_val=y_val)
    best = np.argmax(inner.validation_score_)
    final = cls(**params | {"max_iter": best}, early_stopping=False).fit(features, target)

    ours = EarlyStopping(cls(**params), patience=5, random_state=3).fit(features, target)
    assert ours.best_iteration_ == ours.n_iter_ == ours.estimator_.n_iter_ == best < inner.n_iter_
    assert ours.validation_metric_ == cls().loss
    np.testing.assert_array_equal(ours.validation_history_, -inner.validation_score_[1:])
    np.testing.assert_array_equal(ours.predict(features), final.predict(features))
    without_refit = clone(ours).set_params(refit=False).fit(features, target)
    assert without_refit.estimator_.n_iter_ == best
    np.testing.assert_array_equal(
        without_refit.predict(features), list(inner.staged_predict(features))[best - 1]
    )


@pytest.mark.parametrize("patience", [1, 5, 1000])
def test_looking_back_finds_the_best_iteration(patience):
    X_in, X_val, y_in, y_val = train_test_split(*DIABETES, test_size=0.2, random_state=3)
    model = HistGradientBoostingRegressor(max_iter=100, random_state=0)
    all_trees = clone(model).set_params(early_stopping=False).fit(X_in, y_in)
    losses = [mean_squared_error(y_val, p) for p in all_trees.staged_predict(X_val)]
    best = 0
    for n, loss in enumerate(losses):
        if n - best >= patience and loss >= losses[best]:
            break
        best = n if loss < losses[best] else best
    train, validation = early_stopping.FitData(X_in, y_in), early_stopping.FitData(X_val, y_val)
    assert _fit_and_look_back(model, train, validation, patience) == best + 1
    metric, values = early_stopping.find_family(model).validation_history(model, best + 1)
    assert metric == "squared_error"
    np.testing.assert_allclose(values, losses[: best + patience + 1])


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "quantile"])
def test_looking_back_stops_where_scikit_learn_does(loss):
    if SKLEARN < (1, 7):
        pytest.skip("HistGradientBoosting takes X_val from 1.7 on")
    model = HistGradientBoostingRegressor(loss=loss, quantile=0.3, random_state=0)
    built_in = EarlyStopping(model, random_state=2).fit(*DIABETES)
    looking_back = early_stopping.Family(
        "looking back",
        matches=lambda estimator: False,
        fit_with_validation=_fit_and_look_back,
        set_iterations=early_stopping.find_family(model).set_iterations,
    )
    same = clone(built_in).set_params(family=looking_back).fit(*DIABETES)
    assert same.best_iteration_ == built_in.best_iteration_ < 100


def test_looking_back_requires_the_loss_as_scoring():
    model = HistGradientBoostingRegressor(scoring="r2")
    data = early_stopping.FitData(*DIABETES)
    with pytest.raises(ValueError, match=r"scoring='r2'\) needs scikit-learn 1.7 or later"):
        _fit_and_look_back(model, data, data, 10)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "two targets"])
def test_xgboost_equals_early_stopping_by_hand(kind):
    xgboost = pytest.importorskip("xgboost", reason="XGBoost is optional")
    features, target = DIABETES if kind != "classifier" else IRIS
    if kind == "two targets":
        target = np.column_stack([target, -target])
    cls = xgboost.XGBClassifier if kind == "classifier" else xgboost.XGBRegressor
    params = {"n_estimators": 300, "n_jobs": 1, "random_state": 0}
    weights = np.linspace(1, 2, len(target))
    X_in, X_val, y_in, y_val, w_in, w_val = train_test_split(
        features,
        target,
        weights,
        test_size=0.2,
        random_state=3,
        stratify=target if kind == "classifier" else None,
    )
    inner = cls(**params, early_stopping_rounds=5).fit(
        X_in,
        y_in,
        sample_weight=w_in,
        eval_set=[(X_val, y_val)],
        sample_weight_eval_set=[w_val],
        verbose=False,
    )
    best = inner.best_iteration + 1
    final = cls(**params | {"n_estimators": best}).fit(features, target, sample_weight=weights)

    ours = EarlyStopping(cls(**params), patience=5, random_state=3)
    ours.fit(features, target, sample_weight=weights)
    assert ours.best_iteration_ == best < 300
    (values,) = inner.evals_result().values()
    np.testing.assert_array_equal(ours.validation_history_, values[ours.validation_metric_])
    np.testing.assert_array_equal(ours.predict(features), final.predict(features))


@pytest.mark.parametrize("kind", ["regressor", "classifier", "two targets"])
def test_catboost_equals_early_stopping_by_hand(kind):
    catboost = pytest.importorskip("catboost", reason="CatBoost is optional")
    features, target = DIABETES if kind != "classifier" else (IRIS[0], NAMES)
    cls = catboost.CatBoostClassifier if kind == "classifier" else catboost.CatBoostRegressor
    params = {"thread_count": 1, "random_seed": 0, "verbose": 0, "allow_writing_files": False}
    params |= {"learning_rate": 0.3, "depth": 3, "iterations": 300}
    if kind == "two targets":
        target = np.column_stack([target, -target])
        params["loss_function"] = "MultiRMSE"
    weights = np.linspace(1, 2, len(target))
    X_in, X_val, y_in, y_val, w_in, w_val = train_test_split(
        features,
        target,
        weights,
        test_size=0.2,
        random_state=3,
        stratify=target if kind == "classifier" else None,
    )
    inner = cls(**params).fit(
        X_in,
        y_in,
        sample_weight=w_in,
        eval_set=catboost.Pool(X_val, y_val, weight=w_val),
        early_stopping_rounds=5,
    )
    best = inner.get_best_iteration() + 1
    final = cls(**params | {"iterations": best}).fit(features, target, sample_weight=weights)

    ours = EarlyStopping(cls(**params), patience=5, random_state=3)
    ours.fit(features, target, sample_weight=weights)
    assert ours.best_iteration_ == best < 300
    values = inner.get_evals_result()["validation"]
    np.testing.assert_array_equal(ours.validation_history_, values[ours.validation_metric_])
    np.testing.assert_array_equal(ours.predict(features), final.predict(features))


def build_network(meta, compile_kwargs):
    from keras import Input, Sequential, layers

    outputs = {"multiclass": 3}.get(meta["target_type_"], meta.get("n_outputs_", 1))
    last = "softmax" if meta["target_type_"] == "multiclass" else None
    return Sequential(
        [
            Input((meta["n_features_in_"],)),
            layers.Dense(8, activation="relu"),
            layers.Dense(outputs, activation=last),
        ]
    )


@pytest.mark.parametrize("kind", ["regressor", "classifier", "two targets"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_keras_equals_early_stopping_by_hand(kind):
    wrappers = pytest.importorskip("scikeras.wrappers", reason="Keras is optional")
    from keras.callbacks import EarlyStopping as Callback

    features, target = (IRIS[0][:, :3], IRIS[0][:, 3])
    if kind == "two targets":
        features, target = IRIS[0][:, :2], IRIS[0][:, 2:]
    classes = kind == "classifier"
    if classes:
        features, target = IRIS[0], NAMES
    features = features.astype("float32")
    cls = wrappers.KerasClassifier if classes else wrappers.KerasRegressor
    loss = "sparse_categorical_crossentropy" if classes else "mse"
    model = cls(build_network, loss=loss, optimizer="sgd", optimizer__learning_rate=0.3, epochs=40)
    model.set_params(random_state=0, verbose=0, batch_size=16)
    X_in, X_val, y_in, y_val, w_in, w_val = train_test_split(
        features,
        target,
        WEIGHTS,
        test_size=0.2,
        random_state=3,
        stratify=target if classes else None,
    )
    stop = Callback("val_loss", patience=3, restore_best_weights=True)
    encoded = np.searchsorted(np.unique(target), y_val) if classes else y_val
    inner = clone(model).set_params(fit__callbacks=[stop])
    inner.fit(X_in, y_in, sample_weight=w_in, validation_data=(X_val, encoded, w_val))
    final = clone(model).set_params(epochs=stop.best_epoch + 1)
    final.fit(features, target, sample_weight=WEIGHTS)

    ours = EarlyStopping(model, patience=3, random_state=3)
    ours.fit(features, target, sample_weight=WEIGHTS)
    assert ours.best_iteration_ == stop.best_epoch + 1 < 40
    assert ours.validation_metric_ == "loss"
    np.testing.assert_array_equal(ours.validation_history_, inner.history_["val_loss"])
    assert is_classifier(ours) == classes
    assert is_regressor(ours) == (not classes)
    np.testing.assert_array_equal(ours.predict(features), final.predict(features))
    if kind == "two targets":
        return
    without_refit = clone(ours).set_params(refit=False).fit(features, target, sample_weight=WEIGHTS)
    np.testing.assert_array_equal(without_refit.predict(features), inner.predict(features))
    assert "fit__callbacks" not in without_refit.estimator_.get_params()
    unpickled = pickle.loads(pickle.dumps(without_refit))
    np.testing.assert_array_equal(unpickled.predict(features), inner.predict(features))
