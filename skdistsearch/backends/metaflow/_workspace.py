"""The batch, the task manifest and the journal of one round, in folders or in S3."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends.metaflow._environment import s3_root
from skdistsearch.exceptions import StoreError
from skdistsearch.execution import open_slice_folders
from skdistsearch.storage import (
    FolderStore,
    JournalDownloader,
    JournalReader,
    S3Store,
    Store,
    cache_dir,
    dump_batch,
    dump_json,
    is_model_name,
    temporary_folder,
)

_DOWNLOAD_INTERVAL_S = 1.0  # requests to S3 for ten hours cost 18 cents
_FIRST_INTERVAL_S = 0.2  # workers that wait for the batch have its first outcomes after a moment
_UNREACHABLE_MAX_S = 600.0  # time that S3 may fail before the search fails
_CLEAN_UP_S = 2.0  # time that the end of a search waits for the deletion of temporary objects

_log = logging.getLogger("skdistsearch")


class RunWorkspace(AbstractContextManager["RunWorkspace"]):
    """Batch, task manifest and journal of a round, in folders or, if ``is_remote``, in S3.

    Use it in a ``with`` statement, which removes at its end what only this round needs. Large
    arrays stay, under the SHA-256 of their content, for the next search on the same data.
    """

    def __init__(self, batch: Batch, *, is_remote: bool) -> None:
        self.batch = batch
        self._is_remote, self._stack = is_remote, ExitStack()
        self._checkpoint_journal = batch.context.journal_url
        self._temporary_objects: list[str] = []
        self._started_at = time.time()

    def __enter__(self) -> RunWorkspace:
        with self._stack:
            self.folder = self._stack.enter_context(temporary_folder())
            """Temporary files of this process, and of the part of the run on this machine."""
            self.store: Store = self._open_store()
            """Where the tasks read the batch."""
            self.slices = None if self._is_remote else self._open_slice_folders()
            """Folders of slices of large data, as plain data, that the tasks share."""
            self._open_journal()
            self._stack.callback(self._clean_up)
            self.payload = dump_batch(self.batch.portable(), self.store, content_addressed=True)
            """The batch, as the tasks load it."""
            self._temporary_objects.append(self.payload.manifest)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def _open_slice_folders(self) -> dict[str, Any] | None:
        folders = self._stack.enter_context(open_slice_folders(self.batch, self.folder))
        return asdict(folders) if folders else None

    def _open_store(self) -> Store:
        if self._is_remote:
            return S3Store(f"{s3_root()}/data")
        return FolderStore(cache_dir(self.folder))

    def _open_journal(self) -> None:
        checkpoint = self._checkpoint_journal
        is_in_s3 = checkpoint.startswith("s3://")
        is_in_folder = bool(checkpoint) and not is_in_s3
        folder = Path(checkpoint) if is_in_folder else self.folder / "journal"
        self.journal_url = self._remote_journal_url() if self._is_remote else str(folder)
        """Where the tasks write outcomes."""
        # Models stay in S3, unless the checkpoint is on this machine
        self._downloads_models = is_in_folder
        self._downloader = self._open_downloader(folder) if self._is_remote else None
        self._downloaded_at, self._reached_at = 0.0, time.monotonic()
        self.journal = JournalReader(
            folder,
            self.batch.key,
            len(self.batch),
            is_checkpoint=bool(checkpoint) and (self._is_remote or is_in_folder),
            models_url=self.journal_url if self._is_remote and not is_in_folder else "",
        )
        """Outcomes, as they have reached this machine."""
        self.batch.report_running(self.journal.running_fits)

    def _open_downloader(self, folder: Path) -> JournalDownloader:
        store = S3Store(self.journal_url)
        return JournalDownloader(
            store, folder, with_artifacts=True, with_models=self._downloads_models
        )

    def _remote_journal_url(self) -> str:
        if self._checkpoint_journal.startswith("s3://"):
            return self._checkpoint_journal
        return f"{s3_root()}/runs/{self.batch.key}"

    @property
    def summary(self) -> dict[str, Any]:
        """The search, for the run's card."""
        return self.batch.summary() | {"begun": self._started_at}

    def put_json(self, content: dict[str, Any]) -> str:
        """Write plain data for the tasks; return its name in the store."""
        self._temporary_objects.append(dump_json(content, self.store))
        return self._temporary_objects[-1]

    def new_outcomes(self, *, last: bool = False) -> Iterator[Outcome]:
        """Yield outcomes that arrived since the last call. ``last``: no more will arrive."""
        age_s = time.time() - self._started_at
        interval_s = min(_FIRST_INTERVAL_S + age_s / 20, _DOWNLOAD_INTERVAL_S)
        is_due = time.monotonic() - self._downloaded_at > interval_s
        if self._downloader and (last or is_due):
            self._download_journals(self._downloader, last=last)
        yield from self.journal.read_new()

    def _download_journals(self, downloader: JournalDownloader, *, last: bool) -> None:
        """Download what is new. A network that is down for a while does not end the search."""
        while True:
            try:
                downloader.download_new(list_all=last)
            except StoreError as exc:
                if time.monotonic() - self._reached_at > _UNREACHABLE_MAX_S:
                    raise
                _log.warning("Could not download finished fits; will try again: %s", exc)
            else:
                self._reached_at = self._downloaded_at = time.monotonic()
                return
            self._downloaded_at = time.monotonic()
            if not last:
                return
            time.sleep(_DOWNLOAD_INTERVAL_S)

    def _clean_up(self) -> None:
        if not self._is_remote:
            self._remove_temporary_objects()
            return
        # In a thread: a network that is down must not delay Ctrl-C
        thread = threading.Thread(target=self._remove_temporary_objects, daemon=True)
        thread.start()
        thread.join(_CLEAN_UP_S)

    def _remove_temporary_objects(self) -> None:
        with suppress(StoreError):  # leftovers cost little; an error here would hide another one
            self.store.delete(self._temporary_objects)
            if self._is_remote and self.journal_url != self._checkpoint_journal:
                journal = S3Store(self.journal_url)
                names = journal.list_names()
                journal.delete(n for n in names if self._downloads_models or not is_model_name(n))
