"""Out-of-fold predictions of all candidates: make them, and bring them into one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import cross_val_predict

from skdistsearch._typing import ArrayLike, Estimator, Indices
from skdistsearch.ensemble._predictions import (
    Classes,
    Predictions,
    as_probabilities,
    as_targets,
    positive_columns,
)


def response_method(is_classifier: bool) -> str:
    """Return the method whose predictions an ensemble combines."""
    return "predict_proba" if is_classifier else "predict"


def cross_predict(
    estimators: Sequence[Estimator],
    X: ArrayLike,
    y: NDArray[Any],
    splits: Sequence[tuple[Indices, Indices]],
    classes: Classes,
    n_jobs: int | None,
) -> Predictions:
    """Return the out-of-fold predictions of all candidates."""
    method = response_method(classes is not None)
    predictions = [
        cross_val_predict(estimator, X, y, cv=splits, method=method, n_jobs=n_jobs)
        for estimator in estimators
    ]
    if classes is None:
        return np.stack([as_targets(one) for one in predictions])
    return np.stack([as_probabilities(one, classes, classes) for one in predictions])


def align_predictions(predictions: ArrayLike, y: NDArray[Any], classes: Classes) -> Predictions:
    """Return the candidates' predictions as floats, in the shape of y."""
    values: Predictions = np.asarray(predictions, dtype=float)
    if values.shape[1] != len(y):
        raise ValueError(
            f"The search was fitted on {values.shape[1]} rows, but X and y have {len(y)}. They "
            "must be the same rows in the same order."
        )
    if isinstance(classes, list):
        return positive_columns(values, len(classes))
    if classes is None and values.ndim == 3 and y.ndim == 1:
        return values[..., 0]
    return values


def complete_candidates(predictions: Predictions) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the candidates to choose from, and a mask of the rows with predictions.

    These are the candidates without missing predictions for these rows. Of several candidates with
    equal predictions, only the first is returned.
    """
    n_candidates, n_rows = predictions.shape[:2]
    finite = np.isfinite(predictions).reshape(n_candidates, n_rows, -1)
    known: NDArray[np.bool_] = np.asarray(finite.all(axis=2))
    rows: NDArray[np.bool_] = np.asarray(known.any(axis=0))
    complete = np.flatnonzero(known[:, rows].all(axis=1))
    if not rows.any() or not len(complete):
        raise ValueError(
            "Every candidate lacks predictions for some of the rows that others have predicted, so "
            "none can be used."
        )
    first: dict[bytes, int] = {}
    for candidate in complete:
        first.setdefault(predictions[candidate][rows].tobytes(), int(candidate))
    return np.array(list(first.values())), rows
