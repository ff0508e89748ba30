"""Calls that are done here sooner than a worker is ready stay here.

The first calls run in a worker process of this machine, for as long as it would take to have a
worker elsewhere: results are the same, and a call cannot harm this process. Calls that have not
begun by then are sent, while those that have begun here go on. What calls take is not known
beforehand, and scikit-learn makes many small ``Parallel``s: choosing two of six features one after
the other would pay eleven containers for a quarter of a second of work.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace

from loky import ProcessPoolExecutor

from skdistsearch._batch import Batch, Run, closing_outcomes
from skdistsearch._outcome import Outcome
from skdistsearch.backends import store_batch
from skdistsearch.storage import temporary_folder

_IDLE_S = 60  # time that the process is kept


def run_with_trial(
    batch: Batch, run: Run, budget_s: float, environment: Mapping[str, str]
) -> Iterator[Outcome]:
    """Run a batch on this machine as long as that takes less than ``budget_s``; send the rest.

    Parameters
    ----------
    batch : Batch
        The calls.
    run : callable
        Sends a batch.
    budget_s : float
        Seconds that all calls together may take here.
    environment : dict of str to str
        Environment variables of the process on this machine.
    """
    with temporary_folder() as folder, _local_process(environment) as process:
        run_fits = store_batch(batch, folder)
        began_at, n_begun, n_done, size = time.monotonic(), 0, 0, 1
        running: Future[list[Outcome]] | None = None
        while n_begun < len(batch):
            chunk = range(n_begun, min(n_begun + size, len(batch)))
            running, n_begun = process.submit(run_fits, list(chunk)), chunk.stop
            wait([running], timeout=max(budget_s - (time.monotonic() - began_at), 0.0))
            if not running.done() or running.exception() is not None:
                break
            yield from running.result()
            running, n_done, size = None, n_begun, 2 * size
            if (time.monotonic() - began_at) / n_done * len(batch) > budget_s:
                break
        if running is not None and running.done():  # a call has ended the process
            running, n_begun = None, n_done
            stop_local_process()
        yield from _send(batch, range(n_begun, len(batch)), run)
        if running is not None:
            try:
                yield from running.result()
            except BrokenProcessPool:
                stop_local_process()
                yield from _send(batch, range(n_done, n_begun), run)


def _send(batch: Batch, fits: Sequence[int], run: Run) -> Iterator[Outcome]:
    if not fits:
        return
    with closing_outcomes(run(batch.subset(fits))) as outcomes:
        for outcome in outcomes:
            yield replace(outcome, fit=fits[outcome.fit])


_processes: dict[int, ProcessPoolExecutor] = {}  # by the process that uses it
_lock = threading.Lock()


@contextmanager
def _local_process(environment: Mapping[str, str]) -> Iterator[ProcessPoolExecutor]:
    """Provide a worker process that has imported scikit-learn."""
    with _lock:
        process = _processes.get(os.getpid())
        if process is None:
            _processes.clear()
            process = ProcessPoolExecutor(1, timeout=_IDLE_S, env=dict(environment))
            _processes[os.getpid()] = process
    try:
        process.submit(_import_packages).result()
        yield process
    except BaseException:  # also an early end: it may be running a call
        stop_local_process()
        raise


def stop_local_process() -> None:
    """End the worker process on this machine."""
    with _lock:
        process = _processes.pop(os.getpid(), None)
    if process is not None:
        process.shutdown(kill_workers=True)


def _import_packages() -> None:
    import sklearn.model_selection  # noqa: F401
