"""Where the bytes of one round lie while a Metaflow run works on it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends.metaflow._environment import s3_root
from skdistsearch.exceptions import StoreError
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

_PULL_S = 1.0  # how often S3 is asked for finished fits: ten hours of it cost 18 cents
_OUT_OF_REACH_S = 600.0  # how long S3 may fail before the search does
_TIDY_S = 2.0  # how long the end of a search waits for S3 to forget what nobody needs any more

_log = logging.getLogger("skdistsearch")


class RunWorkspace:
    """Batch, chunks and record of a round, in folders or, if ``far``, in S3.

    Use it in a ``with`` statement: what only this round has use for is gone afterwards. What is
    big stays, under the SHA-256 of its content, for the next search on the same data.
    """

    def __init__(self, batch: Batch, *, far: bool) -> None:
        self._batch, self._far, self._stack = batch, far, ExitStack()
        self._ours: list[str] = []
        self._begun = time.time()

    def __enter__(self) -> RunWorkspace:
        with self._stack:
            self._open()
            self._stack = self._stack.pop_all()
        return self

    def _open(self) -> None:
        batch = self._batch
        self.folder = self._stack.enter_context(temporary_folder())
        """Temporary files of this process and of the run on this machine."""
        self.store: Store = (
            S3Store(f"{s3_root()}/data") if self._far else FolderStore(cache_dir(self.folder))
        )
        """What the tasks read."""
        in_s3 = batch.record.startswith("s3://")
        folder = self.folder / "record" if in_s3 or not batch.record else Path(batch.record)
        self.record_url = self._far_record() if self._far else str(folder)
        """Where the tasks record what becomes of fits."""
        # Models stay where they are, unless they are to be kept on this machine
        models_here = self._models_here = bool(batch.record) and not in_s3
        self._pull = (
            JournalDownloader(
                S3Store(self.record_url), folder, with_artifacts=True, with_models=models_here
            )
            if self._far
            else None
        )
        self._pulled_s, self._reached_s = 0.0, time.monotonic()
        kept = bool(batch.record) and (self._far or not in_s3)
        models = self.record_url if self._far and not models_here else ""
        self.record = JournalReader(
            folder, batch.key, len(batch), is_checkpoint=kept, models_url=models
        )
        """What became of fits."""
        self._stack.callback(self._tidy_up)
        self.payload = dump_batch(batch.travelling(far=True), self.store, content_addressed=True)
        """The batch, as the tasks load it."""
        self._ours.append(self.payload.manifest)

    def _far_record(self) -> str:
        if self._batch.record.startswith("s3://"):
            return self._batch.record
        return f"{s3_root()}/runs/{self._batch.key}"

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def about(self) -> dict[str, Any]:
        """What the run's card says of the search."""
        return self._batch.about() | {"begun": self._begun}

    def sheet(self, content: dict[str, Any]) -> str:
        """Write plain data for the tasks; its name."""
        self._ours.append(dump_json(content, self.store))
        return self._ours[-1]

    def new(self, *, last: bool = False) -> Iterator[Outcome]:
        """Outcomes that came since the last call; ``last``: nothing comes any more."""
        if self._pull and (last or time.monotonic() - self._pulled_s > _PULL_S):
            self._pull_patiently(self._pull, last=last)
        yield from self.record.read_new()

    def _pull_patiently(self, pull: JournalDownloader, *, last: bool) -> None:
        """Fetch what is new; a network that is down for a while costs no search."""
        while True:
            try:
                pull.download_new(list_all=last)
            except StoreError as exc:
                if time.monotonic() - self._reached_s > _OUT_OF_REACH_S:
                    raise
                _log.warning("Finished fits cannot be fetched now: %s", exc)
            else:
                self._reached_s = self._pulled_s = time.monotonic()
                return
            self._pulled_s = time.monotonic()
            if not last:
                return
            time.sleep(_PULL_S)

    def _tidy_up(self) -> None:
        if not self._far:
            self._remove()
            return
        # A network that is down holds up no Ctrl-C
        thread = threading.Thread(target=self._remove, daemon=True)
        thread.start()
        thread.join(_TIDY_S)

    def _remove(self) -> None:
        with suppress(StoreError):  # what is left costs little; an error here would hide another
            self.store.delete(self._ours)
            if self._far and self.record_url != self._batch.record:
                record = S3Store(self.record_url)
                names = record.list_names()
                record.delete(n for n in names if self._models_here or not is_model_name(n))
