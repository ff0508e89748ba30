"""All that runs on the other side: load the batch, run a chunk, write down each outcome."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TextIO

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.execution import Runner
from skdistsearch.scheduling import Groups, claim_units
from skdistsearch.storage import (
    JournalDownloader,
    JournalReader,
    JournalUploader,
    JournalWriter,
    journal_prefix,
    load,
    load_json,
    open_store,
    temporary_folder,
)

_PRINTED_MAX = 20_000  # characters of one fit's output that go back to the caller
_TRIES = 2  # of a fit whose worker died, within one run
_STATM = "/proc/self/statm"
_LEAK_MB = 400  # some hundred models; a new process takes four seconds to import TensorFlow
_GRACE_S = 30  # after a fit's limit, for what it holds up to end the process in an orderly way
_OVERDUE = 75  # exit status of a process that was ended because of a fit's limit


def exit_with_parent(parent: int) -> None:
    """Have this worker process end within a second of its parent, however that one ends.

    An idle worker of loky's would wait five minutes for work that nobody can give any more.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_local_worker(folder: str, head: str, groups: Groups, marks: str, record: str) -> bool:
    """Run fits in a worker process of the caller's machine, as long as there are any to take.

    Returns whether it has stopped before, because this process should be replaced.
    """
    batch = load(folder, head)
    runner = Runner(batch, [fit for cut in groups for unit in cut for fit in unit])
    with JournalWriter(Path(record), batch) as recorder:
        for fits in claim_units(groups, Path(marks), runner.done):
            for fit in fits:
                recorder.started(fit)
                recorder.finished(_overheard(batch, runner, fit, io.StringIO()))
                if _leak.is_big():
                    return True
    return False


class Leak:
    """Watches what TensorFlow never gives back: 3 to 4 MB of native memory for each model.

    Neither a garbage collection nor ``keras.utils.clear_session`` frees it, and the latter changes
    settings of the user's (benchmarks/bench_keras_memory.py).
    """

    def __init__(self) -> None:
        self._first_mb = 0.0

    def is_big(self) -> bool:
        """Whether this process has grown too much since its first model."""
        if "tensorflow" not in sys.modules or not os.path.exists(_STATM):
            return False
        now_mb = int(Path(_STATM).read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        self._first_mb = self._first_mb or now_mb
        return now_mb - self._first_mb > _LEAK_MB


_leak = Leak()  # of this process, in one search or many


def run_task(
    data: str,
    head: str,
    sheet: str,
    task: int,
    *,
    record: str,
    task_pathspec: str,
    retry: int = 0,
    timeout_s: float = 0,
) -> list[Outcome]:
    """Run a chunk in a Metaflow task; return the outcomes of this try and of those before.

    ``data`` and ``record`` are where the batch and the ``sheet`` lie, and where outcomes go:
    folders or URLs of S3. The sheet has a chunk for each task, or groups that all tasks of this
    machine take from as in `run_local_worker`; and deaths in runs before this one.
    A task that is tried again runs what is missing: last what a try before it died in, and not
    what it died in twice.
    """
    with (
        temporary_folder(_place()) as scratch,
        _kept(record, scratch, task_pathspec, retry) as kept,
    ):
        batch, known = load(data, head, scratch), load_json(data, sheet)
        tried = JournalReader(
            kept.before, batch.key, len(batch), only=journal_prefix(task_pathspec)
        )
        outcomes = list(tried.new()) if retry else []
        deaths = Counter({int(fit): n_deaths for fit, n_deaths in known["deaths"].items()})
        deaths.update(death.fit for death in tried.interrupted())
        done = {outcome.fit for outcome in outcomes}

        def owed(fits: Iterable[int]) -> list[int]:
            missing = (fit for fit in fits if fit not in done and deaths[fit] < _TRIES)
            return sorted(missing, key=deaths.__getitem__)

        if groups := known["groups"]:
            runner = Runner(batch, owed(fit for cut in groups for unit in cut for fit in unit))
            todo = claim_units(
                groups, Path(known["marks"]), runner.done, journal_prefix(task_pathspec)
            )
        else:
            todo = iter([known["chunks"][task]])
            runner = Runner(batch, owed(known["chunks"][task]))
        with JournalWriter(kept.now, batch, task_pathspec) as recorder:
            for fit in chain.from_iterable(map(owed, todo)):
                recorder.started(fit)
                kept.before_a_fit(surely=retry > 0)
                overdue = partial(
                    _give_up, batch, fit, task_pathspec, timeout_s, recorder, kept.flush
                )
                with _limit(timeout_s, overdue):
                    outcome = _overheard(batch, runner, fit, _Tee(sys.stdout))
                outcomes.append(recorder.finished(replace(outcome, task_pathspec=task_pathspec)))
    return outcomes


def _place() -> str:
    """A folder that goes with the run of a task that is killed, or with the container."""
    names = ("METAFLOW_TEMPDIR", "JOBLIB_TEMP_FOLDER")
    return next(filter(None, map(os.environ.get, names)), tempfile.gettempdir())


@dataclass
class _Kept:
    """Where a task finds and leaves its record."""

    before: Path
    """What the tries before this one left."""
    now: Path
    """What this one leaves."""
    flush: Callable[[], None]
    """Returns when all that was left is where the caller can read it."""
    before_a_fit: Callable[..., None]
    """The same, for as much as a death in the next fit shall not cost."""


@contextmanager
def _kept(record: str, scratch: Path, task_pathspec: str, retry: int) -> Iterator[_Kept]:
    if not record.startswith("s3://"):
        yield _Kept(Path(record), Path(record), lambda: None, lambda surely: None)
        return
    store, before, now = open_store(record), scratch / "before", scratch / "now"
    if retry:
        JournalDownloader(store, before, only=journal_prefix(task_pathspec))(everything=True)
    with JournalUploader(now, store) as push:
        yield _Kept(before, now, push.last, push.before_a_fit)


@contextmanager
def _limit(timeout_s: float, overdue: Callable[[], None]) -> Iterator[None]:
    """Call ``overdue``, which ends the process, if the block takes longer than ``timeout_s``."""
    if not timeout_s:
        yield
        return
    timer = threading.Timer(timeout_s, overdue)
    timer.daemon = True
    timer.start()
    # Native code that holds the interpreter lets no Python thread run: this one needs none.
    faulthandler.dump_traceback_later(timeout_s + _GRACE_S, exit=True, file=2)
    try:
        yield
    finally:
        timer.cancel()
        faulthandler.cancel_dump_traceback_later()


def _give_up(
    batch: Batch,
    fit: int,
    task_pathspec: str,
    timeout_s: float,
    recorder: JournalWriter,
    flush: Callable[[], None],
) -> None:
    """Note that a fit took too long, then end the process that it hangs in."""
    reason = (
        f"{batch.fits[fit]}: it ran longer than fit_timeout_s={timeout_s:g}. Give it more time, or "
        "take the candidate out."
    )
    print(f"skdistsearch gives up {reason}", file=sys.stderr, flush=True)  # noqa: T201
    try:
        recorder.finished(
            Outcome(fit, "lost", reason=reason, task_pathspec=task_pathspec, batch=batch.key)
        )
        flush()
    finally:
        os._exit(_OVERDUE)


def _overheard(batch: Batch, runner: Runner, fit: int, heard: io.StringIO) -> Outcome:
    """Run a fit; what it prints, if ``verbose`` has it print, goes back to the caller.

    There it appears where the user looks, in a notebook too.
    """
    started_at = time.time()
    # scikit-learn prints from within a fit above 1 only
    loud = contextlib.redirect_stdout(heard) if batch.verbose > 1 else contextlib.nullcontext()
    with loud:
        outcome = runner.run(fit)
    return replace(
        outcome,
        stdout=heard.getvalue()[-_PRINTED_MAX:],
        started_at=started_at,
        finished_at=time.time(),
    )


class _Tee(io.StringIO):
    """Remembers what it passes on."""

    def __init__(self, target: TextIO) -> None:
        super().__init__()
        self._target = target

    def write(self, text: str) -> int:
        self._target.write(text)
        return super().write(text)
