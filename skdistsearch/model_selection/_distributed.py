"""DistributedSearchMixin: fit is scikit-learn's, its fits run on a backend."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

from skdistsearch.backends import get_backend
from skdistsearch.checkpoints import checkpoint_url, resume_from_checkpoint
from skdistsearch.exceptions import PlanError
from skdistsearch.execution import share_work, with_shared_work
from skdistsearch.model_outputs import OutputCollector, OutputOptions
from skdistsearch.model_selection._joblib_capture import Capture, Run
from skdistsearch.model_selection._plan import (
    BatchReady,
    Plan,
    PrecomputedSplits,
    make_plan,
    match_outcomes,
)
from skdistsearch.model_selection._progress_log import log_progress
from skdistsearch.model_selection._signals import unwind_on_sigterm

if TYPE_CHECKING:
    from sklearn.model_selection._search import BaseSearchCV as _Mixed
else:
    _Mixed = object


OURS: dict[str, Any] = {
    "backend": "no_validation",  # `get_backend` names the backends there are
    "checkpoint": "no_validation",  # `checkpoint_url` says what is valid
    "cache_mb": [Real, None],
    "extract": "no_validation",  # `OutputOptions.of` names every mistake
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
        CorruptDataError, StoreError
            The checkpoint, or a temporary folder, cannot be read or written to, or holds what
            nobody has written.
        FitLostError
            With ``error_score="raise"``: a fit's worker died each time it was tried.
        """
        self._validate_params()
        run = self._run()
        self._check_candidates()
        with unwind_on_sigterm():
            return self._fit_captured(run, X, y, params)

    def _run(self) -> Run:
        """What runs a batch: the backend, and around it who keeps and who tells."""
        backend = get_backend(self.backend)
        getattr(backend, "check", _nothing)()
        run: Run = backend.run
        if self.checkpoint is not None:
            root = getattr(backend, "checkpoint_root", str)()
            run = resume_from_checkpoint(run, checkpoint_url(self.checkpoint, root))
        return log_progress(share_work(run, self.cache_mb))

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
        fits_per_task = getattr(get_backend(self.backend), "fits_per_task", "auto")
        self._check_candidates()
        twin = copy.copy(self)
        twin.__dict__.pop("_skl_callbacks", None)  # they belong to the fit that `assemble` ends
        try:
            twin._fit_captured(BatchReady.raised_by, X, y, params)
        except BatchReady as planned:
            batch = planned.batch
            if self.cache_mb != 0:
                batch = with_shared_work(batch, self.cache_mb)
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
        ordered = match_outcomes(plan, outcomes)
        twin = copy.copy(self)
        twin.cv = PrecomputedSplits(plan.splits, self.cv)
        twin._planned = plan
        twin._fit_captured(lambda batch: iter(ordered), plan.X, plan.y, plan.params)
        of_the_plan = ("cv", "_checked_cv_orig", "_planned")
        self.__dict__.update({k: v for k, v in twin.__dict__.items() if k not in of_the_plan})
        return self

    def _check_candidates(self) -> None:
        """Raise an error if the candidates make no sense; called before any fit."""

    def _fit_captured(self, run: Callable[..., Any], X: Any, y: Any, params: Any) -> Any:
        gathered = OutputCollector(
            OutputOptions.of(self.extract, self.keep, subsamples=self._subsamples)
        )
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
