"""The two halving searches, with their fits on a backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from math import floor, log
from typing import Any

import numpy as np
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV

from skdistsearch._typing import (
    CrossValidation,
    Estimator,
    ParamGrid,
    RandomState,
    Refit,
    Scoring,
)
from skdistsearch.backends import Backend
from skdistsearch.exceptions import TimeBudgetError
from skdistsearch.model_selection._distributed import BACKEND_CONSTRAINTS, DistributedSearchMixin
from skdistsearch.model_selection._docstring import fill_docstring


class _HalvingMixin(DistributedSearchMixin):
    """Behaviour that both halving searches share."""

    _is_single_round = False
    _subsamples_rows = True

    def _run_rounds(self, evaluate_candidates: Callable[..., Any], **context: Any) -> None:
        try:
            super()._run_rounds(evaluate_candidates, **context)
        except TimeBudgetError:
            if len(self.n_resources_) < 2:  # not even the first round is complete
                raise
            self._leave_out_last_round()

    def _leave_out_last_round(self) -> None:
        """Set the attributes that scikit-learn sets after its last round."""
        self.n_resources_.pop()
        self.n_remaining_candidates_ = self.n_candidates_.pop()
        self.n_iterations_ = len(self.n_resources_)
        ratio = self.max_resources_ // self.min_resources_
        self.n_required_iterations_ = 1 + floor(log(self.n_candidates_[0], self.factor))
        self.n_possible_iterations_ = 1 + floor(log(ratio, self.factor))


@fill_docstring
class DistributedHalvingGridSearchCV(_HalvingMixin, HalvingGridSearchCV):  # type: ignore[misc]
    """Successive halving over a grid, with the fits of each round on a backend.

    Takes the place of `~sklearn.model_selection.HalvingGridSearchCV`: the same parameters,
    attributes and numbers. No import from ``sklearn.experimental`` is needed. The methods
    ``predict``, ``predict_proba``, ``score``, ``transform`` and so on are those of
    `~sklearn.model_selection.HalvingGridSearchCV`.

    The first round fits all candidates with few resources, such as few rows. Each round after it
    fits the best of the candidates with more. A round waits for the fits of the round before, so
    these searches have no `~skdistsearch.Plan`, and on AWS Batch or Kubernetes each round starts a
    run.

    Parameters
    ----------
    {estimator}
    param_grid : dict or list of dict
        Parameter names as keys, lists of values as values.
    {halving_parameters}
    min_resources : int, "exhaust" or "smallest", default="exhaust"
        Amount of the resource in the first round. "smallest": a small number, of rows two for
        each split (and class). "exhaust": such that the last round uses as much as possible.
    {aggressive_elimination}
    {halving_cv}
    {single_scoring}
    {single_refit}
    {error_score}
    {halving_train_score}
    random_state : int, RandomState instance or None, default=None
        Seed of the subsamples of rows.
    {n_jobs}
    {verbose}
    {backend_parameters}
    {cache_mb}
    {extract}
    {halving_keep}
    {halving_time_budget_s}

    Attributes
    ----------
    {halving_attributes}
    {fitted_attributes}
    {own_attributes}
    {halving_stopped}

    See Also
    --------
    skdistsearch.DistributedSearchCV : Give all candidates all rows, in one round.
    skdistsearch.DistributedHalvingRandomSearchCV : Sample the candidates.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedHalvingGridSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.01, 0.1, 1.0, 10.0]}
    >>> search = DistributedHalvingGridSearchCV(
    ...     Ridge(), grid, factor=2, random_state=0
    ... )
    >>> search.fit(X, y).n_candidates_
    [4, 2, 1]
    >>> search.n_resources_
    [110, 220, 440]
    """

    _parameter_constraints: dict[str, Any] = {
        **HalvingGridSearchCV._parameter_constraints,
        **BACKEND_CONSTRAINTS,
    }

    def __init__(
        self,
        estimator: Estimator,
        param_grid: ParamGrid | Sequence[ParamGrid],
        *,
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "exhaust",
        aggressive_elimination: bool = False,
        cv: CrossValidation = 5,
        scoring: Scoring = None,
        refit: Refit = True,
        error_score: float | str = np.nan,
        return_train_score: bool = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Mapping[str, str | Callable[[Any], float]] | None = None,
        keep: str | tuple[str, ...] = (),
        time_budget_s: float | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.backend = backend
        self.checkpoint = checkpoint
        self.cache_mb = cache_mb
        self.extract = extract
        self.keep = keep
        self.time_budget_s = time_budget_s


@fill_docstring
class DistributedHalvingRandomSearchCV(_HalvingMixin, HalvingRandomSearchCV):  # type: ignore[misc]
    """Successive halving over sampled parameters, with the fits of each round on a backend.

    Takes the place of `~sklearn.model_selection.HalvingRandomSearchCV`: the same parameters,
    attributes and numbers. No import from ``sklearn.experimental`` is needed. The methods
    ``predict``, ``predict_proba``, ``score``, ``transform`` and so on are those of
    `~sklearn.model_selection.HalvingRandomSearchCV`.

    The first round fits all candidates with few resources, such as few rows. Each round after it
    fits the best of the candidates with more. A round waits for the fits of the round before, so
    these searches have no `~skdistsearch.Plan`, and on AWS Batch or Kubernetes each round starts a
    run.

    Parameters
    ----------
    {estimator}
    param_distributions : dict or list of dict
        Parameter names as keys, and lists of values or distributions (objects with an ``rvs``
        method, such as those of `scipy.stats`) as values. Of a list of dicts, one is drawn for
        each candidate.
    n_candidates : int or "exhaust", default="exhaust"
        Number of candidates in the first round. "exhaust": as many as let the last round use as
        much of the resource as possible. Then ``min_resources`` cannot be "exhaust".
    {halving_parameters}
    min_resources : int, "exhaust" or "smallest", default="smallest"
        Amount of the resource in the first round. "smallest": a small number, of rows two for
        each split (and class). "exhaust": such that the last round uses as much as possible.
    {aggressive_elimination}
    {halving_cv}
    {single_scoring}
    {single_refit}
    {error_score}
    {halving_train_score}
    random_state : int, RandomState instance or None, default=None
        Seed of the samples, and of the subsamples of rows.
    {n_jobs}
    {verbose}
    {backend_parameters}
    {cache_mb}
    {extract}
    {halving_keep}
    {halving_time_budget_s}

    Attributes
    ----------
    {halving_attributes}
    {fitted_attributes}
    {own_attributes}
    {halving_stopped}

    See Also
    --------
    skdistsearch.DistributedSearchCV : Give all candidates all rows, in one round.
    skdistsearch.DistributedHalvingGridSearchCV : Try all candidates of a grid.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedHalvingRandomSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> space = {"alpha": loguniform(0.01, 10.0)}
    >>> search = DistributedHalvingRandomSearchCV(
    ...     Ridge(), space, n_candidates=6, min_resources="exhaust", random_state=0
    ... )
    >>> search.fit(X, y).n_candidates_
    [6, 2]
    >>> search.n_resources_
    [147, 441]
    """

    _parameter_constraints: dict[str, Any] = {
        **HalvingRandomSearchCV._parameter_constraints,
        **BACKEND_CONSTRAINTS,
    }

    def __init__(
        self,
        estimator: Estimator,
        param_distributions: ParamGrid | Sequence[ParamGrid],
        *,
        n_candidates: int | str = "exhaust",
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "smallest",
        aggressive_elimination: bool = False,
        cv: CrossValidation = 5,
        scoring: Scoring = None,
        refit: Refit = True,
        error_score: float | str = np.nan,
        return_train_score: bool = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Mapping[str, str | Callable[[Any], float]] | None = None,
        keep: str | tuple[str, ...] = (),
        time_budget_s: float | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_candidates=n_candidates,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.backend = backend
        self.checkpoint = checkpoint
        self.cache_mb = cache_mb
        self.extract = extract
        self.keep = keep
        self.time_budget_s = time_budget_s
