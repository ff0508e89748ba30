"""Scores of the splits, out of ``cv_results_``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch.exceptions import ReportError

_SPLIT = re.compile(r"split(\d+)_test_(.+)")


def metrics_in(results: Mapping[str, Any]) -> list[str]:
    """Names of the metrics, in the order of ``cv_results_``; a single one is ``"score"``."""
    return [name.removeprefix("mean_test_") for name in results if name.startswith("mean_test_")]


def recorded_in(results: Mapping[str, Any]) -> list[str]:
    """What the search recorded of its fitted models, by name."""
    return [name.removeprefix("std_error_") for name in results if name.startswith("std_error_")]


def checked_metric(results: Mapping[str, Any], metric: str) -> str:
    """The metric, or an error that names those there are."""
    known = metrics_in(results)
    if metric not in known:
        raise ReportError(f"metric={metric!r} is none of this search. Known: {', '.join(known)}.")
    return metric


def split_scores(results: Mapping[str, Any], metric: str) -> NDArray[np.float64]:
    """Test scores of shape (n_candidates, n_splits)."""
    found = [match for match in map(_SPLIT.fullmatch, results) if match and match[2] == metric]
    found.sort(key=lambda match: int(match[1]))
    columns = [np.asarray(results[match[0]], dtype=float) for match in found]
    return np.column_stack(columns)


def standard_error(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the mean over the last axis; NaN for a single split, and where a score is NaN."""
    n_splits = scores.shape[-1]
    if n_splits == 1:
        return np.full(scores.shape[:-1], math.nan)
    with np.errstate(invalid="ignore"):  # of infinite scores
        errors: NDArray[np.float64] = scores.std(axis=-1, ddof=1) / math.sqrt(n_splits)
    return errors
