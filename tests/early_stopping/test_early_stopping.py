import dataclasses
import importlib.util
import pickle
import re

import numpy as np
import pytest
import sklearn
from helpers import probe_family as watched
from helpers.probe_family import FAMILY, SEEN, Watched, WatchedScaler, seen
from scipy import sparse
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    BaggingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdistsearch import DistributedSearchCV, EarlyStopping, early_stopping
from skdistsearch.contenders._fit_params import FitParams, WithFitParams
from skdistsearch.early_stopping._base import is_a
from skdistsearch.early_stopping._hist_gradient_boosting import _watched_from_outside
from skdistsearch.exceptions import FamilyError

N = 40
X = np.column_stack([np.arange(N), np.random.default_rng(0).normal(size=N)])
Y = X[:, 1] * 2.0
DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
WEIGHTS = np.random.default_rng(1).exponential(size=len(IRIS[1])) ** 2
HIST = {"max_iter": 20, "min_samples_leaf": 5}
LGBM = {"n_estimators": 20, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}
HAS_LIGHTGBM = importlib.util.find_spec("lightgbm") is not None
SKLEARN = tuple(map(int, sklearn.__version__.split(".")[:2]))


def stopping(estimator=None, **params):
    return EarlyStopping(
        Watched() if estimator is None else estimator,
        **{"family": FAMILY, "random_state": 0, **params},
    )


@pytest.fixture(autouse=True)
def nothing_seen():
    SEEN.clear()


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# scikit-learn's common checks


def checked():
    yield EarlyStopping(HistGradientBoostingRegressor(**HIST))
    yield EarlyStopping(HistGradientBoostingClassifier(**HIST))
    pipeline = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(**HIST))
    yield EarlyStopping(pipeline)
    if HAS_LIGHTGBM:  # not in the oldest environment
        from lightgbm import LGBMClassifier, LGBMRegressor

        yield EarlyStopping(LGBMRegressor(**LGBM))
        yield EarlyStopping(LGBMClassifier(**LGBM))


def is_of(*names):
    return lambda stopping: type(stopping.estimator).__name__ in names


# Checks that fail: of whom, why, and whether the estimator alone fails them too.
WEIGHTS_ARE_NOT_ROWS = (
    lambda stopping: True,
    "a row of weight 2 is in one part, two rows may be in both: another validation part",
    False,
)
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS_ARE_NOT_ROWS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS_ARE_NOT_ROWS,
    "check_all_zero_sample_weights_error": (
        is_of("LGBMRegressor", "LGBMClassifier"),
        "LightGBM fits rows that all weigh nothing",
        True,
    ),
    "check_estimators_nan_inf": (
        is_of("Pipeline"),
        "a pipeline's tags do not say that all its steps take NaN",
        True,
    ),
}


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings on purpose
@parametrize_with_checks(list(checked()))
def test_common_checks(estimator, check):
    try:
        check(clone(estimator))
    except pytest.skip.Exception:
        raise
    except Exception:
        name = getattr(check, "func", check).__name__
        concerned, reason, alone_too = EXPECTED.get(name, (lambda stopping: False, "", False))
        if not concerned(estimator):
            raise
        if alone_too:
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the check says
                check(clone(estimator.estimator))
        pytest.xfail(reason)


# The same, done by hand


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_lightgbm_equals_the_same_done_by_hand(kind, weights):
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
    (told,) = inner.evals_result_.values()
    np.testing.assert_array_equal(ours.validation_history_, told[ours.validation_metric_])
    predict = "predict" if kind == "regressor" else "predict_proba"
    np.testing.assert_array_equal(
        getattr(ours, predict)(features), getattr(final, predict)(features)
    )
    kept = clone(ours).set_params(refit=False).fit(features, target, sample_weight=weights)
    np.testing.assert_array_equal(
        getattr(kept, predict)(features), getattr(inner, predict)(features)
    )


@pytest.mark.skipif(SKLEARN < (1, 7), reason="HistGradientBoosting takes X_val from 1.7 on")
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_hist_gradient_boosting_equals_the_same_done_by_hand(kind):
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
    kept = clone(ours).set_params(refit=False).fit(features, target)
    assert kept.estimator_.n_iter_ == best
    np.testing.assert_array_equal(
        kept.predict(features), list(inner.staged_predict(features))[best - 1]
    )


@pytest.mark.parametrize("patience", [1, 5, 1000])
def test_hist_gradient_boosting_is_watched_from_outside_before_1_7(patience):
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
    assert _watched_from_outside(model, train, validation, patience) == best + 1
    metric, told = early_stopping.find_family(model).validation_history(model, best + 1)
    assert metric == "squared_error"
    np.testing.assert_allclose(told, losses[: best + patience + 1])


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "quantile"])
def test_hist_gradient_boosting_stops_alike_from_outside(loss):
    if SKLEARN < (1, 7):
        pytest.skip("HistGradientBoosting takes X_val from 1.7 on")
    model = HistGradientBoostingRegressor(loss=loss, quantile=0.3, random_state=0)
    inside = EarlyStopping(model, random_state=2).fit(*DIABETES)
    outside = early_stopping.Family(
        "outside",
        matches=lambda estimator: False,
        fit_with_validation=_watched_from_outside,
        set_iterations=early_stopping.find_family(model).set_iterations,
    )
    same = clone(inside).set_params(family=outside).fit(*DIABETES)
    assert same.best_iteration_ == inside.best_iteration_ < 100


def test_hist_gradient_boosting_before_1_7_needs_the_loss():
    model = HistGradientBoostingRegressor(scoring="r2")
    part = early_stopping.FitData(*DIABETES)
    with pytest.raises(ValueError, match=r"scoring='r2'\) needs scikit-learn 1.7 or later"):
        _watched_from_outside(model, part, part, 10)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "two targets"])
def test_xgboost_equals_the_same_done_by_hand(kind):
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
    (told,) = inner.evals_result().values()
    np.testing.assert_array_equal(ours.validation_history_, told[ours.validation_metric_])
    np.testing.assert_array_equal(ours.predict(features), final.predict(features))


@pytest.mark.parametrize("kind", ["regressor", "classifier", "two targets"])
def test_catboost_equals_the_same_done_by_hand(kind):
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
    told = inner.get_evals_result()["validation"]
    np.testing.assert_array_equal(ours.validation_history_, told[ours.validation_metric_])
    np.testing.assert_array_equal(ours.predict(features), final.predict(features))


def net(meta, compile_kwargs):
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
def test_keras_equals_the_same_done_by_hand(kind):
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
    model = cls(net, loss=loss, optimizer="sgd", optimizer__learning_rate=0.3, epochs=40)
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
    kept = clone(ours).set_params(refit=False).fit(features, target, sample_weight=WEIGHTS)
    np.testing.assert_array_equal(kept.predict(features), inner.predict(features))
    assert "fit__callbacks" not in kept.estimator_.get_params()
    again = pickle.loads(pickle.dumps(kept))
    np.testing.assert_array_equal(again.predict(features), inner.predict(features))


# Which rows are seen, by whom


def test_fits_on_the_inner_part_and_then_on_all_rows():
    model = stopping().fit(X, Y)
    inner, whole = seen("fit")
    (held,) = seen("validate")
    assert len(held) == 8
    assert sorted(inner + held) == whole == list(range(N))
    assert (model.best_iteration_, model.n_iter_) == (7, 7)
    assert [params["iterations"] for what, _, params in SEEN if what == "fit"] == [50, 7]


def test_without_refit_only_the_inner_part_is_fitted():
    model = stopping(refit=False).fit(X, Y)
    (inner,) = seen("fit")
    assert len(inner) == 32
    np.testing.assert_array_equal(model.predict(X[:1]), Y[inner].mean())


@pytest.mark.parametrize(("rescale_iterations", "n"), [(False, 7), (True, 9)])
def test_rescale_runs_more_iterations_in_proportion_to_the_rows(rescale_iterations, n):
    model = stopping(rescale_iterations=rescale_iterations).fit(X, Y)
    assert (model.best_iteration_, model.n_iter_) == (7, n)
    assert model.estimator_.iterations == n


def test_family_that_does_not_tell_of_iterations_gives_no_curve():
    model = stopping().fit(X, Y)
    assert model.validation_history_ is None
    assert model.validation_metric_ is None


def test_of_several_metrics_the_one_that_stopped_the_model_is_kept():
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    rising = (lambda y, predicted: ("rising", float(np.abs(predicted - 50).mean()), True),)
    model = EarlyStopping(lightgbm.LGBMRegressor(**LGBM | {"n_estimators": 500}), random_state=3)
    model.fit(*DIABETES, eval_metric=["l1", *rising])
    curve, best = model.validation_history_, model.best_iteration_
    assert model.validation_metric_ in {"l1", "l2", "rising"}
    assert curve[best - 1] in (curve.min(), curve.max())


def test_max_iter_bounds_the_first_fit():
    model = stopping(max_iter=5).fit(X, Y)
    assert [params["iterations"] for what, _, params in SEEN if what == "fit"] == [5, 5]
    assert model.best_iteration_ == 5
    assert model.estimator.iterations == 50


def test_pipeline_within_is_fitted_on_the_inner_part_first():
    pipeline = Pipeline([("scaler", WatchedScaler()), ("model", Watched())])
    model = stopping(pipeline).fit(X, Y)
    inner, whole = seen("fit")
    assert seen("scaler fit") == [inner, whole]
    assert seen("scaler transform")[1] == seen("validate")[0]
    assert whole == list(range(N))
    assert model.estimator_["model"].iterations == 7


def test_pipelines_within_pipelines():
    inner = make_pipeline(WatchedScaler(), Watched())
    model = stopping(make_pipeline(WatchedScaler(), inner)).fit(X, Y)
    assert [len(rows) for rows in seen("scaler fit")] == [32, 32, 40, 40]
    assert [len(rows) for rows in seen("fit")] == [32, 40]
    assert len(model.predict(X)) == N


def test_pipeline_without_refit_predicts_with_what_the_inner_part_fitted():
    pipeline = make_pipeline(StandardScaler(), HistGradientBoostingRegressor(random_state=0))
    model = EarlyStopping(pipeline, refit=False, random_state=3).fit(*DIABETES)
    X_in, _, y_in, _ = train_test_split(*DIABETES, test_size=0.2, random_state=3)
    final = clone(pipeline)
    final[-1].set_params(max_iter=model.best_iteration_, early_stopping=False)
    np.testing.assert_array_equal(
        model.predict(DIABETES[0]), final.fit(X_in, y_in).predict(DIABETES[0])
    )


def test_last_step_of_a_pipeline():
    pipeline = make_pipeline(WatchedScaler(), stopping())
    pipeline.fit(X, Y)
    assert seen("scaler fit") == [list(range(N))]
    assert [len(rows) for rows in seen("fit")] == [32, 40]


def test_same_seed_same_part_and_other_seed_another():
    for seed in (0, 0, 1):
        stopping(random_state=seed).fit(X, Y)
    first, second, third = seen("validate")
    assert first == second != third


def _validate_and_one(model, train, validation, patience):
    watched.note("validate", validation.X)
    watched.note("train", train.X)
    model.fit(train.X, train.y)
    return 1


WATCHING = early_stopping.Family(
    "watching",
    matches=lambda estimator: True,
    fit_with_validation=_validate_and_one,
    set_iterations=lambda model, n: None,
)


def test_parts_of_a_classifier_are_stratified():
    rows = np.column_stack([np.arange(100), np.zeros(100)])
    y = np.array(["many"] * 80 + ["few"] * 20)
    model = HistGradientBoostingClassifier(max_iter=2)
    EarlyStopping(model, family=WATCHING, random_state=0).fit(rows, y)
    assert np.unique(y[seen("validate")[0]], return_counts=True)[1].tolist() == [4, 16]


def test_only_row_of_a_class_is_trained_on():
    y = np.array(["a", "b"] * 19 + ["b", "alone"])
    model = EarlyStopping(HistGradientBoostingClassifier(max_iter=2), family=WATCHING)
    model.fit(X, y)
    assert N - 1 in seen("train")[0]
    assert len(seen("validate")[0]) == 8
    assert model.classes_.tolist() == ["a", "alone", "b"]


@pytest.mark.parametrize("classes", [False, True])
def test_groups_stay_together(classes):
    groups = np.arange(N) % 10
    model = HistGradientBoostingClassifier(max_iter=2) if classes else Watched()
    y = np.arange(N) % 3 if classes else Y
    EarlyStopping(model, family=WATCHING, random_state=0).fit(X, y, groups=groups)
    (held,), (train,) = seen("validate"), seen("train")
    assert sorted(held + train) == list(range(N))
    assert len(held) == 8
    assert not set(groups[held]) & set(groups[train])


def test_validation_rows_of_unknown_classes_are_left_out():
    pytest.importorskip("lightgbm", reason="LightGBM is optional")
    from lightgbm import LGBMClassifier

    groups = np.repeat([0, 1, 2, 3], 25)
    y = np.array(["a", "b"] * 45 + ["only here"] * 10)
    rows = np.random.default_rng(0).normal(size=(100, 2))
    model = EarlyStopping(LGBMClassifier(**LGBM), validation_split=LeaveOneGroupOut())
    model.fit(rows, y, groups=groups)
    assert model.classes_.tolist() == ["a", "b", "only here"]


def test_last_split_of_a_splitter_is_used():
    stopping(validation_split=TimeSeriesSplit(4)).fit(X, Y)
    assert seen("validate") == [list(range(32, 40))]
    assert seen("fit")[0] == list(range(32))


def test_masks_and_predefined_splits_are_splitters_too():
    fold = np.where(np.arange(N) < 30, -1, 0)
    stopping(validation_split=PredefinedSplit(fold)).fit(X, Y)
    stopping(validation_split=[(fold == -1, fold == 0)]).fit(X.tolist(), Y)
    assert seen("validate") == [list(range(30, 40))] * 2


def test_empty_validation_part_is_an_error():
    with pytest.raises(ValueError, match="leaves 40 rows to train on and 0 to validate on"):
        stopping(validation_split=[(np.arange(N), [])]).fit(X, Y)


@pytest.mark.parametrize("container", [list, "frame", sparse.csr_matrix, sparse.coo_matrix])
def test_rows_of_any_container(container):
    rows = X
    if container == "frame":
        rows = pytest.importorskip("pandas").DataFrame(X, columns=["id", "value"])
    elif container is list:
        rows = X.tolist()
    else:
        rows = container(X)
    model = HistGradientBoostingRegressor() if not sparse.issparse(rows) else None
    if model is None:
        from sklearn.preprocessing import FunctionTransformer

        dense = FunctionTransformer(lambda part: part.toarray(), accept_sparse=True)
        model = make_pipeline(dense, HistGradientBoostingRegressor())
    fitted = EarlyStopping(model, random_state=0).fit(rows, Y.tolist())
    assert fitted.n_features_in_ == 2 if not sparse.issparse(rows) else True
    assert hasattr(fitted, "feature_names_in_") == (container == "frame")


# Parameters of fit


def test_weights_and_what_has_a_value_per_row_is_split_as_the_rows_are():
    weights, extra = np.arange(N) + 1.0, [f"row {number}" for number in range(N)]
    stopping().fit(X, Y, sample_weight=weights, extra=extra, known="all")
    for what, rows, params in SEEN:
        given = params if what == "validate" else {**params, "sample_weight": params["weights"]}
        np.testing.assert_array_equal(given["sample_weight"], weights[rows])
        assert given["extra"] == [f"row {number}" for number in rows]
    assert [params.get("known") for _, _, params in SEEN] == [None, "all", "all"]


@pytest.mark.parametrize("name", ["sample_weight", "model__sample_weight"])
def test_weights_reach_the_model_of_a_pipeline(name):
    weights = np.arange(N) + 1.0
    pipeline = Pipeline([("scaler", WatchedScaler()), ("model", Watched())])
    stopping(pipeline).fit(X, Y, **{name: weights})
    for what, rows, params in SEEN:
        if what in ("fit", "validate"):
            given = params.get("weights", params.get("sample_weight"))
            np.testing.assert_array_equal(given, weights[rows])


@pytest.mark.usefixtures("routing")
def test_metadata_is_routed_under_other_names():
    weights = np.arange(N) + 1.0
    model = Watched().set_fit_request(sample_weight="mine", extra=False, known=False)
    pipeline = Pipeline([("scaler", WatchedScaler()), ("model", model)])
    outer = make_pipeline(WatchedScaler(), stopping(pipeline))
    outer.fit(X, Y, mine=weights)
    for what, rows, params in SEEN:
        if what in ("fit", "validate"):
            given = params.get("weights", params.get("sample_weight"))
            np.testing.assert_array_equal(given, weights[rows])
    assert len(seen("fit")) == 2


@pytest.mark.usefixtures("routing")
def test_groups_are_routed_to_it_by_default():
    groups = np.arange(N) % 8
    search = GridSearchCV(stopping(), {"patience": [3]}, cv=GroupKFold(4), error_score="raise")
    search.fit(X, Y, groups=groups)
    for held, fitted in zip(seen("validate"), seen("fit")[::2], strict=True):
        assert not set(groups[held]) & set(groups[fitted])


@pytest.mark.usefixtures("routing")
def test_model_alone_decides_about_weights_and_may_have_the_groups_too():
    weights, groups = np.arange(N) + 1.0, np.arange(N) % 8
    model = Watched().set_fit_request(sample_weight=True, extra="groups", known=False)
    make_pipeline(stopping(model)).fit(X, Y, sample_weight=weights, groups=groups)
    fits = [(rows, params) for what, rows, params in SEEN if what == "fit"]
    assert len(fits) == 2
    for rows, params in fits:
        np.testing.assert_array_equal(params["weights"], weights[rows])
        np.testing.assert_array_equal(params["extra"], groups[rows])


@pytest.mark.usefixtures("routing")
def test_metadata_that_nobody_asks_for_is_an_error():
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        stopping().fit(X, Y, sample_weight=np.ones(N))
    assert not SEEN


# Inside searches


def scoring_folds_are_never_seen(splits):
    """Each pair of fits saw the rows of its split's training side, and no others."""
    inner, whole, held = seen("fit")[::2], seen("fit")[1::2], seen("validate")
    for (train, test), *rows in zip(splits, inner, whole, held, strict=True):
        first, second, third = rows
        assert sorted(first + third) == sorted(second) == train.tolist()
        assert not set(first + second + third) & set(test)


def test_scoring_folds_are_never_seen_by_cross_val_score():
    cv = KFold(4, shuffle=True, random_state=0)
    cross_val_score(stopping(), X, Y, cv=cv, error_score="raise")
    scoring_folds_are_never_seen(list(cv.split(X)))


@pytest.mark.parametrize("search_class", [GridSearchCV, DistributedSearchCV])
def test_scoring_folds_are_never_seen_by_a_search(search_class):
    cv = KFold(4)
    grid = {"patience": [3, 4], "estimator__stops_at": [5]}
    search = search_class(stopping(), grid, cv=cv, refit=False, error_score="raise").fit(X, Y)
    scoring_folds_are_never_seen(list(cv.split(X)) * 2)
    assert search.best_index_ == 0


def test_nested_search_never_sees_the_outer_fold():
    outer, inner = KFold(3), KFold(2)
    search = GridSearchCV(stopping(), {"patience": [3]}, cv=inner, error_score="raise")
    cross_val_score(search, X, Y, cv=outer, error_score="raise")
    fits = [rows for what, rows, _ in SEEN if what in ("fit", "validate")]
    for number, (_, test) in enumerate(outer.split(X)):
        per_split = fits[number * 9 : number * 9 + 9]  # two inner splits and the search's refit
        assert len(per_split) == 9
        assert not set(test) & {row for rows in per_split for row in rows}


def test_search_with_workers_is_equal_to_that_of_scikit_learn():
    model = make_pipeline(
        StandardScaler(),
        EarlyStopping(HistGradientBoostingRegressor(random_state=0), random_state=0),
    )
    grid = {"earlystopping__estimator__learning_rate": [0.1, 0.3], "earlystopping__max_iter": [50]}
    theirs = GridSearchCV(model, grid, cv=3).fit(*DIABETES)
    ours = DistributedSearchCV(model, grid, cv=3, n_jobs=2).fit(*DIABETES)
    for key in ("split0_test_score", "mean_test_score"):
        np.testing.assert_array_equal(ours.cv_results_[key], theirs.cv_results_[key])
    best = [s.best_estimator_[-1].best_iteration_ for s in (ours, theirs)]
    assert best[0] == best[1] < 50


def test_family_given_as_a_parameter_travels_to_workers():
    DistributedSearchCV(stopping(), {"patience": [3]}, cv=2, n_jobs=2, error_score="raise").fit(
        X, Y
    )
    assert len(seen("fit")) == 2  # the search's refit, here; the others in the workers


def test_checkpoint_finds_the_same_fit_again(tmp_path):
    grid = {"estimator__patience": [3, 4], "fit_params__known": ["all"]}
    for _ in range(2):
        model = WithFitParams(stopping(), FitParams(known=None))
        search = DistributedSearchCV(model, grid, cv=2, refit=False, checkpoint=str(tmp_path))
        search.fit(X, Y)
    assert len(seen("fit")) == 2 * 2 * 2  # of the first search


def test_other_meta_estimators():
    bagged = BaggingRegressor(stopping(), n_estimators=2, random_state=0)
    bagged.fit(X, Y, sample_weight=np.ones(N))
    TransformedTargetRegressor(stopping(), transformer=StandardScaler()).fit(X, Y)
    two = np.column_stack([Y, -Y])
    assert MultiOutputRegressor(stopping()).fit(X, two).predict(X).shape == (N, 2)
    assert len(seen("fit")) == 2 * (2 + 1 + 2)


def test_multi_output():
    two = np.column_stack([Y, -Y])
    assert stopping().fit(X, two).predict(X).shape == (N, 2)
    assert cross_val_predict(stopping(), X, two, cv=2).shape == (N, 2)


# What is delegated


def test_methods_and_tags_are_those_of_the_estimator():
    classifier = EarlyStopping(HistGradientBoostingClassifier(**HIST))
    assert is_classifier(classifier)
    assert is_classifier(EarlyStopping(make_pipeline(StandardScaler(), classifier.estimator)))
    assert not is_classifier(stopping())
    assert is_regressor(stopping())
    assert not hasattr(stopping(), "predict_proba")
    classifier.fit(IRIS[0], NAMES)
    final = classifier.estimator_
    assert classifier.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    for method in ("predict", "predict_proba", "decision_function"):
        got = getattr(classifier, method)(IRIS[0])
        np.testing.assert_array_equal(got, getattr(final, method)(IRIS[0]))
    wrong, weights = NAMES[::-1], np.arange(150) ** 2
    score = classifier.score(IRIS[0], wrong, sample_weight=weights)
    assert score == final.score(IRIS[0], wrong, sample_weight=weights)
    assert score != final.score(IRIS[0], wrong)
    with pytest.raises(AttributeError):
        stopping().fit(X, Y).classes_  # noqa: B018


# Mistakes


def test_unknown_family_is_an_error_before_any_fit():
    pipeline = make_pipeline(WatchedScaler(), Ridge())
    known = "CatBoost, HistGradientBoosting, Keras (scikeras), LightGBM, XGBoost."
    with pytest.raises(
        FamilyError, match=re.escape(f"stop Ridge: it is of no known family. Known: {known}")
    ):
        EarlyStopping(pipeline).fit(X, Y)
    with pytest.raises(FamilyError, match=r"call register_family\(Family\(\.\.\.\)\)"):
        EarlyStopping(TransformedTargetRegressor(Watched())).fit(X, Y)
    assert not SEEN


def test_all_parameters_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"'patience' .* at least 1") as info:
        stopping(patience=0, max_iter=0, validation_split=1.5).fit(X, Y)
    assert "'max_iter'" in str(info.value)
    assert "a float between 0 and 1, neither included, or a splitter. Got 1.5" in str(info.value)
    with pytest.raises(ValueError, match="'family' parameter of EarlyStopping must be 'auto' or"):
        stopping(family="LightGBM").fit(X, Y)
    assert not SEEN


def test_missing_target_and_single_row_are_errors():
    with pytest.raises(ValueError, match="requires y to be passed"):
        stopping().fit(X, None)
    classifier = EarlyStopping(HistGradientBoostingClassifier())
    for model, y in ((stopping(), Y), (classifier, NAMES)):
        with pytest.raises(ValueError, match="n_samples=1"):
            model.fit(X[:1], y[:1])


# Families


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(early_stopping._registry, "_REGISTERED", [])


@pytest.mark.usefixtures("registry")
def test_registered_family_is_found_and_can_be_replaced():
    early_stopping.register_family(FAMILY)
    assert EarlyStopping(Watched()).fit(X, Y).best_iteration_ == 7
    other = dataclasses.replace(FAMILY, fit_with_validation=_validate_and_one)
    early_stopping.register_family(other)
    assert EarlyStopping(Watched()).fit(X, Y).best_iteration_ == 1
    assert [family.name for family in early_stopping.all_families()].count("watched") == 1
    early_stopping.register_family(dataclasses.replace(FAMILY, name="the last"))
    assert EarlyStopping(Watched()).fit(X, Y).best_iteration_ == 7
    with pytest.raises(FamilyError, match=r"Not a skdistsearch.early_stopping.Family: 'mine'"):
        early_stopping.register_family("mine")


def test_subclasses_are_of_their_family():
    class Mine(HistGradientBoostingRegressor):
        pass

    assert early_stopping.find_family(Mine()).name == "HistGradientBoosting"
    assert not is_a(BaseEstimator(), "lightgbm", "BaseEstimator")


@pytest.mark.parametrize("name", ["n_estimators", "num_boost_round"])
def test_lightgbm_iterations_under_any_name(name):
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    model = lightgbm.LGBMRegressor(**{**LGBM, name: 20}, early_stopping_round=3)
    early_stopping.find_family(model).set_iterations(model, 4)
    assert model.get_params()[name] == 4
    assert model.get_params()["early_stopping_round"] is None


def test_lightgbm_dart_cannot_stop_early():
    lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is optional")
    with pytest.raises(ValueError, match="no early stopping for boosting_type='dart'"):
        EarlyStopping(lightgbm.LGBMRegressor(boosting_type="dart", **LGBM)).fit(X, Y)
