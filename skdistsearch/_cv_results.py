"""Readers of ``cv_results_``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch.exceptions import ReportError

_SPLIT_COLUMN = re.compile(r"split(\d+)_test_(.+)")


def metric_names(results: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics, in order; a single metric is called ``"score"``."""
    return [name.removeprefix("mean_test_") for name in results if name.startswith("mean_test_")]


def extracted_names(results: Mapping[str, Any]) -> list[str]:
    """Return the names of the values that the search extracted from its fitted models."""
    return [name.removeprefix("std_error_") for name in results if name.startswith("std_error_")]


def check_metric(results: Mapping[str, Any], metric: str) -> str:
    """Return the metric, or raise a `ReportError` that lists the valid ones."""
    known = metric_names(results)
    if metric not in known:
        raise ReportError(
            f"metric={metric!r} is not a metric of this search. Known: {', '.join(known)}."
        )
    return metric


def split_scores(results: Mapping[str, Any], metric: str) -> NDArray[np.float64]:
    """Return the test scores, of shape (n_candidates, n_splits)."""
    matches = [match for match in map(_SPLIT_COLUMN.fullmatch, results) if match]
    columns = {int(match[1]): match[0] for match in matches if match[2] == metric}
    return np.column_stack(
        [np.asarray(results[columns[split]], dtype=float) for split in sorted(columns)]
    )


def standard_error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of the mean over the last axis, which is that of the splits.

    It is NaN for a single split and where a value is NaN.
    """
    n_splits = values.shape[-1]
    if n_splits == 1:
        return np.full(values.shape[:-1], math.nan)
    with np.errstate(invalid="ignore"):  # infinite values
        errors: NDArray[np.float64] = values.std(axis=-1, ddof=1) / math.sqrt(n_splits)
    return errors


def corrected_standard_error(
    values: NDArray[np.float64], test_to_train: float
) -> NDArray[np.float64]:
    """Return the standard error of Nadeau and Bengio, for splits that share training rows.

    ``test_to_train`` is the number of test rows over that of training rows.
    """
    correction = math.sqrt(1 + values.shape[-1] * test_to_train)
    errors: NDArray[np.float64] = standard_error(values) * correction
    return errors
