"""The rows that a model is watched on: which they are, and how they are taken out."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from skdistsearch.early_stopping._base import FitData


def split(
    validation: Any, X: Any, y: Any, labels: Any, groups: Any, random_state: Any
) -> tuple[Any, Any]:
    """Indices of the inner training part and of the validation part.

    ``labels`` is y where it is to be stratified, else None.
    """
    if length(X) < 2:
        raise ValueError(f"n_samples={length(X)}: a validation part needs at least 2 rows.")
    if isinstance(validation, numbers.Real) and not isinstance(validation, numbers.Integral):
        train, held = _drawn(float(validation), length(X), labels, groups, random_state)
    else:
        cv = check_cv(validation, y, classifier=labels is not None)
        grouped = {} if groups is None else {"groups": groups}
        train, held = map(_indices, list(cv.split(X, y, **grouped))[-1])
    if labels is not None:
        held = held[np.isin(labels[held], labels[train])]
    if not len(held) or not len(train):
        raise ValueError(
            f"validation_split={validation!r} leaves {len(train)} rows to train on and {len(held)} to "
            "validate on, of classes that are among the former."
        )
    return train, held


def parts(whole: FitData, train: Any, held: Any) -> tuple[FitData, FitData]:
    """The rows of both parts, and what belongs to them of the parameters of ``fit``."""
    n = length(whole.X)
    aligned = {name: value for name, value in whole.params.items() if _is_aligned(value, n)}
    return (
        _taken(whole, train, {**whole.params, **_each(aligned, train)}),
        _taken(whole, held, _each(aligned, held)),
    )


def length(X: Any) -> int:
    """Number of rows."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _drawn(fraction: float, n: int, labels: Any, groups: Any, random_state: Any) -> Any:
    rows = np.arange(n)
    once: dict[str, Any] = {"n_splits": 1, "test_size": fraction, "random_state": random_state}
    if groups is not None and labels is not None:
        folds = max(2, min(round(1 / fraction), len(np.unique(np.asarray(groups)))))
        cv = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state)
        return next(cv.split(rows, labels, groups))
    if groups is not None:
        return next(GroupShuffleSplit(**once).split(rows, groups=groups))
    if labels is None:
        return next(ShuffleSplit(**once).split(rows))
    return _stratified(rows, labels, once)


def _stratified(rows: Any, labels: Any, once: dict[str, Any]) -> tuple[Any, Any]:
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    alone = counts[inverse] == 1  # cannot be in both parts: it is trained on
    others = rows[~alone]
    train, held = next(StratifiedShuffleSplit(**once).split(others, labels[~alone]))
    return np.concatenate([others[train], rows[alone]]), others[held]


def _indices(rows: Any) -> Any:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _taken(whole: FitData, rows: Any, params: Mapping[str, Any]) -> FitData:
    return FitData(_rows(whole.X, rows), _rows(whole.y, rows), params)


def _each(aligned: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    return {name: _rows(value, rows) for name, value in aligned.items()}


def _is_aligned(value: Any, n: int) -> bool:
    """Whether there is a value for each row, as scikit-learn's searches see it."""
    if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
        return False
    return np.shape(value) != () and length(value) == n


def _rows(data: Any, rows: Any) -> Any:
    """Some rows of an array, a frame, a sparse matrix or a list."""
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if hasattr(data, "shape"):
        return data[rows]
    return [data[row] for row in rows]
