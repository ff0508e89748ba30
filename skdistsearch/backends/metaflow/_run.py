"""One Metaflow run for the pending fits of a batch."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skdistsearch._outcome import Outcome
from skdistsearch.backends.metaflow._decorators import decospecs
from skdistsearch.backends.metaflow._process import RunProcess
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._workspace import RunWorkspace
from skdistsearch.exceptions import BackendError
from skdistsearch.scheduling import Chunk, UnitGroups, WorkerDeath, all_fits
from skdistsearch.storage import InterruptedFit

_POLL_S = 0.05  # interval between looks for finished fits on this machine
_LOG_INTERVAL_S = 10.0

_log = logging.getLogger("skdistsearch")


class MetaflowRun:
    """One Metaflow run that runs fits of a batch, and ends.

    Parameters
    ----------
    settings : MetaflowSettings
        The backend's settings.
    workspace : RunWorkspace
        The batch and the journal.
    task_manifest : dict
        What the tasks have to do: ``chunks``, or ``groups`` of units to claim; and ``deaths``.
    n_workers : int
        Number of tasks that run at the same time.
    """

    def __init__(
        self,
        settings: MetaflowSettings,
        workspace: RunWorkspace,
        task_manifest: dict[str, Any],
        n_workers: int,
    ) -> None:
        self._settings, self._workspace = settings, workspace
        self._task_manifest = task_manifest
        chunks = task_manifest["chunks"] or _tasks_for(task_manifest["groups"], n_workers)
        self._n_fits_max = max(map(len, chunks))
        self._folder = workspace.folder / secrets.token_hex(4)
        self._process = RunProcess(settings, self._folder, n_tasks=len(chunks), n_workers=n_workers)
        self._logged_at = time.monotonic()

    @property
    def pathspec(self) -> str:
        """The run's pathspec. Empty if it did not start."""
        return self._process.pathspec

    @property
    def failed(self) -> bool:
        """True if the run as a whole failed."""
        return self._process.failed

    @property
    def failure_summary(self) -> str:
        """The end of the run, for an error message."""
        return self._process.failure_summary

    def worker_deaths(self, interrupted: list[InterruptedFit]) -> list[WorkerDeath]:
        """Return why fits were interrupted."""
        if self.failed and not self.pathspec:
            raise BackendError(self.failure_summary)
        return self._process.log.worker_deaths(interrupted)

    def iter_outcomes(self) -> Generator[Outcome]:
        """Start the run, yield outcomes as its tasks write them, and end with it."""
        with self._running_process() as process:
            while process.poll() is None:
                yield from self._workspace.new_outcomes()
                process.handle_task_messages()
                if self._workspace.batch.is_overdue:
                    break
                self._log_progress()
                time.sleep(_POLL_S)
        yield from self._workspace.new_outcomes(last=True)
        process.handle_task_messages()

    def _log_progress(self) -> None:
        if time.monotonic() - self._logged_at <= _LOG_INTERVAL_S:
            return
        self._logged_at = time.monotonic()
        journal = self._workspace.journal
        _log.info(
            "Metaflow run %s: %d fits are running, %d tasks were tried again",
            self.pathspec or "(starting)",
            len(journal.running_fits()),
            journal.n_retries,
        )

    @contextmanager
    def _running_process(self) -> Iterator[RunProcess]:
        """Start the run; stop it at the end of the block."""
        self._process.start(
            decospecs(self._settings, self._n_fits_max),
            self._workspace.payload.modules,
            self._parameters(),
            self._write_summary(),
        )
        try:
            yield self._process
        finally:
            if self._process.stop():
                _log.warning("The Metaflow run %s was ended, and its tasks with it.", self.pathspec)

    def _write_summary(self) -> Path:
        path = self._folder / "summary.json"
        path.write_text(json.dumps(self._workspace.summary))
        return path

    def _parameters(self) -> dict[str, str]:
        workspace, claims = self._workspace, self._folder / "claims"
        claims.mkdir(mode=0o700, parents=True)  # in a folder that is private
        task_manifest = self._task_manifest | {"claims": str(claims), "slices": workspace.slices}
        return {
            "store": workspace.store.url,
            "manifest": workspace.payload.manifest,
            "task_manifest": workspace.put_json(task_manifest),
            "journal": workspace.journal_url,
        }


def _tasks_for(groups: UnitGroups, n_workers: int) -> list[Chunk]:
    """Return, for each task that claims units, the fits that it may run: all."""
    return [tuple(all_fits(groups))] * min(n_workers, sum(map(len, groups)))
