"""The local process of a Metaflow run, behind a watchdog that ends the run with this process.

A fork of this process closes its copies of the pipes to the watchdogs, which would otherwise not
notice the end of this process, nor that it stops the run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from loky.backend import resource_tracker

from skdistsearch.backends.metaflow._decorators import Decospec
from skdistsearch.backends.metaflow._environment import expose_runs_to_client, flow_environment
from skdistsearch.backends.metaflow._packaging import FLOW_FILE, requirements, stage
from skdistsearch.backends.metaflow._run_log import MESSAGE_PREFIX, RunLog
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.exceptions import BackendError

FLOW_NAME = "DistributedSearch"
"""``metaflow.Flow("DistributedSearch")`` has the runs."""

_WATCHDOG = Path(__file__).with_name("watchdog.py")
_STOP_TIMEOUT_S = 90.0  # after which a run that is stopped is left to its watchdog


class RunProcess:
    """One Metaflow run. A watchdog makes sure that it does not outlive this process.

    Parameters
    ----------
    settings : MetaflowSettings
        The backend's settings.
    folder : Path
        Folder of this run. It is created.
    n_tasks : int
        Number of tasks of the step *fit*.
    n_workers : int
        Number of tasks that run at the same time.
    """

    def __init__(
        self, settings: MetaflowSettings, folder: Path, *, n_tasks: int, n_workers: int
    ) -> None:
        self._settings, self._folder = settings, folder
        self._n_tasks, self._n_workers = n_tasks, n_workers
        self._run_id_file = folder / "run_id"
        self._process: subprocess.Popen[bytes] | None = None
        _runs.add(self)
        self.log = RunLog(folder / "log")
        """Its output."""

    @property
    def run_id(self) -> str:
        """The number of the run. Empty if it did not start."""
        return self._run_id_file.read_text().strip() if self._run_id_file.exists() else ""

    @property
    def pathspec(self) -> str:
        """The run's pathspec. Empty if it did not start."""
        return f"{FLOW_NAME}/{self.run_id}" if self.run_id else ""

    def start(
        self,
        decorators: list[Decospec],
        modules: Iterable[str],
        parameters: Mapping[str, str],
        summary: Path | None = None,
    ) -> None:
        """Start the run.

        Parameters
        ----------
        decorators : list
            Decorators of the step *fit*.
        modules : iterable of str
            Names of the modules that the tasks import.
        parameters : dict of str to str
            Parameters of the flow.
        summary : Path or None
            File with the search, for the run's card.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_flow_settings(decorators, modules, summary)
        is_remote = self._settings.is_remote
        arguments = json.dumps(self._watchdog_arguments(parameters))
        expose_runs_to_client()
        with open(self.log.path, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_WATCHDOG), arguments],
                env=flow_environment(self._n_workers, self._folder.parent, is_remote=is_remote),
                # In S3 mode, Metaflow leaves folders in the working directory
                cwd=self._folder if is_remote else None,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C comes to this process alone
                # If this process is killed, the folder stays until the watchdog has done its work
                pass_fds=[resource_tracker.getfd()],
            )

    def poll(self) -> int | None:
        """Return the exit status of the run, or None while it runs."""
        assert self._process is not None
        return self._process.poll()

    @property
    def failed(self) -> bool:
        """True if the run has ended and failed as a whole."""
        return self.poll() not in (None, 0)

    @property
    def failure_summary(self) -> str:
        """The end of the run, for an error message."""
        reasons = sorted(set(self.log.failure_reasons().values()))
        text = "".join(f" {reason}." for reason in reasons)
        name = self.pathspec or "(not started)"
        if self.failed:
            return f"The Metaflow run {name} failed.{text} Its last lines:\n{self.log.tail}"
        return f"Tasks of the Metaflow run {name} ended before they started a fit.{text}"

    def handle_task_messages(self) -> None:
        """Read the output; raise an error if a task refuses its fits, and warn of differences."""
        for message in self.log.messages():
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

    def wait(self, timeout_s: float) -> None:
        """Wait for the run to end by itself, for a limited time."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def stop(self) -> bool:
        """End the run and all its tasks. Return False if it had ended."""
        is_running = self.poll() is None
        self.release()
        self.wait(_STOP_TIMEOUT_S)
        return is_running

    def release(self) -> None:
        """Close the pipe to the watchdog, which then ends the run in the background."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _write_flow_settings(
        self, decorators: list[Decospec], modules: Iterable[str], summary: Path | None
    ) -> None:
        settings = {
            "decorators": decorators,
            "fit_timeout_s": self._settings.fit_timeout_s,
            "packages": requirements(modules) if self._settings.is_remote else None,
            "message_prefix": MESSAGE_PREFIX,
            "summary": str(summary) if summary else "",
        }
        # In a file: the environment's variables must not show up in a list of processes
        (self._folder / "settings.json").write_text(json.dumps(settings))

    def _watchdog_arguments(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        base, settings = self._base_command(), self._settings
        kill = [*base, settings.compute, "kill", "--run-id"] if settings.is_remote else []
        return {
            "command": [*base, *self._run_arguments(parameters)],
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

    def _run_arguments(self, parameters: Mapping[str, str]) -> list[str]:
        options = {f"--{name}": value for name, value in parameters.items()} | {
            "--n_tasks": str(self._n_tasks),
            "--max-num-splits": str(self._n_tasks),
            "--max-workers": str(self._n_workers),
            "--run-id-file": str(self._run_id_file),
        }
        tags = [word for tag in ("skdistsearch", *self._settings.tags) for word in ("--tag", tag)]
        return ["run", *(word for option in options.items() for word in option), *tags]


_runs: weakref.WeakSet[RunProcess] = weakref.WeakSet()


def _release_in_fork() -> None:
    for run in list(_runs):
        run.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_fork)
