"""Readable names of the candidates of a search: their contenders and parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from skdistsearch._meta_estimator import DelegatingEstimator
from skdistsearch._text import as_one_line
from skdistsearch._typing import Parameters

_WRAPPERS = ((TransformedTargetRegressor, "regressor"), (DelegatingEstimator, "estimator"))
"""Estimators that delegate to an inner one, and the parameter that holds it."""


def contender_name(estimator: object, params: Parameters) -> str:
    """Return the class name of a candidate's model, the innermost estimator."""
    return _name_of(_find_model(estimator, params)[1])


def short_parameter_names(estimator: object, candidates: Sequence[Parameters]) -> dict[str, str]:
    """Return the short name of each parameter, except those that set the model itself."""
    holders = {path for params in candidates for path in _find_model(estimator, params)[0]}
    names = dict.fromkeys(name for params in candidates for name in params if name not in holders)
    return {name: _shorten_name(name, names) for name in names}


def short_parameters(estimator: object, candidates: Sequence[Parameters]) -> list[Parameters]:
    """Return the parameters of each candidate by short names, without those that set the model."""
    names = short_parameter_names(estimator, candidates)
    return [
        {names[name]: value for name, value in params.items() if name in names}
        for params in candidates
    ]


def varying_parameter_names(
    candidates: Sequence[Parameters], contenders: Sequence[str], names: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return those ``names`` of each contender whose parameters vary among its candidates.

    Values are compared as `format_value` shows them. A candidate without the parameter differs
    from one that has it.
    """
    texts: dict[str, list[dict[str, str]]] = defaultdict(list)
    for params, contender in zip(candidates, contenders, strict=True):
        texts[contender].append(
            {name: format_value(value) for name, value in params.items() if name in names}
        )
    return {
        contender: {
            name: short
            for name, short in names.items()
            if len({text.get(name) for text in contender_texts}) > 1
        }
        for contender, contender_texts in texts.items()
    }


def format_parameters(params: Parameters, names: Mapping[str, str]) -> str:
    """Return the parameters that are in ``names``, by their short names, as text on one line."""
    return ", ".join(
        f"{names[name]}={format_value(value)}" for name, value in params.items() if name in names
    )


def format_value(value: object) -> str:
    """Return a value as text on one line; an estimator, class or function as its name."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}"
    if hasattr(value, "get_params") or callable(value):
        return _name_of(value)
    return as_one_line(value)


def _find_model(estimator: object, params: Parameters, path: str = "") -> tuple[list[str], object]:
    """Return the names of the parameters that lead to a candidate's model, and the model."""
    estimator = params.get(path, estimator)
    name, inner = _inner_estimator(estimator)
    inner_path = f"{path}__{name}" if path else name
    if not name or (inner is None and inner_path not in params):
        return [path], estimator
    paths, model = _find_model(inner, params, inner_path)
    return [path, *paths], model


def _inner_estimator(estimator: object) -> tuple[str, object]:
    """Return the parameter that holds the inner estimator, and that estimator.

    The parameter is empty for an estimator that is a model itself.
    """
    if isinstance(estimator, Pipeline):
        name, last_step = estimator.steps[-1]
        return name, last_step
    for wrapper, name in _WRAPPERS:
        if isinstance(estimator, wrapper):
            return name, getattr(estimator, name)
    return "", None


def _name_of(value: object) -> str:
    if isinstance(value, str):  # "passthrough"
        return value
    return getattr(value, "__name__", type(value).__name__)


def _shorten_name(name: str, names: Iterable[str]) -> str:
    """Return the last parts of a name, as few as tell it apart from the others."""
    parts = name.split("__")
    for number in range(1, len(parts)):
        short = "__".join(parts[-number:])
        if not any(other != name and f"__{other}".endswith(f"__{short}") for other in names):
            return short
    return name
