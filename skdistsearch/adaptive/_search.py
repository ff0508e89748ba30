"""Template and replay: how an adaptive search keeps scikit-learn's loop as it is.

The trick: scikit-learn is asked to evaluate one candidate without parameters, and stopped before
its first fit. It has made the function, the scorer, the fit parameters and the splits by then: the
template, of which any fit can be made. When the strategy has all it asked for, scikit-learn is
asked once more, to evaluate all candidates, and is given the outcomes. So ``cv_results_``, the
selection and the refit are its own.

Nothing simpler works: scikit-learn's loop needs all candidates of a round before the first fit of
it, and a copy of the loop would break with its next release. It would break if scikit-learn made
the calls of a round one by one, or prepared them differently for each candidate.
``tests/adaptive/test_search_template.py`` watches that.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV

from skdistsearch._batch import Batch, Run
from skdistsearch._outcome import Outcome
from skdistsearch._typing import Estimator, FitResult, ParamGrid
from skdistsearch.adaptive._base import FitId, Row, Strategy
from skdistsearch.adaptive._engine import run_strategy
from skdistsearch.adaptive._fit_requests import FitMaker, Resource, parameters_with_resource
from skdistsearch.backends import Backend, get_backend
from skdistsearch.budgets import ADVICE, SkippedFits, deadline_after, fits_at_once
from skdistsearch.exceptions import TimeBudgetError
from skdistsearch.model_selection import (
    BACKEND_CONSTRAINTS,
    N_ITER,
    BatchReady,
    DistributedSearchMixin,
    check_param_grid,
    stop_before_running,
)
from skdistsearch.storage import temporary_folder

ADAPTIVE_CONSTRAINTS: dict[str, Any] = {
    name: rule
    for name, rule in {**BaseSearchCV._parameter_constraints, **BACKEND_CONSTRAINTS}.items()
    if name not in ("pre_dispatch", "cache_mb")
} | {"random_state": ["random_state"]}
"""Constraints of the parameters that all adaptive searches have."""


class AdaptiveSearchMixin(DistributedSearchMixin):
    """Mixin for searches whose candidates and fits depend on earlier scores."""

    _is_single_round = False
    _is_replayed = True  # scikit-learn's loop gets outcomes of fits that have run

    @property
    def _skips_fits(self) -> bool:
        """True if the search may end before the strategy does."""
        return self.time_budget_s is not None

    def _make_budget(self, skipped: SkippedFits | None, backend: Backend) -> None:
        """Return None: the engine keeps to ``time_budget_s``."""
        if self.time_budget_s is not None:
            deadline_after(self.time_budget_s)  # checks it

    @abstractmethod
    def _make_strategy(self, template: Batch) -> Strategy:
        """Return the strategy for one call of ``fit``."""

    def _make_resource(self, folder: str) -> Resource:
        """Return the resource, for fits that can keep models in a folder."""
        return Resource()

    def _check_candidates(self) -> None:
        """Raise an error before any fit if no metric decides."""
        has_several = isinstance(self.scoring, list | tuple | set | Mapping)
        if has_several and not isinstance(self.refit, str):
            raise ValueError(
                f"refit={self.refit!r}: with several metrics, {type(self).__name__} needs the name "
                f"of the one that decides, such as refit={sorted(self.scoring)[0]!r}."
            )

    def _run_rounds(self, evaluate_candidates: Callable[..., Any], **context: Any) -> None:
        limits = self._time_limits()
        with _without_messages(self):
            template = self._make_template(evaluate_candidates)
            strategy = self._make_strategy(template)
            is_remote = get_backend(self.backend).is_remote
            with temporary_folder() as folder:
                maker = FitMaker(template, self._make_resource("" if is_remote else str(folder)))
                outcomes, is_stopped = run_strategy(
                    strategy,
                    maker.make_batch,
                    self._active_run.capture.run,
                    self._score_of,
                    self.error_score,
                    **limits,
                )
                replay = _Replay(
                    template,
                    strategy.rows(),
                    outcomes,
                    maker.resumed,
                    self._active_run.skipped or SkippedFits(),
                )
                if is_stopped:
                    self._check_any_is_complete(replay)
                    replay.skipped.reason = "time_budget_s"
                self._evaluate_rows(evaluate_candidates, replay, context)

    def _time_limits(self) -> dict[str, Any]:
        """Return the arguments of `run_strategy` that limit its time."""
        if self.time_budget_s is None:
            return {}
        n_workers = self._count_workers(get_backend(self.backend))
        deadline = deadline_after(self.time_budget_s)
        return {"deadline": deadline, "n_fits_max": fits_at_once(n_workers)}

    def _check_any_is_complete(self, replay: _Replay) -> None:
        if replay.has_complete_row():
            return
        raise TimeBudgetError(
            f"time_budget_s={self.time_budget_s:g} was too short: {replay.n_done} fits ended, and "
            f"no candidate has been fitted on all of its {replay.n_splits} splits. {ADVICE}"
        )

    def _make_template(self, evaluate_candidates: Callable[..., Any]) -> Batch:
        """Return one candidate without parameters on all splits, as scikit-learn prepares it."""
        collector = self._make_collector()  # another one: the template counts for nothing
        stop: Run = stop_before_running
        with self._active_run.capture.using(collector.collect_outputs(stop) if collector else stop):
            try:
                evaluate_candidates([{}])
            except BatchReady as ready:
                return ready.batch
        raise AssertionError("scikit-learn made no fit")

    def _evaluate_rows(
        self, evaluate_candidates: Callable[..., Any], replay: _Replay, context: Mapping[str, Any]
    ) -> None:
        collector = self._active_run.collector
        run: Run = replay.run
        if collector is not None:
            run = collector.collect_outputs(run)
        candidates = replay.candidates(self._make_resource("").name)
        contexts = {}
        if context:
            n_fits = len(candidates) * self.n_splits_
            contexts["callback_ctx"] = context["callback_ctx"].subcontext(
                task_name="search", max_subtasks=n_fits, sequential_subtasks=False
            )
            contexts["callback_ctx"].call_on_fit_task_begin(estimator=self)
        evaluate_candidates = replay.skipped.add_columns(evaluate_candidates)
        with self._active_run.capture.using(lambda batch: run(replay.with_own_splits(batch))):
            evaluate_candidates(candidates, more_results=replay.columns(), **contexts)
        if context:
            contexts["callback_ctx"].call_on_fit_task_end(estimator=self)

    def _score_of(self, result: FitResult) -> float:
        """Return the score that decides."""
        scores = result["test_scores"]
        if not isinstance(scores, Mapping):
            return float(scores)
        if not isinstance(self.refit, str) or self.refit not in scores:
            raise ValueError(
                f"refit={self.refit!r} is not one of the metrics that scoring returns: "
                f"{', '.join(scores)}. The search needs the name of the one that decides."
            )
        return float(scores[self.refit])

    @staticmethod
    def _select_best_index(refit: object, refit_metric: str, results: Mapping[str, Any]) -> int:
        """Let scikit-learn choose among the complete rows with most of the resource."""
        amounts = np.asarray(results.get("n_resources", np.zeros(len(results["params"]))))
        n_done = np.asarray(results["n_splits_done"])
        amounts = np.where(n_done == n_done.max(), amounts, -1)
        final = np.flatnonzero(amounts == amounts.max())
        subset = {
            name: [column[row] for row in final] if isinstance(column, list) else column[final]
            for name, column in results.items()
        }
        return int(final[BaseSearchCV._select_best_index(refit, refit_metric, subset)])


def check_distributions(
    distributions: ParamGrid | Sequence[ParamGrid], estimator: Estimator
) -> None:
    """Raise one `ParamGridError` that names every mistake in ``param_distributions``."""
    grids = [distributions] if isinstance(distributions, Mapping) else distributions
    # as dicts that are sampled, which may have distributions
    sampled = [{**_with_lists(grid), N_ITER: 1} for grid in grids]
    check_param_grid(sampled, estimator)


def _with_lists(grid: ParamGrid) -> dict[str, Any]:
    """Return the grid without distributions that scikit-learn does not know."""
    return {
        name: [None] if type(values).__module__ == "optuna.distributions" else values
        for name, values in grid.items()
    }


class _Replay:
    """Outcomes of all fits that ran, in the order in which scikit-learn evaluates candidates."""

    def __init__(
        self,
        template: Batch,
        rows: Sequence[Row],
        outcomes: Mapping[FitId, Outcome],
        resumed: set[FitId],
        skipped: SkippedFits,
    ) -> None:
        self._template, self._rows, self._outcomes = template, rows, outcomes
        self._resumed = resumed
        self.skipped = skipped
        """Collects which fits ran."""

    def candidates(self, resource: str) -> list[dict[str, object]]:
        """Return the parameters of all rows."""
        return [
            parameters_with_resource(row.parameters, row.amount, resource) for row in self._rows
        ]

    def columns(self) -> dict[str, list[Any]]:
        """Return the further columns of ``cv_results_``."""
        names = self._rows[0].columns if self._rows else ()
        columns = {name: [row.columns[name] for row in self._rows] for name in names}
        if any(row.amount for row in self._rows):
            columns["is_resumed"] = [bool(self._done(row) & self._resumed) for row in self._rows]
        return columns

    @property
    def n_splits(self) -> int:
        """Number of splits."""
        return len(self._template)

    @property
    def n_done(self) -> int:
        """Number of fits that ran."""
        return len(self._outcomes)

    def has_complete_row(self) -> bool:
        """Return True if a row has outcomes of all splits."""
        return any(len(self._done(row)) == self.n_splits for row in self._rows)

    def with_own_splits(self, batch: Batch) -> Batch:
        """Return scikit-learn's batch with the splits of the fits: a splitter may be random."""
        fits = [
            replace(fit, keywords={**fit.keywords, **self._split(fit.split)}) for fit in batch.fits
        ]
        return replace(batch, fits=fits)

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Yield the outcome of each fit; of those that did not run, one without scores."""
        left = []
        for number, fit in enumerate(batch.fits):
            row = self._rows[fit.candidate]
            outcome = self._outcomes.get((row.candidate, row.amount, fit.split))
            if outcome is None:
                left.append(number)
                continue
            self.skipped.add(batch, outcome := replace(outcome, fit=number, batch=batch.key))
            yield replace(outcome, stdout="", callbacks_fired=False)
        yield from self._skip(batch, left)
        self.skipped.finish()

    def _skip(self, batch: Batch, fits: Sequence[int]) -> Iterator[Outcome]:
        """Yield outcomes of fits that did not run."""
        results = [o.result for o in self._outcomes.values() if o.result is not None]
        if results and all(result["fit_error"] for result in results):
            # scikit-learn raises an error if all fits failed
            yield from (Outcome(fit, "skipped", results[0], batch=batch.key) for fit in fits)
        else:
            yield from self.skipped.skip(batch, fits)

    def _done(self, row: Row) -> set[FitId]:
        ids = {(row.candidate, row.amount, split) for split in range(self.n_splits)}
        return ids & self._outcomes.keys()

    def _split(self, split: int) -> dict[str, Any]:
        keywords = self._template.keywords_of(split)
        return {name: keywords[name] for name in ("train", "test")}


@contextmanager
def _without_messages(search: Any) -> Iterator[None]:
    """Keep scikit-learn from printing how many fits it is about to run: it runs none."""
    verbose, search.verbose = search.verbose, 0
    try:
        yield
    finally:
        search.verbose = verbose
