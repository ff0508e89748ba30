"""Run fits on this machine: in this process, in worker processes, or through joblib."""

from __future__ import annotations

import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain

import joblib
from joblib.parallel import BACKENDS, ParallelBackendBase, get_active_backend
from loky import ProcessPoolExecutor, get_reusable_executor

from skdistsearch._batch import Batch
from skdistsearch._loaded_source import n_source_changes
from skdistsearch._outcome import Outcome
from skdistsearch.backends._base import Backend
from skdistsearch.backends._threads import oversubscription_warning, thread_limits
from skdistsearch.backends._worker import exit_with_parent, run_checked_chunk, run_local_worker
from skdistsearch.exceptions import BackendError, SkDistSearchError
from skdistsearch.execution import Runner, divide_cache, open_slice_folders
from skdistsearch.scheduling import (
    AttemptFailure,
    Chunk,
    PendingFits,
    WorkerDeath,
    make_units,
    order_by_shared_work,
    run_until_done,
)
from skdistsearch.storage import (
    FolderStore,
    JournalReader,
    dump_batch,
    open_local_journal,
    temporary_folder,
)

_POLL_S = 0.05  # interval between looks for finished fits
_IDLE_S = 300  # joblib's own: time that idle workers are kept for the next search


@dataclass(frozen=True)
class LocalBackend(Backend):
    """Runs fits on this machine.

    ``n_jobs`` of the search means what it means in scikit-learn: ``None`` is one process, unless
    a `joblib.parallel_config` says otherwise; ``-1`` is all cores. With one process, fits run in
    the caller's. With more, worker processes memory-map the data; a worker that dies costs its own
    fit only. Other joblib backends that a `joblib.parallel_config` names (threading, dask, ray,
    spark, ...) get the fits through joblib.

    ``backend="local"``, the default of all searches, stands for ``LocalBackend()``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, LocalBackend
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.1, 1.0]}
    >>> search = DistributedSearchCV(Ridge(), grid, cv=5, backend=LocalBackend())
    >>> search.fit(X, y).best_params_
    {'alpha': 0.1}

    Run the fits in threads, with the backend of joblib:

    >>> import joblib
    >>> with joblib.parallel_config("threading", n_jobs=2):
    ...     search = search.fit(X, y)
    """

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of a batch.

        Parameters
        ----------
        batch : Batch
            The fits of one round.

        Returns
        -------
        outcomes : iterator of Outcome
            One for each fit, as soon as it is finished.
        """
        active, _ = get_active_backend()
        n_workers = joblib.effective_n_jobs(batch.n_jobs)
        if n_workers == 1:
            return _run_in_this_process(divide_cache(batch, 1))
        if run := getattr(active, "run_skdistsearch_batch", None):  # that of `parallel`
            outcomes: Iterator[Outcome] = run(batch)
            return outcomes
        if isinstance(active, BACKENDS["loky"]):
            threads = active.inner_max_num_threads
            return _run_in_worker_processes(divide_cache(batch, n_workers), n_workers, threads)
        return _run_through_joblib(batch, n_workers, active)


def _run_in_this_process(batch: Batch) -> Iterator[Outcome]:
    fits = order_by_shared_work(batch, range(len(batch)))
    with open_slice_folders(batch) as folders, closing(Runner(batch, fits, folders)) as runner:
        for fit in fits:
            if batch.is_overdue:
                return
            started_at = time.monotonic()
            batch.report_running(partial(_running_since, fit, started_at))
            yield runner.run_in_process(fit)


def _running_since(fit: int, started_at: float) -> list[tuple[int, float]]:
    return [(fit, time.monotonic() - started_at)]


def _run_through_joblib(
    batch: Batch, n_workers: int, active: ParallelBackendBase
) -> Iterator[Outcome]:
    chunks = chain.from_iterable(make_units(batch, range(len(batch)), n_workers))
    if getattr(active, "supports_sharedmem", False):
        calls = [joblib.delayed(_run_chunk_in_process)(batch, chunk) for chunk in chunks]
    else:
        portable = batch.portable()
        calls = [joblib.delayed(run_checked_chunk)(portable, chunk) for chunk in chunks]
    is_unordered = active.supports_return_generator
    parallel = joblib.Parallel(
        n_jobs=batch.n_jobs, return_as="generator_unordered" if is_unordered else "list"
    )
    results = parallel(calls)
    with closing(results) if is_unordered else nullcontext():
        for outcomes in results:
            yield from outcomes


def _run_chunk_in_process(batch: Batch, fits: Chunk) -> list[Outcome]:
    return list(map(Runner(batch, fits).run_in_process, fits))


def _run_in_worker_processes(
    batch: Batch, n_workers: int, threads: int | None
) -> Generator[Outcome]:
    """Run fits in worker processes; run fits in which a worker dies once more, alone."""
    _warn_of_oversubscription(batch, n_workers)
    with temporary_folder() as folder, open_slice_folders(batch, folder) as slices:
        journal = open_local_journal(batch, default=folder / "journal")
        batch.report_running(journal.running_fits)
        portable = batch.portable(same_machine=True)
        manifest = dump_batch(portable, FolderStore(folder), content_addressed=False).manifest
        environment = thread_limits(n_workers, threads)

        def attempt(pending: PendingFits) -> Generator[Outcome, None, AttemptFailure | None]:
            run_alone = not pending.untried  # suspects run when all others are done
            groups = make_units(batch, pending.untried or pending.suspects[:1], n_workers)
            claims = tempfile.mkdtemp(dir=folder)
            worker = partial(
                run_local_worker,
                str(folder),
                manifest,
                groups,
                claims,
                str(journal.folder),
                slices,
            )
            pool = _worker_pool(n_workers, environment, run_alone)
            try:
                n_needed = min(n_workers, sum(map(len, groups)))
                yield from _run_workers(batch, worker, n_needed, journal, pool)
            except BrokenProcessPool as exc:
                yield from journal.read_new()
                reason = _cause_of_death(exc)
                deaths = [WorkerDeath(fit.fit, reason) for fit in journal.pop_interrupted()]
                return AttemptFailure(deaths, reason)
            return None

        yield from run_until_done(batch, attempt)


def _warn_of_oversubscription(batch: Batch, n_workers: int) -> None:
    n_cores, candidates = joblib.cpu_count(), {fit.candidate: fit for fit in batch.fits}.values()
    if batch.estimator is None:
        return
    own_parameters = batch.estimator.get_params()
    for parameters in (own_parameters, *(fit.parameters for fit in candidates)):
        if message := oversubscription_warning(parameters, n_workers, n_cores):
            warnings.warn(message, UserWarning, stacklevel=2)
            return


@contextmanager
def _worker_pool(
    n_workers: int, environment: dict[str, str], run_alone: bool
) -> Iterator[ProcessPoolExecutor]:
    """Provide worker processes: those kept from earlier searches, or a new one if ``run_alone``.

    Searches in other threads use the kept ones too, and a death there ends ours. A fit that is
    tried alone must not depend on them.
    """
    # Kept workers have loaded the user's modules as they were: other arguments, other workers
    arguments = (os.getpid(), n_source_changes())
    options = {"env": environment, "initializer": exit_with_parent, "initargs": arguments}
    executor = (
        ProcessPoolExecutor(1, **options)
        if run_alone
        else get_reusable_executor(n_workers, timeout=_IDLE_S, **options)
    )
    try:
        yield executor
    except BaseException:  # including Ctrl-C, and the end of an iteration that is not continued
        executor.shutdown(kill_workers=True)
        raise
    if run_alone:
        executor.shutdown()


def _run_workers(
    batch: Batch,
    worker: Callable[[], bool],
    n_workers: int,
    journal: JournalReader,
    pool: AbstractContextManager[ProcessPoolExecutor],
) -> Generator[Outcome]:
    with pool as executor:
        workers: set[Future[bool]] = {executor.submit(worker) for _ in range(n_workers)}
        running = workers
        while running:
            done, running = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            yield from journal.read_new()
            for future in done:
                _raise_errors(future)
            if batch.is_overdue and running:
                executor.shutdown(kill_workers=True)
                yield from journal.read_new()
                return
        if any(future.result() for future in workers):
            executor.shutdown(kill_workers=True)  # new processes run the pending fits


def _raise_errors(worker: Future[bool]) -> None:
    try:
        worker.result()
    except (BrokenProcessPool, SkDistSearchError):
        raise
    except Exception as exc:
        raise BackendError(
            f"A worker process failed outside of a fit: {type(exc).__name__}: {exc}. The worker "
            "must be able to import what the search uses, under the same name as here."
        ) from exc


def _cause_of_death(exc: BaseException) -> str:
    codes = re.search(r"exit codes of the workers are (\{.*?\})", str(exc))
    details = f" (exit codes of the workers: {codes[1]})" if codes else ""
    return (
        f"The worker process exited unexpectedly{details}: it ran out of memory, crashed in native "
        "code, or called os._exit."
    )
