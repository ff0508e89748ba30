"""Predictions for the nested score, by models that have seen neither of two folds.

To score what was selected without a fold, neither the selection nor any model may have seen that
fold. Out-of-fold predictions for the other folds come from models that were trained on it. So each
candidate is fitted once more for each pair of folds, on the rows of neither. The model of folds i
and j predicts fold j for the selection that fold i scores, and fold i for the one that j scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import cross_validate
from sklearn.utils.parallel import Parallel, delayed

from skdistsearch._typing import ArrayLike, Estimator, Indices
from skdistsearch.ensemble._predictions import Classes, Predictions, predict_responses

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FoldPair:
    """Rows of a model that two folds share."""

    folds: tuple[int, int]
    """Numbers of the folds."""
    train: Mask
    """Rows to train on, which both folds train on."""
    tests: tuple[Mask, Mask]
    """Rows to predict for the selections that the first and the second fold score."""


def fold_pairs(splits: Sequence[tuple[Indices, Indices]], n_rows: int) -> list[FoldPair]:
    """Return the pairs of folds that have rows to train on and rows to predict.

    In a `~sklearn.model_selection.TimeSeriesSplit`, the earlier fold has none to predict.
    """
    train = [row_mask(rows, n_rows) for rows, _ in splits]
    test = [row_mask(rows, n_rows) for _, rows in splits]
    pairs = [
        FoldPair((i, j), train[i] & train[j], (test[j] & train[i], test[i] & train[j]))
        for i, j in combinations(range(len(splits)), 2)
    ]
    return [pair for pair in pairs if pair.train.any() and np.any(pair.tests)]


def row_mask(rows: Indices, n_rows: int) -> Mask:
    """Return a mask with the given rows."""
    mask: Mask = np.zeros(n_rows, dtype=bool)
    mask[rows] = True
    return mask


def predict_fold_pairs(
    estimators: Sequence[Estimator],
    X: ArrayLike,
    y: NDArray[Any],
    pairs: Sequence[FoldPair],
    classes: Classes,
    n_jobs: int | None,
) -> dict[int, Predictions]:
    """Return the predictions of all candidates by the number of the fold that they have not seen.

    Rows without a prediction have NaN; rows with several have their mean.
    """
    calls = [(number, pair) for pair in pairs for number in range(len(estimators))]
    results = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_predict)(estimators[number], X, y, pair, classes) for number, pair in calls
    )
    sums: dict[int, Predictions] = {}
    counts: dict[int, NDArray[np.int64]] = {}
    for (number, pair), predicted in zip(calls, results, strict=True):
        for fold, test, values in zip(pair.folds, pair.tests, predicted, strict=True):
            if not test.any():
                continue
            shape = (len(estimators), len(y))
            sums.setdefault(fold, np.zeros((*shape, *values.shape[1:])))[number, test] += values
            counts.setdefault(fold, np.zeros(shape, dtype=int))[number, test] += 1
    return {fold: _mean(total, counts[fold]) for fold, total in sums.items()}


def _fit_and_predict(
    estimator: Estimator, X: ArrayLike, y: NDArray[Any], pair: FoldPair, classes: Classes
) -> list[Predictions]:
    predictions = []

    def predict(model: Any, X: ArrayLike, y: ArrayLike) -> float:
        predictions.append(predict_responses(model, X, classes))
        return 0.0

    rows = np.flatnonzero(pair.tests[0] | pair.tests[1])
    split = np.flatnonzero(pair.train), rows
    # A scorer gets the rows of X and of kernels as scikit-learn slices them.
    cross_validate(estimator, X, y, cv=[split], scoring=predict, error_score="raise")
    return [predictions[0][test[rows]] for test in pair.tests]


def _mean(sums: Predictions, counts: NDArray[np.int64]) -> Predictions:
    counts = counts.reshape(*counts.shape, *[1] * (sums.ndim - 2))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
