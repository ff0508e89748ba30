"""Univariate feature selection of scikit-learn: all numbers of features use the same scores."""

from __future__ import annotations

import copy
import functools
import numbers
from typing import Any

from skdistsearch.model_paths._base import PathFamily, is_exactly

_UNSEEDED = ("mutual_info_classif", "mutual_info_regression")


def _is_k_best(model: object) -> bool:
    return is_exactly(model, "sklearn", "SelectKBest")


def _k_best_prefix(model: Any, k: int | str) -> Any:
    if not isinstance(k, str) and k > model.n_features_in_:
        return None  # scikit-learn warns
    return copy.copy(model).set_params(k=k)


def _is_k(value: object) -> bool:
    return value == "all" or (isinstance(value, numbers.Integral) and int(value) >= 0)


def _is_percentile_selection(model: object) -> bool:
    return is_exactly(model, "sklearn", "SelectPercentile")


def _percentile_prefix(model: Any, percentile: float) -> Any:
    return copy.copy(model).set_params(percentile=percentile)


def _is_percentile(value: object) -> bool:
    return isinstance(value, numbers.Real) and 0 <= float(value) <= 100


def _can_share(model: Any, n_samples: int) -> bool:
    """Return True for functions of scikit-learn, unless they draw random numbers without a seed."""
    function, has_seed = model.score_func, False
    if type(function) is functools.partial:
        has_seed = isinstance(function.keywords.get("random_state"), numbers.Integral)
        function = function.func
    module, name = getattr(function, "__module__", ""), getattr(function, "__name__", "")
    return module.partition(".")[0] == "sklearn" and (has_seed or name not in _UNSEEDED)


FAMILIES = (
    PathFamily(
        "SelectKBest",
        _is_k_best,
        "k",
        _k_best_prefix,
        base_value="all",
        is_valid=_is_k,
        can_share=_can_share,
    ),
    PathFamily(
        "SelectPercentile",
        _is_percentile_selection,
        "percentile",
        _percentile_prefix,
        base_value=100,
        is_valid=_is_percentile,
        can_share=_can_share,
    ),
)
