"""Transfer of journals between machines through S3.

A worker uploads its journal in segments: objects that hold all complete lines since the last
segment. The outcome of a long fit arrives a moment after the fit ends, and a thousand fits of a
millisecond share a few requests. Names of segments start with the time, so that the caller can
list only the newest.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from skdistsearch._outcome import Outcome, is_artifact_name
from skdistsearch.exceptions import CorruptDataError, StoreError
from skdistsearch.storage._artifacts import is_model_name
from skdistsearch.storage._journal import (
    JOURNAL_SUFFIX,
    LINE_MAX_BYTES,
    JournalReader,
    artifact_names,
    journal_names,
    read_lines,
)
from skdistsearch.storage._paths import temporary_folder
from skdistsearch.storage._store import FolderStore, Store, open_store

_UPLOAD_S = 0.2  # time between uploads: what the death of a machine may cost
_CLOCK_SKEW_MS = 120_000  # allowed difference between the clocks of two machines
_OBJECTS_AT_ONCE = 64  # downloaded together, and in memory until they are written
_FINAL_ATTEMPTS = 3  # at the last upload, in addition to the retries of the S3 client


def _segment_name(stem: str, number: int) -> str:
    return f"{time.time_ns() // 1_000_000:013d}-{stem}-{number:06d}"


# Parts of names become names of files: they contain neither a slash nor a dot
_TIMED_NAME = r"[0-9]{13}-([A-Za-z0-9_][A-Za-z0-9_-]*)"
_FOLDER_NAME = re.compile(_TIMED_NAME)
_SEGMENT_NAME = re.compile(rf"{_TIMED_NAME}-([0-9]{{6,9}})")


def _parse_segment_name(name: str) -> tuple[str, int]:
    """Return the stem of the journal and the number of the segment."""
    match = _SEGMENT_NAME.fullmatch(name)
    if not match:
        raise CorruptDataError(f"{name!r} is not a segment of a journal. Delete it.")
    return match[1], int(match[2])


class JournalUploader:
    """Upload new lines of the journals in a folder in the background, as a context manager."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store
        self._sent: Counter[str] = Counter()
        self._n_segments: Counter[str] = Counter()
        self._uploaded_at = -math.inf
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._upload_loop, daemon=True)

    def __enter__(self) -> JournalUploader:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self.flush_all()
        self._thread.join()

    def flush_if_due(self, *, force: bool = False) -> None:
        """Upload new lines before the next fit, which might crash the process.

        Skipped if the last upload was less than 0.2 s ago, unless ``force``.
        """
        if force or time.monotonic() - self._uploaded_at > _UPLOAD_S:
            self._try_upload()

    def flush_all(self) -> None:
        """Upload all new lines. Raise `StoreError` if that fails repeatedly."""
        for attempts_left in reversed(range(_FINAL_ATTEMPTS)):
            try:
                return self._upload()
            except StoreError:
                if not attempts_left:
                    raise
                time.sleep(1)

    def _upload_loop(self) -> None:
        while not self._stop.wait(_UPLOAD_S):
            self._try_upload()

    def _try_upload(self) -> None:
        with suppress(StoreError):  # a later upload has the lines too
            self._upload()

    def _upload(self) -> None:
        with self._lock:
            for name in journal_names(self._folder):
                path = self._folder / name
                with open(path, "rb") as file:
                    while lines := read_lines(file, path, self._sent[name]):
                        self._upload_segment(name, lines)

    def _upload_segment(self, name: str, lines: bytes) -> None:
        self._upload_artifacts(lines)
        stem = name.removesuffix(JOURNAL_SUFFIX)
        self._store.put(_segment_name(stem, self._n_segments[stem]), lines)
        self._n_segments[stem] += 1
        self._sent[name] += len(lines)
        self._uploaded_at = time.monotonic()

    def _upload_artifacts(self, lines: bytes) -> None:
        """Upload and delete the files that the lines name. Done before the lines are uploaded."""
        for name in artifact_names(lines):
            path = self._folder / name
            if path.exists():  # it was uploaded before if the upload of the lines failed
                self._store.put(name, path.read_bytes())
                path.unlink()


class JournalDownloader:
    """Download the segments in a store into a folder, as the journals that the workers wrote.

    Parameters
    ----------
    store : Store
        The store with the segments.
    folder : Path
        The folder to write the journals to.
    task : str, default=""
        Download only journals with this `journal_prefix`.
    with_artifacts : bool, default=False
        Whether to download the artifacts that the lines name, except models.
    with_models : bool, default=False
        Whether the artifacts include models.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        task: str = "",
        *,
        with_artifacts: bool = False,
        with_models: bool = False,
    ) -> None:
        self._store, self._folder, self._task = store, folder, task
        self._with_artifacts, self._with_models = with_artifacts, with_models
        self._seen: set[str] = set()
        self._n_segments: Counter[str] = Counter()
        self._newest_ms = 0

    def download_new(self, *, list_all: bool = False) -> None:
        """Download new segments.

        By default, lists only segments that may be new if clocks differ by at most two minutes;
        with ``list_all``, lists all segments.
        """
        since = "" if list_all else f"{max(self._newest_ms - _CLOCK_SKEW_MS, 0):013d}"
        names = self._store.list_names(after=since)
        new = [name for name in names if name not in self._seen and not is_artifact_name(name)]
        segments = list(self._next_segments(new))
        for start in range(0, len(segments), _OBJECTS_AT_ONCE):
            self._download_segments(segments[start : start + _OBJECTS_AT_ONCE])

    def _download_segments(self, names: Sequence[str]) -> None:
        contents = self._store.get_many(names, LINE_MAX_BYTES)
        for name, lines in zip(names, contents, strict=True):
            if not lines.endswith(b"\n"):
                raise CorruptDataError(
                    f"{self._store.url}/{name} is corrupt: its last line is incomplete. Delete it."
                )
        if self._with_artifacts:
            self._download_artifacts(name for lines in contents for name in artifact_names(lines))
        for name, lines in zip(names, contents, strict=True):
            self._append(name, lines)

    def _download_artifacts(self, names: Iterable[str]) -> None:
        wanted = [name for name in names if self._with_models or not is_model_name(name)]
        folder = FolderStore(self._folder)
        for start in range(0, len(wanted), _OBJECTS_AT_ONCE):
            some = wanted[start : start + _OBJECTS_AT_ONCE]
            for name, data in zip(some, self._store.get_many(some), strict=True):
                folder.put(name, data)

    def _next_segments(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the segments that continue a journal: a worker uploads them in order."""
        prefix = f"{self._task}-" if self._task else ""
        expected = self._n_segments.copy()
        for (stem, number), name in sorted((_parse_segment_name(name), name) for name in names):
            if stem.startswith(prefix) and number == expected[stem]:
                expected[stem] += 1
                yield name

    def _append(self, name: str, lines: bytes) -> None:
        stem, number = _parse_segment_name(name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._folder / f"{stem}{JOURNAL_SUFFIX}", "ab") as file:
            file.write(lines)
        self._n_segments[stem] = number + 1
        self._seen.add(name)
        self._newest_ms = max(self._newest_ms, int(name.split("-", 1)[0]))


def read_run(url: str, run_id: str, batch: str, n_fits: int) -> list[Outcome]:
    """Return the outcomes that the tasks of a Metaflow run have written, in the order of the fits.

    Parameters
    ----------
    url : str
        Folder or S3 URL of the journals.
    run_id : str
        Number of the run.
    batch : str
        Key of the batch.
    n_fits : int
        Number of fits of the batch.
    """
    with temporary_folder(os.environ.get("METAFLOW_TEMPDIR")) as folder:
        if url.startswith("s3://"):
            JournalDownloader(open_store(url), folder, task=run_id).download_new(list_all=True)
        journals = folder if url.startswith("s3://") else Path(url)
        reader = JournalReader(journals, batch, n_fits, task=run_id)
        outcomes = {outcome.fit: outcome for outcome in reader.read_new()}
    return [outcomes[fit] for fit in sorted(outcomes)]


def iter_journal_folders(store: Store, prefix: str) -> Generator[Path]:
    """Yield folders with the journals of each batch under a prefix of a store.

    Close the generator: journals from S3 are in a temporary folder.
    """
    if isinstance(store, FolderStore):
        yield from sorted(path for path in Path(store.url, prefix).glob("*") if path.is_dir())
        return
    batches = sorted({_parse_folder(store, name) for name in store.list_names(f"{prefix}/")})
    with temporary_folder() as folder:
        for batch in batches:
            remote = open_store(f"{store.url}/{prefix}/{batch}")
            JournalDownloader(remote, folder / batch).download_new(list_all=True)
            yield folder / batch


def _parse_folder(store: Store, name: str) -> str:
    """Return the folder of an object in a checkpoint."""
    folder = name.split("/")[1]
    if not _FOLDER_NAME.fullmatch(folder):
        raise CorruptDataError(f"{store.url}/{name} is not part of a checkpoint. Delete it.")
    return folder
