"""From the out-of-fold predictions of several candidates to one: weights, or a meta-model.

Predictions are arrays of shape (n_candidates, n_rows) or (n_candidates, n_rows, n_columns).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.model_selection import KFold

from skdistsearch.ensemble._predictions import Score, responses

MAX_ROUNDS = 100  # so that a weight is a multiple of a hundredth or more
PATIENCE = 10  # rounds of greedy selection without a better score
SMALLEST = 1e-3  # a member with less weight is not worth its fit


@dataclass(frozen=True)
class Blend:
    """How the predictions of some candidates become one."""

    used: NDArray[np.intp]
    """Which candidates, the best first."""
    weights: NDArray[np.float64] | None
    """Their weights, or None if ``final`` decides."""
    final: Any = None
    """The fitted meta-model."""
    classes: Any = None
    """The labels, of classifiers."""

    def __call__(self, predictions: Any) -> Any:
        """One prediction for each row, from those of the candidates in ``used``."""
        if self.weights is None:
            return responses(self.final, features(predictions, self.classes), self.classes)
        return np.tensordot(self.weights, predictions, axes=1)


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and what it is worth on the rows it was chosen on."""

    blend: Blend
    score: float
    """Out-of-fold score of the blend: of a meta-model, cross-fitted."""
    best: int
    """The best single candidate."""
    best_score: float
    """Its out-of-fold score."""
    fell_back: bool
    """Whether the method's own blend was worse, and the best candidate stands in its place."""


@dataclass(frozen=True)
class Chooser:
    """A method with its settings."""

    method: str
    n_best: int | None
    score: Score
    classes: Any
    """The labels; None for regressors."""
    final: Any
    """The meta-model of ``method="stack"``, not fitted."""

    def choose(self, predictions: Any, y: Any, folds: Sequence[Any]) -> Chosen:
        """The blend of these rows; ``folds`` are masks of rows."""
        singles = np.array([self._score(candidate, y) for candidate in predictions])
        used = np.argsort(-singles, kind="stable")[: self.n_best]
        best, best_score = int(used[0]), float(singles[used[0]])
        blend, score = self._blended(used, predictions[used], y, folds)
        if fell_back := not score >= best_score:
            blend, score = Blend(used[:1], np.ones(1), None, self.classes), best_score
        return Chosen(blend, score, best, best_score, fell_back)

    def nested(self, predictions: Any, y: Any, folds: Sequence[Any]) -> tuple[Any, Any]:
        """Scores on each fold of what is chosen on the others: the blend, the best candidate."""
        folds, scores = two_at_least(folds, len(y)), []
        for number, fold in enumerate(folds):
            others = [other[~fold] for n, other in enumerate(folds) if n != number]
            chosen = self.choose(predictions[:, ~fold], y[~fold], others)
            blended = chosen.blend(predictions[chosen.blend.used][:, fold])
            best = predictions[chosen.best][fold]
            scores.append((self._score(blended, y[fold]), self._score(best, y[fold])))
        blends, bests = np.array(scores).T
        return blends, bests

    def _blended(
        self, used: Any, predictions: Any, y: Any, folds: Sequence[Any]
    ) -> tuple[Blend, float]:
        if self.method == "stack":
            return self._stacked(used, predictions, y, folds)
        weights = _WEIGHTS[self.method](self, predictions, y)
        kept = weights > 0
        blend = Blend(used[kept], weights[kept], None, self.classes)
        return blend, self._score(blend(predictions[kept]), y)

    def _stacked(
        self, used: Any, predictions: Any, y: Any, folds: Sequence[Any]
    ) -> tuple[Blend, float]:
        columns = features(predictions, self.classes)
        crossed = np.zeros_like(predictions[0])
        for fold in two_at_least(folds, len(y)):
            model = clone(self.final).fit(columns[~fold], y[~fold])
            crossed[fold] = responses(model, columns[fold], self.classes)
        final = clone(self.final).fit(columns, y)
        return Blend(used, None, final, self.classes), self._score(crossed, y)

    def _score(self, predictions: Any, y: Any) -> float:
        """A score that cannot be computed is the worst."""
        return float(np.nan_to_num(self.score(predictions, y), nan=-np.inf))

    def greedy(self, predictions: Any, y: Any) -> Any:
        """Selection with replacement, from the best: in each round what helps the most."""
        counts, total = np.zeros(len(predictions)), 0.0
        best, best_size, weights = -np.inf, 0, counts
        for size in range(1, MAX_ROUNDS + 1):
            scores = [self._score((total + one) / size, y) for one in predictions]
            chosen = int(np.argmax(scores))  # of equals the one that is better alone
            total = total + predictions[chosen]
            counts[chosen] += 1
            if size == 1 or scores[chosen] > best:
                best, best_size, weights = scores[chosen], size, counts / size
            elif size - best_size == PATIENCE:
                break
        return weights

    def mean(self, predictions: Any, y: Any) -> Any:
        """Equal weights of the k best, for the best k."""
        sums = np.cumsum(predictions, axis=0)
        scores = [self._score(total / (k + 1), y) for k, total in enumerate(sums)]
        k = int(np.argmax(scores)) + 1
        return np.where(np.arange(len(predictions)) < k, 1 / k, 0.0)

    def weighted(self, predictions: Any, y: Any) -> Any:
        """Weights of the least squared error, of classifiers of the greatest likelihood."""
        if self.classes is None:
            weights = least_squares(predictions, y)
        else:
            weights = likeliest(of_the_true(predictions, y, self.classes))
        weights = np.where(weights < SMALLEST * weights.max(), 0.0, weights)
        return weights / weights.sum()


_WEIGHTS: dict[str, Callable[[Chooser, Any, Any], Any]] = {
    "greedy": Chooser.greedy,
    "mean": Chooser.mean,
    "weighted": Chooser.weighted,
}
METHODS = sorted([*_WEIGHTS, "stack"])


def two_at_least(folds: Sequence[Any], n_rows: int) -> Sequence[Any]:
    """The folds that have rows, each less than all; five random ones if there are not two."""
    folds = [fold for fold in folds if fold.any() and not fold.all()]
    if len(folds) >= 2:
        return folds
    splits = KFold(min(5, n_rows), shuffle=True, random_state=0).split(np.arange(n_rows))
    return [np.isin(np.arange(n_rows), test) for _, test in splits]


def features(predictions: Any, classes: Any) -> Any:
    """What a meta-model sees: a row's predictions by all candidates."""
    if isinstance(classes, np.ndarray) and len(classes) == 2:
        predictions = predictions[..., 1]  # the other column is the rest to one
    return np.moveaxis(predictions, 0, 1).reshape(predictions.shape[1], -1)


def least_squares(predictions: Any, y: Any) -> Any:
    """Non-negative weights of sum one with the least squared error.

    For weights of sum one the error is a sum of the candidates' own errors. Then the penalty for
    another sum scales the weights, and changes nothing in their proportions.
    """
    scale = np.std(y, axis=0)
    errors = (predictions - y) / np.where(scale > 0, scale, 1.0)
    errors = errors.reshape(len(predictions), -1).T
    penalty = np.linalg.norm(errors, axis=0).min() or 1.0
    triangle = np.linalg.qr(errors, mode="r")
    system = np.vstack([triangle, np.full(len(predictions), penalty)])
    weights, _ = nnls(system, np.append(np.zeros(len(triangle)), penalty))
    return weights / weights.sum()


def likeliest(chances: Any) -> Any:
    """Weights of the mixture that makes the truth likeliest, by expectation-maximisation.

    ``chances`` of shape (n_candidates, n_observations) are the probabilities of what was true.
    """
    chances = np.maximum(chances, 1e-15)
    weights = np.full(len(chances), 1 / len(chances))
    for _ in range(1000):
        before = weights
        weights = weights * (chances / (weights @ chances)).mean(axis=1)
        if np.abs(weights - before).max() < 1e-6:
            break
    return weights / weights.sum()


def of_the_true(predictions: Any, y: Any, classes: Any) -> Any:
    """The probabilities that each candidate gave to what was true."""
    if isinstance(classes, list):
        return np.where(y == 1, predictions, 1 - predictions).reshape(len(predictions), -1)
    return predictions[:, np.arange(len(y)), np.searchsorted(classes, y)]
