"""Finished fits, kept the moment they end.

Each worker appends lines of JSON to a file of its own; the caller reads whole lines as they come.
A line says that a fit has started, or what became of it. What a worker wrote before it died
stays, and the fit it died in is known.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from skdistsearch._batch import Batch
from skdistsearch._outcome import ArtifactRef, Outcome
from skdistsearch.exceptions import RecordError, StoreError
from skdistsearch.storage._artifacts import artifact_ref, is_model, read_verified, with_store_url
from skdistsearch.storage._store import FolderStore

FORMAT = 2
SUFFIX = ".fits.jsonl"
_SYNC_S = 0.5  # what a power failure may cost of a record that is to outlive the process
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def journal_prefix(task_pathspec: str) -> str:
    """What the files of a Metaflow task begin with: its run and number."""
    return "-".join(task_pathspec.split("/")[1::2]) if task_pathspec else str(os.getpid())


class JournalWriter:
    """Writes what one worker does. Use it in a ``with`` statement."""

    def __init__(self, folder: Path, batch: Batch, task_pathspec: str = "") -> None:
        self._batch, self._folder = batch, folder
        self._stem = f"{journal_prefix(task_pathspec)}-{secrets.token_hex(4)}"
        self._path = folder / f"{self._stem}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, flags, 0o600)
        except OSError as exc:
            raise StoreError(f"No record of the fits can be made in {folder}: {exc}") from exc
        self._size, self._synced = 0, time.monotonic()
        job = os.environ.get("AWS_BATCH_JOB_ID", "")
        self._write(
            {"format": FORMAT, "batch": batch.key, "task_pathspec": task_pathspec, "job": job}
        )

    def started(self, fit: int) -> None:
        """Say that ``fit`` begins."""
        self._write({"started": fit})

    def finished(self, outcome: Outcome) -> Outcome:
        """Keep what became of a fit; the outcome, with files in the folder instead of bytes."""
        # Before the line that tells of them: what is recorded is there
        files = {what: self._put(outcome.fit, what, file) for what, file in outcome.files.items()}
        outcome = replace(outcome, files=files)
        fields = {"outcome": outcome.to_fields()}
        if keys := self._batch.context.fit_keys:
            self._write({"key": keys[outcome.fit]} | fields, lasting=True)
        else:
            self._write(fields)
        return outcome

    def _put(self, fit: int, what: str, file: bytes | ArtifactRef) -> ArtifactRef:
        data = read_verified(file)
        kept = artifact_ref(what, data, f"{self._stem}-{fit}")
        FolderStore(self._folder).put(kept.name, data)
        return replace(kept, url=str(self._folder))

    def _write(self, fields: dict[str, Any], *, lasting: bool = False) -> None:
        line = json.dumps(fields).encode()
        line = (_checked(line) if lasting else line) + b"\n"
        try:
            self._append(line)
            if lasting and time.monotonic() - self._synced > _SYNC_S:
                os.fsync(self._file)
                self._synced = time.monotonic()
        except OSError as exc:
            with suppress(OSError):  # no half line: what comes next can be read
                os.ftruncate(self._file, self._size)
            raise StoreError(
                f"A finished fit cannot be kept in {self._path}: {exc}. Those before it are; make "
                "room and run the same again."
            ) from exc
        self._size += len(line)

    def _append(self, line: bytes) -> None:
        while line:  # a disk that fills up takes a part, then refuses the rest
            line = line[os.write(self._file, line) :]

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.close(self._file)


@dataclass(frozen=True)
class InterruptedFit:
    """A fit that had begun when its worker died."""

    fit: int
    """Number of the fit within its batch."""
    task_pathspec: str
    """Pathspec of the Metaflow task it ran in, if it ran in one."""
    job: str = ""
    """Id of the AWS Batch job that the task was."""


@dataclass
class _Worker:
    """What is known from one worker's file."""

    read: int = 0
    task_pathspec: str = ""
    job: str = ""
    running: int | None = None


class JournalReader:
    """Reads what all workers of one batch wrote into a folder.

    ``only``: those of one `journal_prefix`. ``kept``: the folder is where the batch is to be recorded.
    ``models``: the store where models are, if not in the folder.
    """

    def __init__(
        self,
        folder: Path,
        batch: str,
        n_fits: int,
        *,
        only: str = "",
        kept: bool = False,
        models: str = "",
    ) -> None:
        self._folder, self._batch, self._n_fits = folder, batch, n_fits
        self._models = models or str(folder)
        self._only, self._kept = only, kept
        self._workers: dict[str, _Worker] = {}

    def new(self) -> Iterator[Outcome]:
        """Outcomes that came since the last call."""
        for name in journal_names(self._folder, self._only):
            yield from self._new_of(name, self._workers.setdefault(name, _Worker()))

    @property
    def folder(self) -> Path:
        """Where the workers write."""
        return self._folder

    @property
    def running(self) -> int:
        """How many fits have begun and not ended."""
        return sum(worker.running is not None for worker in self._workers.values())

    @property
    def retried(self) -> int:
        """How many tries of Metaflow tasks there were beyond the first."""
        tasks = [worker.task_pathspec for worker in self._workers.values() if worker.task_pathspec]
        return len(tasks) - len(set(tasks))

    def interrupted(self) -> list[InterruptedFit]:
        """Fits that had begun when their workers died, each death once.

        Ask when no worker is left.
        """
        found = []
        for worker in self._workers.values():
            if worker.running is not None:
                found.append(InterruptedFit(worker.running, worker.task_pathspec, worker.job))
                worker.running = None
        return found

    def _new_of(self, name: str, worker: _Worker) -> Iterator[Outcome]:
        path = self._folder / name
        if path.stat().st_size <= worker.read:
            return
        with open(path, "rb") as file:
            file.seek(worker.read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # the last line may still be being written
        worker.read += len(whole)
        for line in whole.splitlines():
            yield from self._parse(path, line, worker)

    def _parse(self, path: Path, line: bytes, worker: _Worker) -> Iterator[Outcome]:
        try:
            fields = json.loads(line)
            if "outcome" in fields:
                outcome = Outcome.from_fields(fields["outcome"])
                worker.running = None
                self._check_fit(outcome.fit)
                yield replace(outcome, is_persisted=self._kept, files=self._found(outcome))
            elif "started" in fields:
                worker.running = self._check_fit(fields["started"])
            elif (fields["format"], fields["batch"]) == (FORMAT, self._batch):
                worker.task_pathspec, worker.job = str(fields["task_pathspec"]), str(fields["job"])
            else:
                raise ValueError(f"of another format or batch: {fields}")
        except _DAMAGE as exc:
            raise RecordError(f"{path} is damaged or was tampered with: {exc!r}") from exc

    def _found(self, outcome: Outcome) -> dict[str, Any]:
        """Where the files are that an outcome tells of."""
        if not outcome.files:
            return {}
        files = with_store_url(outcome.files, str(self._folder))
        return {
            what: replace(file, url=self._models) if is_model(file.name) else file
            for what, file in files.items()
            if isinstance(file, ArtifactRef)
        }

    def _check_fit(self, fit: object) -> int:
        if not (isinstance(fit, int) and 0 <= fit < self._n_fits):
            raise ValueError(f"fit {fit!r} of a batch of {self._n_fits}")
        return fit


def open_local_journal(batch: Batch, default: Path) -> JournalReader:
    """A record on this machine: where the batch is to be recorded, if that is here."""
    url = batch.context.journal_url
    kept = bool(url) and not url.startswith("s3://")
    folder = Path(url) if kept else default
    return JournalReader(folder, batch.key, len(batch), kept=kept)


def journal_names(folder: Path, label: str = "") -> list[str]:
    """Names of the record files in a folder, sorted; those of one `journal_prefix` if given."""
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:  # no worker has begun
        return []
    except OSError as exc:
        raise StoreError(f"The record in {folder} cannot be read: {exc}") from exc
    begin = f"{label}-" if label else ""
    return sorted(name for name in entries if name.endswith(SUFFIX) and name.startswith(begin))


def iter_recorded(folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Key and outcome of each fit that any batch of a folder has finished.

    A last line that was cut short, by a death or a full disk, counts as not written.
    """
    for name in journal_names(folder):
        try:
            with open(folder / name, "rb") as file:
                yield from _kept_in_file(folder / name, file)
        except OSError as exc:
            raise StoreError(f"The record {folder / name} cannot be read: {exc}") from exc


def _kept_in_file(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[str, Outcome]]:
    for number, line in enumerate(lines):
        if not line.endswith(b"\n"):
            return
        try:
            fields = json.loads(line)
            if number == 0:
                _check_format(path, fields["format"])
            elif "outcome" in fields:
                _check(line)
                yield fields["key"], Outcome.from_fields(fields["outcome"])
            elif "started" not in fields:
                raise ValueError("nothing that a worker writes")
        except _DAMAGE as exc:
            raise RecordError(
                f"{path}, line {number + 1}, is damaged or was tampered with: {exc!r}. Delete "
                "that file: its fits will be run again."
            ) from exc


def file_names(lines: bytes) -> list[str]:
    """Names of the files that lines of a record tell of; none of lines that are damaged."""
    names = []
    for line in lines.splitlines():
        if b'"files": {' in line:
            with suppress(*_DAMAGE):  # whoever reads the record says so
                outcome = Outcome.from_fields(json.loads(line)["outcome"])
                names += [
                    file.name for file in outcome.files.values() if isinstance(file, ArtifactRef)
                ]
    return names


def _check_format(path: Path, found: object) -> None:
    if found != FORMAT:
        raise RecordError(
            f"{path} is a record of format {found}; this version reads {FORMAT}. Give the "
            "checkpoint another name, or use the version of skdistsearch that wrote it."
        )


def _checked(line: bytes) -> bytes:
    """A JSON object with a checksum of itself: no score is read that a disk has changed."""
    return b'%b, "crc32": "%08x"}' % (line[:-1], zlib.crc32(line))


def _check(line: bytes) -> None:
    content = line.rpartition(b', "crc32": ')[0] + b"}"
    if _checked(content) != line.rstrip(b"\n"):
        raise ValueError("its checksum is another")
