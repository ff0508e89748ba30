"""Out-of-fold predictions of all candidates as one array for each method."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skdistsearch._typing import Indices

Prediction: TypeAlias = tuple[int, NDArray[np.integer[Any]], NDArray[Any]]
"""Candidate, rows, and the predicted values of these rows."""


@dataclass
class OofPredictions:
    """Predictions for the test rows of each fit, collected by method."""

    methods: tuple[str, ...] = ()
    """Methods whose predictions are kept."""
    n_rows: int = 0
    """Number of rows of X."""
    n_classes: Sequence[int] = ()
    """Number of classes of each output of a classifier."""
    _predictions: dict[str, list[Prediction]] = field(default_factory=lambda: defaultdict(list))

    def add(self, method: str, candidate: int, test: Indices, values: NDArray[Any]) -> None:
        """Add the predictions of one fit."""
        rows = np.asarray(test)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        self._predictions[method].append((candidate, rows, values))

    def to_arrays(self, n_candidates: int) -> dict[str, Any]:
        """Return the predictions by method; see ``oof_predictions_`` of the search."""
        arrays = {}
        for method in self.methods:
            predictions = self._in_one_shape(method)
            shapes = {values.shape[1:] for _, _, values in predictions}
            if len(shapes) > 1:  # after the last fit: a warning loses no result
                warnings.warn(
                    f"keep={method!r}: candidates predict arrays of different shapes for a row, "
                    f"{' and '.join(map(str, sorted(shapes)))}, which cannot be combined. "
                    f"oof_predictions_ lacks {method!r}.",
                    UserWarning,
                    stacklevel=2,
                )
            else:
                arrays[method] = self._combined_array(method, predictions, n_candidates)
        return arrays

    def _in_one_shape(self, method: str) -> list[Prediction]:
        predictions, n_columns = self._predictions[method], sum(self.n_classes)
        is_multilabel = len(self.n_classes) > 1 and set(self.n_classes) == {2}
        is_pairs = is_multilabel and method == "predict_proba"
        return _in_one_shape(predictions, n_pair_columns=n_columns if is_pairs else 0)

    def _combined_array(self, method: str, predictions: list[Prediction], n_candidates: int) -> Any:
        combined = _combine_predictions(predictions, (n_candidates, self.n_rows))
        sizes = self.n_classes
        if method == "predict" or len(sizes) < 2 or combined.shape[2:] != (sum(sizes),):
            return combined
        return np.split(combined, np.cumsum(sizes)[:-1], axis=2)  # one array for each output


def _combine_predictions(predictions: list[Prediction], shape: tuple[int, int]) -> NDArray[Any]:
    """Return all predictions in one array: their mean if a row has several, NaN if it has none."""
    if not predictions:
        return np.full(shape, math.nan)
    counts = np.zeros(shape, int)
    for candidate, rows, _ in predictions:
        counts[candidate, rows] += 1
    has_overlap, has_gap = counts.max() > 1, counts.min() == 0
    dtype = _combined_dtype(predictions, has_overlap=has_overlap, has_gap=has_gap)
    combined = np.zeros((*shape, *predictions[0][2].shape[1:]), dtype)
    # The decision for a class that a model does not know is the lowest finite number, of which
    # there is no sum. A power of two scales it without rounding.
    scale = 2.0 ** -int(counts.max()).bit_length()
    for candidate, rows, values in predictions:
        combined[candidate, rows] = (
            combined[candidate, rows] + values * scale if has_overlap else values
        )
    if has_overlap:
        counts_of_rows = np.maximum(counts, 1).reshape(*shape, *[1] * (combined.ndim - 2))
        combined /= counts_of_rows * scale
    if has_gap:
        combined[counts == 0] = math.nan
    return combined


def _combined_dtype(
    predictions: list[Prediction], *, has_overlap: bool, has_gap: bool
) -> np.dtype[Any]:
    dtype = np.result_type(*(values for _, _, values in predictions))
    if dtype.kind in "biu" and (has_overlap or has_gap):
        return np.dtype(float)
    if dtype.kind == "U" and has_gap:
        return np.dtype(object)
    return dtype


def _in_one_shape(predictions: list[Prediction], *, n_pair_columns: int) -> list[Prediction]:
    """Bring predictions to one shape, if some models give a vector and some a column.

    ``n_pair_columns`` is the number of columns of multilabel probabilities with two for each label
    (absent, present), or 0. Models that give one for each label get the other one.
    """
    shapes = {values.shape[1:] for _, _, values in predictions}
    if shapes == {(), (1,)}:
        return [(candidate, rows, values.reshape(-1)) for candidate, rows, values in predictions]
    if n_pair_columns and shapes == {(n_pair_columns // 2,), (n_pair_columns,)}:
        return [
            (candidate, rows, _as_pairs(values, n_pair_columns))
            for candidate, rows, values in predictions
        ]
    return predictions


def _as_pairs(values: NDArray[Any], n_columns: int) -> NDArray[Any]:
    if values.shape[1] == n_columns:
        return values
    return np.stack([1 - values, values], axis=2).reshape(len(values), n_columns)
