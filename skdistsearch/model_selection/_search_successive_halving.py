"""scikit-learn's other searches, whose fits run on a backend: each is the mixin and a signature."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)

from skdistsearch.backends import Backend
from skdistsearch.model_selection._distributed import OURS, Distributed


class DistributedHalvingGridSearchCV(Distributed, HalvingGridSearchCV):  # type: ignore[misc]
    """`sklearn.model_selection.HalvingGridSearchCV`, whose fits run on a backend, round by round.

    Parameters
    ----------
    estimator, param_grid, factor, resource, max_resources, min_resources, \
    aggressive_elimination, cv, scoring, refit, error_score, return_train_score, random_state, \
    n_jobs, verbose
        As for `~sklearn.model_selection.HalvingGridSearchCV`.
    backend : {"local", "metaflow", "batch", "kubernetes"} or object with ``run``, default="local"
        Where the fits run; see `DistributedSearchCV`.
    checkpoint : str, path or None, default=None
        Where finished fits are kept and looked for; see `DistributedSearchCV`.
    cache_mb : float or None, default=None
        Memory for what fits have in common; see `DistributedSearchCV`.
    extract, keep
        What is noted and kept of fitted models; see `DistributedSearchCV`. Of predictions there
        are none: a round has a part of the rows only.
    """

    _plans_ahead = False
    _subsamples = True
    _parameter_constraints: dict[str, Any] = {
        **HalvingGridSearchCV._parameter_constraints,
        **OURS,
    }

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "exhaust",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Any = None,
        keep: Any = (),
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


class DistributedHalvingRandomSearchCV(Distributed, HalvingRandomSearchCV):  # type: ignore[misc]
    """`sklearn.model_selection.HalvingRandomSearchCV`, whose fits run on a backend, by rounds.

    Parameters
    ----------
    estimator, param_distributions, n_candidates, factor, resource, max_resources, \
    min_resources, aggressive_elimination, cv, scoring, refit, error_score, \
    return_train_score, random_state, n_jobs, verbose
        As for `~sklearn.model_selection.HalvingRandomSearchCV`.
    backend : {"local", "metaflow", "batch", "kubernetes"} or object with ``run``, default="local"
        Where the fits run; see `DistributedSearchCV`.
    checkpoint : str, path or None, default=None
        Where finished fits are kept and looked for; see `DistributedSearchCV`.
    cache_mb : float or None, default=None
        Memory for what fits have in common; see `DistributedSearchCV`.
    extract, keep
        What is noted and kept of fitted models; see `DistributedSearchCV`. Of predictions there
        are none: a round has a part of the rows only.
    """

    _plans_ahead = False
    _subsamples = True
    _parameter_constraints: dict[str, Any] = {
        **HalvingRandomSearchCV._parameter_constraints,
        **OURS,
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: int | str = "exhaust",
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "smallest",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Any = None,
        keep: Any = (),
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
