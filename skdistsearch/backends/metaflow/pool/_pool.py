"""The Metaflow runs whose tasks serve one queue: start, count and end their workers.

- The trick: a worker is dead when the process that Metaflow started for it on this machine has
  ended. Metaflow's output names that process for each try of each task. With AWS Batch and
  Kubernetes it is the process that watches the container.
- Why nothing simpler works: a missing heartbeat proves nothing, because a fit in native code that
  holds the interpreter lock stops the thread that would send it. Asking AWS Batch is what
  Metaflow's own process does. A worker cannot say itself that it was killed.
- It breaks if Metaflow no longer prints the process with each line of a task.
  tests/backends/metaflow/pool/test_pool_runs.py kills workers.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loky.backend import resource_tracker

from skdistsearch.backends.metaflow._decorators import decospecs
from skdistsearch.backends.metaflow._environment import s3_root
from skdistsearch.backends.metaflow._packaging import local_modules
from skdistsearch.backends.metaflow._process import RunProcess
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow.pool._queue import Queue, Wave
from skdistsearch.exceptions import StoreError
from skdistsearch.scheduling import WorkerDeath
from skdistsearch.storage import InterruptedFit

_RETRIES = 4  # Metaflow's limit: a worker that dies is replaced four times
_RESTART_S = 5.0  # Metaflow starts a task again within a second
_REPORTS = "reports"
_REPORTS_MAX = 30  # rounds in one card
_REFRESH_S = 0.1  # between two looks at the output of the runs
_CLOSE_S = 10.0  # for idle workers to end by themselves; the containers of others are killed


class Pool:
    """Workers that serve one queue.

    Parameters
    ----------
    settings : MetaflowSettings
        The backend's settings.
    n_workers : int
        The highest number of workers.
    keep_alive_s : float
        How long a worker waits for work.
    """

    def __init__(self, settings: MetaflowSettings, n_workers: int, keep_alive_s: float) -> None:
        self._settings, self.n_workers, self._keep_alive_s = settings, n_workers, keep_alive_s
        self._folder = _make_folder()
        root = f"{s3_root()}/pools" if settings.is_remote else str(self._folder)
        self.queue = Queue(f"{root}/{secrets.token_hex(8)}")
        self._runs: list[_PoolRun] = []
        self._n_waves = 0
        self._lock = threading.RLock()
        self._refreshed_at = 0.0
        self._modules_at_start = local_modules().keys()
        self._n_reports = 0
        self.n_users = 0
        """Number of batches that it is running."""

    def publish(self, wave: Wave) -> str:
        """Add a wave to the queue, and return its name."""
        with self._lock:
            self._n_waves += 1
            return self.queue.publish(self._n_waves, wave)

    def ensure_workers(self, n_wanted: int, modules: Iterable[str]) -> bool:
        """Start a run if there are fewer workers than wanted; return whether it did.

        ``modules`` are the names of the modules that the first batch needs.
        """
        with self._lock:
            missing = min(n_wanted, self.n_workers) - self.n_alive
            if missing <= 0:
                return False
            run = _PoolRun(self._settings, self._folder / secrets.token_hex(4), missing, self)
            self._runs.append(run)
            run.start(self.queue.url, self._keep_alive_s, modules, self._folder / _REPORTS)
            return True

    def report(self, summary: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Add a batch to the card and the results of the runs, which they get when they end."""
        with self._lock:
            if self._n_reports == _REPORTS_MAX:
                return
            self._n_reports += 1
            path = self._folder / _REPORTS / f"{self._n_reports:06d}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"summary": summary, "outcomes": outcomes}))

    def late_modules(self) -> dict[str, Path]:
        """Return the user's modules that were imported after the first run began."""
        modules = local_modules()
        return {name: modules[name] for name in modules.keys() - self._modules_at_start}

    def refresh(self) -> None:
        """Read the output of the runs. Raise an error if a worker refuses its work."""
        with self._lock:
            if time.monotonic() - self._refreshed_at < _REFRESH_S:
                return
            self._refreshed_at = time.monotonic()
            for run in self._runs:
                run.process.handle_task_messages()

    @property
    def n_alive(self) -> int:
        """Number of workers that serve the queue, start, or are being replaced."""
        return sum(run.n_alive() for run in self._runs)

    @property
    def n_ended(self) -> int:
        """Number of worker processes that have ended so far."""
        return sum(run.n_ended() for run in self._runs)

    @property
    def has_ended(self) -> bool:
        """True if all its runs have ended, of which there was at least one."""
        return bool(self._runs) and all(run.has_ended for run in self._runs)

    def is_dead(self, owner: str) -> bool:
        """Return whether the worker with this name has ended."""
        run_id, task, retry = owner.split("-")
        return any(
            run.process.run_id == run_id and run.is_dead(task, int(retry)) for run in self._runs
        )

    def worker_deaths(self, interrupted: Iterable[InterruptedFit]) -> list[WorkerDeath]:
        """Return why fits were interrupted."""
        fits = list(interrupted)
        deaths = []
        for run in self._runs:
            mine = [fit for fit in fits if fit.task_pathspec.startswith(f"{run.process.pathspec}/")]
            deaths += run.process.log.worker_deaths(mine)
        return deaths

    @property
    def last_run(self) -> RunProcess:
        """The run that was started last."""
        return self._runs[-1].process

    def end_when_idle(self) -> None:
        """Tell the workers to end as soon as they have nothing to do."""
        with contextlib.suppress(StoreError):
            self.queue.end()

    def wait(self) -> None:
        """Wait a moment for idle workers to end by themselves; then end them."""
        end = time.monotonic() + _CLOSE_S
        for run in self._runs:
            run.process.wait(max(end - time.monotonic(), 0.1))
        self.kill()

    def kill(self) -> bool:
        """End all workers, busy or not. Return whether there were any."""
        for run in self._runs:
            run.process.release()  # all at once: each takes seconds to end
        were_running = [run.process.stop() for run in self._runs]
        return any(were_running)

    def remove_files(self) -> None:
        """Remove the queue and the folder. No worker must be left."""
        with contextlib.suppress(StoreError):
            self.queue.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
        resource_tracker.unregister(str(self._folder), "folder")


class _PoolRun:
    """One Metaflow run of a pool."""

    def __init__(self, settings: MetaflowSettings, folder: Path, n_tasks: int, pool: Pool) -> None:
        self._settings, self._n_tasks = settings, n_tasks
        self.process = RunProcess(settings, folder, n_tasks=n_tasks, n_workers=pool.n_workers)
        self._gone_at: dict[int, float] = {}

    def start(self, queue: str, keep_alive_s: float, modules: Iterable[str], reports: Path) -> None:
        # Fits have their own time limit. A limit of the task would end workers that wait
        settings = replace(self._settings, retries=_RETRIES, fit_timeout_s=None)
        parameters = {"queue": queue, "keep_alive_s": str(keep_alive_s)}
        self.process.start(decospecs(settings, 1), modules, parameters, reports)

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def n_alive(self) -> int:
        """Return the number of tasks that have not ended for good, as far as is known."""
        if self.has_ended:
            return 0
        return self._n_tasks - sum(map(self._is_gone, self.process.log.task_processes))

    def _is_gone(self, task: str) -> bool:
        """Return whether the last try of a task has ended, and Metaflow started no other."""
        last = self.process.log.task_processes[task][-1]
        if _is_alive(last):
            return False
        gone_at = self._gone_at.setdefault(last, time.monotonic())
        return time.monotonic() - gone_at > _RESTART_S

    def n_ended(self) -> int:
        tries = self.process.log.task_processes.values()
        if self.has_ended:
            return sum(map(len, tries))
        return sum(not _is_alive(process) for processes in tries for process in processes)

    def is_dead(self, task: str, retry: int) -> bool:
        if self.has_ended:
            return True
        processes = self.process.log.task_processes.get(task, [])
        if retry >= len(processes):  # its first line has not been read
            return False
        return retry < len(processes) - 1 or not _is_alive(processes[retry])


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process has got the number
        return False
    return True


def _make_folder() -> Path:
    """Create a folder that loky's resource tracker removes if this process is killed.

    Without finalizers, which a fork of this process would run at its end.
    """
    parent = os.environ.get("JOBLIB_TEMP_FOLDER") or None
    folder = tempfile.mkdtemp(prefix="skdistsearch-", dir=parent)
    resource_tracker.register(folder, "folder")
    return Path(folder)
