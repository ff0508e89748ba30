"""Adapters for predictions that already exist: scores, labels and array shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import check_scoring

from skdistsearch._typing import ArrayLike

Predictions: TypeAlias = NDArray[np.float64]
"""Numbers of shape (n_rows,) or (n_rows, n_columns), or with the candidates as a first axis."""
Labels: TypeAlias = NDArray[Any] | list[NDArray[Any]]
"""The sorted class labels; a list of such arrays if a row has several labels."""
Classes: TypeAlias = Labels | None
"""The class labels; None for regressors."""
Scoring: TypeAlias = str | Callable[..., float] | None
"""scikit-learn's ``scoring`` for one metric."""
Scorer: TypeAlias = Callable[[Predictions, NDArray[Any]], float]
"""Function of predictions and true targets of the same rows; greater is better."""


class PredictedTargets(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose predictions already exist."""

    def __init__(self, predictions: Any = None) -> None:
        self.predictions: Predictions = predictions

    def fit(self, X: ArrayLike = None, y: ArrayLike = None) -> PredictedTargets:
        """Do nothing."""
        return self

    def predict(self, X: ArrayLike) -> Predictions:
        """Return the predictions, which belong to the rows of X."""
        return self.predictions


class PredictedClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose predictions already exist."""

    def __init__(self, predictions: Any = None, classes: Any = None) -> None:
        self.predictions: Predictions = predictions
        self.classes: Labels = classes

    @property
    def classes_(self) -> Labels:
        """The class labels."""
        return self.classes

    def fit(self, X: ArrayLike = None, y: ArrayLike = None) -> PredictedClasses:
        """Do nothing."""
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most likely label of each row."""
        return most_likely_labels(self.predictions, self.classes)

    def predict_proba(self, X: ArrayLike) -> Predictions:
        """Return the probabilities, which belong to the rows of X."""
        return self.predictions


def make_prediction_scorer(scoring: Scoring, classes: Classes) -> Scorer:
    """Return a function that scores predictions by scikit-learn's ``scoring``.

    The scorer receives row numbers instead of X.
    """
    scorer = check_scoring(as_fitted_model(None, classes), scoring=scoring)

    def score(predictions: Predictions, y: NDArray[Any]) -> float:
        rows = np.arange(len(y))[:, None]
        return float(scorer(as_fitted_model(predictions, classes), rows, y))

    return score


def as_fitted_model(
    predictions: Predictions | None, classes: Classes
) -> PredictedTargets | PredictedClasses:
    """Return a model with the given predictions, for scikit-learn's scorers."""
    if classes is None:
        return PredictedTargets(predictions)
    return PredictedClasses(predictions, classes)


def find_classes(y: NDArray[Any]) -> Labels:
    """Return the sorted labels; a list with the labels of each column if there are several."""
    return np.unique(y) if y.ndim == 1 else [np.unique(column) for column in y.T]


def most_likely_labels(probabilities: Predictions, classes: Labels) -> NDArray[Any]:
    """Return the most likely label of each row; with several labels, 1 where p > 0.5."""
    if isinstance(classes, list):
        return (probabilities > 0.5).astype(int)
    labels: NDArray[Any] = classes[np.argmax(probabilities, axis=1)]
    return labels


def predict_responses(model: Any, X: ArrayLike, classes: Classes) -> Predictions:
    """Return a fitted model's predictions, or its probabilities in the order of ``classes``."""
    if classes is None:
        return as_targets(model.predict(X))
    return as_probabilities(model.predict_proba(X), model.classes_, classes)


def as_targets(predictions: ArrayLike) -> Predictions:
    """Return predictions as floats; a single column becomes a vector."""
    values: Predictions = np.asarray(predictions, dtype=float)
    return values[..., 0] if values.ndim > 1 and values.shape[-1] == 1 else values


def as_probabilities(
    probabilities: ArrayLike, model_classes: Labels, classes: Labels
) -> Predictions:
    """Return one column for each class or, with several labels, for each label.

    ``model_classes`` are the classes that the model knows, in the order of its columns.
    """
    if isinstance(classes, list):
        if isinstance(probabilities, list):
            probabilities = np.hstack(probabilities)
        return positive_columns(np.asarray(probabilities), len(classes))
    values: Predictions = np.asarray(probabilities)
    if len(model_classes) == len(classes):
        return values
    padded = np.zeros((len(values), len(classes)))
    padded[:, np.searchsorted(classes, model_classes)] = values
    return padded


def positive_columns(probabilities: Predictions, n_labels: int) -> Predictions:
    """Return the probability that a row has each label, from one or two columns per label."""
    n_columns = probabilities.shape[-1]
    if n_columns == n_labels:
        return probabilities
    if n_columns == 2 * n_labels:
        return probabilities[..., 1::2]
    raise ValueError(
        f"Probabilities have {n_columns} columns, but {n_labels} labels need one or two columns "
        "each."
    )
