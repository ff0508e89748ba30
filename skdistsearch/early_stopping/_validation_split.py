"""Split the training rows of a fit into a smaller training part and validation data."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from skdistsearch._typing import ArrayLike, Indices, Splitter
from skdistsearch.early_stopping._base import FitData

RowNumbers: TypeAlias = NDArray[np.integer[Any]]
RandomState: TypeAlias = int | np.random.RandomState | None


def train_validation_indices(
    validation_split: float | Splitter | Iterable[tuple[Indices, Indices]],
    X: ArrayLike,
    y: ArrayLike,
    labels: NDArray[Any] | None,
    groups: ArrayLike | None,
    random_state: RandomState,
) -> tuple[RowNumbers, RowNumbers]:
    """Return the row numbers of the training part and of the validation data.

    ``validation_split`` is a fraction or a splitter. ``labels`` are the classes to stratify by, or
    None.
    """
    n_rows = count_rows(X)
    if n_rows < 2:
        raise ValueError(f"n_samples={n_rows}: at least 2 rows are needed to hold out one of them.")
    if _is_fraction(validation_split):
        fraction = float(validation_split)
        train, validation = _shuffle_split(fraction, n_rows, labels, groups, random_state)
    else:
        cv = check_cv(validation_split, y, classifier=labels is not None)
        group_params = {} if groups is None else {"groups": groups}
        train, validation = map(_row_numbers, list(cv.split(X, y, **group_params))[-1])
    if labels is not None:
        validation = validation[np.isin(labels[validation], labels[train])]
    if not len(validation) or not len(train):
        raise ValueError(
            f"validation_split={validation_split!r} leaves {len(train)} training rows and "
            f"{len(validation)} validation rows; at least 1 of each is needed. Validation rows of "
            "classes without a training row do not count."
        )
    return train, validation


def split_fit_data(
    data: FitData, train: RowNumbers, validation: RowNumbers
) -> tuple[FitData, FitData]:
    """Return the rows of both parts, with the parameters of ``fit`` that belong to them."""
    n_rows = count_rows(data.X)
    per_row = {name: value for name, value in data.params.items() if _is_per_row(value, n_rows)}
    return (
        _take_rows(data, train, {**data.params, **_take_params(per_row, train)}),
        _take_rows(data, validation, _take_params(per_row, validation)),
    )


def count_rows(X: ArrayLike) -> int:
    """Return the number of rows."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _is_fraction(value: object) -> TypeGuard[float]:
    return isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral)


def _shuffle_split(
    fraction: float,
    n_rows: int,
    labels: NDArray[Any] | None,
    groups: ArrayLike | None,
    random_state: RandomState,
) -> tuple[RowNumbers, RowNumbers]:
    rows = np.arange(n_rows)
    if groups is not None and labels is not None:
        n_folds = max(2, min(round(1 / fraction), len(np.unique(np.asarray(groups)))))
        cv = StratifiedGroupKFold(n_folds, shuffle=True, random_state=random_state)
        return _first_split(cv, rows, labels, groups)
    options: dict[str, Any] = {"n_splits": 1, "test_size": fraction, "random_state": random_state}
    if groups is not None:
        return _first_split(GroupShuffleSplit(**options), rows, groups=groups)
    if labels is None:
        return _first_split(ShuffleSplit(**options), rows)
    return _stratified_split(StratifiedShuffleSplit(**options), rows, labels)


def _stratified_split(
    cv: Splitter, rows: RowNumbers, labels: NDArray[Any]
) -> tuple[RowNumbers, RowNumbers]:
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    single = counts[inverse] == 1  # the only row of its class cannot be in both parts: train on it
    others = rows[~single]
    train, validation = _first_split(cv, others, labels[~single])
    return np.concatenate([others[train], rows[single]]), others[validation]


def _first_split(
    cv: Splitter,
    rows: RowNumbers,
    labels: NDArray[Any] | None = None,
    groups: ArrayLike | None = None,
) -> tuple[RowNumbers, RowNumbers]:
    train, validation = next(iter(cv.split(rows, labels, groups)))
    return _row_numbers(train), _row_numbers(validation)


def _row_numbers(rows: Indices) -> RowNumbers:
    array: NDArray[Any] = np.asarray(rows)
    return np.flatnonzero(array) if array.dtype == bool else array


def _take_rows(data: FitData, rows: RowNumbers, params: Mapping[str, Any]) -> FitData:
    return FitData(_index_rows(data.X, rows), _index_rows(data.y, rows), params)


def _take_params(per_row: Mapping[str, Any], rows: RowNumbers) -> dict[str, Any]:
    return {name: _index_rows(value, rows) for name, value in per_row.items()}


def _is_per_row(value: Any, n_rows: int) -> bool:
    """Return True if there is one value per row, by the rule of scikit-learn's searches."""
    if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
        return False
    return np.shape(value) != () and count_rows(value) == n_rows


def _index_rows(data: ArrayLike, rows: RowNumbers) -> ArrayLike:
    """Return some rows of an array, a data frame, a sparse matrix or a list."""
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if hasattr(data, "shape"):
        return data[rows]
    return [data[row] for row in rows]
