"""Find the path of a parameter in a pipeline or another composite, and make prefixes of the whole.

A search names a parameter by its place, such as ``clf__estimator__n_estimators``. The names before
the last one lead through pipelines, whose last step is fitted on its own, and then through
meta-estimators that fit models of their own: their prefix is a copy with prefixes of these models.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from skdistsearch.model_paths._base import PathFamily, has_seed, is_exactly
from skdistsearch.model_paths._registry import find_path_family

# By class: the parameter for the inner estimator, and the attribute with the fitted ones
_META_ESTIMATORS = {
    "MultiOutputClassifier": ("estimator", "estimators_"),
    "MultiOutputRegressor": ("estimator", "estimators_"),
    "OneVsOneClassifier": ("estimator", "estimators_"),
    "OneVsRestClassifier": ("estimator", "estimators_"),
    "TransformedTargetRegressor": ("regressor", "regressor_"),
}


@dataclass(frozen=True)
class ModelPath:
    """A path, and the place of its model in an estimator."""

    family: PathFamily
    """The family of the model."""
    steps: tuple[str, ...]
    """Names of the pipeline steps that lead to the estimator whose ``fit`` can be shared."""
    parts: tuple[str, ...]
    """Names of the parameters that lead from there to the model."""

    @property
    def parameter(self) -> str:
        """Name of the parameter within the part whose ``fit`` can be shared."""
        return "__".join([*self.parts, self.family.parameter])

    def find_fitted_part(self, estimator: Any) -> Any:
        """Return the part of an estimator whose ``fit`` can be shared."""
        for _ in self.steps:
            estimator = estimator.steps[-1][1]
        return estimator

    def value_of(self, part: Any) -> Any:
        """Return the value of the path's parameter in a fitted part."""
        return part.get_params()[self.parameter]

    def prefix(self, part: Any, value: Any) -> Any:
        """Return the fitted part as a fit with ``value`` would have given it, or None."""
        return _prefix(part, self.parts, self.family, value)


def find_path(estimator: Any, name: str, n_samples: int) -> ModelPath | None:
    """Return the path that a parameter of an estimator has, if its fits can be shared.

    Parameters
    ----------
    estimator : estimator object
        The unfitted estimator, with all parameters set.
    name : str
        Name of the parameter, such as ``"clf__n_estimators"``.
    n_samples : int
        Number of rows of all splits.
    """
    *names, parameter = name.split("__")
    steps = _leading_steps(estimator, names)
    part = estimator
    for _ in steps:
        part = part.steps[-1][1]
    parts = tuple(names[len(steps) :])
    model = _inner_model(part, parts)
    family = None if model is None else find_path_family(model, parameter)
    if family is None or not family.can_share(model, n_samples):
        return None
    return ModelPath(family, steps, parts)


def _leading_steps(estimator: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that stand for last steps of pipelines."""
    steps: list[str] = []
    for name in names:
        if type(estimator) is not Pipeline or estimator.memory is not None:
            break
        last, estimator = estimator.steps[-1]
        if name != last:
            break
        steps.append(name)
    return tuple(steps)


def _inner_model(part: Any, parts: Sequence[str]) -> Any:
    """Return the model that the names lead to, or None if a fit around it cannot be shared."""
    for name in parts:
        if _has_callbacks(part) or not _is_deterministic(part, name):
            return None
        part = part.get_params().get(name)
    return None if part is None or _has_callbacks(part) else part


def _is_deterministic(part: Any, name: str) -> bool:
    """Return True if a composite does the same for equal inner models."""
    if type(part) is Pipeline:
        others = [step for _, step in part.steps[:-1]]
        is_known = part.memory is None and part.steps[-1][0] == name
    else:
        parameter, _ = _META_ESTIMATORS.get(type(part).__name__, ("", ""))
        others = [value for key, value in part.get_params(deep=False).items() if key != name]
        is_known = is_exactly(part, "sklearn", type(part).__name__) and parameter == name
    return is_known and all(map(_has_no_free_randomness, others))


def _has_no_free_randomness(value: object) -> bool:
    if not isinstance(value, BaseEstimator):
        return True
    is_own = type(value).__module__.partition(".")[0] == "sklearn"
    return is_own and (not hasattr(value, "random_state") or has_seed(value))


def _has_callbacks(estimator: object) -> bool:
    """Return True if scikit-learn's callbacks follow the fit of an estimator."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def _prefix(part: Any, parts: Sequence[str], family: PathFamily, value: Any) -> Any:
    """Return the prefix of a fitted part, or None if it has none."""
    if is_exactly(part, "sklearn", "_ConstantPredictor"):  # for a class that the rows lack
        return part
    if not parts:
        return family.prefix(part, value) if family.matches(part) else None
    name, *rest = parts
    copied = copy.copy(part)
    if type(part) is Pipeline:
        *steps, (last, model) = part.steps
        prefix = _prefix(model, rest, family, value)
        copied.steps = [*steps, (last, prefix)]
        return None if prefix is None else copied
    _, attribute = _META_ESTIMATORS[type(part).__name__]
    fitted = getattr(part, attribute)
    has_many = isinstance(fitted, list | tuple)
    models = [_prefix(m, rest, family, value) for m in (fitted if has_many else [fitted])]
    if any(model is None for model in models):
        return None
    setattr(copied, attribute, type(fitted)(models) if has_many else models[0])
    unfitted = clone(getattr(part, name))
    setattr(copied, name, unfitted.set_params(**{"__".join([*rest, family.parameter]): value}))
    return copied
