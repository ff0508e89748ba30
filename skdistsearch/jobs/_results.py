"""Results of a fitted search as data, which are read without unpickling anything."""

from __future__ import annotations

from typing import Any

import numpy as np

from skdistsearch.storage import NotDataError, encode

_NAMES = (
    "best_index_",
    "best_params_",
    "best_score_",
    "cv_results_",
    "feature_names_in_",
    "multimetric_",
    "n_features_in_",
    "n_splits_",
    "refit_time_",
    "runs_",
    "stopped_",
)


def data_of(search: Any) -> dict[str, Any]:
    """Return the attributes of a fitted search that are data, by name."""
    return {name: as_data(getattr(search, name)) for name in _NAMES if hasattr(search, name)}


def as_data(value: Any) -> Any:
    """Return a value with each part that is not data, such as an estimator, as text."""
    try:
        encode(value)
    except NotDataError:
        return _replace_parts(value)
    return value


def _replace_parts(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): as_data(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(as_data, value)) if type(value) in (list, tuple) else list(value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        replaced = value.copy()
        for index in np.ndindex(value.shape):
            replaced[index] = (
                value[index] if value[index] is np.ma.masked else as_data(value[index])
            )
        return replaced
    return repr(value)
