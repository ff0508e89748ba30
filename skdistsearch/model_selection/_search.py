"""DistributedSearchCV and DistributedRandomizedSearchCV."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import RandomizedSearchCV
from sklearn.model_selection._search import BaseSearchCV

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
from skdistsearch.model_selection._param_grid import check_param_grid, make_candidates


@fill_docstring
class DistributedSearchCV(DistributedSearchMixin, BaseSearchCV):  # type: ignore[misc]
    """Exhaustive and randomized search over parameters, with its fits on a backend.

    Takes the place of `sklearn.model_selection.GridSearchCV`: the same parameters, attributes
    and numbers. Each (candidate, split) fit runs on ``backend``.

    Parameters
    ----------
    estimator : estimator object
        As for `~sklearn.model_selection.GridSearchCV`.
    param_grid : dict or list of dict
        Parameter names as keys, lists of values as values. A dict of lists is a grid. A dict
        with the key ``"__n_iter"`` is sampled that many times, from lists and from
        distributions (objects with an ``rvs`` method, such as those of `scipy.stats`). So one
        search can hold a grid over one model family and samples of another.
    scoring, n_jobs, refit, cv, verbose, error_score, return_train_score
        As for `~sklearn.model_selection.GridSearchCV`. ``n_jobs`` is the number of worker
        processes of ``backend="local"``, and of Metaflow's workers unless the backend has
        ``max_workers``.
    pre_dispatch : int or str, default="2*n_jobs"
        Accepted for compatibility with `~sklearn.model_selection.GridSearchCV`, and ignored: fits
        share one copy of the data.
    random_state : int, RandomState instance or None, default=None
        Seed of the sampled dicts. Each of them uses the same seed and gives the candidates of
        `~sklearn.model_selection.ParameterSampler`, independently of the other dicts.
    {backend_parameters}
    keep : str or tuple of str, default=()
        Predictions and models to keep. ``"predict"``, ``"predict_proba"`` and
        ``"decision_function"``: the out-of-fold predictions of that method. ``"predictions"``:
        those of ``predict_proba`` for a classifier, else of ``predict``. ``"estimators"``: the
        fitted models.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
    refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As of `~sklearn.model_selection.GridSearchCV`.
    {shared_attributes}
    oof_predictions_ : dict of str to ndarray
        Out-of-fold predictions by method, of shape (n_candidates, n_samples) or (n_candidates,
        n_samples, n_classes or n_outputs): for each candidate, the result of
        `~sklearn.model_selection.cross_val_predict`. Predictions for a row that is in several test
        parts are averaged; a row that is in none has NaN. Classes are in the order of
        ``numpy.unique(y)``. A list of arrays if the method returns one for each output. Only with
        ``keep``.

    See Also
    --------
    skdistsearch.report.leaderboard : Ranked table of the candidates.

    Notes
    -----
    Scores are bit-equal to those of `~sklearn.model_selection.GridSearchCV`. If an estimator draws
    random numbers without a seed, they follow the same distribution.

    Each process does shared work once: it slices X and y of a split, fits equal candidates, and
    fits the transformers of a Pipeline, FeatureUnion or ColumnTransformer that get the same data
    with the same parameters, and transforms test data with them. A Pipeline with a ``memory`` of
    its own keeps to that. Fits with shared work run one after the other, and not in the order of
    the candidates. Shared data is read-only; a fit that writes to it runs again on its own copy.
    The seconds of shared work are divided equally among the ``fit_time`` and ``score_time`` of the
    fits that need it.

    Kept predictions take ``8 * n_candidates * n_samples`` bytes of memory, times the number of
    classes or outputs, and about twice that while they are combined. Kept models are files: with a
    checkpoint, in it; without one, after fits on AWS Batch or Kubernetes, in S3 below
    ``skdistsearch/runs``, where they stay; otherwise in a temporary folder, which is removed with
    the search. A pickle of the search contains the models in that folder.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=5).fit(X, y)
    >>> search.best_params_
    {'alpha': 0.1}
    """

    _required_parameters = ["estimator", "param_grid"]  # scikit-learn < 1.6 asks for it
    _parameter_constraints: dict[str, Any] = {
        **BaseSearchCV._parameter_constraints,
        "param_grid": [dict, list],
        "random_state": ["random_state"],
        **BACKEND_CONSTRAINTS,
    }

    def __init__(
        self,
        estimator: Estimator,
        param_grid: ParamGrid | Sequence[ParamGrid],
        *,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: Refit = True,
        cv: CrossValidation = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        random_state: RandomState = None,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Mapping[str, str | Callable[[Any], float]] | None = None,
        keep: str | tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_grid = param_grid
        self.random_state = random_state
        self.backend = backend
        self.checkpoint = checkpoint
        self.cache_mb = cache_mb
        self.extract = extract
        self.keep = keep

    def _check_candidates(self) -> None:
        check_param_grid(self.param_grid, self.estimator)

    def _run_rounds(self, evaluate_candidates: Callable[..., Any], **context: Any) -> None:
        candidates = make_candidates(self.param_grid, self.random_state)
        if not context:
            evaluate_candidates(candidates)
            return
        search_context = context["callback_ctx"].subcontext(
            task_name="search",
            max_subtasks=len(candidates) * self.n_splits_,
            sequential_subtasks=False,
        )
        search_context.call_on_fit_task_begin(estimator=self)
        evaluate_candidates(candidates, callback_ctx=search_context)
        search_context.call_on_fit_task_end(estimator=self)


@fill_docstring
class DistributedRandomizedSearchCV(DistributedSearchMixin, RandomizedSearchCV):  # type: ignore[misc]
    """`sklearn.model_selection.RandomizedSearchCV` with its fits on a backend.

    Parameters
    ----------
    estimator, param_distributions, n_iter, scoring, n_jobs, refit, cv, verbose, pre_dispatch, \
    random_state, error_score, return_train_score
        As for `~sklearn.model_selection.RandomizedSearchCV`.
    {backend_parameters}
    keep : str or tuple of str, default=()
        Predictions and models to keep; see `DistributedSearchCV`.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
    refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As of `~sklearn.model_selection.RandomizedSearchCV`.
    {shared_attributes}
    oof_predictions_ : dict of str to ndarray
        Out-of-fold predictions by method; see `DistributedSearchCV`.
    """

    _parameter_constraints: dict[str, Any] = {
        **RandomizedSearchCV._parameter_constraints,
        **BACKEND_CONSTRAINTS,
    }

    def __init__(
        self,
        estimator: Estimator,
        param_distributions: ParamGrid | Sequence[ParamGrid],
        *,
        n_iter: int = 10,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: Refit = True,
        cv: CrossValidation = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: RandomState = None,
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Mapping[str, str | Callable[[Any], float]] | None = None,
        keep: str | tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.backend = backend
        self.checkpoint = checkpoint
        self.cache_mb = cache_mb
        self.extract = extract
        self.keep = keep
