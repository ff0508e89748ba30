"""`Family`: how models of one kind stop early. Also helpers for the built-in families."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skdistsearch._typing import ArrayLike


@dataclass(frozen=True)
class FitData:
    """Rows for one call of ``fit``, or validation rows.

    Examples
    --------
    What a `Family` gets, and passes to its model:

    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch.early_stopping import FitData
    >>> X, y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
    >>> train = FitData(X, y, {"sample_weight": np.ones(3)})
    >>> Ridge().fit(train.X, train.y, **train.params)
    Ridge()
    """

    X: ArrayLike
    """Array-like of shape (n_samples, n_features), as the model receives it: in a pipeline, after
    the preprocessing."""
    y: ArrayLike
    """Array-like of shape (n_samples,) or (n_samples, n_outputs)."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of ``fit``, such as ``sample_weight``, by the model's names for them. For
    validation rows, only parameters with one value per row."""


@dataclass(frozen=True)
class Family:
    """Functions that fit models of one kind with early stopping.

    Each function may change the model that it is given: the model is a private copy.

    Examples
    --------
    A family for scikit-learn's gradient boosting, which is scored after all trees are fitted:

    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> from sklearn.metrics import mean_squared_error
    >>> from skdistsearch.early_stopping import Family, register_family
    >>> def fit_with_validation(model, train, validation, patience):
    ...     model.fit(train.X, train.y, **train.params)
    ...     weights = validation.params.get("sample_weight")
    ...     errors = [
    ...         mean_squared_error(validation.y, predicted, sample_weight=weights)
    ...         for predicted in model.staged_predict(validation.X)
    ...     ]
    ...     best = 0
    ...     for n, error in enumerate(errors):
    ...         if error < errors[best]:
    ...             best = n
    ...         elif n - best >= patience:
    ...             break
    ...     return best + 1
    >>> family = Family(
    ...     name="gradient boosting of scikit-learn",
    ...     matches=lambda model: isinstance(model, GradientBoostingRegressor),
    ...     fit_with_validation=fit_with_validation,
    ...     set_iterations=lambda model, n: model.set_params(n_estimators=n),
    ...     restores_best=False,
    ... )

    Pass it to one estimator, ``EarlyStopping(model, family=family)``, which works on every
    backend, or call ``register_family(family)`` to use it for all matching models of this process.
    """

    name: str
    """Name in error messages and lists."""
    matches: Callable[[Any], bool]
    """``matches(estimator)``: True if the estimator belongs to this family. Must not import
    packages that may be missing: compare the name of its class, for example."""
    fit_with_validation: Callable[[Any, FitData, FitData, int], int]
    """``fit_with_validation(model, train, validation, patience)``: fit the model on ``train``, stop
    after ``patience`` iterations in a row without improvement on ``validation``, and return the
    best number of iterations, at least 1."""
    set_iterations: Callable[[Any, int], Any]
    """``set_iterations(model, n)``: make ``model.fit`` run ``n`` iterations on all rows that it is
    given, with the model's own early stopping switched off."""
    restores_best: bool = True
    """True if a model predicts with its best iteration after ``fit_with_validation``. If False,
    ``EarlyStopping(refit=False)`` fits once more, on the same rows."""
    validation_history: Callable[[Any, int], tuple[str, Sequence[float]]] | None = None
    """``validation_history(model, best)``: called after ``fit_with_validation`` returned ``best``.
    Returns the name of the metric and its value on the validation rows after each iteration. None
    if models of this family do not record it."""


def is_a(estimator: object, package: str, *names: str) -> bool:
    """Return True if the estimator's class, or a base class, has one of the names in the package.

    Imports nothing: a package that has not been imported yet has no instances.
    """
    return any(
        cls.__name__ in names and cls.__module__.partition(".")[0] == package
        for cls in type(estimator).__mro__
    )


def choose_metric(series: Mapping[str, Sequence[float]], best: int) -> tuple[str, Sequence[float]]:
    """Return the name and the values of the first metric that is at its best after ``best``.

    ``series`` maps the names of metrics to their values on the validation rows. Returns the first
    metric if none has its minimum or maximum there.
    """

    def has_extreme(values: Sequence[float]) -> bool:
        return best <= len(values) and values[best - 1] in (min(values), max(values))

    candidates = (item for item in series.items() if has_extreme(item[1]))
    return next(candidates, next(iter(series.items())))
