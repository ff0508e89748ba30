"""Append-only journals of finished fits.

Each worker appends lines of JSON to a file of its own, and the caller reads complete lines as they
arrive. A line says that a fit has started, or holds its outcome. If a worker dies, its finished
fits are safe, and the fit it was running is known.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from skdistsearch._outcome import ArtifactRef, Outcome
from skdistsearch.exceptions import CorruptDataError, StoreError
from skdistsearch.storage._artifacts import (
    artifact_ref,
    is_model_name,
    read_verified,
    with_store_url,
)
from skdistsearch.storage._store import FolderStore

if TYPE_CHECKING:
    from skdistsearch._batch import Batch

FORMAT = 2
JOURNAL_SUFFIX = ".fits.jsonl"
LINE_MAX_BYTES = 16 << 20
"""Limit of a line, so that a broken or hostile worker cannot fill the memory of the reader."""
_SYNC_S = 0.5  # how much of a checkpoint a power failure may cost
_PARSE_ERRORS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def journal_prefix(task_pathspec: str) -> str:
    """Return the first part of the names of a worker's journals.

    It consists of the run and task numbers of a Metaflow task, or is the process id.
    """
    return "-".join(task_pathspec.split("/")[1::2]) if task_pathspec else str(os.getpid())


class JournalWriter:
    """Journal of one worker, a context manager."""

    def __init__(self, folder: Path, batch: Batch, task_pathspec: str = "") -> None:
        self._batch, self._folder = batch, folder
        self._task_pathspec = task_pathspec
        self._path = folder / _new_name(task_pathspec)
        self._stem = self._path.name.removesuffix(JOURNAL_SUFFIX)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, flags, 0o600)
        except OSError as exc:
            raise StoreError(f"Could not create a journal of fits in {folder}: {exc}") from exc
        self._size, self._synced_at = 0, time.monotonic()
        self._write(self._encode_header(task_pathspec))

    def _encode_header(self, task_pathspec: str) -> bytes:
        job = os.environ.get("AWS_BATCH_JOB_ID", "")
        return _encode(
            {"format": FORMAT, "batch": self._batch.key, "task_pathspec": task_pathspec, "job": job}
        )

    def write_start(self, fit: int) -> None:
        """Write that a fit has started."""
        self._write(_encode({"started": fit}))

    def write_outcome(self, outcome: Outcome) -> Outcome:
        """Write the outcome of a fit. Return it with its artifacts as files in the folder."""
        # Artifacts first: a reader of the line finds the files that it names
        artifacts = {
            kind: self._put_artifact(outcome.fit, kind, file)
            for kind, file in outcome.artifacts.items()
        }
        outcome = replace(outcome, artifacts=artifacts)
        is_checkpoint = bool(self._batch.context.fit_keys)
        self._write(self._encode_outcome(outcome), is_checkpoint=is_checkpoint)
        return outcome

    def encode_journal(self, outcome: Outcome) -> tuple[str, bytes]:
        """Return the name and the content of a journal that another process writes for this worker.

        It has this outcome only, which has no artifacts, and does not count as a retry of the task.
        """
        content = self._encode_header(task_pathspec="") + self._encode_outcome(outcome)
        return _new_name(self._task_pathspec), content

    def _encode_outcome(self, outcome: Outcome) -> bytes:
        fields = {"outcome": outcome.to_fields()}
        if keys := self._batch.context.fit_keys:
            return _with_checksum(_encode({"key": keys[outcome.fit], **fields})[:-1]) + b"\n"
        return _encode(fields)

    def _put_artifact(self, fit: int, kind: str, file: bytes | ArtifactRef) -> ArtifactRef:
        data = read_verified(file)
        ref = artifact_ref(kind, data, f"{self._stem}-{fit}")
        FolderStore(self._folder).put(ref.name, data)
        return replace(ref, url=str(self._folder))

    def _write(self, line: bytes, *, is_checkpoint: bool = False) -> None:
        try:
            self._append(line)
            if is_checkpoint and time.monotonic() - self._synced_at > _SYNC_S:
                os.fsync(self._file)
                self._synced_at = time.monotonic()
        except OSError as exc:
            with suppress(OSError):  # remove a partial line, so that later lines can be read
                os.ftruncate(self._file, self._size)
            raise StoreError(
                f"Could not save a finished fit to {self._path}: {exc}. Earlier fits are saved: "
                "free some disk space and run the search again."
            ) from exc
        self._size += len(line)

    def _append(self, line: bytes) -> None:
        while line:  # a disk that fills up accepts some bytes, then raises
            line = line[os.write(self._file, line) :]

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._file)


@dataclass(frozen=True)
class InterruptedFit:
    """A fit that was running when its worker died."""

    fit: int
    """Number of the fit within its batch."""
    task_pathspec: str
    """Pathspec of the Metaflow task that ran it; empty for other workers."""
    job: str = ""
    """Id of the task's AWS Batch job, if any."""


@dataclass
class _WorkerState:
    """State of one worker according to its journal."""

    position: int = 0
    """Number of bytes that have been read."""
    task_pathspec: str = ""
    """Pathspec of the worker's Metaflow task, if any."""
    job: str = ""
    """Id of the task's AWS Batch job, if any."""
    running_fit: int | None = None
    """Number of the fit that has started and not finished."""
    started_at: float = 0.0
    """When its start was read, by this process's monotonic clock."""


class JournalReader:
    """Reader of the journals that the workers of one batch write into a folder.

    Parameters
    ----------
    folder : Path
        The folder with the journals. It may not exist yet.
    batch : str
        Key of the batch. Journals of another batch raise `CorruptDataError`.
    n_fits : int
        Number of fits of the batch.
    task : str, default=""
        Read only journals with this `journal_prefix`.
    is_checkpoint : bool, default=False
        Whether the folder belongs to the search's checkpoint.
    models_url : str, default=""
        URL of the store with the fitted models, if they are not in the folder.
    """

    def __init__(
        self,
        folder: Path,
        batch: str,
        n_fits: int,
        *,
        task: str = "",
        is_checkpoint: bool = False,
        models_url: str = "",
    ) -> None:
        self._folder, self._batch, self._n_fits = folder, batch, n_fits
        self._models_url = models_url or str(folder)
        self._task, self._is_checkpoint = task, is_checkpoint
        self._workers: dict[str, _WorkerState] = {}

    @property
    def folder(self) -> Path:
        """Folder that the workers write to."""
        return self._folder

    def running_fits(self) -> list[tuple[int, float]]:
        """Return the number, and the seconds since its start, of each fit that is running."""
        now = time.monotonic()
        return [
            (worker.running_fit, now - worker.started_at)
            for worker in list(self._workers.values())  # another thread may read the journals
            if worker.running_fit is not None
        ]

    @property
    def n_retries(self) -> int:
        """Number of attempts of Metaflow tasks, not counting first attempts."""
        tasks = [worker.task_pathspec for worker in self._workers.values() if worker.task_pathspec]
        return len(tasks) - len(set(tasks))

    def read_new(self) -> Iterator[Outcome]:
        """Yield the outcomes written since the last call."""
        for name in journal_names(self._folder, self._task):
            yield from self._read_file(name, self._workers.setdefault(name, _WorkerState()))

    def pop_interrupted(self, among: Container[int] | None = None) -> list[InterruptedFit]:
        """Return the fits whose workers died, each once.

        Call it when all workers have ended, or at least those that had to run the fits ``among``.
        """
        fits = []
        for worker in self._workers.values():
            if worker.running_fit is not None and (among is None or worker.running_fit in among):
                fits.append(InterruptedFit(worker.running_fit, worker.task_pathspec, worker.job))
                worker.running_fit = None
        return fits

    def _read_file(self, name: str, worker: _WorkerState) -> Iterator[Outcome]:
        path = self._folder / name
        if path.stat().st_size <= worker.position:
            return
        with open(path, "rb") as file:
            while lines := read_lines(file, path, worker.position):
                worker.position += len(lines)
                for line in lines.splitlines():
                    yield from self._parse_line(path, line, worker)

    def _parse_line(self, path: Path, line: bytes, worker: _WorkerState) -> Iterator[Outcome]:
        try:
            fields = json.loads(line)
            if "outcome" in fields:
                outcome = Outcome.from_fields(fields["outcome"])
                worker.running_fit = None
                self._check_fit(outcome.fit)
                if outcome.status == "lost":  # another journal may say that it has started
                    self._end_fit(outcome.fit)
                artifacts = self._locate_artifacts(outcome)
                yield replace(outcome, is_persisted=self._is_checkpoint, artifacts=artifacts)
            elif "started" in fields:
                worker.started_at = time.monotonic()
                worker.running_fit = self._check_fit(fields["started"])
            elif (fields["format"], fields["batch"]) == (FORMAT, self._batch):
                worker.task_pathspec, worker.job = str(fields["task_pathspec"]), str(fields["job"])
            else:
                raise ValueError(f"another format or batch: {fields}")
        except _PARSE_ERRORS as exc:
            raise CorruptDataError(f"{path} is corrupt: {exc!r}") from exc

    def _end_fit(self, fit: int) -> None:
        for worker in self._workers.values():
            if worker.running_fit == fit:
                worker.running_fit = None

    def _locate_artifacts(self, outcome: Outcome) -> dict[str, bytes | ArtifactRef]:
        if not outcome.artifacts:
            return {}
        artifacts = with_store_url(outcome.artifacts, str(self._folder))
        return {
            kind: replace(file, url=self._models_url) if is_model_name(file.name) else file
            for kind, file in artifacts.items()
            if isinstance(file, ArtifactRef)
        }

    def _check_fit(self, fit: object) -> int:
        if type(fit) is int and 0 <= fit < self._n_fits:
            return fit
        raise ValueError(f"fit {fit!r} of a batch of {self._n_fits}")


def read_lines(file: BinaryIO, path: Path, position: int) -> bytes:
    """Return complete lines of a journal, up to `LINE_MAX_BYTES`.

    The worker may still be writing the last line.
    """
    file.seek(position)
    data = file.read(LINE_MAX_BYTES)
    lines = data[: data.rfind(b"\n") + 1]
    if not lines and len(data) == LINE_MAX_BYTES:
        raise CorruptDataError(f"{path} is corrupt: a line has more than {LINE_MAX_BYTES} bytes.")
    return lines


def open_local_journal(batch: Batch, default: Path) -> JournalReader:
    """Open the journal of a batch: in its checkpoint if that is local, else in ``default``."""
    url = batch.context.journal_url
    is_checkpoint = bool(url) and not url.startswith("s3://")
    folder = Path(url) if is_checkpoint else default
    return JournalReader(folder, batch.key, len(batch), is_checkpoint=is_checkpoint)


def journal_names(folder: Path, task: str = "") -> list[str]:
    """Return the sorted names of the journals in a folder, or of those with a `journal_prefix`."""
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:  # no worker has started
        return []
    except OSError as exc:
        raise StoreError(f"The journals in {folder} cannot be read: {exc}") from exc
    prefix = f"{task}-" if task else ""
    return sorted(
        name for name in entries if name.endswith(JOURNAL_SUFFIX) and name.startswith(prefix)
    )


def iter_recorded(folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield the key and the outcome of each fit in the journals of a checkpoint's folder.

    An incomplete last line, left by a killed worker or a full disk, is ignored.
    """
    for name in journal_names(folder):
        path = folder / name
        try:
            with open(path, "rb") as file:
                yield from _iter_lines(path, iter(partial(file.readline, LINE_MAX_BYTES), b""))
        except OSError as exc:
            raise StoreError(f"The journal {path} cannot be read: {exc}") from exc


def _iter_lines(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[str, Outcome]]:
    for number, line in enumerate(lines):
        if not line.endswith(b"\n") and len(line) < LINE_MAX_BYTES:
            return
        try:
            fields = json.loads(line)
            if number == 0:
                _check_format(path, fields["format"])
            elif "outcome" in fields:
                _verify_checksum(line)
                yield fields["key"], Outcome.from_fields(fields["outcome"])
            elif "started" not in fields:
                raise ValueError("unknown kind of line")
        except _PARSE_ERRORS as exc:
            raise CorruptDataError(
                f"{path}, line {number + 1}, is corrupt: {exc!r}. Delete this file: its fits will "
                "run again."
            ) from exc


def artifact_names(lines: bytes) -> list[str]:
    """Return the names of the artifacts in lines of a journal. Corrupt lines are skipped."""
    names = []
    for line in lines.splitlines():
        if b'"artifacts": {' in line:
            with suppress(*_PARSE_ERRORS):  # the reader of the journal raises them
                outcome = Outcome.from_fields(json.loads(line)["outcome"])
                names += [
                    file.name
                    for file in outcome.artifacts.values()
                    if isinstance(file, ArtifactRef)
                ]
    return names


def _new_name(task_pathspec: str) -> str:
    return f"{journal_prefix(task_pathspec)}-{secrets.token_hex(4)}{JOURNAL_SUFFIX}"


def _encode(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def _check_format(path: Path, version: object) -> None:
    if version != FORMAT:
        raise CorruptDataError(
            f"{path} has journal format {version}, but this version of skdistsearch reads "
            f"{FORMAT}. Give the checkpoint another name, or use the version of skdistsearch that "
            "wrote it."
        )


def _with_checksum(line: bytes) -> bytes:
    """Add a checksum to a JSON object, so that scores changed by a faulty disk are never read."""
    return b'%b, "crc32": "%08x"}' % (line[:-1], zlib.crc32(line))


def _verify_checksum(line: bytes) -> None:
    content = line.rpartition(b', "crc32": ')[0] + b"}"
    if _with_checksum(content) != line.rstrip(b"\n"):
        raise ValueError("its checksum does not match")
