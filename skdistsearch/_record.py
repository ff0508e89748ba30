"""Finished fits, kept the moment they end.

Each worker appends lines of JSON to a file of its own; the caller reads whole lines as they come.
A line says that a fit has started, or what became of it. What a worker wrote before it died
stays, and the fit it died in is known.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from skdistsearch._fit import Outcome
from skdistsearch.exceptions import RecordError

FORMAT = 1
_SUFFIX = ".fits.jsonl"


class Recorder:
    """Writes what one worker does. Use it in a ``with`` statement."""

    def __init__(self, folder: Path, batch: str) -> None:
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._file = os.open(path, flags, 0o600)
        self._write({"format": FORMAT, "batch": batch})

    def started(self, fit: int) -> None:
        """Say that ``fit`` begins."""
        self._write({"started": fit})

    def finished(self, outcome: Outcome) -> None:
        """Keep what became of a fit."""
        os.write(self._file, f'{{"outcome": {outcome.to_json()}}}\n'.encode())

    def _write(self, line: dict[str, object]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.close(self._file)


class Record:
    """Reads what all workers of one batch wrote into a folder."""

    def __init__(self, folder: Path, batch: str, n_fits: int) -> None:
        self._folder, self._batch, self._n_fits = folder, batch, n_fits
        self._read: dict[str, int] = {}
        self._running: set[int] = set()

    def new(self) -> Iterator[Outcome]:
        """Outcomes that came since the last call."""
        for entry in sorted(os.scandir(self._folder), key=lambda entry: entry.name):
            if entry.name.endswith(_SUFFIX):
                yield from self._new_of(entry)

    def interrupted(self) -> set[int]:
        """Fits that had begun when their workers died. Ask when no worker is left."""
        running, self._running = self._running, set()
        return running

    def _new_of(self, entry: os.DirEntry[str]) -> Iterator[Outcome]:
        done = self._read.get(entry.name, 0)
        if entry.stat().st_size <= done:
            return
        with open(entry.path, "rb") as file:
            file.seek(done)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # the last line may still be being written
        self._read[entry.name] = done + len(whole)
        for line in whole.splitlines():
            yield from self._parse(entry.path, line)

    def _parse(self, path: str, line: bytes) -> Iterator[Outcome]:
        try:
            fields = json.loads(line)
            if "outcome" in fields:
                outcome = Outcome.from_json(fields["outcome"])
                self._check_fit(outcome.fit)
                self._running.discard(outcome.fit)
                yield outcome
            elif "started" in fields:
                self._running.add(self._check_fit(fields["started"]))
            elif (fields["format"], fields["batch"]) != (FORMAT, self._batch):
                raise ValueError(f"of another format or batch: {fields}")
        except (ValueError, TypeError, KeyError) as exc:
            raise RecordError(f"{path} is damaged or was tampered with: {exc!r}") from exc

    def _check_fit(self, fit: object) -> int:
        if not (isinstance(fit, int) and 0 <= fit < self._n_fits):
            raise ValueError(f"fit {fit!r} of a batch of {self._n_fits}")
        return fit
