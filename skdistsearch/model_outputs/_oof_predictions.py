"""out-of-fold predictions as one array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Made = tuple[int, Any, Any]
"""Candidate, rows, and what was predicted for them."""


def _assembled(made: list[Made], shape: tuple[int, int]) -> Any:
    """All predictions in one array: the mean where there are several for a row, or NaN."""
    if not made:
        return np.full(shape, math.nan)
    parts = [values for _, _, values in made]
    dtype = np.result_type(*parts)
    counts = np.zeros(shape, int)
    for candidate, rows, _ in made:
        counts[candidate, rows] += 1
    overlaps = counts.max() > 1
    if dtype.kind in "biu" and (overlaps or counts.min() == 0):
        dtype = np.dtype(float)
    if dtype.kind == "U" and counts.min() == 0:
        dtype = np.dtype(object)
    whole = np.zeros((*shape, *parts[0].shape[1:]), dtype)
    for (candidate, rows, _), values in zip(made, parts, strict=True):
        whole[candidate, rows] = whole[candidate, rows] + values if overlaps else values
    if overlaps:
        whole /= np.maximum(counts, 1).reshape(*shape, *[1] * (whole.ndim - 2))
    if counts.min() == 0:
        whole[counts == 0] = math.nan
    return whole


def _alike(made: list[Made], *, pairs: int) -> list[Made]:
    """The same shape of all, where some models give a vector and some a column of it.

    ``pairs``: of several labels, how many columns there are if each has two (that it is not
    there, and that it is). Models that give one for each get the other, beside models of two.
    """
    shapes = {values.shape[1:] for _, _, values in made}
    if shapes == {(), (1,)}:
        return [(candidate, rows, values.reshape(len(values))) for candidate, rows, values in made]
    if pairs and shapes == {(pairs // 2,), (pairs,)}:
        return [(candidate, rows, _in_pairs(values, pairs)) for candidate, rows, values in made]
    return made


def _in_pairs(values: Any, n_columns: int) -> Any:
    if values.shape[1] == n_columns:
        return values
    return np.stack([1 - values, values], axis=2).reshape(len(values), n_columns)
