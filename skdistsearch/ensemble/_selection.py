"""Ways to combine candidates by their out-of-fold predictions: weights, or a meta-model.

Predictions are arrays of shape (n_candidates, n_rows) or (n_candidates, n_rows, n_columns).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.multioutput import MultiOutputClassifier

from skdistsearch._typing import Estimator
from skdistsearch._validation import estimator_type, is_integer
from skdistsearch.ensemble._named_estimators import NamedEstimators
from skdistsearch.ensemble._predictions import (
    Classes,
    Labels,
    Predictions,
    Scorer,
    predict_responses,
)

Mask: TypeAlias = NDArray[np.bool_]
"""The rows of one fold."""
Weights: TypeAlias = NDArray[np.float64]
"""One number for each candidate."""

FoldScores: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Scores on each fold: those of the blends, and those of the best candidates."""

MAX_ROUNDS = 100  # so that weights are multiples of at least one hundredth
PATIENCE = 10  # rounds of greedy selection without a better score
MIN_RELATIVE_WEIGHT = 1e-3  # a member with less weight is not worth its fit


@dataclass(frozen=True)
class Blend:
    """A rule that combines the predictions of some candidates."""

    candidates: NDArray[np.intp]
    """Numbers of the candidates, best first."""
    weights: Weights | None
    """Weights of the candidates, or None if there is a meta-model."""
    meta_model: Any = None
    """The fitted meta-model."""
    classes: Classes = None
    """Class labels, if the candidates are classifiers."""

    def combine(self, predictions: Predictions) -> Predictions:
        """Return one prediction for each row, from those of the blend's candidates."""
        if self.weights is None:
            features = meta_features(predictions, self.classes)
            return predict_responses(self.meta_model, features, self.classes)
        combined: Predictions = np.tensordot(self.weights, predictions, axes=1)
        return combined


@dataclass(frozen=True)
class Selection:
    """The selected blend, and scores on the rows that were used to select it."""

    blend: Blend
    """The blend."""
    score: float
    """Out-of-fold score of the blend; with a meta-model, cross-fitted."""
    best: int
    """Number of the best single candidate."""
    best_score: float
    """Out-of-fold score of the best single candidate."""
    used_fallback: bool
    """True if the method's own blend was worse than the best candidate, which replaces it."""


@dataclass(frozen=True)
class EnsembleSelector:
    """A selection method with its settings."""

    method: str
    """One of `METHODS`."""
    n_best: int | None
    """Maximum number of candidates, or None for all."""
    scorer: Scorer
    """Score of predictions; greater is better."""
    classes: Classes
    """Class labels; None for regressors."""
    meta_model: Any
    """The meta-model of ``method="stack"``, not fitted."""

    def select(self, predictions: Predictions, y: NDArray[Any], folds: Sequence[Mask]) -> Selection:
        """Select a blend by the predictions of all candidates for the same rows."""
        scores = np.array([self._score(candidate, y) for candidate in predictions])
        candidates = np.argsort(-scores, kind="stable")[: self.n_best]
        best, best_score = int(candidates[0]), float(scores[candidates[0]])
        blend, score = self._make_blend(candidates, predictions[candidates], y, folds)
        if used_fallback := not score >= best_score:
            blend = Blend(candidates[:1], np.ones(1), None, self.classes)
            score = best_score
        return Selection(blend, score, best, best_score, used_fallback)

    def selection_cv_scores(
        self, predictions: Predictions, y: NDArray[Any], folds: Sequence[Mask]
    ) -> FoldScores:
        """Return the scores on each fold of the selection that was made on the other folds.

        The candidates' predictions for the other folds come from models that have seen the fold.
        """
        folds = usable_folds(folds, len(y))
        scores = []
        for number, fold in enumerate(folds):
            other_folds = [other[~fold] for n, other in enumerate(folds) if n != number]
            selection = self.select(predictions[:, ~fold], y[~fold], other_folds)
            scores.append(self._score_selection(selection, predictions[:, fold], y[fold]))
        return _by_model(scores)

    def nested_scores(
        self,
        predictions: Predictions,
        y: NDArray[Any],
        folds: Sequence[Mask],
        inner_predictions: Mapping[int, Predictions],
    ) -> FoldScores:
        """Return the scores on each fold of what has not seen the fold: selection and models.

        ``inner_predictions`` are those of `predict_fold_pairs`: by the number of a fold, the
        predictions of models that have not seen it. Other folds are left out.
        """
        scores = []
        for number, inner in sorted(inner_predictions.items()):
            rows = np.isfinite(inner).reshape(*inner.shape[:2], -1).all(axis=(0, 2))
            other_folds = [other[rows] for n, other in enumerate(folds) if n != number]
            selection = self.select(inner[:, rows], y[rows], other_folds)
            fold = folds[number]
            scores.append(self._score_selection(selection, predictions[:, fold], y[fold]))
        return _by_model(scores)

    def _score_selection(
        self, selection: Selection, predictions: Predictions, y: NDArray[Any]
    ) -> tuple[float, float]:
        """Return the scores of the blend and of the best candidate on other rows."""
        blend = selection.blend
        combined = blend.combine(predictions[blend.candidates])
        return self._score(combined, y), self._score(predictions[selection.best], y)

    def _make_blend(
        self,
        candidates: NDArray[np.intp],
        predictions: Predictions,
        y: NDArray[Any],
        folds: Sequence[Mask],
    ) -> tuple[Blend, float]:
        """Return the method's blend of the given candidates, and its score."""
        if self.method == "stack":
            return self._fit_meta_model(candidates, predictions, y, folds)
        weights = _WEIGHTS[self.method](self, predictions, y)
        used = weights > 0
        blend = Blend(candidates[used], weights[used], None, self.classes)
        return blend, self._score(blend.combine(predictions[used]), y)

    def _fit_meta_model(
        self,
        candidates: NDArray[np.intp],
        predictions: Predictions,
        y: NDArray[Any],
        folds: Sequence[Mask],
    ) -> tuple[Blend, float]:
        features = meta_features(predictions, self.classes)
        cross_fitted = np.zeros_like(predictions[0])
        for fold in usable_folds(folds, len(y)):
            model = clone(self.meta_model).fit(features[~fold], y[~fold])
            cross_fitted[fold] = predict_responses(model, features[fold], self.classes)
        model = clone(self.meta_model).fit(features, y)
        return Blend(candidates, None, model, self.classes), self._score(cross_fitted, y)

    def _score(self, predictions: Predictions, y: NDArray[Any]) -> float:
        """Return the score; one that cannot be computed is the worst."""
        return float(np.nan_to_num(self.scorer(predictions, y), nan=-np.inf))

    def greedy_weights(self, predictions: Predictions, y: NDArray[Any]) -> Weights:
        """Select with replacement: each round adds the candidate that helps most."""
        counts = np.zeros(len(predictions))
        total = np.zeros_like(predictions[0])
        best_score, best_size, weights = -np.inf, 0, counts
        for size in range(1, MAX_ROUNDS + 1):
            scores = [self._score((total + candidate) / size, y) for candidate in predictions]
            added = int(np.argmax(scores))  # of several, the candidate with the best own score
            total = total + predictions[added]
            counts[added] += 1
            if size == 1 or scores[added] > best_score:
                best_score, best_size, weights = scores[added], size, counts / size
            elif size - best_size == PATIENCE:
                break
        return weights

    def mean_weights(self, predictions: Predictions, y: NDArray[Any]) -> Weights:
        """Return equal weights for the k best candidates, for the best k."""
        sums = np.cumsum(predictions, axis=0)
        scores = [self._score(total / (k + 1), y) for k, total in enumerate(sums)]
        k = int(np.argmax(scores)) + 1
        weights: Weights = np.where(np.arange(len(predictions)) < k, 1 / k, 0.0)
        return weights

    def fitted_weights(self, predictions: Predictions, y: NDArray[Any]) -> Weights:
        """Return weights with the least squared error or, for classifiers, maximum likelihood."""
        if self.classes is None:
            weights = least_squares_weights(predictions, y)
        else:
            weights = max_likelihood_weights(true_class_probabilities(predictions, y, self.classes))
        weights = np.where(weights < MIN_RELATIVE_WEIGHT * weights.max(), 0.0, weights)
        return _normalize(weights)


_WEIGHTS: dict[str, Callable[[EnsembleSelector, Predictions, NDArray[Any]], Weights]] = {
    "greedy": EnsembleSelector.greedy_weights,
    "mean": EnsembleSelector.mean_weights,
    "weighted": EnsembleSelector.fitted_weights,
}
METHODS = sorted([*_WEIGHTS, "stack"])


def check_method(
    method: str,
    n_best: object,
    final_estimator: Estimator | None,
    estimators: NamedEstimators,
    kind: str | None,
) -> list[str]:
    """Check the parameters of the method; ``kind`` is the type of the estimators if it is known."""
    errors = []
    if method not in METHODS:
        errors.append(f"method={method!r} must be one of: {', '.join(METHODS)}.")
    if n_best is not None and not is_integer(n_best, least=1):
        errors.append(f"n_best={n_best!r} must be None or an integer of at least 1.")
    if method == "stack" and final_estimator is not None and kind is not None:
        if estimator_type(final_estimator) != kind:
            errors.append(f"final_estimator must be a {kind}, like the estimators.")
        estimators = [*estimators, ("final_estimator", final_estimator)]
    if kind == "classifier":
        errors += [
            f"{name} ({type(model).__name__}) has no predict_proba, which an Ensemble combines."
            for name, model in estimators
            if not hasattr(model, "predict_proba")
        ]
    return errors


def default_meta_model(classes: Classes) -> Estimator:
    """Return the meta-model to use if ``final_estimator`` is not set."""
    model: Estimator
    if classes is None:
        model = RidgeCV()
    elif isinstance(classes, list):
        model = MultiOutputClassifier(LogisticRegression(max_iter=1000))
    else:
        model = LogisticRegression(max_iter=1000)
    return model


def _by_model(scores: Sequence[tuple[float, float]]) -> FoldScores:
    blends, best_candidates = np.array(scores).T
    return blends, best_candidates


def usable_folds(folds: Sequence[Mask], n_rows: int) -> Sequence[Mask]:
    """Return the folds that have some rows but not all; five random ones if fewer than two."""
    folds = [fold for fold in folds if fold.any() and not fold.all()]
    if len(folds) >= 2:
        return folds
    splits = KFold(min(5, n_rows), shuffle=True, random_state=0).split(np.arange(n_rows))
    return [np.isin(np.arange(n_rows), test) for _, test in splits]


def meta_features(predictions: Predictions, classes: Classes) -> Predictions:
    """Return the features of the meta-model: the predictions of all candidates for each row."""
    if isinstance(classes, np.ndarray) and len(classes) == 2:
        predictions = predictions[..., 1]  # the other column is one minus this one
    return np.moveaxis(predictions, 0, 1).reshape(predictions.shape[1], -1)


def least_squares_weights(predictions: Predictions, y: NDArray[Any]) -> Weights:
    """Return non-negative weights with sum one and the least squared error.

    If weights sum to one, the error of the blend is the weighted sum of the candidates' errors.
    The penalty for another sum then only scales the weights, without changing their proportions.
    """
    scale = np.std(y, axis=0)
    errors = (predictions - y) / np.where(scale > 0, scale, 1.0)
    errors = errors.reshape(len(predictions), -1).T
    penalty = np.linalg.norm(errors, axis=0).min() or 1.0
    triangle = np.linalg.qr(errors, mode="r")
    system = np.vstack([triangle, np.full(len(predictions), penalty)])
    weights: Weights
    weights, _ = nnls(system, np.append(np.zeros(len(triangle)), penalty))
    return _normalize(weights)


def max_likelihood_weights(probabilities: Predictions) -> Weights:
    """Return the weights of the mixture with maximum likelihood, a convex problem.

    ``probabilities`` of shape (n_candidates, n_observations) are those of the true classes.
    """
    probabilities = np.maximum(probabilities, 1e-15)
    equal = np.full(len(probabilities), 1 / len(probabilities))

    def log_loss(weights: Weights) -> tuple[float, Weights]:
        mixture = np.maximum(weights @ probabilities, 1e-15)
        return -np.log(mixture).mean(), -(probabilities / mixture).mean(axis=1)

    weights: Weights = minimize(
        log_loss,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(equal),
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    ).x
    return _normalize(np.maximum(weights, 0.0))


def _normalize(weights: Weights) -> Weights:
    """Return the weights, scaled to sum one."""
    normalized: Weights = weights / weights.sum()
    return normalized


def true_class_probabilities(
    predictions: Predictions, y: NDArray[Any], classes: Labels
) -> Predictions:
    """Return the probabilities that each candidate gives to the true classes."""
    if isinstance(classes, list):
        return np.where(y == 1, predictions, 1 - predictions).reshape(len(predictions), -1)
    return predictions[:, np.arange(len(y)), np.searchsorted(classes, y)]
