"""`WithFitParams`: pass parameters of ``fit`` as parameters that a search can set."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.utils.metadata_routing import UNUSED

from skdistsearch._meta_estimator import DelegatingEstimator
from skdistsearch._typing import ArrayLike, Estimator


class FitParams:
    """Named parameters of a ``fit``, with ``get_params`` and ``set_params``.

    Being a parameter of an estimator, it makes them reachable as nested parameters.
    """

    def __init__(self, **params: Any) -> None:
        self._params = params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters."""
        return dict(self._params)

    def set_params(self, **params: Any) -> FitParams:
        """Set some of the parameters; new names are an error."""
        if unknown := sorted(set(params) - set(self._params)):
            raise ValueError(
                f"Not parameters of fit: {', '.join(unknown)}. Known: {', '.join(self._params)}."
            )
        self._params = {**self._params, **params}
        return self

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self._params.items())
        return f"FitParams({params})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FitParams) and self._params == other._params

    __hash__ = None  # type: ignore[assignment]


class WithFitParams(DelegatingEstimator):
    """An estimator with fixed parameters for its ``fit``, in addition to the data.

    Parameters
    ----------
    estimator : estimator object
        The estimator to fit.
    fit_params : FitParams
        Parameters for its ``fit``. A search sets them as ``fit_params__NAME``.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted estimator.
    """

    _parameter_constraints: dict[str, Any] = {
        "estimator": "no_validation",
        "fit_params": [FitParams],
    }
    # The estimator's own requests decide about weights.
    __metadata_request__fit = {"sample_weight": UNUSED}

    def __init__(self, estimator: Estimator, fit_params: FitParams) -> None:
        self.estimator = estimator
        self.fit_params = fit_params

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike = None,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> WithFitParams:
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
            More parameters for the estimator's ``fit``.

        Returns
        -------
        self : WithFitParams
            The fitted estimator.
        """
        self._validate_params()
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        fit_params = {**self.fit_params.get_params(), **self._route_params("fit", params)}
        self._set_fitted(clone(self.estimator).fit(X, y, **fit_params))
        return self

    @property
    def best_iteration_(self) -> int:
        """The best number of iterations, if the estimator stops early."""
        return int(self.estimator_.best_iteration_)
