"""Collect the calls of one round of a scikit-learn search as a batch, through joblib.

`BaseSearchCV.fit` passes each (candidate, split) call to `sklearn.utils.parallel.Parallel`, that
is, to the joblib backend that is active when the Parallel is made. `JoblibCapture` is such a
backend: it collects the calls of a round, runs them as one `Batch`, and returns the results in
order. So scikit-learn's loop is kept as it is: splitting, ``cv_results_``, selection, refit.

Nothing simpler keeps it. Copies of the loop (dask-ml, sk-dist) broke with nearly every release of
scikit-learn, and ``parallel_config(backend=...)`` by the user would send nested calls and the refit
along: the capture ends before the first fit (`JoblibCapture.stop`). Its one private need of joblib
is the scope's ``unregister``.

It would break if scikit-learn no longer used joblib, passed other positional arguments than
(estimator, X, y), or renamed the keywords named here. This module and
`skdistsearch.execution._split_data` are the only ones that use private names of scikit-learn and
joblib. ``tests/model_selection/test_joblib_capture.py`` watches each name.
"""

from __future__ import annotations

import copy
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from joblib import Parallel, parallel_config
from joblib.parallel import ParallelBackendBase
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split

from skdistsearch._batch import (
    Batch,
    Fit,
    FitFunction,
    LocalCalls,
    PreparedCall,
    Run,
    closing_outcomes,
)
from skdistsearch._outcome import Outcome
from skdistsearch._typing import FitResult
from skdistsearch.exceptions import BackendError, FitLostError

# scikit-learn>=1.9 passes these to every fit: each would carry the whole search along, and fire
# callbacks in a process that cannot reach the user's. They stay here (`SklearnCall`).
_LOCAL_KEYWORDS = frozenset({"caller", "callback_ctx"})
_PER_FIT_KEYWORDS = frozenset({"parameters", "train", "test"})
# No result depends on these: they are for what a fit prints
_PRINT_KEYWORDS = frozenset({"verbose", "split_progress", "candidate_progress"})
# Nor on these settings: they are for what scikit-learn prints of estimators
_DISPLAY_CONFIG = frozenset({"print_changed_only", "display"})
# Attributes of a search that its callbacks do not need in another process
_UNNEEDED_ATTRIBUTES = ("_active_run", "_callback_fit_ctx", "_skl_callbacks_to_teardown")


class JoblibCapture(ParallelBackendBase):  # type: ignore[misc]
    """joblib backend that runs all calls of a round as one batch.

    Parameters
    ----------
    run : Run
        Runs a batch.
    n_jobs, verbose
        Parameters of the search, for the batch.
    """

    supports_retrieve_callback = True
    supports_sharedmem = True  # calls arrive here even if a caller requires shared memory
    uses_threads = False

    def __init__(self, run: Run, n_jobs: int | None, verbose: int) -> None:
        super().__init__(nesting_level=0)
        self._n_jobs, self._verbose = n_jobs, verbose
        self.run = run
        """Runs a batch."""
        self._submissions: list[tuple[list[SklearnCall], Callable[[Any], None]]] = []
        self._scope: parallel_config | None = None
        self._n_candidates = 0
        self.metaflow_runs: list[str] = []
        """Pathspecs of the Metaflow runs that ran fits, in order of appearance."""
        self.fit_times: list[tuple[int, int, float, float, str]] = []
        """Of each fit: candidate, split, start and end in seconds since 1970, and worker."""
        self.test_to_train: float | None = None
        """Number of test rows over that of training rows; the mean over the splits."""

    @contextmanager
    def active(self) -> Iterator[JoblibCapture]:
        """Capture the calls of each Parallel that this thread makes in the block, until `stop`."""
        self._scope = parallel_config(backend=self)
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Capture no further Parallel: not those nested in fits, nor the refit's."""
        if self._scope is not None:
            self._scope.unregister()
            self._scope = None

    @contextmanager
    def using(self, run: Run) -> Iterator[None]:
        """Run the batches of the block with another ``run``."""
        own, self.run = self.run, run
        try:
            yield
        finally:
            self.run = own

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return 2. With 1, joblib would run the calls itself, one by one."""
        return 2

    def configure(self, n_jobs: int = 1, parallel: Parallel = None, **kwargs: Any) -> int:
        """Make joblib submit all calls of a round at once, despite ``pre_dispatch``."""
        parallel.pre_dispatch = "all"
        n_workers: int = super().configure(n_jobs=n_jobs, parallel=parallel, **kwargs)
        return n_workers

    def compute_batch_size(self) -> int:
        """Return a size that puts all calls into one submission."""
        return sys.maxsize // 4

    def submit(self, func: Any, callback: Callable[[Any], None]) -> None:
        """Take a submission of calls; they run in `retrieval_context`."""
        self._submissions.append(([SklearnCall(*item) for item in func.items], callback))

    apply_async = submit  # joblib < 1.5

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Run what was submitted, then let joblib retrieve it."""
        submissions, self._submissions = self._submissions, []
        # The iterator of calls has failed. joblib looks for that only while calls are running
        self.parallel._raise_error_fast()
        results = iter(self._run_calls([call for calls, _ in submissions for call in calls]))
        for calls, callback in submissions:
            callback([next(results) for _ in calls])
        yield

    def retrieve_result_callback(self, out: list[FitResult]) -> list[FitResult]:
        """Return the results of a submission, as joblib asks for them."""
        return out

    def _run_calls(self, calls: list[SklearnCall]) -> list[FitResult]:
        if not calls:  # scikit-learn raises the error
            return []
        batch = make_batch(calls, self._n_jobs, self._verbose)
        self.test_to_train = _mean_test_to_train(calls)
        results = self._run_batch(batch, calls)
        if missing := [str(fit) for n, fit in enumerate(batch.fits) if n not in results]:
            raise BackendError(
                f"The backend yielded no outcome for {len(missing)} fits, first {missing[0]}."
            )
        self._n_candidates += len({fit.candidate for fit in batch.fits})
        return [results[number] for number in range(len(calls))]

    def _run_batch(self, batch: Batch, calls: list[SklearnCall]) -> dict[int, FitResult]:
        """Return the results by the number of the fit; raise the error of the first that fails.

        Fits with shared work run in another order than scikit-learn's. So the earlier fits that
        have not run may fail too.
        """
        results: dict[int, FitResult] = {}
        try:
            with closing_outcomes(self.run(batch)) as outcomes:
                for outcome in outcomes:
                    self._note_run(outcome)
                    self._note_times(batch.fits[outcome.fit], outcome)
                    results[outcome.fit] = calls[outcome.fit].result_of(outcome)
        except Exception as error:
            failed = next((n for n, call in enumerate(calls) if call.error is error), 0)
            if earlier := [fit for fit in range(failed) if fit not in results]:
                self._run_batch(batch.subset(earlier), [calls[fit] for fit in earlier])
            raise
        return results

    def _note_run(self, outcome: Outcome) -> None:
        run = "/".join(outcome.task_pathspec.split("/")[:2])  # flow/run of flow/run/step/task
        if run and run not in self.metaflow_runs:
            self.metaflow_runs.append(run)

    def _note_times(self, fit: Fit, outcome: Outcome) -> None:
        if outcome.finished_at:
            times = outcome.started_at, outcome.finished_at, outcome.worker
            self.fit_times.append((self._n_candidates + fit.candidate, fit.split, *times))


@dataclass
class SklearnCall:
    """One call of scikit-learn's: ``function(*arguments, **keywords)`` runs one fit."""

    function: FitFunction
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    error: Exception | None = None
    """What the call raised in this process."""

    def __call__(
        self, prepared: PreparedCall | None = None, *, fire_callbacks: bool = True
    ) -> FitResult:
        """Run the fit in this process, as scikit-learn would, or with prepared arguments.

        ``fire_callbacks=False``: without callbacks, which have been fired before.
        """
        arguments, keywords = self.arguments, self.keywords
        if prepared is not None:
            arguments, keywords = prepared.arguments, {**keywords, **prepared.keywords}
        if not fire_callbacks:
            keywords = keywords | dict.fromkeys(_LOCAL_KEYWORDS & keywords.keys())
        try:
            return self.function(*arguments, **keywords)
        except StopIteration as error:  # it would end iterators; Python does the same in generators
            self.error = RuntimeError("generator raised StopIteration")
            raise self.error from error
        except Exception as error:
            self.error = error
            raise

    def request_model(self) -> None:
        """Include the fitted model in scikit-learn's result."""
        self.keywords["return_estimator"] = True

    def result_of(self, outcome: Outcome) -> FitResult:
        """Return scikit-learn's result of the fit; raise the exception that the fit raised."""
        if outcome.stdout:
            sys.stdout.write(outcome.stdout)
        if outcome.status == "lost":
            return self._result_of_lost_fit(outcome)
        if outcome.status == "skipped" and outcome.result is not None:
            return outcome.result.copy()
        if not outcome.callbacks_fired:
            self._fire_callbacks()
        if outcome.raised is not None:
            raise outcome.raised.to_exception()
        assert outcome.result is not None
        return outcome.result.copy()

    def _result_of_lost_fit(self, outcome: Outcome) -> FitResult:
        """Let scikit-learn make the result of a fit that fails."""

        def fit(*args: Any, **kwargs: Any) -> None:
            raise FitLostError(outcome.reason)

        self.arguments[0].fit = fit
        result = self.function(*self.arguments, **self.keywords)
        result.pop("estimator", None)  # this one is not a model
        return result

    def _fire_callbacks(self) -> None:
        """Fire scikit-learn's callbacks (>= 1.9) for a fit that ran in another process."""
        context = self.keywords.get("callback_ctx")
        if context is None:
            return
        train_set = cache(partial(_safe_split, *self.arguments, self.keywords["train"]))
        arguments: dict[str, Any] = {
            "estimator": self.keywords["caller"],
            "X": lambda: train_set()[0],
            "y": lambda: train_set()[1],
            "metadata": self._train_metadata,
        }
        context.call_on_fit_task_begin(**arguments)
        context.call_on_fit_task_end(**arguments)

    def _train_metadata(self) -> dict[str, Any] | None:
        weight = (self.keywords.get("fit_params") or {}).get("sample_weight")
        if weight is None:
            return None
        return {"sample_weight": _safe_indexing(weight, self.keywords["train"])}


def _mean_test_to_train(calls: list[SklearnCall]) -> float:
    splits = {call.keywords["split_progress"][0]: call.keywords for call in calls}.values()
    ratios = [_n_rows(split["test"]) / max(_n_rows(split["train"]), 1) for split in splits]
    return sum(ratios) / len(ratios)


def _n_rows(rows: Any) -> int:
    """Return the number of rows that indices or a mask select."""
    return int(np.sum(rows)) if np.asarray(rows).dtype == bool else len(rows)


def make_batch(calls: list[SklearnCall], n_jobs: int | None, verbose: int) -> Batch:
    """Return the calls of one round as a batch; hold what is the same object in all of them once.

    By identity and not by name, so that new keywords of scikit-learn change nothing.
    """
    first = calls[0]
    common = {
        name: value
        for name, value in first.keywords.items()
        if name not in _LOCAL_KEYWORDS and all(call.keywords[name] is value for call in calls)
    }
    own = [name for name in first.keywords if name not in common and name not in _LOCAL_KEYWORDS]
    return Batch(
        key=uuid.uuid4().hex,
        function=first.function,
        arguments=first.arguments,
        common_keywords=common,
        fits=[_make_fit(call, own) for call in calls],
        sklearn_config=_sklearn_config(first.function),
        per_fit_keywords=_PER_FIT_KEYWORDS,
        ignored_keywords=_PRINT_KEYWORDS,
        n_jobs=n_jobs,
        verbose=verbose,
        local=LocalCalls(calls, _callback_keywords(calls)),
    )


def _sklearn_config(function: FitFunction) -> dict[str, Any]:
    """Return scikit-learn's configuration, which its ``delayed`` passes to every fit."""
    config: Mapping[str, Any] = getattr(function, "config", {})
    return {name: value for name, value in config.items() if name not in _DISPLAY_CONFIG}


def _make_fit(call: SklearnCall, own: Iterable[str]) -> Fit:
    return Fit(
        candidate=call.keywords["candidate_progress"][0],
        split=call.keywords["split_progress"][0],
        parameters=call.keywords["parameters"],
        keywords={name: call.keywords[name] for name in own},
    )


def _callback_keywords(calls: list[SklearnCall]) -> list[dict[str, Any]] | None:
    """Return, per fit, the keywords that fire callbacks which reach into the estimator.

    None if there is no such callback.
    """
    context = calls[0].keywords.get("callback_ctx")
    if context is None or not any(
        hasattr(callback, "max_propagation_depth") for callback in context._callbacks
    ):
        return None
    caller = copy.copy(calls[0].keywords["caller"])
    for name in _UNNEEDED_ATTRIBUTES:
        vars(caller).pop(name, None)
    contexts = [call.keywords["callback_ctx"] for call in calls]
    return [{"caller": caller, "callback_ctx": _without_siblings(context)} for context in contexts]


def _without_siblings(context: Any) -> Any:
    """Return a callback context without the rest of its tree, which has a node for each fit."""
    if context is None:
        return None
    alone = copy.copy(context)
    alone.parent, alone._children_map = _without_siblings(context.parent), {}
    return alone
