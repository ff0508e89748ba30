"""`DistributedSearchCV`, and the mixin that runs any search's fits on a backend."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV

from skdistsearch.backends._base import Backend, resolve
from skdistsearch.checkpoints._resume import locate, resuming
from skdistsearch.exceptions import PlanError
from skdistsearch.execution._shared_work import sharing, with_common
from skdistsearch.model_outputs._collector import Gathered
from skdistsearch.model_outputs._output_options import Wanted
from skdistsearch.model_selection import _param_grid
from skdistsearch.model_selection._joblib_capture import Capture, Run
from skdistsearch.model_selection._plan import FixedSplits, Plan, Planned, make_plan, sorted_out
from skdistsearch.model_selection._progress_log import told
from skdistsearch.model_selection._signals import ended_in_order

if TYPE_CHECKING:
    from sklearn.model_selection._search import BaseSearchCV as _Mixed
else:
    _Mixed = object


OURS: dict[str, Any] = {
    "backend": "no_validation",  # `resolve` names the backends there are
    "checkpoint": "no_validation",  # `locate` says what is valid
    "share_mb": [Real, None],
    "record": "no_validation",  # `Wanted.of` names every mistake
    "keep": "no_validation",
}
"""Constraints of the parameters that all searches have."""


class Distributed(_Mixed):  # type: ignore[misc]
    """Mixin: ``fit`` is scikit-learn's; where its fits run is up to ``backend``."""

    _plans_ahead = True  # all candidates are known before the first fit
    _subsamples = False  # all rows are in all rounds

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run fit with all sets of parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training vectors, or a precomputed kernel or distance matrix.
        y : array-like of shape (n_samples, n_output) or (n_samples,), default=None
            Target relative to X; None for unsupervised learning.
        **params : dict of str -> object
            Parameters passed to the ``fit`` method of the estimator, the scorer and the CV
            splitter, as `sklearn.model_selection.GridSearchCV` does.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        ParamGridError
            Before any fit: the candidates asked for make no sense; every mistake is named.
        BackendConfigError
            Before any fit: ``backend`` is not a backend.
        NotPicklableError
            Before any fit: a part of the search cannot travel to where the fits would run.
        BackendError
            The place where the fits run failed as a whole.
        StoreError, RecordError
            The checkpoint, or a temporary folder, cannot be read or written to, or holds what
            nobody has written.
        FitLostError
            With ``error_score="raise"``: a fit's worker died each time it was tried.
        """
        self._validate_params()
        run = self._run()
        self._check_candidates()
        with ended_in_order():
            return self._fit_captured(run, X, y, params)

    def _run(self) -> Run:
        """What runs a batch: the backend, and around it who keeps and who tells."""
        backend = resolve(self.backend)
        getattr(backend, "check", _nothing)()
        run: Run = backend.run
        if self.checkpoint is not None:
            root = getattr(backend, "checkpoint_root", str)()
            run = resuming(run, locate(self.checkpoint, root))
        return told(sharing(run, self.share_mb))

    def plan(self, X: Any, y: Any = None, **params: Any) -> Plan:
        """Make the splits, the candidates and the chunks, and fit nothing.

        For a Metaflow flow of your own: ``plan.run(i)`` runs chunk ``i`` and returns its
        outcomes, in any task on any machine; `assemble` makes the fitted search of them all.
        ``len(plan)`` is the number of chunks: one a fit for up to 100 fits (Metaflow's own
        limit of a foreach), else 100, unless ``backend`` has another ``fits_per_task``.

        Parameters
        ----------
        X, y, **params
            As for `fit`.

        Returns
        -------
        plan : Plan
            Holds the data and survives pickling, and so Metaflow's artifacts.

        Raises
        ------
        PlanError
            The search has several rounds, each of which depends on the results before it.
        """
        if not self._plans_ahead:
            raise PlanError(
                f"{type(self).__name__} runs in several rounds, and which candidates a round has "
                "depends on the scores of the one before: it cannot be planned at once. Use fit(), "
                "or plan a DistributedSearchCV or DistributedRandomizedSearchCV."
            )
        self._validate_params()
        fits_per_task = getattr(resolve(self.backend), "fits_per_task", "auto")
        self._check_candidates()
        twin = copy.copy(self)
        twin.__dict__.pop("_skl_callbacks", None)  # they belong to the fit that `assemble` ends
        try:
            twin._fit_captured(Planned.raised_by, X, y, params)
        except Planned as planned:
            batch = planned.batch
            if self.share_mb != 0:
                batch = with_common(batch, self.share_mb)
            return make_plan(batch, fits_per_task, X, y, params)
        raise PlanError(f"{type(self).__name__} made no fits.")

    def assemble(self, plan: Plan, outcomes: Iterable[Any]) -> Any:
        """Become the fitted search, from the outcomes of all chunks of a plan.

        Parameters
        ----------
        plan : Plan
            What `plan` of this search, or of one with equal parameters, gave.
        outcomes : iterable of outcomes, or of lists of outcomes
            What ``plan.run(i)`` gave, for each ``i``, in any order.

        Returns
        -------
        self : object
            The fitted search, as if by ``fit``: ``cv_results_``, the refit, and all else.

        Raises
        ------
        PlanError
            Outcomes are missing, doubled or of another plan: the message says which.
        """
        ordered = sorted_out(plan, outcomes)
        twin = copy.copy(self)
        twin.cv = FixedSplits(plan.splits, self.cv)
        twin._planned = plan
        twin._fit_captured(lambda batch: iter(ordered), plan.X, plan.y, plan.params)
        of_the_plan = ("cv", "_checked_cv_orig", "_planned")
        self.__dict__.update({k: v for k, v in twin.__dict__.items() if k not in of_the_plan})
        return self

    def _check_candidates(self) -> None:
        """Raise an error if the candidates make no sense; called before any fit."""

    def _fit_captured(self, run: Callable[..., Any], X: Any, y: Any, params: Any) -> Any:
        gathered = Gathered(Wanted.of(self.record, self.keep, subsamples=self._subsamples))
        with Capture(gathered.watching(run), self.n_jobs, self.verbose).entered() as capture:
            self._capture, self._gathered = capture, gathered
            try:
                super().fit(X, y, **params)
            finally:
                del self._capture, self._gathered
        for name in ("runs_", *self.__dict__.pop("_told", ())):
            self.__dict__.pop(name, None)
        told = gathered.attributes(getattr(self, "best_index_", None))
        self.__dict__.update(told, _told=tuple(told))
        if capture.runs:
            self.runs_ = capture.runs
        return self

    def _run_search(
        self, evaluate_candidates: Callable[..., Any], callback_ctx: Any = None
    ) -> None:
        self._capture.leave()
        planned = getattr(self, "_planned", None)
        if planned is not None:
            evaluate_candidates = planned.instead_of(evaluate_candidates)
        evaluate_candidates = self._gathered.instead_of(evaluate_candidates)
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}  # sklearn < 1.9
        self._run_rounds(evaluate_candidates, **context)

    def _run_rounds(self, evaluate_candidates: Callable[..., Any], **context: Any) -> None:
        super()._run_search(evaluate_candidates, **context)


def _nothing() -> None:
    """What a backend checks that has no ``check``."""


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
    share_mb : float or None, default=None
        How many megabytes each process may hold of what fits have in common, in addition to the
        data of one split; None is a quarter of the memory, divided by the processes; 0 shares
        nothing. See Notes.
    record : dict or None, default=None
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
        For each name in ``record``, the mean over the splits of the best candidate. In
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
    skdistsearch.report.standings : The candidates, ranked, as a DataFrame.

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
        share_mb: float | None = None,
        record: Any = None,
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
        self.share_mb = share_mb
        self.record = record
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
