"""Fits on this machine: in this process, in worker processes, or on the user's joblib backend."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import joblib
from joblib.parallel import BACKENDS, ParallelBackendBase, get_active_backend
from loky import ProcessPoolExecutor, get_reusable_executor

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends._threads import oversubscribed, thread_limits
from skdistsearch.backends._worker import exit_with_parent, run_local_worker
from skdistsearch.exceptions import BackendError, SkDistSearchError
from skdistsearch.execution import Runner, with_budget
from skdistsearch.scheduling import (
    Chunk,
    PendingFits,
    WorkerDeath,
    group_by_shared_work,
    split_into_units,
)
from skdistsearch.storage import (
    FolderStore,
    JournalReader,
    dump_batch,
    open_local_journal,
    temporary_folder,
)

_POLL_S = 0.05  # how often finished fits are looked for while their chunk still runs
_IDLE_S = 300  # joblib's own: how long idle workers are kept for the next search


@dataclass(frozen=True)
class LocalBackend:
    """Runs fits on this machine.

    ``n_jobs`` of the search means what it means in scikit-learn: ``None`` is one process, unless
    a `joblib.parallel_config` says otherwise; ``-1`` is all cores. With one process, fits run
    here. With more, worker processes map the data once; a worker that dies costs its own fit
    only. Other joblib backends that a `joblib.parallel_config` names (threading, dask, ray,
    spark, ...) get the fits through joblib.
    """

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of ``batch``; see `Backend.run`."""
        active, _ = get_active_backend()
        workers = joblib.effective_n_jobs(batch.n_jobs)
        if workers == 1:
            return _in_this_process(with_budget(batch, 1))
        if isinstance(active, BACKENDS["loky"]):
            return _in_processes(batch, workers, active.inner_max_num_threads)
        return _through_joblib(batch, workers, active)


def _in_this_process(batch: Batch) -> Iterator[Outcome]:
    fits = list(chain.from_iterable(group_by_shared_work(batch, range(len(batch)))))
    return map(Runner(batch, fits).run_here, fits)


def _through_joblib(batch: Batch, workers: int, active: ParallelBackendBase) -> Iterator[Outcome]:
    shared_memory = getattr(active, "supports_sharedmem", False)
    chunks = list(
        chain.from_iterable(
            split_into_units(group_by_shared_work(batch, range(len(batch))), workers)
        )
    )
    if shared_memory:
        calls = [joblib.delayed(_run_here)(batch, chunk) for chunk in chunks]
    else:
        travelling = batch.travelling(far=True)
        calls = [joblib.delayed(_run)(travelling, chunk) for chunk in chunks]
    unordered = active.supports_return_generator
    parallel = joblib.Parallel(
        n_jobs=batch.n_jobs, return_as="generator_unordered" if unordered else "list"
    )
    results = parallel(calls)
    with closing(results) if unordered else nullcontext():
        for outcomes in results:
            yield from outcomes


def _run_here(batch: Batch, fits: Chunk) -> list[Outcome]:
    return list(map(Runner(batch, fits).run_here, fits))


def _run(batch: Batch, fits: Chunk) -> list[Outcome]:
    return list(map(Runner(batch, fits).run, fits))


def _in_processes(batch: Batch, workers: int, threads: int | None) -> Iterator[Outcome]:
    """Run the fits in worker processes; those in which a worker dies once more, alone."""
    ledger = PendingFits(batch)
    _warn_of_threads(batch, workers)
    environment = thread_limits(workers, threads)
    with temporary_folder() as data:
        record = open_local_journal(batch, default=data / "record")
        travelling = with_budget(batch, workers).travelling(far=False)
        head = dump_batch(travelling, FolderStore(data), content_addressed=False).manifest
        while ledger.owed:
            alone = not ledger.innocent  # a suspect fit runs when all others are done
            groups = split_into_units(
                group_by_shared_work(batch, ledger.innocent or ledger.suspect[:1]), workers
            )
            folder = Path(tempfile.mkdtemp(dir=data))
            lane = partial(
                run_local_worker, str(data), head, groups, str(folder), str(record.folder)
            )
            lanes = _run_lanes(
                lane,
                min(workers, sum(map(len, groups))),
                record,
                _pool(workers, environment, alone),
            )
            try:
                with closing(lanes) as outcomes:  # now, not when garbage is collected
                    yield from ledger.settle(outcomes)
            except BrokenProcessPool as exc:
                yield from ledger.settle(record.read_new())
                deaths = [WorkerDeath(one.fit, _cause(exc)) for one in record.pop_interrupted()]
                yield from ledger.blame(deaths, _cause(exc))


def _warn_of_threads(batch: Batch, workers: int) -> None:
    cores, candidates = joblib.cpu_count(), {fit.candidate: fit for fit in batch.fits}.values()
    estimator = batch.arguments[0].get_params()
    for parameters in (estimator, *(fit.parameters for fit in candidates)):
        if said := oversubscribed(parameters, workers, cores):
            warnings.warn(said, UserWarning, stacklevel=2)
            return


@contextmanager
def _pool(workers: int, environment: dict[str, str], alone: bool) -> Iterator[ProcessPoolExecutor]:
    """Worker processes: those of earlier searches, kept warm, or one of its own if ``alone``.

    Another search in another thread shares the former, and what dies in it takes ours along: a
    fit that is tried alone must depend on nobody.
    """
    options = {"env": environment, "initializer": exit_with_parent, "initargs": (os.getpid(),)}
    executor = (
        ProcessPoolExecutor(1, **options)
        if alone
        else get_reusable_executor(workers, timeout=_IDLE_S, **options)
    )
    try:
        yield executor
    except BaseException:  # also Ctrl-C and the end of an iteration that nobody wants to go on with
        executor.shutdown(kill_workers=True)
        raise
    if alone:
        executor.shutdown()


def _run_lanes(
    lane: Callable[[], bool],
    n_lanes: int,
    record: JournalReader,
    pool: AbstractContextManager[ProcessPoolExecutor],
) -> Generator[Outcome]:
    with pool as executor:
        lanes: set[Future[bool]] = {executor.submit(lane) for _ in range(n_lanes)}
        pending = lanes
        while pending:
            done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            yield from record.read_new()
            for future in done:
                _check(future)
        if any(lane.result() for lane in lanes):
            executor.shutdown(kill_workers=True)  # what is owed is for new processes


def _check(lane: Future[bool]) -> None:
    try:
        lane.result()
    except (BrokenProcessPool, SkDistSearchError):
        raise
    except Exception as exc:
        raise BackendError(
            f"A worker process failed outside of a fit: {type(exc).__name__}: {exc}. What the "
            "search uses must be importable there, under the same name as here."
        ) from exc


def _cause(exc: BaseException) -> str:
    codes = re.search(r"exit codes of the workers are (\{.*?\})", str(exc))
    said = f" (exit codes of the workers: {codes[1]})" if codes else ""
    return (
        f"Its process ended without a word{said}: killed for want of memory, or by a crash in "
        "native code, or by an exit of its own."
    )
