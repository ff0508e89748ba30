"""Fits as tasks of a Metaflow run."""

from __future__ import annotations

import importlib.util
import json
import numbers
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import joblib

from skdistsearch._bytes import dump, private_folder
from skdistsearch._chunks import Chunk, Ledger, dealt, grouped
from skdistsearch._fit import Batch, Outcome
from skdistsearch._record import Record
from skdistsearch.backends._environment import flow_environment, show_to_client
from skdistsearch.exceptions import BackendConfigError, BackendError

FLOW = "DistributedSearch"
"""Name of the flow: ``metaflow.Flow("DistributedSearch")`` has the runs."""

_FLOW_FILE = Path(__file__).parent / "remote" / "flow" / "search_flow.py"
_COMPUTE = ("local",)
_POLL_S = 0.05  # how often finished fits are looked for
_STOP_S = ((signal.SIGINT, 20.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
_LOG_LINES = 30  # of a run that failed, in the error message


@dataclass(frozen=True)
class MetaflowBackend:
    """Runs fits as tasks of a Metaflow run: a foreach over chunks of fits.

    The run is an ordinary run of the flow ``DistributedSearch``. It goes where Metaflow's
    configuration says (profile, service, datastore). Where nothing is configured and no folder
    ``.metaflow`` is found, it goes to ``~/.local/share/skdistsearch`` and not to the working
    directory.
    """

    compute: str = "local"
    """Where the tasks run. ``"local"``: on this machine."""
    fits_per_task: int | str = "auto"
    """How many fits share a Metaflow task. 1 gives every fit a task of its own; ``"auto"`` makes
    as many tasks as there are workers, because each costs the start of an interpreter and the
    imports of the estimators (1.5 s for scikit-learn alone)."""
    max_workers: int | None = None
    """How many tasks run at the same time. None: the search's ``n_jobs``, or all cores."""
    tags: tuple[str, ...] = ()
    """Tags of the run, besides ``skdistsearch``."""

    def __post_init__(self) -> None:
        """Say what is wrong with the settings, all at once."""
        object.__setattr__(self, "tags", _as_tuple(self.tags))
        wrong = [
            f"{name}={getattr(self, name)!r}: {valid}"
            for name, valid, holds in (
                ("compute", f"must be one of {', '.join(_COMPUTE)}", self.compute in _COMPUTE),
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

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of ``batch``; see `Backend.run`."""
        _require_metaflow()
        ledger = Ledger(batch)
        workers = self._workers(batch.n_jobs)
        with private_folder() as folder:
            digest = dump(batch.travelling(far=True), folder)
            record = Record(folder, batch.key, len(batch))
            chunks = self._chunks(range(len(batch)), workers)
            while chunks:
                run = _Run(self, folder, digest, chunks, workers)
                with closing(run.outcomes(record)) as outcomes:  # now, not at a garbage collection
                    yield from ledger.settle(outcomes)
                running = record.interrupted()
                if ledger.owed:
                    yield from ledger.blame_worker(running, _cause(run), run.pathspec)
                chunks = self._second_chunks(ledger, workers)

    def _workers(self, n_jobs: int | None) -> int:
        if self.max_workers is not None:
            return self.max_workers
        if n_jobs is None:
            return int(joblib.cpu_count())
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning; None or -1 is all cores.")
        return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)

    def _chunks(self, fits: Sequence[int], workers: int) -> list[Chunk]:
        if isinstance(self.fits_per_task, numbers.Integral):
            return grouped(fits, int(self.fits_per_task))
        return dealt(fits, workers)

    def _second_chunks(self, ledger: Ledger, workers: int) -> list[Chunk]:
        """Of a run that follows one in which tasks died: those that are suspect run alone."""
        return grouped(ledger.suspect, 1) + (
            self._chunks(ledger.innocent, workers) if ledger.innocent else []
        )


class _Run:
    """One Metaflow run, in a process group of its own."""

    def __init__(
        self,
        backend: MetaflowBackend,
        folder: Path,
        digest: str,
        chunks: list[Chunk],
        workers: int,
    ) -> None:
        self._folder, self._workers = folder, workers
        self._run_id_file = folder / "run_id"
        self._run_id_file.unlink(missing_ok=True)
        (folder / "chunks.json").write_text(json.dumps(chunks))
        self._environment = flow_environment(workers, folder)
        tags = [word for tag in ("skdistsearch", *backend.tags) for word in ("--tag", tag)]
        self._command = [
            *(sys.executable, "-u", str(_FLOW_FILE), "--quiet", "--no-pylint", "run"),
            *("--folder", str(folder), "--digest", digest),
            *("--max-workers", str(workers), "--max-num-splits", str(len(chunks))),
            *("--run-id-file", str(self._run_id_file), *tags),
        ]

    @property
    def pathspec(self) -> str:
        """The run's pathspec, empty if it never began."""
        if not self._run_id_file.exists():
            return ""
        return f"{FLOW}/{self._run_id_file.read_text().strip()}"

    @property
    def log(self) -> str:
        """The last lines that Metaflow printed."""
        lines = (self._folder / "log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])

    def outcomes(self, record: Record) -> Generator[Outcome]:
        """Start the run; yield outcomes as its tasks record them; end with it."""
        with self._process() as process:
            show_to_client()
            while process.poll() is None:
                yield from record.new()
                time.sleep(_POLL_S)
        yield from record.new()
        if process.returncode:
            raise BackendError(
                f"The Metaflow run {self.pathspec or '(not begun)'} failed. Its last lines:\n"
                f"{self.log}"
            )

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        with open(self._folder / "log", "wb") as log:
            process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, for signals to reach all of it
            )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the run and all its tasks; nothing happens to one that has ended."""
    for number, patience_s in _STOP_S:
        if process.poll() is not None:
            break
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(patience_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # tasks that outlived their scheduler


def _cause(run: _Run) -> str:
    return (
        f"Its Metaflow task in {run.pathspec} ended without a word: killed for want of memory, or "
        "by a crash in native code, or by an exit of its own."
    )


def _require_metaflow() -> None:
    if sys.platform == "win32":
        raise BackendConfigError("Metaflow does not run on Windows; use it within WSL.")
    if importlib.util.find_spec("metaflow") is None:
        raise BackendConfigError(
            'backend="metaflow" needs Metaflow, which is not installed: pip install metaflow'
        )


def _is_count(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 1


def _as_tuple(tags: object) -> tuple[object, ...]:
    return (tags,) if isinstance(tags, str) or not isinstance(tags, Sequence) else tuple(tags)
