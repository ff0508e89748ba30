"""Predictions that are there already, as scorers and ensembles want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import check_scoring

Score = Callable[[Any, Any], float]
"""Of predictions and true targets of the same rows; greater is better."""


class PredictedTargets(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor that has predicted already."""

    def __init__(self, predictions: Any = None) -> None:
        self.predictions = predictions

    def fit(self, X: Any = None, y: Any = None) -> PredictedTargets:
        """Nothing is left to be learnt."""
        return self

    def predict(self, X: Any) -> Any:
        """The predictions of the rows that there are."""
        return self.predictions


class PredictedClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that has predicted already."""

    def __init__(self, predictions: Any = None, classes: Any = None) -> None:
        self.predictions = predictions
        self.classes = classes

    @property
    def classes_(self) -> Any:
        """The labels."""
        return self.classes

    def fit(self, X: Any = None, y: Any = None) -> PredictedClasses:
        """Nothing is left to be learnt."""
        return self

    def predict(self, X: Any) -> Any:
        """The likeliest label of each row that there is."""
        return labels(self.predictions, self.classes)

    def predict_proba(self, X: Any) -> Any:
        """The probabilities of the rows that there are."""
        return self.predictions


def score_by(scoring: Any, classes: Any) -> Score:
    """A score of predictions, from what scikit-learn knows as ``scoring``.

    ``classes`` is None for a regressor. Of X the scorer sees the numbers of rows only.
    """
    scorer = check_scoring(as_model(None, classes), scoring=scoring)

    def score(predictions: Any, y: Any) -> float:
        rows = np.arange(len(y))[:, None]
        return float(scorer(as_model(predictions, classes), rows, y))

    return score


def as_model(predictions: Any, classes: Any) -> Any:
    """What a scorer takes for the fitted model that has made the predictions."""
    if classes is None:
        return PredictedTargets(predictions)
    return PredictedClasses(predictions, classes)


def classes_of(y: Any) -> Any:
    """The labels, sorted; for each column if there are several."""
    return np.unique(y) if y.ndim == 1 else [np.unique(column) for column in y.T]


def labels(probabilities: Any, classes: Any) -> Any:
    """The likeliest label of each row; of several labels, those likelier than not."""
    if isinstance(classes, list):
        return (probabilities > 0.5).astype(int)
    return classes[np.argmax(probabilities, axis=1)]


def responses(model: Any, X: Any, classes: Any) -> Any:
    """A fitted model's predictions, or probabilities in the order of ``classes``."""
    if classes is None:
        return targets(model.predict(X))
    return probabilities(model.predict_proba(X), model.classes_, classes)


def targets(found: Any) -> Any:
    """One column of predictions as a vector."""
    found = np.asarray(found, dtype=float)
    return found[..., 0] if found.ndim > 1 and found.shape[-1] == 1 else found


def probabilities(found: Any, seen: Any, classes: Any) -> Any:
    """A column for each class; of several labels, the probability of each."""
    if isinstance(classes, list):
        if isinstance(found, list):
            found = np.hstack(found)
        return positive(np.asarray(found), len(classes))
    found = np.asarray(found)
    if len(seen) == len(classes):
        return found
    whole = np.zeros((len(found), len(classes)))
    whole[:, np.searchsorted(classes, seen)] = found
    return whole


def positive(found: Any, n_labels: int) -> Any:
    """Of several labels the probability that each is there, out of one or two columns each."""
    if found.shape[-1] == n_labels:
        return found
    if found.shape[-1] == 2 * n_labels:
        return found[..., 1::2]
    raise ValueError(
        f"Probabilities have {found.shape[-1]} columns: there must be one or two for each of the "
        f"{n_labels} labels."
    )
