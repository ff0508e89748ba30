"""DistributedSearchMixin: ``fit`` is scikit-learn's, and its fits run on a backend."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from joblib import effective_n_jobs

from skdistsearch._batch import Batch, Run
from skdistsearch._typing import ArrayLike
from skdistsearch.backends import Backend, get_backend
from skdistsearch.budgets import SkippedFits, check_race_metric, limit_rounds, limit_time, race
from skdistsearch.exceptions import PlanError
from skdistsearch.execution import with_shared_work
from skdistsearch.model_outputs import OutputCollector, OutputOptions
from skdistsearch.model_selection._joblib_capture import JoblibCapture
from skdistsearch.model_selection._pipeline import build_pipeline
from skdistsearch.model_selection._plan import (
    BatchReady,
    Plan,
    PrecomputedSplits,
    make_plan,
    match_outcomes,
    stop_before_running,
)
from skdistsearch.model_selection._signals import unwind_on_sigterm
from skdistsearch.report import autologged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sklearn.model_selection._search import BaseSearchCV as _SearchBase
    from typing_extensions import Self
else:
    _SearchBase = object


BACKEND_CONSTRAINTS: dict[str, Any] = {
    "backend": "no_validation",  # `get_backend` names the valid ones
    "checkpoint": "no_validation",  # so does `checkpoint_url`
    "cache_mb": [Real, None],
    "extract": "no_validation",  # `OutputOptions.from_params` names every mistake
    "keep": "no_validation",
    "time_budget_s": [Real, None],
}
"""Constraints of the parameters that all distributed searches have."""


@dataclass
class ActiveRun:
    """State of one call of ``fit``.

    scikit-learn's ``fit`` calls `DistributedSearchMixin._run_search` back and passes nothing of
    ours. So the search holds this object, as ``_active_run``, for as long as ``fit`` runs.
    """

    capture: JoblibCapture
    """The joblib backend that runs the fits."""
    collector: OutputCollector | None
    """Collects what ``extract=`` and ``keep=`` ask for; None if they ask for nothing."""
    plan: Plan | None = None
    """The plan to assemble; None in a search of its own."""
    skipped: SkippedFits | None = None
    """Collects which fits are skipped; None if none can be."""

    def start_search(
        self, evaluate_candidates: Callable[..., Any], *, is_single_round: bool
    ) -> Callable[..., Any]:
        """Stop the capture of nested calls; return what scikit-learn calls to run a round."""
        self.capture.stop()
        if self.plan is not None:
            evaluate_candidates = _with_candidates(evaluate_candidates, self.plan.candidates)
        if self.skipped is not None and is_single_round:
            evaluate_candidates = self.skipped.add_columns(evaluate_candidates)
        if self.collector is not None:
            evaluate_candidates = _with_columns(evaluate_candidates, self.collector)
        return evaluate_candidates


def _with_candidates(
    evaluate_candidates: Callable[..., Any], candidates: list[dict[str, Any]]
) -> Callable[..., Any]:
    """Wrap scikit-learn's ``evaluate_candidates`` so that it gets these candidates."""

    def evaluate_these_candidates(_: Any, *args: Any, **kwargs: Any) -> Any:
        return evaluate_candidates(candidates, *args, **kwargs)

    return evaluate_these_candidates


def _with_columns(
    evaluate_candidates: Callable[..., Any], collector: OutputCollector
) -> Callable[..., Any]:
    """Wrap scikit-learn's ``evaluate_candidates`` so that its results have our columns too."""

    def evaluate_with_columns(*args: Any, **kwargs: Any) -> Any:
        results = evaluate_candidates(*args, **kwargs)
        results.update(collector.extracted_columns())
        return results

    return evaluate_with_columns


class DistributedSearchMixin(_SearchBase):  # type: ignore[misc]
    """Mixin for scikit-learn's searches: their fits run on the parameter ``backend``."""

    _is_single_round = True  # all candidates are known before the first fit
    _subsamples_rows = False  # each round uses all rows
    _is_replayed = False  # scikit-learn's loop runs the fits
    race = False  # a parameter of the searches of one round
    time_budget_s: float | None = None

    def fit(self, X: ArrayLike, y: ArrayLike = None, **params: Any) -> Self:
        """Run all fits on the backend, then fit the best candidate on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training vectors, or a precomputed kernel or distance matrix.
        y : array-like of shape (n_samples, n_outputs) or (n_samples,), default=None
            Targets; None for unsupervised learning.
        **params : dict of str -> object
            Parameters for the ``fit`` of the estimator, the scorer and the splitter, as for
            `~sklearn.model_selection.GridSearchCV`.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        ParamGridError
            Before any fit: candidates are invalid. The message names every mistake.
        BackendConfigError
            Before any fit: ``backend`` is not a backend, or its configuration lacks something.
        NotPicklableError
            Before any fit: a part of the search cannot be sent to where the fits run.
        BackendError
            The backend failed as a whole.
        CorruptDataError, StoreError
            The checkpoint or a temporary folder cannot be read or written, or is damaged.
        FitLostError
            With ``error_score="raise"``: the worker of a fit died each time it was tried.
        """
        self._validate_params()
        backend = get_backend(self.backend)
        backend.check()
        collector = self._make_collector()
        skipped = SkippedFits() if self._skips_fits else None
        run = build_pipeline(
            backend,
            checkpoint=self.checkpoint,
            cache_mb=getattr(self, "cache_mb", 0),
            collector=None if self._is_replayed else collector,
            budget=self._make_budget(skipped, backend),
            verbose=self.verbose,
            has_rounds=not self._is_single_round,
        )
        self._check_candidates()
        with unwind_on_sigterm(), autologged(self):
            return self._fit_captured(run, collector, X, y, params, skipped=skipped)

    def plan(self, X: ArrayLike, y: ArrayLike = None, **params: Any) -> Plan:
        """Make the splits, the candidates and the chunks, and fit nothing.

        For a Metaflow flow of your own: `Plan.run <skdistsearch.Plan.run>` runs a chunk and returns
        its outcomes, in any task on any machine. `assemble` makes the fitted search from them.
        ``len(plan)`` is the number of chunks: one per fit for up to 100 fits (Metaflow's own
        limit of a foreach), else 100, unless ``backend`` has another ``fits_per_task``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training vectors, as for ``fit``.
        y : array-like of shape (n_samples, n_outputs) or (n_samples,), default=None
            Targets; None for unsupervised learning.
        **params : dict of str -> object
            Parameters of ``fit``.

        Returns
        -------
        plan : skdistsearch.Plan
            Holds the data and survives pickling, and so Metaflow's artifacts.

        Raises
        ------
        PlanError
            The search has several rounds, each of which depends on earlier results.
        """
        if not self._is_single_round:
            raise PlanError(
                f"{type(self).__name__} runs in several rounds, and the candidates of a round "
                "depend on the scores of the round before: it cannot be planned at once. Use "
                "fit(), or plan a DistributedSearchCV or DistributedRandomizedSearchCV."
            )
        if self._skips_fits:
            raise PlanError(
                "race=True and time_budget_s decide while fits run which fits to skip: such a "
                "search cannot be planned. Use fit(), or leave them out."
            )
        self._validate_params()
        fits_per_task = get_backend(self.backend).fits_per_task
        self._check_candidates()
        batch = self._first_batch(X, y, params)
        if self.cache_mb != 0:
            batch = with_shared_work(batch, self.cache_mb)
        return make_plan(batch, fits_per_task, X, y, params)

    def _first_batch(self, X: ArrayLike, y: ArrayLike, params: Mapping[str, Any]) -> Batch:
        """Let scikit-learn prepare the fits, and stop it before the first one runs."""
        twin = copy.copy(self)
        twin.__dict__.pop("_skl_callbacks", None)  # they belong to the fit that `assemble` ends
        collector = self._make_collector()
        run: Run = stop_before_running
        if collector is not None:
            run = collector.collect_outputs(run)
        try:
            twin._fit_captured(run, collector, X, y, params)
        except BatchReady as ready:
            return ready.batch
        raise PlanError(f"{type(self).__name__} made no fits.")

    def assemble(self, plan: Plan, outcomes: Iterable[Any]) -> Self:
        """Become the fitted search, from the outcomes of all chunks of a plan.

        Parameters
        ----------
        plan : skdistsearch.Plan
            The plan of this search, or of one with equal parameters.
        outcomes : iterable of Outcome, or of lists of Outcome
            What ``plan.run(i)`` returned, for each ``i``, in any order.

        Returns
        -------
        self : object
            The fitted search, as if by ``fit``: ``cv_results_``, the refit, and all else.

        Raises
        ------
        PlanError
            Outcomes are missing, duplicated or of another plan. The message names them.
        """
        ordered = match_outcomes(plan, outcomes)
        collector = self._make_collector()
        run: Run = lambda batch: iter(ordered)  # noqa: E731
        if collector is not None:
            run = collector.collect_outputs(run)
        twin = copy.copy(self)
        twin.cv = PrecomputedSplits(plan.splits, self.cv)
        of_the_twin = ("cv", "_checked_cv_orig")
        with autologged(self):
            twin._fit_captured(run, collector, plan.X, plan.y, plan.params, plan)
            self.__dict__.update({k: v for k, v in twin.__dict__.items() if k not in of_the_twin})
        return self

    @property
    def _skips_fits(self) -> bool:
        """True if the search may end without running all fits."""
        return self.race or self.time_budget_s is not None

    def _make_budget(
        self, skipped: SkippedFits | None, backend: Backend
    ) -> Callable[[Run], Run] | None:
        """Return what keeps the search from running all fits, if it has such a parameter."""
        if skipped is None:
            return None
        if self.race and self.time_budget_s is not None:
            raise ValueError("race=True and time_budget_s cannot be combined. Use one of them.")
        if self.race:
            metric = check_race_metric(self.scoring, self.refit)
            return lambda run: race(run, metric, skipped)
        seconds, seed = float(self.time_budget_s or 0), getattr(self, "random_state", None)
        if not self._is_single_round:
            return lambda run: limit_rounds(run, seconds, skipped)
        n_workers = self._count_workers(backend)
        return lambda run: limit_time(run, seconds, skipped, n_workers, seed)

    def _count_workers(self, backend: Backend) -> int:
        """Return the number of fits that run at the same time."""
        count: Callable[[int | None], int] = getattr(backend, "n_workers", effective_n_jobs)
        return count(self.n_jobs)

    def _check_candidates(self) -> None:
        """Raise an error if the candidates are invalid. Called before any fit."""

    def _make_collector(self) -> OutputCollector | None:
        """Check ``extract=`` and ``keep=``; return a collector if they ask for anything."""
        if self.extract is None and self.keep == ():
            return None
        options = OutputOptions.from_params(
            self.extract, self.keep, subsamples=self._subsamples_rows
        )
        return OutputCollector(options) if options else None

    def _fit_captured(
        self,
        run: Run,
        collector: OutputCollector | None,
        X: ArrayLike,
        y: ArrayLike,
        params: Mapping[str, Any],
        plan: Plan | None = None,
        skipped: SkippedFits | None = None,
    ) -> Self:
        """Call scikit-learn's ``fit`` with a joblib backend that hands its calls to ``run``."""
        with (
            JoblibCapture(run, self.n_jobs, self.verbose).active() as capture,
            self._activate_run(ActiveRun(capture, collector, plan, skipped)),
        ):
            super().fit(X, y, **params)
        self._set_attributes(capture, collector, skipped)
        return self

    @contextmanager
    def _activate_run(self, active_run: ActiveRun) -> Iterator[None]:
        self._active_run = active_run
        try:
            yield
        finally:
            del self._active_run

    def _set_attributes(
        self,
        capture: JoblibCapture,
        collector: OutputCollector | None,
        skipped: SkippedFits | None,
    ) -> None:
        """Set the attributes that scikit-learn's search does not have; remove earlier ones."""
        for name in self.__dict__.pop("_own_attributes", ()):
            self.__dict__.pop(name, None)
        attributes: dict[str, Any] = {
            "_fit_times": capture.fit_times,
            "_test_to_train": capture.test_to_train,
        }
        if collector is not None:
            attributes |= collector.search_attributes(getattr(self, "best_index_", None))
        if skipped is not None:
            attributes["stopped_"] = skipped.reason
        if capture.metaflow_runs:
            attributes["runs_"] = capture.metaflow_runs
        self.__dict__.update(attributes, _own_attributes=tuple(attributes))

    def _run_search(
        self, evaluate_candidates: Callable[..., Any], callback_ctx: object = None
    ) -> None:
        """Run all rounds. scikit-learn's ``fit`` calls this."""
        evaluate_candidates = self._active_run.start_search(
            evaluate_candidates, is_single_round=self._is_single_round
        )
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}  # sklearn < 1.9
        self._run_rounds(evaluate_candidates, **context)

    def _run_rounds(self, evaluate_candidates: Callable[..., Any], **context: Any) -> None:
        super()._run_search(evaluate_candidates, **context)
