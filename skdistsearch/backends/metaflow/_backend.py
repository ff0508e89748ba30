"""Fits as tasks of a Metaflow run: on this machine, on AWS Batch or on Kubernetes."""

from __future__ import annotations

import importlib.util
import json
import logging
import numbers
import secrets
import subprocess
import sys
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from loky.backend import resource_tracker

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends.metaflow._compute import (
    Compute,
    check_configured,
    check_store,
    decospecs,
    problems,
)
from skdistsearch.backends.metaflow._environment import flow_environment, s3_root, show_to_client
from skdistsearch.backends.metaflow._packaging import FLOW_FILE, requirements, stage
from skdistsearch.backends.metaflow._run_log import SAYS, Log, advice, is_of_host
from skdistsearch.backends.metaflow._workspace import Place
from skdistsearch.exceptions import BackendConfigError, BackendError
from skdistsearch.execution._runner import with_budget
from skdistsearch.scheduling._chunks import Chunk, dealt, grouped
from skdistsearch.scheduling._factoring import sized
from skdistsearch.scheduling._grouping import arranged, by_group, shares_work, spread
from skdistsearch.scheduling._retries import Death, Ledger
from skdistsearch.scheduling._work_stealing import Groups, units
from skdistsearch.storage._journal import Interrupted

FLOW = "DistributedSearch"
"""Name of the flow: ``metaflow.Flow("DistributedSearch")`` has the runs."""

_KEEPER = Path(__file__).with_name("watchdog.py")
_POLL_S = 0.05  # how often finished fits are looked for on this machine
_TELL_S = 10.0  # how often the log hears of progress
_END_S = 90.0  # how long a run that is stopped may take before it is left to its keeper
_WORKERS = 50  # tasks at the same time elsewhere: each is a process of 90 MB here

_log = logging.getLogger("skdistsearch")


@dataclass(frozen=True, kw_only=True)
class MetaflowBackend(Compute):
    """Runs fits as tasks of a Metaflow run: a foreach over chunks of fits.

    The run is an ordinary run of the flow ``DistributedSearch``. It goes where Metaflow's
    configuration says (profile, service, datastore). Where nothing is configured and no folder
    ``.metaflow`` is found, it goes to ``~/.local/share/skdistsearch`` and not to the working
    directory.
    """

    fits_per_task: int | str = "auto"
    """How many fits share a Metaflow task. 1 gives every fit a task of its own. ``"auto"``: on
    this machine as many tasks as there are workers, which take the next fits themselves, because
    each costs the start of an interpreter and the imports of the estimators (1.5 s for scikit-learn
    alone); elsewhere a task for each of up to 200 fits, and 200 tasks for more."""
    max_workers: int | None = None
    """How many tasks run at the same time. None: the search's ``n_jobs``, or all cores of this
    machine, or 50 elsewhere. Each task that runs elsewhere is also watched by a process of 90 MB
    on this machine."""
    tags: tuple[str, ...] = ()
    """Tags of the run, besides ``skdistsearch``."""

    def __post_init__(self) -> None:
        """Say what is wrong with the settings, all at once."""
        object.__setattr__(self, "tags", _as_tuple(self.tags))
        object.__setattr__(self, "decorators", _as_tuple(self.decorators))
        wrong = problems(self) + [
            f"{name}={getattr(self, name)!r}: {valid}"
            for name, valid, holds in (
                (
                    "fits_per_task",
                    'must be "auto" or an integer of at least 1',
                    self.fits_per_task == "auto" or _is_count(self.fits_per_task),
                ),
                (
                    "max_workers",
                    "must be None or an integer of at least 1",
                    self.max_workers is None or _is_count(self.max_workers),
                ),
                ("tags", "must be strings", all(isinstance(tag, str) for tag in self.tags)),
            )
            if not holds
        ]
        if wrong:
            raise BackendConfigError("MetaflowBackend: " + "; ".join(wrong))

    @property
    def is_far(self) -> bool:
        """Whether the tasks run on machines that do not see this one's files."""
        return self.compute != "local"

    def checkpoint_root(self) -> str:
        """Where checkpoints that have a name only are kept, if not on this machine."""
        if not self.is_far:
            return ""
        check_store(self)
        return f"{s3_root()}/checkpoints"

    def check(self) -> None:
        """Raise `BackendConfigError`, which names all that is missing, unless tasks can be sent."""
        _require_metaflow()
        check_configured(self)

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of ``batch``; see `Backend.run`."""
        self.check()
        if not self.is_far:
            batch = with_budget(batch, self.workers(batch.n_jobs))
        ledger = Ledger(batch)
        with Place(batch, far=self.is_far) as place:
            while ledger.owed:
                run = _Run(self, place, self._sheet(ledger, batch), self.workers(batch.n_jobs))
                with closing(run.outcomes()) as outcomes:  # now, not at a garbage collection
                    yield from ledger.settle(outcomes)
                if ledger.owed:
                    deaths = run.deaths(place.record.interrupted())
                    yield from ledger.blame(deaths, run.story, run.pathspec)
                elif run.failed:  # after its last fit: nothing is missing
                    _log.warning("%s", run.story)

    def workers(self, n_jobs: int | None) -> int:
        """How many tasks run at the same time."""
        if self.max_workers is not None:
            return self.max_workers
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning; None or -1 is all cores.")
        if n_jobs is None or (self.is_far and n_jobs < 0):
            return _WORKERS if self.is_far else int(joblib.cpu_count())
        return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)

    def chunks(self, fits: Sequence[int], batch: Batch) -> list[Chunk]:
        """Which fits share a task."""
        workers = self.workers(batch.n_jobs)
        if isinstance(self.fits_per_task, numbers.Integral):
            together = [fit for group in arranged(batch, fits) for fit in group]
            return grouped(together, int(self.fits_per_task))
        if shares_work(batch) and len(fits) > workers:
            # A container is ready when it is; a task on this machine costs it a second
            return (by_group if self.is_far else spread)(batch, fits, workers)
        if self.is_far:
            return sized(fits, workers, seconds=batch.seconds)
        return dealt(fits, workers)

    def _sheet(self, ledger: Ledger, batch: Batch) -> dict[str, Any]:
        """What the tasks have to do: those fits that are suspect, because a task died, run alone.

        Tasks on this machine that nobody counts take their fits themselves, out of groups.
        """
        chunks, groups = grouped(ledger.suspect, 1), list[list[Chunk]]()
        if self.is_far or chunks or self.fits_per_task != "auto":
            chunks += self.chunks(ledger.innocent, batch) if ledger.innocent else []
        else:
            groups = units(arranged(batch, ledger.innocent), self.workers(batch.n_jobs))
        return {"chunks": chunks, "groups": groups, "deaths": ledger.deaths}


class _Run:
    """One Metaflow run, in the hands of a keeper that does not let it outlive this process."""

    def __init__(
        self, backend: MetaflowBackend, place: Place, sheet: dict[str, Any], workers: int
    ) -> None:
        self._place, self._far = place, backend.is_far
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
            "timeout_s": backend.timeout_s,
            "packages": requirements(place.payload.modules) if self._far else None,
            "says": SAYS,
            "about": str(self._folder / "about.json"),
        }
        (self._folder / "about.json").write_text(json.dumps(place.about))
        # In a file: the environment's variables are nothing for a list of processes.
        (self._folder / "settings.json").write_text(json.dumps(settings))
        of_environment = isinstance(backend.environment, str)
        tags = [word for tag in ("skdistsearch", *backend.tags) for word in ("--tag", tag)]
        self._top = [
            *(sys.executable, "-u", str(flow), "--no-pylint"),
            *(("--environment", str(backend.environment)) if of_environment else ()),
            *("--config", "settings", str(self._folder / "settings.json")),
        ]
        self._command = [
            *(*self._top, "run"),
            *("--data", place.store.url, "--head", place.payload.head),
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

    def deaths(self, interrupted: list[Interrupted]) -> list[Death]:
        """Why fits were interrupted."""
        if self.failed and not self.pathspec:
            raise BackendError(self.story)
        reasons = self._log.reasons() if interrupted else {}
        return [self._death(one, reasons.get(one.job, "")) for one in interrupted]

    def _death(self, interrupted: Interrupted, reason: str) -> Death:
        what = reason or (
            "it ended without a word: killed for want of memory, or by a crash in native code, or "
            "by an exit of its own"
        )
        return Death(
            interrupted.fit,
            f"Metaflow task {interrupted.origin}: {what}.{advice(reason)}",
            of_host=is_of_host(reason),
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
                *(self.pathspec or "(being made)", record.running, record.retried),
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


def _require_metaflow() -> None:
    if sys.platform == "win32":
        raise BackendConfigError("Metaflow does not run on Windows; use it within WSL.")
    if importlib.util.find_spec("metaflow") is None:
        raise BackendConfigError(
            'backend="metaflow" needs Metaflow, which is not installed: pip install metaflow'
        )


def _is_count(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 1


def _as_tuple(values: object) -> tuple[object, ...]:
    one = isinstance(values, str) or not isinstance(values, Sequence)
    return (values,) if one else tuple(values)  # type: ignore[arg-type]
