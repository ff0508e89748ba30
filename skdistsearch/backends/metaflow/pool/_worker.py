"""The task of a pool: take waves from the queue, run their fits, and end when none comes."""

from __future__ import annotations

import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from skdistsearch._batch import Batch
from skdistsearch.backends._recording import FitRecorder, open_journal, scratch_root
from skdistsearch.backends._worker import has_grown_too_much
from skdistsearch.backends.metaflow.pool._late_modules import add_import_paths, unpack_modules
from skdistsearch.backends.metaflow.pool._queue import Queue, Wave
from skdistsearch.exceptions import BackendError, StoreError
from skdistsearch.execution import Runner, open_slice_folders
from skdistsearch.scheduling import Chunk, all_fits
from skdistsearch.storage import journal_prefix, load_batch, temporary_folder

# Seconds between two looks at the queue: right after work, and at most. A request to S3 each two
# seconds costs 0.9 cents in an hour.
_POLL_FOLDER_S, _POLL_FOLDER_MAX_S = 0.01, 0.1
_POLL_S3_S, _POLL_S3_MAX_S = 0.25, 2.0
_BACK_OFF = 0.1  # of the time without work: ten seconds after the last fit, one look a second
_FREE_DISK_MIN = 0.1  # share of the disk


class _EnvironmentError(Exception):
    """The environment cannot run a batch, and the caller knows it."""


class PoolWorker:
    """A worker of a pool.

    Parameters
    ----------
    queue : str
        URL of the queue.
    keep_alive_s : float
        How long to wait for work.
    check_environment : callable
        Raises RuntimeError if this environment lacks requirements, and tells the caller.
    refuse : callable
        Tells the caller reasons not to run a batch.
    task_pathspec : str
        Metaflow's pathspec of this task.
    retry : int
        Number of earlier tries of this task.
    timeout_s : float
        Limit of each fit in seconds; 0 for none.
    """

    def __init__(
        self,
        queue: str,
        *,
        keep_alive_s: float,
        check_environment: Callable[[Mapping[str, Any]], None],
        refuse: Callable[[list[str]], None],
        task_pathspec: str,
        retry: int,
        timeout_s: float,
    ) -> None:
        self._queue = Queue(queue)
        self._keep_alive_s, self._timeout_s = keep_alive_s, timeout_s
        self._check_environment, self._refuse = check_environment, refuse
        self._task_pathspec, self._retry = task_pathspec, retry
        self._owner = worker_owner(journal_prefix(task_pathspec), retry)
        is_remote = queue.startswith("s3://")
        self._poll_s = (
            (_POLL_S3_S, _POLL_S3_MAX_S) if is_remote else (_POLL_FOLDER_S, _POLL_FOLDER_MAX_S)
        )

    def serve(self) -> None:
        """Run fits until the queue ends, or nothing has come for ``keep_alive_s``."""
        last, idle_since = "", time.monotonic()
        with temporary_folder(scratch_root()) as self._scratch:
            (self._scratch / "data").mkdir()
            while True:
                waves, has_ended = self._queue.new_waves(last)
                for last in waves:
                    if self._run_wave(last):
                        idle_since = time.monotonic()
                idle_s = time.monotonic() - idle_since
                if not waves and (has_ended or idle_s > self._keep_alive_s):
                    return
                if not waves:
                    first_s, longest_s = self._poll_s
                    time.sleep(min(max(first_s, idle_s * _BACK_OFF), longest_s))

    def _run_wave(self, name: str) -> bool:
        """Run units of a wave until none is left; return False if there was none."""
        wave = self._queue.read(name)
        if wave is None:
            return False
        elsewhere = _ClaimedElsewhere()
        units = self._queue.claim_units(name, wave, self._owner, elsewhere)
        first = next(units, None)
        if first is None:
            return False
        try:
            batch = self._load_batch(wave)
        except _EnvironmentError:
            return False
        except Exception as exc:
            if self._queue.read(name) is None:  # cancelled, and its data removed
                return False
            if isinstance(exc, StoreError):  # this task is tried again
                raise
            self._refuse([_reason(exc)])
            return False
        with (
            open_slice_folders(batch, self._scratch) as slices,
            closing(Runner(batch, all_fits(wave.groups), slices)) as runner,
        ):
            elsewhere.tell(runner)
            self._run_units(name, wave, batch, runner, chain([first], units))
        return True

    def _load_batch(self, wave: Wave) -> Batch:
        if wave.requirements:
            try:
                self._check_environment(wave.requirements)
            except RuntimeError as exc:
                raise _EnvironmentError from exc
        add_import_paths(wave.import_paths)
        if wave.late_modules:
            unpack_modules(wave.late_modules, self._queue.store, self._scratch)
        data = self._scratch / "data"
        if _is_nearly_full(data):
            shutil.rmtree(data)  # files that are mapped stay until they are not used any more
            data.mkdir()
        batch = load_batch(wave.store, wave.manifest, data)
        batch.check_code()
        return batch

    def _run_units(
        self, name: str, wave: Wave, batch: Batch, runner: Runner, units: Iterable[Chunk]
    ) -> None:
        journal = self._scratch / name
        with (
            open_journal(wave.journal, journal, self._task_pathspec, retry=0) as folders,
            FitRecorder(
                batch,
                folders,
                self._task_pathspec,
                timeout_s=self._timeout_s,
                flush_starts=wave.flush_starts or self._retry > 0,
            ) as recorder,
        ):
            for unit in units:
                self._run_unit(recorder, runner, unit)
        shutil.rmtree(journal, ignore_errors=True)

    def _run_unit(self, recorder: FitRecorder, runner: Runner, unit: Iterable[int]) -> None:
        for fit in unit:
            recorder.run(runner, fit)
            if has_grown_too_much():
                # Metaflow starts this task again, and the caller publishes the rest of the unit
                raise MemoryError(f"Process {os.getpid()} has grown: Metaflow starts another one.")


class _ClaimedElsewhere:
    """Fits that other workers have claimed, kept until there is a runner to tell."""

    def __init__(self) -> None:
        self._fits: list[int] = []
        self._runner: Runner | None = None

    def __call__(self, fits: Iterable[int]) -> None:
        if self._runner is None:
            self._fits += fits
        else:
            self._runner.mark_done(fits)

    def tell(self, runner: Runner) -> None:
        """Pass everything on to a runner, also later."""
        runner.mark_done(self._fits)
        self._runner = runner


def worker_owner(task: str, retry: int) -> str:
    """Return the name of a worker: run, task and try."""
    return f"{task}-{retry}"


def _is_nearly_full(folder: Path) -> bool:
    usage = shutil.disk_usage(folder)
    return usage.free < usage.total * _FREE_DISK_MIN


def _reason(exc: Exception) -> str:
    if isinstance(exc, BackendError):
        return str(exc)
    return f"the fits cannot be loaded: {''.join(traceback.format_exception(exc))}"
