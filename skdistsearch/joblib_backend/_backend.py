"""The joblib backend: all calls of a ``Parallel`` become a batch for a backend of this package.

- The trick: ``configure`` makes joblib submit all calls before it asks for results, despite
  ``pre_dispatch``. Then ``retrieval_context`` has them all, and no thread is needed.
- Why nothing simpler works: joblib calls ``submit`` for each call and does not say when the last
  one was submitted. A run for each call would not share what the calls have in common.
- It breaks if joblib no longer reads ``pre_dispatch`` after ``configure``, or has no
  ``_raise_error_fast``, which raises what the iterator of calls has raised.
  tests/joblib_backend/test_joblib_backend.py counts batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import joblib
from joblib.parallel import BACKENDS, FallbackToBackend, Parallel, ParallelBackendBase

from skdistsearch._batch import Batch, closing_outcomes
from skdistsearch._outcome import Outcome
from skdistsearch.backends import MetaflowBackend
from skdistsearch.backends.metaflow import worker_threads
from skdistsearch.backends.metaflow.pool import warm_workers
from skdistsearch.exceptions import BackendError
from skdistsearch.joblib_backend._calls import Item, make_batch
from skdistsearch.joblib_backend._results import value_of
from skdistsearch.joblib_backend._trial import run_with_trial

# Seconds until a worker has run a call: with one that waits, and with none
_WARM_S, _WARM_REMOTE_S = 0.0, 1.0
_COLD_S, _COLD_REMOTE_S = 2.0, 20.0


class RemoteParallelBackend(ParallelBackendBase):  # type: ignore[misc]
    """joblib backend that sends calls to a `MetaflowBackend`.

    Parameters
    ----------
    backend : MetaflowBackend
        Where the calls run.
    min_remote_s : float or "auto"
        A ``Parallel`` that takes less time on this machine stays here.
    objects : {"allow", "refuse"}
        What happens to results that are no data.
    """

    supports_retrieve_callback = True
    supports_sharedmem = False  # joblib then takes threads for those that require it
    uses_threads = False

    def __init__(
        self,
        backend: MetaflowBackend,
        *,
        min_remote_s: float | str = "auto",
        objects: str = "allow",
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self.backend, self._min_remote_s, self._objects = backend, min_remote_s, objects
        self._n_jobs: int | None = None
        self._spent_here_s = 0.0
        self._submissions: list[tuple[list[Item], Callable[[Any], None]]] = []

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return the number of workers. Never 1, with which joblib would run the calls itself."""
        if n_jobs == 1:
            return 1
        return max(2, self.backend.n_workers(n_jobs))

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Parallel | None = None,
        prefer: str | None = None,
        **kwargs: Any,
    ) -> int:
        """Take all calls of a ``Parallel``, or leave it to threads or a loop of this process."""
        if n_jobs == 1:
            raise FallbackToBackend(BACKENDS["sequential"](nesting_level=self.nesting_level))
        if prefer == "threads":
            raise FallbackToBackend(_LocalThreads(nesting_level=self.nesting_level))
        assert parallel is not None
        self.parallel, self._n_jobs = parallel, n_jobs
        parallel.pre_dispatch = "all"
        return self.effective_n_jobs(n_jobs)

    def compute_batch_size(self) -> int:
        """Return 1: calls are distributed by the backend."""
        return 1

    def submit(self, func: Any, callback: Callable[[Any], None]) -> None:
        """Take calls; they run in `retrieval_context`."""
        self._submissions.append((list(func.items), callback))

    apply_async = submit  # joblib < 1.5

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Run what was submitted, then let joblib retrieve it."""
        submissions, self._submissions = self._submissions, []
        # The iterator of calls has failed. joblib looks for that only while calls are running
        self.parallel._raise_error_fast()
        if submissions:
            self._run_submissions(submissions)
        yield

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return the results of a submission, or raise the error of one of its calls."""
        if isinstance(out, _Failure):
            raise out.error
        return out

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Forget what was submitted. Workers are ended when the iteration of outcomes ends."""
        self._submissions = []

    def run_skdistsearch_batch(self, batch: Batch) -> Iterator[Outcome]:
        """Run a batch: calls, or the fits of a search with the local backend."""
        budget_s = self._budget_s()
        if budget_s <= 0:
            self._spent_here_s = 0.0
            yield from self.backend.run(batch)
            return
        for outcome in run_with_trial(
            batch, self.backend.run, budget_s, worker_threads(self.backend)
        ):
            if not outcome.task_pathspec:
                self._spent_here_s += outcome.finished_at - outcome.started_at
            yield outcome

    def _budget_s(self) -> float:
        if not isinstance(self._min_remote_s, str):
            return float(self._min_remote_s)
        is_remote = self.backend.is_remote
        if warm_workers(self.backend):
            return _WARM_REMOTE_S if is_remote else _WARM_S
        # Time spent here, in the hope that little more comes, counts: many small ones are sent, too
        cold_s = _COLD_REMOTE_S if is_remote else _COLD_S
        return cold_s - self._spent_here_s

    def _run_submissions(self, submissions: list[tuple[list[Item], Callable[[Any], None]]]) -> None:
        """Run calls, and report the results of each submission when all of its calls are done."""
        items = [item for calls, _ in submissions for item in calls]
        owners = [n for n, (calls, _) in enumerate(submissions) for _ in calls]
        results: list[dict[int, Any]] = [{} for _ in submissions]
        batch = make_batch(
            items, self._n_jobs, objects=self._objects, is_remote=self.backend.is_remote
        )
        with closing_outcomes(self.run_skdistsearch_batch(batch)) as outcomes:
            for outcome in outcomes:
                owner = owners[outcome.fit]
                calls, callback = submissions[owner]
                try:
                    results[owner][outcome.fit] = value_of(outcome, self._objects)
                except BaseException as error:
                    callback(_Failure(error))
                    return
                if len(results[owner]) == len(calls):
                    done = results[owner]
                    callback([done[fit] for fit in sorted(done)])
                    results[owner] = {}
        if any(results):
            raise BackendError("The backend yielded no outcome for some calls.")


class _LocalThreads(BACKENDS["threading"]):  # type: ignore[misc, name-defined]
    """Threads of this machine, of which there are no more than cores."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        return int(min(super().effective_n_jobs(n_jobs), joblib.cpu_count()))


class _Failure:
    """The error of a call, in the place of results."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
