"""What a family of models is, and how one is found and added."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FitData:
    """Rows for one call of ``fit``, or rows to validate on."""

    X: Any
    """Array-like of shape (n_samples, n_features), as the model gets it: after a pipeline."""
    y: Any
    """Array-like of shape (n_samples,) or (n_samples, n_outputs)."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of ``fit``, such as ``sample_weight``, by the model's names. A part to validate
    on has only those that hold a value for each row."""


@dataclass(frozen=True)
class Family:
    """How models of one kind are fitted while a validation part is watched.

    Plain functions of a model, which they may change: it is a copy that nobody else has.

    Examples
    --------
    A family for scikit-learn's gradient boosting, which looks back once all trees are there:

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
    ...     matches=lambda estimator: isinstance(estimator, GradientBoostingRegressor),
    ...     fit_with_validation=fit_with_validation,
    ...     set_iterations=lambda model, n: model.set_params(n_estimators=n),
    ...     restores_best=False,
    ... )

    ``EarlyStopping(model, family=family)`` uses it, wherever it is fitted; ``register_family(family)``
    makes it known to the process.
    """

    name: str
    """As errors and lists show it."""
    matches: Callable[[Any], bool]
    """``matches(estimator)``: whether the estimator is of this family. Must not import what may
    be missing: see `is_a`."""
    fit_with_validation: Callable[[Any, FitData, FitData, int], int]
    """``fit_with_validation(model, train, validation, patience)``: fit the model on ``train``, end
    once ``patience`` iterations in a row have not bettered it on ``validation``, and return the
    best number of iterations, at least 1."""
    set_iterations: Callable[[Any, int], Any]
    """``set_iterations(model, n)``: let ``model.fit`` run ``n`` iterations on all rows that it
    gets, with no stopping of its own."""
    restores_best: bool = True
    """Whether a model predicts with its best iteration after ``fit_with_validation``. If not,
    ``EarlyStopping(refit=False)`` fits once more, on the same rows."""
    validation_history: Callable[[Any, int], tuple[str, Sequence[float]]] | None = None
    """``validation_history(model, best)``: after ``fit_with_validation``, which returned ``best``,
    the name of what was watched and its value after each iteration. None where nobody can tell."""


def is_a(estimator: Any, package: str, *names: str) -> bool:
    """Whether a class of the estimator's has one of the names and is of the package.

    Imports nothing: what is not imported yet has no instances.
    """
    return any(
        cls.__name__ in names and cls.__module__.partition(".")[0] == package
        for cls in type(estimator).__mro__
    )


def watched_series(series: Mapping[str, Sequence[float]], best: int) -> tuple[str, Sequence[float]]:
    """Of several metrics on the validation part, the one that is at its best after ``best``.

    The first one if none is.
    """

    def extreme(values: Sequence[float]) -> bool:
        return best <= len(values) and values[best - 1] in (min(values), max(values))

    return next((item for item in series.items() if extreme(item[1])), next(iter(series.items())))
