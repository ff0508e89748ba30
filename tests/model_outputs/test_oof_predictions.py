"""``oof_predictions_``: out-of-fold predictions of all candidates."""

import numpy as np
import pandas as pd
import pytest
from helpers.all_outputs import assert_predictions_equal_cross_val_predict
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import (
    KFold,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    cross_val_predict,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skdistsearch import DistributedSearchCV

DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)
MULTILABEL = make_multilabel_classification(80, random_state=0)
X_IRIS, Y_IRIS = IRIS
IRIS_NAMES = np.array(["setosa", "versicolor", "virginica"])
Y_NAMES = IRIS_NAMES[Y_IRIS]

TREE = DecisionTreeClassifier(random_state=0)
LOGISTIC = LogisticRegression(max_iter=1000)
DEPTHS = {"max_depth": [1, 3]}
C_GRID = {"C": [0.1, 1.0]}
# Iris is sorted by class: each training part of these splits lacks one
LACKS_A_CLASS = KFold(3)


@pytest.mark.filterwarnings("ignore:Number of classes in training fold")
@pytest.mark.parametrize(
    ("model", "grid", "data", "keep", "cv"),
    [
        pytest.param(Ridge(), {"alpha": [0.1, 1.0]}, DIABETES, "predictions", 3, id="regression"),
        pytest.param(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": [1, 2]},
            DIABETES,
            "predict",
            3,
            id="pipeline",
        ),
        pytest.param(
            LinearRegression(),
            {},
            (DIABETES[0], np.c_[DIABETES[1], DIABETES[1]]),
            "predict",
            3,
            id="several-outputs",
        ),
        pytest.param(
            LOGISTIC, C_GRID, IRIS, ("predictions", "decision_function"), 3, id="classification"
        ),
        pytest.param(
            SVC(), C_GRID, (X_IRIS, Y_NAMES), ("predict", "decision_function"), 3, id="names"
        ),
        pytest.param(
            SVC(kernel="precomputed"),
            C_GRID,
            (X_IRIS @ X_IRIS.T, Y_IRIS),
            "predict",
            3,
            id="precomputed-kernel",
        ),
        pytest.param(
            TREE, DEPTHS, IRIS, ("predict", "predict_proba"), LACKS_A_CLASS, id="lacks-a-class"
        ),
        pytest.param(
            LOGISTIC, C_GRID, (X_IRIS[:100], Y_IRIS[:100]), "predict_proba", 3, id="binary"
        ),
        pytest.param(
            KNeighborsClassifier(),
            {"n_neighbors": [1, 3]},
            MULTILABEL,
            "predict_proba",
            3,
            id="multilabel",
        ),
        pytest.param(
            RandomForestClassifier(5, random_state=0),
            DEPTHS,
            MULTILABEL,
            ("predictions", "predict"),
            3,
            id="multilabel-forest",
        ),
        pytest.param(
            LOGISTIC,
            C_GRID,
            (sparse.csr_matrix(X_IRIS), Y_NAMES),
            ("predictions", "predict"),
            3,
            id="sparse",
        ),
        pytest.param(
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression__C": [0.1, 1.0]},
            (pd.DataFrame(X_IRIS, columns=list("abcd")), pd.Series(Y_NAMES)),
            ("predictions", "predict"),
            3,
            id="data-frame",
        ),
    ],
)
def test_predictions_equal_those_of_cross_val_predict(model, grid, data, keep, cv):
    search = DistributedSearchCV(model, grid, cv=cv, keep=keep).fit(*data)
    assert_predictions_equal_cross_val_predict(search, *data)


@pytest.mark.parametrize(
    "cv",
    [
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ShuffleSplit(3, test_size=0.3, random_state=0),  # 0 to 3 predictions for a row
        ShuffleSplit(1, random_state=0),
    ],
)
def test_predictions_of_overlapping_splits_are_averaged(cv):
    X, y = DIABETES
    extract = {"first": lambda model: model.coef_[0]}
    search = DistributedSearchCV(
        Ridge(), {}, cv=cv, keep=("predict", "estimators"), extract=extract
    ).fit(X, y)
    sums, counts = np.zeros((2, len(X)))
    for model, (_, test) in zip(search.fold_estimators_[0], cv.split(X, y), strict=True):
        sums[test] += model.predict(X[test])
        counts[test] += 1
    expected = np.where(counts, sums / np.maximum(counts, 1), np.nan)
    np.testing.assert_allclose(search.oof_predictions_["predict"][0], expected, rtol=1e-14)
    assert np.isnan(search.cv_results_["std_error_first"]) == (cv.get_n_splits() == 1)


@pytest.mark.filterwarnings("ignore:Number of classes in training fold")
@pytest.mark.parametrize("n_repeats", [2, 3])
def test_averaged_decisions_for_classes_that_no_model_knows_are_finite(n_repeats):
    X, y = X_IRIS[:148], np.arange(148) // 37
    lacks_a_class = KFold(4)
    search = DistributedSearchCV(
        LOGISTIC, {}, cv=list(lacks_a_class.split(X)) * n_repeats, keep="decision_function"
    )
    decisions = search.fit(X, y).oof_predictions_["decision_function"]
    once = cross_val_predict(LOGISTIC, X, y, cv=lacks_a_class, method="decision_function")
    assert (once < -1e300).any()
    np.testing.assert_allclose(decisions[0], once, rtol=1e-14)


def test_labels_of_overlapping_splits_are_an_error():
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    with pytest.raises(ValueError, match="several models predict for a row cannot be averaged"):
        DistributedSearchCV(TREE, DEPTHS, cv=cv, keep="predict").fit(*IRIS)


def test_rows_without_a_prediction_are_nan():
    fold = np.r_[np.full(100, -1), np.arange(50) % 2]
    order = np.random.default_rng(0).permutation(150)
    search = DistributedSearchCV(
        TREE, DEPTHS, cv=PredefinedSplit(fold), keep=("predict", "predictions")
    ).fit(X_IRIS[order], Y_NAMES[order])
    predictions = search.oof_predictions_
    is_never_tested = (fold < 0).tolist()
    assert pd.isna(predictions["predict"]).any(axis=0).tolist() == is_never_tested
    assert np.isnan(predictions["predict_proba"]).any(axis=(0, 2)).tolist() == is_never_tested


class OneColumnPerLabel(KNeighborsClassifier):
    """For several labels, predicts only the probability that each is present, as networks do."""

    def predict_proba(self, X):
        return np.column_stack([pair[:, 1] for pair in super().predict_proba(X)])


def test_multilabel_probabilities_with_one_and_two_columns_are_combined():
    X, y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    grid = {"model": [KNeighborsClassifier(3), OneColumnPerLabel(3)]}
    pipe = Pipeline([("model", KNeighborsClassifier())])
    search = DistributedSearchCV(pipe, grid, cv=KFold(3), keep="predict_proba").fit(X, y)
    expected = cross_val_predict(
        pipe.set_params(model__n_neighbors=3), X, y, cv=KFold(3), method="predict_proba"
    )
    for label, probabilities in enumerate(search.oof_predictions_["predict_proba"]):
        for candidate in (0, 1):
            np.testing.assert_allclose(probabilities[candidate], expected[label])


class RepeatedColumns(Ridge):
    """Predicts ``width`` equal columns."""

    def __init__(self, width=1):
        super().__init__()
        self.width = width

    def predict(self, X):
        return np.column_stack([super().predict(X)] * self.width)

    def score(self, X, y):
        return 0.0


def test_predictions_of_different_shapes_are_a_warning():
    search = DistributedSearchCV(RepeatedColumns(), {"width": [2, 3]}, cv=2, keep="predict")
    message = r"different shapes for a row, \(2,\) and \(3,\), which cannot be combined"
    with pytest.warns(UserWarning, match=message):
        search.fit(*DIABETES)
    assert search.oof_predictions_ == {}
    assert len(search.cv_results_["params"]) == 2
