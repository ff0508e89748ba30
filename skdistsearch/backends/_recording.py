"""Run fits in a task, each with its start and its outcome in the task's journal."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends._time_limit import OverdueFit, TimeLimit
from skdistsearch.execution import Runner
from skdistsearch.storage import (
    JournalDownloader,
    JournalUploader,
    JournalWriter,
    journal_prefix,
    open_store,
)

_STDOUT_MAX = 20_000  # characters of a fit's output that return to the caller


class FitRecorder:
    """Runs fits of a batch in this task, and records them. A context manager.

    Parameters
    ----------
    batch : Batch
        The batch.
    folders : JournalFolders
        Where the journal is.
    task_pathspec : str
        Metaflow's pathspec of this task.
    timeout_s : float
        Limit of each fit in seconds; 0 for none.
    flush_starts : bool
        Make the caller see each start before the fit runs: earlier workers have died.
    """

    def __init__(
        self,
        batch: Batch,
        folders: JournalFolders,
        task_pathspec: str,
        *,
        timeout_s: float,
        flush_starts: bool,
    ) -> None:
        self._batch, self._folders, self._task_pathspec = batch, folders, task_pathspec
        self._timeout_s, self._flush_starts = timeout_s, flush_starts

    def __enter__(self) -> FitRecorder:
        folders = self._folders
        with contextlib.ExitStack() as stack:
            self._writer = stack.enter_context(
                JournalWriter(folders.own, self._batch, self._task_pathspec)
            )
            self._limit = stack.enter_context(
                TimeLimit(self._timeout_s, folders.overdue, folders.overdue_url)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def run(self, runner: Runner, fit: int) -> None:
        """Run a fit of the batch."""
        self._writer.write_start(fit)
        self._folders.flush_if_due(force=self._flush_starts)
        with self._limit.of_fit(partial(self._overdue_fit, fit)):
            outcome = run_capturing_stdout(self._batch, runner, fit, _Tee(sys.stdout))
        self._writer.write_outcome(replace(outcome, task_pathspec=self._task_pathspec))

    def _overdue_fit(self, fit: int) -> OverdueFit:
        reason = (
            f"{self._batch.fits[fit]}: it ran longer than fit_timeout_s={self._timeout_s:g}. "
            "Increase the limit, or remove the candidate."
        )
        outcome = Outcome(
            fit,
            "lost",
            reason=reason,
            task_pathspec=self._task_pathspec,
            batch=self._batch.key,
        )
        name, content = self._writer.encode_journal(outcome)
        return {"name": name, "content": content.decode(), "reason": reason}


def scratch_root() -> str:
    """Return a folder that is removed with the run of a task that is killed, or the container."""
    names = ("METAFLOW_TEMPDIR", "JOBLIB_TEMP_FOLDER")
    return next(filter(None, map(os.environ.get, names)), tempfile.gettempdir())


class _Flush(Protocol):
    def __call__(self, *, force: bool = False) -> None: ...


@dataclass(frozen=True)
class JournalFolders:
    """Folders of a task's journal."""

    earlier: Path
    """Journals of earlier tries."""
    own: Path
    """The journal of this try."""
    overdue: Path
    """Journals of fits that took too long."""
    overdue_url: str = ""
    """Where they are uploaded, if the caller does not see their folder."""
    flush_if_due: _Flush = lambda *, force=False: None
    """Makes the caller see everything that was written. Skipped if it did a moment ago, unless
    ``force``."""


@contextmanager
def open_journal(
    journal: str, scratch: Path, task_pathspec: str, retry: int
) -> Iterator[JournalFolders]:
    if not journal.startswith("s3://"):
        folder = Path(journal)
        yield JournalFolders(folder, folder, folder)
        return
    store, earlier, own = open_store(journal), scratch / "earlier", scratch / "own"
    if retry:
        downloader = JournalDownloader(store, earlier, task=journal_prefix(task_pathspec))
        downloader.download_new(list_all=True)
    with JournalUploader(own, store) as uploader:
        yield JournalFolders(earlier, own, scratch / "overdue", journal, uploader.flush_if_due)


def run_capturing_stdout(batch: Batch, runner: Runner, fit: int, buffer: io.StringIO) -> Outcome:
    """Run a fit; return what it prints to the caller, if ``verbose`` makes it print.

    There it appears where the user looks, in a notebook too.
    """
    process, started_at = os.getpid(), time.time()
    # scikit-learn prints from within a fit only above 1
    prints = batch.verbose > 1
    try:
        with contextlib.redirect_stdout(buffer) if prints else contextlib.nullcontext():
            outcome = runner.run(fit)
    finally:
        if os.getpid() != process:  # a fork by the fit, which would go on as a second worker
            os._exit(0)
    return replace(
        outcome,
        stdout=buffer.getvalue()[-_STDOUT_MAX:],
        started_at=started_at,
        finished_at=time.time(),
    )


class _Tee(io.StringIO):
    """Keeps what it passes on."""

    def __init__(self, target: TextIO) -> None:
        super().__init__()
        self._target = target

    def write(self, text: str) -> int:
        self._target.write(text)
        return super().write(text)
