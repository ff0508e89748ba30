"""`HasNamedEstimators`: an estimator whose parameters include other estimators by name."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias, TypeVar

from sklearn.base import BaseEstimator, MetaEstimatorMixin

from skdistsearch._typing import Estimator
from skdistsearch._validation import estimator_type

NamedEstimators: TypeAlias = list[tuple[str, Estimator]]
"""Estimators with their names."""

Self = TypeVar("Self", bound="HasNamedEstimators")

_REQUIRED_METHODS = ("fit", "get_params", "predict")


class HasNamedEstimators(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Base class: an estimator with a parameter ``estimators``, all regressors or all classifiers.

    Provides the nested parameters, as in scikit-learn's `~sklearn.ensemble.VotingRegressor`, and
    the tags.
    """

    estimators: NamedEstimators

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters and, if ``deep``, the estimators and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the estimators and their parameters.

        Returns
        -------
        params : dict of str -> object
            Values by name, such as ``ridge`` or ``ridge__alpha``.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep and not self._estimator_errors():
            for name, estimator in self.estimators:
                params[name] = estimator
                inner = estimator.get_params(deep=True)
                params |= {f"{name}__{key}": value for key, value in inner.items()}
        return params

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters, estimators by name, or their parameters.

        Parameters
        ----------
        **params : dict of str -> object
            Values such as ``n_best=5``, ``ridge=Ridge()`` or ``ridge__alpha=1``.

        Returns
        -------
        self : estimator object
            This estimator.
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        names = [] if self._estimator_errors() else [name for name, _ in self.estimators]
        if not params.keys().isdisjoint(names):
            self.estimators = [(name, params.pop(name, old)) for name, old in self.estimators]
        super().set_params(**params)
        return self

    def _estimator_errors(self) -> list[str]:
        return check_estimators(self.estimators, super().get_params(deep=False))

    @property
    def _estimator_type(self) -> str | None:  # the name that scikit-learn < 1.6 reads
        """The type of the first candidate."""
        return None if check_format(self.estimators) else estimator_type(self.estimators[0][1])

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags, get_tags  # scikit-learn >= 1.6

        tags: Any = super().__sklearn_tags__()
        tags.estimator_type, tags.target_tags.required = self._estimator_type, True
        if tags.estimator_type is None:
            return tags
        each = [get_tags(estimator) for _, estimator in self.estimators]
        for name in ("sparse", "allow_nan"):
            setattr(tags.input_tags, name, all(getattr(one.input_tags, name) for one in each))
        tags.target_tags.multi_output = all(one.target_tags.multi_output for one in each)
        if tags.estimator_type == "classifier":
            own = [one.classifier_tags or ClassifierTags() for one in each]
            tags.classifier_tags = ClassifierTags(
                multi_class=all(one.multi_class for one in own),
                multi_label=all(one.multi_label for one in own),
            )
        else:
            tags.regressor_tags = RegressorTags()
        return tags

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn < 1.6
        return {"requires_y": True}


def check_format(estimators: Any) -> list[str]:
    """Check that this is a list of named estimators."""
    try:
        pairs = [(name, estimator) for name, estimator in estimators]
    except (TypeError, ValueError):
        pairs = []
    if not pairs or not isinstance(estimators, list | tuple):
        return ["estimators must be a non-empty list of (name, estimator) pairs."]
    errors = []
    names = [name for name, _ in pairs]
    for name, estimator in pairs:
        if not isinstance(name, str) or "__" in name or names.count(name) > 1:
            errors.append(f"The name {name!r} must be a unique str without '__'.")
        has_methods = all(hasattr(estimator, method) for method in _REQUIRED_METHODS)
        if isinstance(estimator, type) or not has_methods:
            errors.append(
                f"{name} must be an estimator with fit and predict, got {estimator!r:.80}."
            )
    return errors


def check_estimators(estimators: NamedEstimators, parameter_names: Collection[str]) -> list[str]:
    """Check the estimators; their names must not be those of parameters."""
    if errors := check_format(estimators):
        return errors
    types = {name: estimator_type(estimator) for name, estimator in estimators}
    if set(types.values()) not in ({"classifier"}, {"regressor"}):
        listed = ", ".join(f"{name} ({kind or 'neither'})" for name, kind in types.items())
        errors.append(f"estimators must be all regressors or all classifiers. Got: {listed}.")
    if clashes := sorted(set(parameter_names) & set(types)):
        errors.append(f"Estimators must not have the names of parameters: {', '.join(clashes)}.")
    return errors
