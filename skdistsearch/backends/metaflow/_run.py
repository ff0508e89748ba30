"""one Metaflow run, as a subprocess."""

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
from skdistsearch.backends.metaflow._environment import flow_environment, show_to_client
from skdistsearch.backends.metaflow._packaging import FLOW_FILE, requirements, stage
from skdistsearch.backends.metaflow._run_log import SAYS, Log, advice, is_of_host
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._workspace import RunWorkspace
from skdistsearch.exceptions import BackendError
from skdistsearch.scheduling import Chunk, Groups, WorkerDeath
from skdistsearch.storage import InterruptedFit

FLOW = "DistributedSearch"
"""Name of the flow: ``metaflow.Flow("DistributedSearch")`` has the runs."""

_KEEPER = Path(__file__).with_name("watchdog.py")
_POLL_S = 0.05  # how often finished fits are looked for on this machine
_TELL_S = 10.0  # how often the log hears of progress
_END_S = 90.0  # how long a run that is stopped may take before it is left to its keeper

_log = logging.getLogger("skdistsearch")


class _Run:
    """One Metaflow run, in the hands of a keeper that does not let it outlive this process."""

    def __init__(
        self, backend: MetaflowSettings, place: RunWorkspace, sheet: dict[str, Any], workers: int
    ) -> None:
        self._place, self._far = place, backend.is_remote
        self._folder = place.folder / secrets.token_hex(4)
        marks = self._folder / "marks"
        marks.mkdir(mode=0o700, parents=True)  # within a folder that is private
        chunks = sheet["chunks"] or _tasks_for(sheet["groups"], workers)
        self._run_id_file = self._folder / "run_id"
        self._log = Log(self._folder / "log")
        self._told_s = time.monotonic()
        self.failed = False
        """Whether the run as a whole failed."""
        flow = stage(self._folder / "code") if self._far else FLOW_FILE
        self._environment = flow_environment(workers, place.folder, far=self._far)
        settings: dict[str, Any] = {
            "decorators": decospecs(backend, max(map(len, chunks))),
            "timeout_s": backend.fit_timeout_s,
            "packages": requirements(place.payload.modules) if self._far else None,
            "says": SAYS,
            "about": str(self._folder / "about.json"),
        }
        (self._folder / "about.json").write_text(json.dumps(place.about))
        # In a file: the environment's variables are nothing for a list of processes.
        (self._folder / "settings.json").write_text(json.dumps(settings))
        tags = [word for tag in ("skdistsearch", *backend.tags) for word in ("--tag", tag)]
        self._top = [
            *(sys.executable, "-u", str(flow), "--no-pylint"),
            *(("--environment", backend.environment) if backend.environment else ()),
            *("--config", "settings", str(self._folder / "settings.json")),
        ]
        self._command = [
            *(*self._top, "run"),
            *("--data", place.store.url, "--head", place.payload.manifest),
            *("--sheet", place.sheet(sheet | {"marks": str(marks)}), "--record", place.record_url),
            *("--n_tasks", str(len(chunks)), "--max-num-splits", str(len(chunks))),
            *("--max-workers", str(workers), "--run-id-file", str(self._run_id_file), *tags),
        ]
        self._sweep = [*self._top, backend.compute, "kill", "--run-id"] if self._far else []

    @property
    def pathspec(self) -> str:
        """The run's pathspec, empty if it never began."""
        if not self._run_id_file.exists():
            return ""
        return f"{FLOW}/{self._run_id_file.read_text().strip()}"

    @property
    def story(self) -> str:
        """What became of the run, for an error message."""
        reasons = "".join(f" {reason}." for reason in sorted(set(self._log.reasons().values())))
        name = self.pathspec or "(not begun)"
        if self.failed:
            return f"The Metaflow run {name} failed.{reasons} Its last lines:\n{self._log.tail}"
        return f"Tasks of the Metaflow run {name} ended before they began a fit.{reasons}"

    def deaths(self, interrupted: list[InterruptedFit]) -> list[WorkerDeath]:
        """Why fits were interrupted."""
        if self.failed and not self.pathspec:
            raise BackendError(self.story)
        reasons = self._log.reasons() if interrupted else {}
        return [self._death(one, reasons.get(one.job, "")) for one in interrupted]

    def _death(self, interrupted: InterruptedFit, reason: str) -> WorkerDeath:
        what = reason or (
            "it ended without a word: killed for want of memory, or by a crash in native code, or "
            "by an exit of its own"
        )
        return WorkerDeath(
            interrupted.fit,
            f"Metaflow task {interrupted.task_pathspec}: {what}.{advice(reason)}",
            host_lost=is_of_host(reason),
        )

    def outcomes(self) -> Generator[Outcome]:
        """Start the run; yield outcomes as its tasks record them; end with it."""
        with self._process() as process:
            show_to_client()
            while process.poll() is None:
                yield from self._place.new()
                self._listen()
                time.sleep(_POLL_S)
            self.failed = process.returncode != 0
        yield from self._place.new(last=True)
        self._listen()

    def _listen(self) -> None:
        """Take notice of what tasks say of their environment."""
        for said in self._log.said():
            if "refuses" in said:
                raise BackendError(
                    "The tasks' environment cannot run this search: "
                    + "; ".join(said["refuses"])
                    + ". Give the tasks an image (image=...) or an environment "
                    '(environment="pypi") that has what is here, or install here what is there.'
                )
            warnings.warn(
                "The tasks' environment differs from this one: " + "; ".join(said["warns"]),
                stacklevel=2,
            )
        if time.monotonic() - self._told_s > _TELL_S:
            self._told_s = time.monotonic()
            record = self._place.record
            _log.info(
                "Metaflow run %s: %d fits are running, %d tasks were tried again",
                *(self.pathspec or "(being made)", record.n_running, record.n_retries),
            )

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        spec = {
            "command": self._command,
            "sweep": self._sweep,
            "run_id_file": str(self._run_id_file),
        }
        with open(self._log.path, "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER), json.dumps(spec)],
                env=self._environment,
                cwd=self._folder if self._far else None,  # S3 mode leaves folders in it
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C comes to this process alone
                # Where this one is killed: the folder stays until the keeper has done its work
                pass_fds=[resource_tracker.getfd()],
            )
        try:
            yield process
        finally:
            _stop(process, self)


def _stop(process: subprocess.Popen[bytes], run: _Run) -> None:
    """End the run and all its tasks; nothing happens to one that has ended."""
    assert process.stdin is not None
    running = process.poll() is None
    process.stdin.close()  # the keeper's signal
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    if running:
        _log.warning("The Metaflow run %s was ended, and its tasks with it.", run.pathspec)


def _tasks_for(groups: Groups, workers: int) -> list[Chunk]:
    """Of each task, the most fits that it may come to run: all."""
    fits = tuple(fit for cut in groups for unit in cut for fit in unit)
    return [fits] * min(workers, sum(map(len, groups)))
