"""All that runs on the other side: load the batch, run a chunk, write down each outcome."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from skdistsearch._bytes import load
from skdistsearch._fit import Batch, Outcome
from skdistsearch._record import Recorder

_PRINTED_MAX = 20_000  # characters of one fit's output that go back to the caller


def end_with(parent: int) -> None:
    """Have this worker process end within a second of its parent, however that one ends.

    An idle worker of loky's would wait five minutes for work that nobody can give any more.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_chunk(folder: str, fits: Sequence[int]) -> None:
    """Run a chunk in a worker process of the caller's machine."""
    batch = load(Path(folder))
    with Recorder(Path(folder), batch.key) as recorder:
        for fit in fits:
            recorder.started(fit)
            recorder.finished(_overheard(batch, fit, io.StringIO()))


def run_task(folder: str, digest: str, fits: Sequence[int], origin: str) -> list[Outcome]:
    """Run a chunk in a Metaflow task; also return its outcomes."""
    batch = load(Path(folder), digest)
    outcomes = []
    with Recorder(Path(folder), batch.key) as recorder:
        for fit in fits:
            recorder.started(fit)
            outcomes.append(replace(_overheard(batch, fit, _Tee(sys.stdout)), origin=origin))
            recorder.finished(outcomes[-1])
    return outcomes


def _overheard(batch: Batch, fit: int, heard: io.StringIO) -> Outcome:
    """Run a fit; what it prints, if ``verbose`` has it print, goes back to the caller.

    There it appears where the user looks, in a notebook too.
    """
    if batch.verbose <= 1:  # scikit-learn prints from within a fit above 1 only
        return batch.run(fit)
    with contextlib.redirect_stdout(heard):
        outcome = batch.run(fit)
    return replace(outcome, printed=heard.getvalue()[-_PRINTED_MAX:])


class _Tee(io.StringIO):
    """Remembers what it passes on."""

    def __init__(self, target: TextIO) -> None:
        super().__init__()
        self._target = target

    def write(self, text: str) -> int:
        self._target.write(text)
        return super().write(text)
