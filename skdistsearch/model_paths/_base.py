"""`PathFamily`: the paths of one kind of models. Also helpers for the built-in families."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _always(model: Any, n_samples: int) -> bool:
    return True


def is_positive_integer(value: object) -> bool:
    """Return True for 1, 2, 3, ..., also of numpy's types."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) > 0


@dataclass(frozen=True)
class PathFamily:
    """Functions that make the model of one parameter value from the model of another.

    `skdistsearch.testing.PathFamilySuite` has the tests that every family must pass.

    Examples
    --------
    A family for a regressor of one's own, whose fits with more steps go on from those with fewer:

    >>> import copy
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator, RegressorMixin
    >>> from skdistsearch.model_paths import PathFamily, is_exactly, register_path_family
    >>> class Steps(RegressorMixin, BaseEstimator):
    ...     def __init__(self, n_steps=10):
    ...         self.n_steps = n_steps
    ...     def fit(self, X, y):
    ...         self.levels_ = [np.mean(y) * (1 - 0.5**n) for n in range(1, self.n_steps + 1)]
    ...         return self
    ...     def predict(self, X):
    ...         return np.full(len(X), self.levels_[-1])
    >>> def prefix(model, n_steps):
    ...     shorter = copy.copy(model).set_params(n_steps=n_steps)
    ...     shorter.levels_ = model.levels_[:n_steps]
    ...     return shorter
    >>> family = PathFamily("Steps", lambda model: type(model) is Steps, "n_steps", prefix)

    Make it known to all searches of this process:

    >>> register_path_family(family)
    """

    name: str
    """Name in lists."""
    matches: Callable[[Any], bool]
    """``matches(model)``: True if the model belongs to this family. A subclass may override
    anything: compare the class itself (`is_exactly`)."""
    parameter: str
    """Name of the model's parameter."""
    prefix: Callable[[Any, Any], Any]
    """``prefix(model, value)``: return the fitted model that a fit with ``parameter=value`` would
    have given. Must not change ``model``, but the two may share arrays. None if this value needs a
    fit of its own."""
    base_value: Any = None
    """The value whose model contains all others. None if that is the largest one of a path."""
    is_valid: Callable[[Any], bool] = is_positive_integer
    """``is_valid(value)``: True if a value of the parameter can be on a path."""
    can_share: Callable[[Any, int], bool] = _always
    """``can_share(model, n_samples)``: False if the model is random without a seed, or if anything
    but its length depends on the parameter. ``model`` is not fitted; ``n_samples`` is the number of
    rows of all splits."""
    differs_in: tuple[str, ...] = ()
    """Names of attributes in which a prefix differs from a model that was fitted with its value.
    Predictions must be equal to the last bit in any case."""

    def contains(self, value: Any, other: Any) -> bool:
        """Return True if the model with ``value`` contains the one with ``other``.

        Parameters
        ----------
        value, other : object
            Values of the parameter.

        Returns
        -------
        contains : bool
            Whether `prefix` can make the second model from the first.
        """
        if self.base_value is None:
            return bool(value >= other)
        return bool(value == self.base_value)

    def relative_cost(self, value: Any) -> float:
        """Return the cost of a fit in proportion to others of the path.

        Parameters
        ----------
        value : object
            Value of the parameter.

        Returns
        -------
        cost : float
            The value itself where larger models contain smaller ones, else 1.
        """
        return float(value) if self.base_value is None else 1.0


def is_exactly(model: object, package: str, *names: str) -> bool:
    """Return True if the model's class, not a base of it, has one of the names in the package.

    Imports nothing: a package that has not been imported yet has no instances.

    Parameters
    ----------
    model : estimator object
        The model.
    package : str
        Name of the top-level package, such as ``"sklearn"``.
    *names : str
        Names of classes.

    Returns
    -------
    is_exactly : bool
        Whether the class is one of these.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skdistsearch.model_paths import is_exactly
    >>> is_exactly(RandomForestRegressor(), "sklearn", "RandomForestRegressor")
    True
    """
    kind = type(model)
    return kind.__name__ in names and kind.__module__.partition(".")[0] == package


def shortened(model: Any, parameter: str, n: int, *attributes: str) -> Any:
    """Return a copy with ``n`` as the parameter, and with the first ``n`` items of attributes.

    Leaves out attributes that the model does not have.
    """
    copied = copy.copy(model)
    setattr(copied, parameter, n)
    for name in attributes:
        if hasattr(copied, name):
            setattr(copied, name, getattr(copied, name)[:n])
    return copied


def has_seed(model: Any) -> bool:
    """Return True if the model's ``random_state`` is an integer."""
    return isinstance(model.random_state, numbers.Integral)
