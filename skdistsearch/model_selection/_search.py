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

    Takes the place of `~sklearn.model_selection.GridSearchCV`: the same parameters, attributes
    and numbers. Each fit of a candidate on a split runs on ``backend``. The methods ``predict``,
    ``predict_proba``, ``score``, ``transform`` and so on are those of
    `~sklearn.model_selection.GridSearchCV`.

    Parameters
    ----------
    {estimator}
    param_grid : dict or list of dict
        Parameter names as keys, lists of values as values. A dict of lists is a grid. A dict
        with the key ``"__n_iter"`` is sampled that many times, from lists and from
        distributions (objects with an ``rvs`` method, such as those of `scipy.stats`). So one
        search can hold a grid over one model family and samples of another.
    {scoring}
    {n_jobs}
    {refit}
    {cv}
    {verbose}
    {pre_dispatch}
    {error_score}
    {return_train_score}
    random_state : int, RandomState instance or None, default=None
        Seed of the sampled dicts. Each of them gives the candidates of
        `~sklearn.model_selection.ParameterSampler` with this seed, or with the state that the
        instance has before the search, independently of the other dicts.
    {backend_parameters}
    {cache_mb}
    {extract}
    {keep}
    {race}
    {time_budget_s}

    Attributes
    ----------
    {fitted_attributes}
    {own_attributes}
    {budget_attributes}
    oof_predictions_ : dict of str to ndarray
        Out-of-fold predictions by method, of shape (n_candidates, n_samples) or (n_candidates,
        n_samples, n_classes or n_outputs): for each candidate, the result of
        `~sklearn.model_selection.cross_val_predict`. Predictions for a row that is in several test
        parts are averaged; a row that is in none has NaN. Classes are in the order of
        ``numpy.unique(y)``. A list of arrays if the method returns one for each output. Only with
        ``keep``.

    See Also
    --------
    skdistsearch.DistributedRandomizedSearchCV : Sample candidates from one space.
    skdistsearch.DistributedHalvingGridSearchCV : Give most candidates few resources.
    skdistsearch.report.leaderboard : Ranked table of the candidates.
    skdistsearch.Ensemble : One model that combines candidates.

    Notes
    -----
    Scores are bit-equal to those of `~sklearn.model_selection.GridSearchCV`. If an estimator draws
    random numbers without a seed, they follow the same distribution.

    Each process does shared work once: it slices X and y of a split, fits equal candidates, and
    fits the transformers of a Pipeline, FeatureUnion or ColumnTransformer that get the same data
    with the same parameters, and transforms test data with them. A Pipeline with a ``memory`` of
    its own keeps to that. Fits with shared work run one after the other, and not in the order of
    the candidates. Shared data is read-only; a fit that fails on it runs again on its own copy.
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
    >>> from sklearn.linear_model import Lasso, Ridge
    >>> from sklearn.pipeline import Pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistsearch import DistributedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pipe = Pipeline([("scaler", StandardScaler()), ("model", Ridge())])
    >>> grid = {"model__alpha": [1.0, 10.0, 100.0]}
    >>> search = DistributedSearchCV(pipe, grid, cv=5).fit(X, y)
    >>> search.best_params_
    {'model__alpha': 1.0}
    >>> print(f"{search.best_score_:.3f}")
    0.482

    Search two model families at once, one with a grid, the other with three samples:

    >>> from scipy.stats import loguniform
    >>> grid = [
    ...     {"model": [Ridge()], "model__alpha": [1.0, 10.0, 100.0]},
    ...     {
    ...         "model": [Lasso()],
    ...         "model__alpha": loguniform(0.1, 10.0),
    ...         "__n_iter": 3,
    ...     },
    ... ]
    >>> search = DistributedSearchCV(pipe, grid, cv=5, random_state=0).fit(X, y)
    >>> len(search.cv_results_["params"])
    6

    Read a number from each model, and keep the out-of-fold predictions:

    >>> search = DistributedSearchCV(
    ...     pipe,
    ...     grid,
    ...     extract={"n_used": lambda pipe: (pipe["model"].coef_ != 0).sum()},
    ...     keep="predictions",
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.cv_results_["mean_n_used"][:3]
    array([10., 10., 10.])
    >>> search.oof_predictions_["predict"].shape
    (6, 442)

    Run the fits in containers on AWS Batch, with ``search.fit(X, y)``:

    >>> search = DistributedSearchCV(pipe, grid, cv=5, backend="batch")
    """

    _required_parameters = ["estimator", "param_grid"]  # scikit-learn < 1.6 asks for it
    _parameter_constraints: dict[str, Any] = {
        **BaseSearchCV._parameter_constraints,
        "param_grid": [dict, list],
        "random_state": ["random_state"],
        **BACKEND_CONSTRAINTS,
        "race": ["boolean"],
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
        race: bool = False,
        time_budget_s: float | None = None,
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
        self.race = race
        self.time_budget_s = time_budget_s

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
    """Randomized search over parameters, with its fits on a backend.

    Takes the place of `~sklearn.model_selection.RandomizedSearchCV`: the same parameters,
    attributes and numbers. The methods ``predict``, ``predict_proba``, ``score``, ``transform``
    and so on are those of `~sklearn.model_selection.RandomizedSearchCV`.

    Parameters
    ----------
    {estimator}
    param_distributions : dict or list of dict
        Parameter names as keys, and lists of values or distributions (objects with an ``rvs``
        method, such as those of `scipy.stats`) as values. Of a list of dicts, one is drawn for
        each candidate.
    n_iter : int, default=10
        Number of candidates.
    {scoring}
    {n_jobs}
    {refit}
    {cv}
    {verbose}
    {pre_dispatch}
    random_state : int, RandomState instance or None, default=None
        Seed of the samples.
    {error_score}
    {return_train_score}
    {backend_parameters}
    {cache_mb}
    {extract}
    {keep}
    {race}
    {time_budget_s}

    Attributes
    ----------
    {fitted_attributes}
    {own_attributes}
    {budget_attributes}
    oof_predictions_ : dict of str to ndarray
        Out-of-fold predictions by method; see `~skdistsearch.DistributedSearchCV`.

    See Also
    --------
    skdistsearch.DistributedSearchCV : Grids and samples of several model families.
    skdistsearch.DistributedHalvingRandomSearchCV : Give most candidates few resources.
    skdistsearch.report.leaderboard : Ranked table of the candidates.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedRandomizedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> space = {"alpha": loguniform(0.01, 10.0), "fit_intercept": [True, False]}
    >>> search = DistributedRandomizedSearchCV(
    ...     Ridge(), space, n_iter=5, random_state=0
    ... )
    >>> search.fit(X, y).best_params_["fit_intercept"]
    True
    >>> len(search.cv_results_["params"])
    5
    """

    _parameter_constraints: dict[str, Any] = {
        **RandomizedSearchCV._parameter_constraints,
        **BACKEND_CONSTRAINTS,
        "race": ["boolean"],
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
        race: bool = False,
        time_budget_s: float | None = None,
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
        self.race = race
        self.time_budget_s = time_budget_s
