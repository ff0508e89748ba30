"""The two halving searches, with their fits on a backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
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
from skdistsearch.model_selection._distributed import BACKEND_CONSTRAINTS, DistributedSearchMixin
from skdistsearch.model_selection._docstring import fill_docstring


@fill_docstring
class DistributedHalvingGridSearchCV(DistributedSearchMixin, HalvingGridSearchCV):  # type: ignore[misc]
    """`sklearn.model_selection.HalvingGridSearchCV` with the fits of each round on a backend.

    Parameters
    ----------
    estimator, param_grid, factor, resource, max_resources, min_resources, \
    aggressive_elimination, cv, scoring, refit, error_score, return_train_score, random_state, \
    n_jobs, verbose
        As for `~sklearn.model_selection.HalvingGridSearchCV`.
    {backend_parameters}
    {halving_keep}

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
    refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_, n_resources_, \
    n_candidates_, n_remaining_candidates_, max_resources_, min_resources_, n_iterations_, \
    n_possible_iterations_, n_required_iterations_
        As of `~sklearn.model_selection.HalvingGridSearchCV`.
    {shared_attributes}
    """

    _is_single_round = False
    _subsamples_rows = True
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


@fill_docstring
class DistributedHalvingRandomSearchCV(DistributedSearchMixin, HalvingRandomSearchCV):  # type: ignore[misc]
    """`sklearn.model_selection.HalvingRandomSearchCV` with the fits of each round on a backend.

    Parameters
    ----------
    estimator, param_distributions, n_candidates, factor, resource, max_resources, \
    min_resources, aggressive_elimination, cv, scoring, refit, error_score, \
    return_train_score, random_state, n_jobs, verbose
        As for `~sklearn.model_selection.HalvingRandomSearchCV`.
    {backend_parameters}
    {halving_keep}

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
    refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_, n_resources_, \
    n_candidates_, n_remaining_candidates_, max_resources_, min_resources_, n_iterations_, \
    n_possible_iterations_, n_required_iterations_
        As of `~sklearn.model_selection.HalvingRandomSearchCV`.
    {shared_attributes}
    """

    _is_single_round = False
    _subsamples_rows = True
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
