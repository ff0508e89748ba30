"""Functions of scikit-learn that use joblib, each called once, for one process and for many.

The sum of probabilities of a bagging ensemble depends on the number of processes: it is compared
with joblib's own processes.
"""

import contextlib

import joblib
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import BaggingClassifier, RandomForestRegressor, StackingRegressor
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skdistsearch import DistributedSearchCV

X, y = load_diabetes(return_X_y=True)
X_two, y_two = load_breast_cancer(return_X_y=True)
X_two = X_two[::3]
y_two = y_two[::3]
classifier = make_pipeline(StandardScaler(), LogisticRegression())


def validate():
    scores = cross_validate(
        Ridge(), X, y, cv=3, scoring=("r2", "neg_mean_squared_error"), return_train_score=True
    )
    return {name: values for name, values in scores.items() if "time" not in name}


def validate_with_estimators():
    return [
        model.coef_ for model in cross_validate(Ridge(), X, y, return_estimator=True)["estimator"]
    ]


def importances():
    model = RandomForestRegressor(5, random_state=0).fit(X, y)
    return permutation_importance(model, X, y, n_repeats=2, random_state=0).importances


def eliminate():
    selector = RFECV(Ridge(), cv=3).fit(X, y)
    return selector.ranking_, selector.cv_results_["mean_test_score"]


def stack():
    return StackingRegressor([("a", Ridge()), ("b", Ridge(alpha=3))], cv=3).fit(X, y).predict(X)


def bag():
    return BaggingClassifier(classifier, 4, random_state=0).fit(X_two, y_two).predict(X_two)


def bag_probabilities():
    return BaggingClassifier(classifier, 4, random_state=0).fit(X_two, y_two).predict_proba(X_two)


def grid_search():
    return GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=3).fit(X, y).cv_results_["mean_test_score"]


def local_search():
    grid = {"alpha": [0.1, 1]}
    search = DistributedSearchCV(Ridge(), grid, cv=3, keep=("predictions",)).fit(X, y)
    return search.cv_results_["mean_test_score"], search.oof_predictions_["predict"]


def nested():
    inner = GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2)
    return cross_val_score(inner, X, y, cv=3)


FUNCTIONS = {
    "cross_validate": validate,
    "cross_validate(return_estimator)": validate_with_estimators,
    "cross_val_predict": lambda: cross_val_predict(
        classifier, X_two, y_two, cv=3, method="predict_proba"
    ),
    "learning_curve": lambda: learning_curve(Ridge(), X, y, cv=3)[1:],
    "validation_curve": lambda: validation_curve(
        Ridge(), X, y, param_name="alpha", param_range=[0.1, 1.0], cv=3
    ),
    "permutation_test_score": lambda: permutation_test_score(
        Ridge(), X, y, cv=3, n_permutations=4, random_state=0
    )[:2],
    "permutation_importance": importances,
    "RFECV": eliminate,
    "SequentialFeatureSelector": lambda: (
        SequentialFeatureSelector(Ridge(), n_features_to_select=2, cv=2).fit(X[:, :4], y).support_
    ),
    "CalibratedClassifierCV": lambda: (
        CalibratedClassifierCV(classifier, cv=3).fit(X_two, y_two).predict_proba(X_two)
    ),
    "OneVsRestClassifier": lambda: (
        OneVsRestClassifier(classifier).fit(X_two, y_two).predict_proba(X_two)
    ),
    "LogisticRegressionCV": lambda: (
        LogisticRegressionCV(
            Cs=3, cv=3, scoring="accuracy", l1_ratios=(0.0,), use_legacy_attributes=True
        )
        .fit(X_two, y_two)
        .coef_
        if "use_legacy_attributes" in LogisticRegressionCV().get_params()
        else LogisticRegressionCV(Cs=3, cv=3).fit(X_two, y_two).coef_
    ),
    "StackingRegressor": stack,
    "BaggingClassifier": bag,
    "BaggingClassifier.predict_proba": bag_probabilities,
    "GridSearchCV": grid_search,
    "DistributedSearchCV": local_search,
    "nested GridSearchCV": nested,
}


def run_here(name):
    """Call a function without any backend, in one process or as many as it is compared with."""
    here = contextlib.nullcontext()
    if name == "BaggingClassifier.predict_proba":
        here = joblib.parallel_config("loky", n_jobs=2)
    with threadpool_limits(1), here:
        return FUNCTIONS[name]()


def assert_equal(found, expected):
    if isinstance(expected, dict):
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list | tuple):
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    else:
        np.testing.assert_array_equal(found, expected)
