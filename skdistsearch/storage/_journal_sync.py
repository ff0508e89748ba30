"""Records on their way between machines: a worker's lines reach the caller through S3.

A worker's file goes up in pieces, each an object of its own: all whole lines that are new. So a
fit of a minute is there a moment after it ends, and a thousand fits of a millisecond share a few
requests. Names begin with the time, so that the caller asks for the newest only.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from skdistsearch.exceptions import RecordError, StoreError
from skdistsearch.storage._artifacts import is_file, is_model
from skdistsearch.storage._journal import SUFFIX, file_names, journal_names
from skdistsearch.storage._paths import temporary_folder
from skdistsearch.storage._store import FolderStore, Store, open_store

_PUSH_S = 0.2  # how often new lines are looked for: what a machine's death may cost
_SKEW_MS = 120_000  # how far the clocks of two machines may differ
_FILES_AT_ONCE = 64  # in memory, while they are fetched
_LAST_TRIES = 3  # of the last push, each with the retries of S3's client in it


def _name(stem: str, piece: int) -> str:
    return f"{time.time_ns() // 1_000_000:013d}-{stem}-{piece:06d}"


def _parsed(name: str) -> tuple[str, int]:
    """Whose piece it is, and which: see `_name`."""
    try:
        _, rest = name.split("-", 1)
        stem, piece = rest.rsplit("-", 1)
        return stem, int(piece)
    except ValueError as exc:
        raise RecordError(f"{name!r} is no piece of a record") from exc


class JournalUploader:
    """Sends what is new in a folder's record files to a store, while a ``with`` block runs."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store
        self._sent: Counter[str] = Counter()
        self._pieces: Counter[str] = Counter()
        self._sent_s = -math.inf
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> JournalUploader:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._end.set()
        self.last()
        self._thread.join()

    def before_a_fit(self, *, surely: bool) -> None:
        """Send what is new before the next fit can take the process along.

        Unless that was done a moment ago, for fits of milliseconds; ``surely``: always.
        """
        if surely or time.monotonic() - self._sent_s > _PUSH_S:
            with suppress(StoreError):  # it goes with the next lines, or with the last
                self._send()

    def last(self) -> None:
        """Send all there is; `StoreError` if that fails time and again."""
        for left in reversed(range(_LAST_TRIES)):
            try:
                return self._send()
            except StoreError:
                if not left:
                    raise
                time.sleep(1)

    def _go_on(self) -> None:
        while not self._end.wait(_PUSH_S):
            with suppress(StoreError):  # it goes with the next lines, or with the last
                self._send()

    def _send(self) -> None:
        with self._lock:
            for name in journal_names(self._folder):
                with open(self._folder / name, "rb") as file:
                    file.seek(self._sent[name])
                    data = file.read()
                if whole := data[: data.rfind(b"\n") + 1]:
                    self._send_files(whole)
                    stem = name.removesuffix(SUFFIX)
                    self._store.put(_name(stem, self._pieces[stem]), whole)
                    self._pieces[stem] += 1
                    self._sent[name] += len(whole)
                    self._sent_s = time.monotonic()

    def _send_files(self, lines: bytes) -> None:
        """Send the files that lines tell of, before the lines."""
        for file in file_names(lines):
            path = self._folder / file
            if path.exists():  # it is not there if the lines could not be sent after it
                self._store.put(file, path.read_bytes())
                path.unlink()


class JournalDownloader:
    """Brings what workers have pushed to a store into a folder, as the files they wrote.

    ``files``: with what lines tell of; ``models``: models too.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        only: str = "",
        *,
        files: bool = False,
        models: bool = False,
    ) -> None:
        self._store, self._folder, self._only = store, folder, only
        self._files, self._models = files, models
        self._seen: set[str] = set()
        self._pieces: Counter[str] = Counter()
        self._newest_ms = 0

    def __call__(self, *, everything: bool = False) -> None:
        """Fetch what is new; with ``everything``, also pieces of clocks that are far behind."""
        since = "" if everything else f"{max(self._newest_ms - _SKEW_MS, 0):013d}"
        names = self._store.names(after=since)
        new = [name for name in names if name not in self._seen and not is_file(name)]
        in_turn = list(self._in_turn(new))
        pieces = self._store.get_many(in_turn)
        if self._files:
            self._fetch_files(name for piece in pieces for name in file_names(piece))
        for name, data in zip(in_turn, pieces, strict=True):
            self._append(name, data)

    def _fetch_files(self, names: Iterable[str]) -> None:
        wanted = [name for name in names if self._models or not is_model(name)]
        folder = FolderStore(self._folder)
        for first in range(0, len(wanted), _FILES_AT_ONCE):
            some = wanted[first : first + _FILES_AT_ONCE]
            for name, data in zip(some, self._store.get_many(some), strict=True):
                folder.put(name, data)

    def _in_turn(self, names: Iterable[str]) -> Iterator[str]:
        """Pieces that follow on what is there: a worker sends each after the one before."""
        begin = f"{self._only}-" if self._only else ""
        for (stem, piece), name in sorted((_parsed(name), name) for name in names):
            if stem.startswith(begin) and piece == self._pieces[stem]:
                self._pieces[stem] += 1
                yield name

    def _append(self, name: str, data: bytes) -> None:
        stem, _ = _parsed(name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._folder / f"{stem}{SUFFIX}", "ab") as file:
            file.write(data)
        self._seen.add(name)
        self._newest_ms = max(self._newest_ms, int(name.split("-", 1)[0]))


def iter_journal_folders(store: Store, place: str) -> Generator[Path]:
    """Folders with the record files of every batch that is recorded in a part of a store.

    Close it: what came from far away is in a temporary folder.
    """
    if isinstance(store, FolderStore):
        yield from sorted(path for path in Path(store.url, place).glob("*") if path.is_dir())
        return
    batches = sorted({name.split("/")[1] for name in store.names(f"{place}/")})
    with temporary_folder() as folder:
        for batch in batches:
            JournalDownloader(open_store(f"{store.url}/{place}/{batch}"), folder / batch)(
                everything=True
            )
            yield folder / batch
