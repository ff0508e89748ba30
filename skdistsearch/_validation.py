"""Checks of arguments that several packages make, and hints for their error messages."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable
from typing import Any


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return a hint that names the most similar valid name, or "" if none is similar.

    The hint begins with a space, so that it can follow a sentence.

    Examples
    --------
    >>> did_you_mean("alpah", ["alpha", "solver"])
    " Did you mean 'alpha'?"
    >>> did_you_mean("gamma", ["alpha", "solver"])
    ''
    """
    matches = difflib.get_close_matches(name, list(valid), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def is_integer(value: object, least: float = -math.inf) -> bool:
    """Return True for an integer of at least ``least``; a bool is not an integer."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        return False
    return int(value) >= least


def check_target(estimator: object, y: object) -> None:
    """Raise the error that scikit-learn's estimators raise if ``y`` is missing."""
    name = type(estimator).__name__
    if y is None:
        raise ValueError(f"{name} requires y to be passed, but the target y is None.")  # prose: ok


def estimator_type(estimator: Any) -> str | None:
    """Return "classifier", "regressor" or another type of scikit-learn's, or None."""
    # Imported late: worker processes read this module before they need scikit-learn.
    from sklearn.base import is_classifier, is_regressor
    from sklearn.pipeline import Pipeline

    if is_classifier(estimator):
        return "classifier"
    if is_regressor(estimator):
        return "regressor"
    # The tags of scikeras 0.13 are not those of scikit-learn 1.6 and later.
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return getattr(estimator, "_estimator_type", None)
