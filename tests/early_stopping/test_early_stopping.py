"""`EarlyStopping`: the rows of its fits, parameters of fit, searches, delegated methods."""

import importlib.util

import numpy as np
import pytest
import sklearn
from helpers.probe_family import (
    CALLS,
    N,
    ProbeRegressor,
    ProbeScaler,
    X,
    Y,
    rows_of,
    stopping,
)
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    BaggingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdistsearch import DistributedSearchCV, EarlyStopping
from skdistsearch.contenders._fit_params import FitParams, WithFitParams

DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
HIST = {"max_iter": 20, "min_samples_leaf": 5}
LGBM = {"n_estimators": 20, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}
HAS_LIGHTGBM = importlib.util.find_spec("lightgbm") is not None


# scikit-learn's common checks


def estimators_to_check():
    yield EarlyStopping(HistGradientBoostingRegressor(**HIST))
    yield EarlyStopping(HistGradientBoostingClassifier(**HIST))
    pipeline = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(**HIST))
    yield EarlyStopping(pipeline)
    if HAS_LIGHTGBM:  # not in the oldest environment
        from lightgbm import LGBMClassifier, LGBMRegressor

        yield EarlyStopping(LGBMRegressor(**LGBM))
        yield EarlyStopping(LGBMClassifier(**LGBM))


def has_model(*names):
    return lambda stopping: type(stopping.estimator).__name__ in names


# Checks that fail: for which models, why, and True if the model alone fails them too.
WEIGHTS_ARE_NOT_ROWS = (
    lambda stopping: True,
    "a row of weight 2 is in one part but two equal rows may be in both, so the splits differ",
    False,
)


EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS_ARE_NOT_ROWS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS_ARE_NOT_ROWS,
    "check_all_zero_sample_weights_error": (
        has_model("LGBMRegressor", "LGBMClassifier"),
        "LightGBM accepts weights that are all zero",
        True,
    ),
    "check_estimators_nan_inf": (
        has_model("Pipeline"),
        "the tags of a pipeline do not show that all of its steps accept NaN",
        True,
    ),
}


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings on purpose
@parametrize_with_checks(list(estimators_to_check()))
def test_common_checks(estimator, check):
    try:
        check(clone(estimator))
    except pytest.skip.Exception:
        raise
    except Exception:
        name = getattr(check, "func", check).__name__
        affects, reason, model_fails_too = EXPECTED.get(name, (lambda stopping: False, "", False))
        if not affects(estimator):
            raise
        if model_fails_too:
            with pytest.raises(Exception):  # noqa: B017, PT011 - the exception depends on the check
                check(clone(estimator.estimator))
        pytest.xfail(reason)


# Rows of the fits


def test_first_fit_excludes_validation_data_and_second_uses_all_rows():
    model = stopping().fit(X, Y)
    inner, whole = rows_of("fit")
    (validation,) = rows_of("validate")
    assert len(validation) == 8
    assert sorted(inner + validation) == whole == list(range(N))
    assert (model.best_iteration_, model.n_iter_) == (7, 7)
    assert [params["iterations"] for action, _, params in CALLS if action == "fit"] == [50, 7]


def test_without_refit_validation_data_is_never_fitted():
    model = stopping(refit=False).fit(X, Y)
    (inner,) = rows_of("fit")
    assert len(inner) == 32
    np.testing.assert_array_equal(model.predict(X[:1]), Y[inner].mean())


@pytest.mark.parametrize(("rescale_iterations", "n"), [(False, 7), (True, 9)])
def test_rescaling_multiplies_iterations_by_the_ratio_of_rows(rescale_iterations, n):
    model = stopping(rescale_iterations=rescale_iterations).fit(X, Y)
    assert (model.best_iteration_, model.n_iter_) == (7, n)
    assert model.estimator_.iterations == n


def test_family_without_history_gives_none():
    model = stopping().fit(X, Y)
    assert model.validation_history_ is None
    assert model.validation_metric_ is None


def test_max_iter_limits_the_first_fit():
    model = stopping(max_iter=5).fit(X, Y)
    assert [params["iterations"] for action, _, params in CALLS if action == "fit"] == [5, 5]
    assert model.best_iteration_ == 5
    assert model.estimator.iterations == 50


def test_inner_pipeline_is_first_fitted_without_validation_data():
    pipeline = Pipeline([("scaler", ProbeScaler()), ("model", ProbeRegressor())])
    model = stopping(pipeline).fit(X, Y)
    inner, whole = rows_of("fit")
    assert rows_of("scaler fit") == [inner, whole]
    assert rows_of("scaler transform")[1] == rows_of("validate")[0]
    assert whole == list(range(N))
    assert model.estimator_["model"].iterations == 7


def test_nested_pipelines():
    inner = make_pipeline(ProbeScaler(), ProbeRegressor())
    model = stopping(make_pipeline(ProbeScaler(), inner)).fit(X, Y)
    assert [len(rows) for rows in rows_of("scaler fit")] == [32, 32, 40, 40]
    assert [len(rows) for rows in rows_of("fit")] == [32, 40]
    assert len(model.predict(X)) == N


def test_pipeline_without_refit_equals_fit_without_validation_data():
    pipeline = make_pipeline(StandardScaler(), HistGradientBoostingRegressor(random_state=0))
    model = EarlyStopping(pipeline, refit=False, random_state=3).fit(*DIABETES)
    X_in, _, y_in, _ = train_test_split(*DIABETES, test_size=0.2, random_state=3)
    final = clone(pipeline)
    final[-1].set_params(max_iter=model.best_iteration_, early_stopping=False)
    np.testing.assert_array_equal(
        model.predict(DIABETES[0]), final.fit(X_in, y_in).predict(DIABETES[0])
    )


def test_early_stopping_as_last_step_of_a_pipeline():
    pipeline = make_pipeline(ProbeScaler(), stopping())
    pipeline.fit(X, Y)
    assert rows_of("scaler fit") == [list(range(N))]
    assert [len(rows) for rows in rows_of("fit")] == [32, 40]


# Parameters of fit


@pytest.mark.parametrize("name", ["sample_weight", "model__sample_weight"])
def test_weights_reach_the_model_of_a_pipeline(name):
    weights = np.arange(N) + 1.0
    pipeline = Pipeline([("scaler", ProbeScaler()), ("model", ProbeRegressor())])
    stopping(pipeline).fit(X, Y, **{name: weights})
    for action, rows, params in CALLS:
        if action in ("fit", "validate"):
            given = params.get("weights", params.get("sample_weight"))
            np.testing.assert_array_equal(given, weights[rows])


@pytest.mark.usefixtures("routing")
def test_metadata_is_routed_under_other_names():
    weights = np.arange(N) + 1.0
    model = ProbeRegressor().set_fit_request(sample_weight="mine", extra=False, known=False)
    pipeline = Pipeline([("scaler", ProbeScaler()), ("model", model)])
    outer = make_pipeline(ProbeScaler(), stopping(pipeline))
    outer.fit(X, Y, mine=weights)
    for action, rows, params in CALLS:
        if action in ("fit", "validate"):
            given = params.get("weights", params.get("sample_weight"))
            np.testing.assert_array_equal(given, weights[rows])
    assert len(rows_of("fit")) == 2


@pytest.mark.usefixtures("routing")
def test_groups_are_requested_by_default():
    groups = np.arange(N) % 8
    search = GridSearchCV(stopping(), {"patience": [3]}, cv=GroupKFold(4), error_score="raise")
    search.fit(X, Y, groups=groups)
    for validation, fitted in zip(rows_of("validate"), rows_of("fit")[::2], strict=True):
        assert not set(groups[validation]) & set(groups[fitted])


@pytest.mark.usefixtures("routing")
def test_model_decides_about_weights_and_may_request_groups():
    weights, groups = np.arange(N) + 1.0, np.arange(N) % 8
    model = ProbeRegressor().set_fit_request(sample_weight=True, extra="groups", known=False)
    make_pipeline(stopping(model)).fit(X, Y, sample_weight=weights, groups=groups)
    fits = [(rows, params) for action, rows, params in CALLS if action == "fit"]
    assert len(fits) == 2
    for rows, params in fits:
        np.testing.assert_array_equal(params["weights"], weights[rows])
        np.testing.assert_array_equal(params["extra"], groups[rows])


@pytest.mark.usefixtures("routing")
def test_unrequested_metadata_is_an_error():
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        stopping().fit(X, Y, sample_weight=np.ones(N))
    assert not CALLS


# Inside searches


def check_scoring_folds_are_not_used(splits):
    """Check that each pair of fits used the training rows of its split, and no others."""
    inner, whole, validation = rows_of("fit")[::2], rows_of("fit")[1::2], rows_of("validate")
    for (train, test), *rows in zip(splits, inner, whole, validation, strict=True):
        first, second, third = rows
        assert sorted(first + third) == sorted(second) == train.tolist()
        assert not set(first + second + third) & set(test)


def test_cross_val_score_does_not_train_on_scoring_folds():
    cv = KFold(4, shuffle=True, random_state=0)
    cross_val_score(stopping(), X, Y, cv=cv, error_score="raise")
    check_scoring_folds_are_not_used(list(cv.split(X)))


@pytest.mark.parametrize("search_class", [GridSearchCV, DistributedSearchCV])
def test_searches_do_not_train_on_scoring_folds(search_class):
    cv = KFold(4)
    grid = {"patience": [3, 4], "estimator__stops_at": [5]}
    search = search_class(stopping(), grid, cv=cv, refit=False, error_score="raise").fit(X, Y)
    check_scoring_folds_are_not_used(list(cv.split(X)) * 2)
    assert search.best_index_ == 0


def test_nested_search_does_not_train_on_outer_fold():
    outer, inner = KFold(3), KFold(2)
    search = GridSearchCV(stopping(), {"patience": [3]}, cv=inner, error_score="raise")
    cross_val_score(search, X, Y, cv=outer, error_score="raise")
    fits = [rows for action, rows, _ in CALLS if action in ("fit", "validate")]
    for number, (_, test) in enumerate(outer.split(X)):
        per_split = fits[
            number * 9 : number * 9 + 9
        ]  # two inner splits and the refit of the search
        assert len(per_split) == 9
        assert not set(test) & {row for rows in per_split for row in rows}


def test_search_with_workers_equals_that_of_scikit_learn():
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


def test_family_parameter_is_sent_to_workers():
    DistributedSearchCV(stopping(), {"patience": [3]}, cv=2, n_jobs=2, error_score="raise").fit(
        X, Y
    )
    assert len(rows_of("fit")) == 2  # of the refit in this process; the others ran in workers


def test_checkpoint_reuses_equal_fits(tmp_path):
    grid = {"estimator__patience": [3, 4], "fit_params__known": ["all"]}
    for _ in range(2):
        model = WithFitParams(stopping(), FitParams(known=None))
        search = DistributedSearchCV(model, grid, cv=2, refit=False, checkpoint=str(tmp_path))
        search.fit(X, Y)
    assert len(rows_of("fit")) == 2 * 2 * 2  # all by the first search


def test_other_meta_estimators():
    bagged = BaggingRegressor(stopping(), n_estimators=2, random_state=0)
    bagged.fit(X, Y, sample_weight=np.ones(N))
    TransformedTargetRegressor(stopping(), transformer=StandardScaler()).fit(X, Y)
    two = np.column_stack([Y, -Y])
    assert MultiOutputRegressor(stopping()).fit(X, two).predict(X).shape == (N, 2)
    assert len(rows_of("fit")) == 2 * (2 + 1 + 2)


def test_multi_output():
    two = np.column_stack([Y, -Y])
    assert stopping().fit(X, two).predict(X).shape == (N, 2)
    assert cross_val_predict(stopping(), X, two, cv=2).shape == (N, 2)


# Delegated methods


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


# Errors


def test_all_parameters_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"'patience' .* at least 1") as info:
        stopping(patience=0, max_iter=0, validation_split=1.5).fit(X, Y)
    assert "'max_iter'" in str(info.value)
    assert "'validation_split' parameter of EarlyStopping must be a float" in str(info.value)
    assert "less than 1, or a splitter. Got 1.5" in str(info.value)
    with pytest.raises(ValueError, match="'family' parameter of EarlyStopping must be 'auto' or"):
        stopping(family="LightGBM").fit(X, Y)
    assert not CALLS


def test_missing_target_and_single_row_are_errors():
    with pytest.raises(ValueError, match="requires y to be passed"):
        stopping().fit(X, None)
    classifier = EarlyStopping(HistGradientBoostingClassifier())
    for model, y in ((stopping(), Y), (classifier, NAMES)):
        with pytest.raises(ValueError, match="n_samples=1"):
            model.fit(X[:1], y[:1])
