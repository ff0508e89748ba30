"""`DistributedSearchCV`, and the mixin that runs any search's fits on a backend."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV

from skdistsearch.backends import Backend
from skdistsearch.model_selection import _param_grid

if TYPE_CHECKING:
    from sklearn.model_selection._search import BaseSearchCV as _Mixed
else:
    _Mixed = object

from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    RandomizedSearchCV,
)

from skdistsearch.model_selection._distributed import OURS, Distributed


class DistributedSearchCV(Distributed, BaseSearchCV):  # type: ignore[misc]
    """Exhaustive and randomized search over parameters; its fits run here or elsewhere.

    Takes the place of `sklearn.model_selection.GridSearchCV`: the same parameters, attributes
    and numbers. Each (candidate, split) fit runs where ``backend`` says.

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
        Accepted as by `~sklearn.model_selection.GridSearchCV`, and without effect: fits do not
        carry data of their own that would have to be rationed.
    random_state : int, RandomState instance or None, default=None
        Seed of the sampled dicts. Every sampled dict uses the same seed: what it gives is what
        `~sklearn.model_selection.ParameterSampler` gives, and depends on no other dict.
    backend : {"local", "metaflow", "batch", "kubernetes"} or object with ``run``, default="local"
        Where the fits run: worker processes of this machine, tasks of a Metaflow run on this
        machine, on AWS Batch or on Kubernetes, or a configured backend such as
        ``MetaflowBackend(compute="batch", memory_mb=16_000)``.
    checkpoint : str, path or None, default=None
        Where finished fits are kept, the moment they end, and looked for: a name, a folder or
        ``s3://bucket/prefix``. The same search run again, whatever ended it, runs only what is
        missing, and gives the same ``cv_results_`` to the bit; a grown grid runs only what is
        new. A change of data, estimator, scorer, splits, or of a version that matters starts
        afresh, and the log says why. See `skdistsearch.checkpoints`.
    cache_mb : float or None, default=None
        How many megabytes each process may hold of what fits have in common, in addition to the
        data of one split; None is a quarter of the memory, divided by the processes; 0 shares
        nothing. See Notes.
    extract : dict or None, default=None
        Numbers to note of each fitted model: names, and for each an attribute path, or a function
        of the model. A path goes through steps, attributes and estimators within, with ``"__"``
        between them: ``{"n_iter": "model__best_iteration_"}``, or ``"regressor___n_iter_"`` for
        ``regressor_.n_iter_``. NaN where a fit failed, where a model has no such attribute, and
        for None.
    keep : str or tuple of str, default=()
        What to keep of each fitted model, out of ``"predict"``, ``"predict_proba"`` and
        ``"decision_function"``: what it predicts for the rows of the split that it was not
        trained on; ``"predictions"``: by ``predict_proba`` for a classifier, else by
        ``predict``; ``"estimators"``: the model itself.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
    refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As of `~sklearn.model_selection.GridSearchCV`.
    runs_ : list of str
        Pathspecs of the Metaflow runs in which the fits ran. Only if there were any.
    best_<name>_ : float
        For each name in ``extract``, the mean over the splits of the best candidate. In
        ``cv_results_`` are ``split0_<name>``, ..., ``mean_<name>``, ``std_<name>`` and
        ``std_error_<name>``.
    oof_predictions_ : dict of str to ndarray
        By method, of shape (n_candidates, n_samples) or (n_candidates, n_samples, n_classes or
        n_outputs), only if asked for: what `~sklearn.model_selection.cross_val_predict` gives for
        each candidate. NaN in rows that no split predicts, the mean where several do. Classes
        are in the order of ``numpy.unique(y)``. A list of arrays where that gives one for each
        output.
    fold_estimators_ : sequence of sequences
        ``fold_estimators_[candidate][split]`` is the fitted model, or None if its fit failed. It
        is unpickled anew each time. Only if asked for.

    See Also
    --------
    skdistsearch.report.leaderboard : The candidates, ranked, as a DataFrame.

    Notes
    -----
    Scores are bit-equal to those of `~sklearn.model_selection.GridSearchCV`; where an estimator
    is random without a seed, they follow the same law.

    What fits have in common is done once in each process: the slices of X and y of a split, equal
    candidates, and the transformers of a Pipeline, FeatureUnion or ColumnTransformer that get the
    same data with the same parameters; also what they make of the test part. A Pipeline with a
    ``memory`` of its own is left to it. Fits that share are run one after the other: not in the
    order of the candidates. What is shared is read-only; a fit that writes to it is run again on
    data of its own. ``fit_time`` and ``score_time`` have an equal part of the seconds that a shared
    piece took, for each of the fits that need it.

    Kept predictions take ``8 * n_candidates * n_samples`` bytes of memory, times the number of
    classes or outputs, and about twice that while they are put together. Kept models are files:
    with a checkpoint, in it; without one, after fits on AWS Batch or Kubernetes, in S3 below
    ``skdistsearch/runs``, where they stay; else in a temporary folder, which goes with the
    search. A pickle of the search has the models in that folder in it.

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
        **OURS,
    }

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        random_state: Any = None,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Any = None,
        keep: Any = (),
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
        _param_grid.check(self.param_grid, self.estimator)

    def _run_rounds(self, evaluate_candidates: Callable[..., Any], **context: Any) -> None:
        candidates = _param_grid.candidates(self.param_grid, self.random_state)
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


class DistributedRandomizedSearchCV(Distributed, RandomizedSearchCV):  # type: ignore[misc]
    """`sklearn.model_selection.RandomizedSearchCV`, whose fits run on a backend.

    Parameters
    ----------
    estimator, param_distributions, n_iter, scoring, n_jobs, refit, cv, verbose, pre_dispatch, \
    random_state, error_score, return_train_score
        As for `~sklearn.model_selection.RandomizedSearchCV`.
    backend : {"local", "metaflow", "batch", "kubernetes"} or object with ``run``, default="local"
        Where the fits run; see `DistributedSearchCV`.
    checkpoint : str, path or None, default=None
        Where finished fits are kept and looked for; see `DistributedSearchCV`.
    cache_mb : float or None, default=None
        Memory for what fits have in common; see `DistributedSearchCV`.
    extract, keep
        What is noted and kept of fitted models; see `DistributedSearchCV`.
    """

    _parameter_constraints: dict[str, Any] = {
        **RandomizedSearchCV._parameter_constraints,
        **OURS,
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        cache_mb: float | None = None,
        extract: Any = None,
        keep: Any = (),
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
