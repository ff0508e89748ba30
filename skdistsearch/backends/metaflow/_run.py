"""One Metaflow run, as a subprocess that a watchdog ends with the caller."""

from __future__ import annotations

import json
import logging
import secrets
import subprocess
import sys
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from loky.backend import resource_tracker

from skdistsearch._outcome import Outcome
from skdistsearch.backends.metaflow._decorators import decospecs
from skdistsearch.backends.metaflow._environment import expose_runs_to_client, flow_environment
from skdistsearch.backends.metaflow._packaging import FLOW_FILE, requirements, stage
from skdistsearch.backends.metaflow._run_log import (
    MESSAGE_PREFIX,
    RunLog,
    hint_for,
    is_host_failure,
)
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._workspace import RunWorkspace
from skdistsearch.exceptions import BackendError
from skdistsearch.scheduling import Chunk, UnitGroups, WorkerDeath, all_fits
from skdistsearch.storage import InterruptedFit

FLOW_NAME = "DistributedSearch"
"""``metaflow.Flow("DistributedSearch")`` has the runs."""

_WATCHDOG = Path(__file__).with_name("watchdog.py")
_POLL_S = 0.05  # interval between looks for finished fits on this machine
_LOG_INTERVAL_S = 10.0
_STOP_TIMEOUT_S = 90.0  # after which a run that is stopped is left to its watchdog

_log = logging.getLogger("skdistsearch")


class MetaflowRun:
    """One Metaflow run. A watchdog makes sure that it does not outlive this process.

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
        self._task_manifest, self._n_workers = task_manifest, n_workers
        chunks = task_manifest["chunks"] or _tasks_for(task_manifest["groups"], n_workers)
        self._n_tasks, self._n_fits_max = len(chunks), max(map(len, chunks))
        self._folder = workspace.folder / secrets.token_hex(4)
        self._run_id_file = self._folder / "run_id"
        self._log = RunLog(self._folder / "log")
        self._logged_at = time.monotonic()
        self.failed = False
        """True if the run as a whole failed."""

    @property
    def pathspec(self) -> str:
        """The run's pathspec. Empty if it did not start."""
        if not self._run_id_file.exists():
            return ""
        return f"{FLOW_NAME}/{self._run_id_file.read_text().strip()}"

    @property
    def failure_summary(self) -> str:
        """The end of the run, for an error message."""
        reasons = "".join(
            f" {reason}." for reason in sorted(set(self._log.failure_reasons().values()))
        )
        name = self.pathspec or "(not started)"
        if self.failed:
            return f"The Metaflow run {name} failed.{reasons} Its last lines:\n{self._log.tail}"
        return f"Tasks of the Metaflow run {name} ended before they started a fit.{reasons}"

    def worker_deaths(self, interrupted: list[InterruptedFit]) -> list[WorkerDeath]:
        """Return why fits were interrupted."""
        if self.failed and not self.pathspec:
            raise BackendError(self.failure_summary)
        reasons = self._log.failure_reasons() if interrupted else {}
        return [_worker_death(fit, reasons.get(fit.job, "")) for fit in interrupted]

    def iter_outcomes(self) -> Generator[Outcome]:
        """Start the run, yield outcomes as its tasks write them, and end with it."""
        with self._running_process() as process:
            expose_runs_to_client()
            while process.poll() is None:
                yield from self._workspace.new_outcomes()
                self._handle_task_messages()
                self._log_progress()
                time.sleep(_POLL_S)
            self.failed = process.returncode != 0
        yield from self._workspace.new_outcomes(last=True)
        self._handle_task_messages()

    def _handle_task_messages(self) -> None:
        for message in self._log.messages():
            if "refuses" in message:
                raise BackendError(
                    "The tasks' environment cannot run this search: "
                    + "; ".join(message["refuses"])
                    + '. Use an image (image=...) or an environment (environment="pypi") that has '
                    "the same versions as this machine, or install the image's versions here."
                )
            warnings.warn(
                "The tasks' environment differs from this one: " + "; ".join(message["warns"]),
                stacklevel=2,
            )

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
    def _running_process(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the run; stop it at the end of the block."""
        with open(self._prepare_folder() / "log", "wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(_WATCHDOG),
                    json.dumps(self._watchdog_arguments()),
                ],
                env=flow_environment(
                    self._n_workers, self._workspace.folder, is_remote=self._settings.is_remote
                ),
                # In S3 mode, Metaflow leaves folders in the working directory
                cwd=self._folder if self._settings.is_remote else None,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C comes to this process alone
                # If this process is killed, the folder stays until the watchdog has done its work
                pass_fds=[resource_tracker.getfd()],
            )
        try:
            yield process
        finally:
            self._stop_process(process)

    def _prepare_folder(self) -> Path:
        (self._folder / "claims").mkdir(mode=0o700, parents=True)  # in a folder that is private
        (self._folder / "summary.json").write_text(json.dumps(self._workspace.summary))
        is_remote = self._settings.is_remote
        settings = {
            "decorators": decospecs(self._settings, self._n_fits_max),
            "fit_timeout_s": self._settings.fit_timeout_s,
            "packages": requirements(self._workspace.payload.modules) if is_remote else None,
            "message_prefix": MESSAGE_PREFIX,
            "summary": str(self._folder / "summary.json"),
        }
        # In a file: the environment's variables must not show up in a list of processes
        (self._folder / "settings.json").write_text(json.dumps(settings))
        return self._folder

    def _watchdog_arguments(self) -> dict[str, Any]:
        base, settings = self._base_command(), self._settings
        kill = [*base, settings.compute, "kill", "--run-id"] if settings.is_remote else []
        return {
            "command": [*base, *self._run_arguments()],
            "kill_command": kill,
            "run_id_file": str(self._run_id_file),
        }

    def _base_command(self) -> list[str]:
        settings = self._settings
        flow = stage(self._folder / "code") if settings.is_remote else FLOW_FILE
        command = [sys.executable, "-u", str(flow), "--no-pylint"]
        if settings.environment:
            command += ["--environment", settings.environment]
        return [*command, "--config", "settings", str(self._folder / "settings.json")]

    def _run_arguments(self) -> list[str]:
        workspace = self._workspace
        shared = {"claims": str(self._folder / "claims"), "slices": workspace.slices}
        task_manifest = self._task_manifest | shared
        options = {
            "--store": workspace.store.url,
            "--manifest": workspace.payload.manifest,
            "--task_manifest": workspace.put_json(task_manifest),
            "--journal": workspace.journal_url,
            "--n_tasks": str(self._n_tasks),
            "--max-num-splits": str(self._n_tasks),
            "--max-workers": str(self._n_workers),
            "--run-id-file": str(self._run_id_file),
        }
        tags = [word for tag in ("skdistsearch", *self._settings.tags) for word in ("--tag", tag)]
        return ["run", *(word for option in options.items() for word in option), *tags]

    def _stop_process(self, process: subprocess.Popen[bytes]) -> None:
        """End the run and all its tasks, unless it has ended."""
        assert process.stdin is not None
        is_running = process.poll() is None
        process.stdin.close()  # the watchdog's signal
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)
        if is_running:
            _log.warning("The Metaflow run %s was ended, and its tasks with it.", self.pathspec)


def _worker_death(interrupted: InterruptedFit, reason: str) -> WorkerDeath:
    cause = reason or (
        "it exited unexpectedly: it ran out of memory, crashed in native code, or called os._exit"
    )
    return WorkerDeath(
        interrupted.fit,
        f"Metaflow task {interrupted.task_pathspec}: {cause}.{hint_for(reason)}",
        host_lost=is_host_failure(reason),
    )


def _tasks_for(groups: UnitGroups, n_workers: int) -> list[Chunk]:
    """Return, for each task that claims units, the fits that it may run: all."""
    return [tuple(all_fits(groups))] * min(n_workers, sum(map(len, groups)))
