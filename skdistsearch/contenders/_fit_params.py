"""`WithFitParams`: what goes to ``fit``, made a parameter that a search can set."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.utils.metadata_routing import UNUSED

from skdistsearch._meta_estimator import DelegatingEstimator


class FitParams:
    """Parameters of a ``fit`` by name, which ``set_params`` of what holds them reaches."""

    def __init__(self, **params: Any) -> None:
        self._params = params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All of them."""
        return dict(self._params)

    def set_params(self, **params: Any) -> FitParams:
        """Set some; no name is new."""
        if unknown := sorted(set(params) - set(self._params)):
            raise ValueError(f"No such parameters of fit: {', '.join(unknown)}.")
        self._params = {**self._params, **params}
        return self

    def __repr__(self) -> str:
        return (
            f"FitParams({', '.join(f'{name}={value!r}' for name, value in self._params.items())})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FitParams) and self._params == other._params

    __hash__ = None  # type: ignore[assignment]


class WithFitParams(DelegatingEstimator):
    """An estimator, and what its ``fit`` is given besides the data.

    Parameters
    ----------
    estimator : estimator object
        What is fitted.
    fit_params : FitParams
        Passed to its ``fit``. A search sets them as ``fit_params__NAME``.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted estimator.
    """

    _parameter_constraints: dict[str, Any] = {
        "estimator": "no_validation",
        "fit_params": [FitParams],
    }
    # The estimator's own requests decide.
    __metadata_request__fit = {"sample_weight": UNUSED}

    def __init__(self, estimator: Any, fit_params: FitParams) -> None:
        self.estimator = estimator
        self.fit_params = fit_params

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **params: Any) -> WithFitParams:
        """Fit the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        **params : dict of str -> object
            More for the estimator's ``fit``.

        Returns
        -------
        self : WithFitParams
            The fitted estimator.
        """
        self._validate_params()
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        given = {**self.fit_params.get_params(), **self._routed("fit", params)}
        self._keep(clone(self.estimator).fit(X, y, **given))
        return self

    @property
    def best_iteration_(self) -> int:
        """The best number of iterations, of what stops early."""
        return int(self.estimator_.best_iteration_)
