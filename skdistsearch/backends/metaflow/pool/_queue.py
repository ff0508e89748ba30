"""The queue of a pool: waves of units that workers claim, in a folder or in S3.

- The trick: there is no server. A wave is an object whose name is its number, so that a worker
  lists only those after the last one that it knows. A unit belongs to the worker that creates its
  claim: a file (``O_CREAT | O_EXCL``), or an object of S3 (``If-None-Match: *``), which exactly one
  of several writers can create. The content of a claim is its owner, so that the caller finds what
  a dead worker has left.
- Claims stay until the pool ends, even when their wave has been withdrawn: a slow worker that has
  read the wave would otherwise claim its units for a second time.
- Why nothing simpler works: containers and the caller have nothing in common but S3. A queue
  service would be one more thing to configure, and to pay.
- It breaks on a file system without atomic ``O_EXCL``, and on a store that ignores
  ``If-None-Match``. tests/backends/metaflow/pool/test_queue.py watches that each unit has one
  owner.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skdistsearch.exceptions import StoreError
from skdistsearch.scheduling import Chunk, UnitGroups, claim_units
from skdistsearch.storage import FolderStore, open_store

FORMAT = 1
_WAVES, _CLAIMS = "waves/", "claims/"
_END = "~end"  # sorts after all numbers


@dataclass(frozen=True)
class Wave:
    """Units of one batch that are published together. Plain data."""

    store: str
    """URL of the store with the batch."""
    manifest: str
    """Name of the batch in the store."""
    journal: str
    """URL of the journal."""
    groups: UnitGroups
    """The units."""
    requirements: Any = None
    """What the environment of a remote worker must contain."""
    import_paths: tuple[str, ...] = ()
    """Folders from which workers on this machine import modules."""
    late_modules: str = ""
    """Name in the queue's store of an archive with modules, for remote workers; empty for none."""
    flush_starts: bool = False
    """True if workers have died: the start of a fit is saved before it runs."""


class Queue:
    """The queue of one pool.

    Parameters
    ----------
    url : str
        A folder or S3 URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = self._store = open_store(url)
        """The store of the queue. It holds other data of the pool, too."""
        self._folder = Path(url) if isinstance(self._store, FolderStore) else None

    def publish(self, number: int, wave: Wave) -> str:
        """Add a wave, and return its name. Numbers must increase."""
        name = f"{number:06d}"
        if self._folder is not None:
            (self._folder / _CLAIMS / name).mkdir(mode=0o700, parents=True)
        self._store.put(_WAVES + name, json.dumps({"format": FORMAT, **asdict(wave)}).encode())
        return name

    def withdraw(self, waves: Iterable[str]) -> None:
        """Remove waves that no worker has to look at any more."""
        self._store.delete(_WAVES + name for name in waves)

    def cancel(self, name: str, wave: Wave) -> None:
        """Claim the rest of a wave, so that no worker does."""
        for _ in self.claim_units(name, wave, "cancelled", lambda fits: None):
            pass

    def end(self) -> None:
        """Tell the workers that nothing more will come."""
        self._store.put(_WAVES + _END, b"")

    def clear(self) -> None:
        """Remove everything. No worker must be left."""
        self._store.delete(self._store.list_names())

    def new_waves(self, after: str) -> tuple[list[str], bool]:
        """Return the names of the waves after another one, and whether the queue has ended."""
        names = [
            name.removeprefix(_WAVES) for name in self._store.list_names(_WAVES, _WAVES + after)
        ]
        return [name for name in names if name != _END], _END in names

    def read(self, name: str) -> Wave | None:
        """Return a wave, or None if it has been withdrawn."""
        try:
            fields = json.loads(self._store.get(_WAVES + name))
        except StoreError:
            if self._store.exists(_WAVES + name):
                raise
            return None
        if fields.pop("format") != FORMAT:
            raise StoreError(f"{self.url} is the queue of another version of skdistsearch.")
        fields["import_paths"] = tuple(fields["import_paths"])
        return Wave(**fields)

    def claimed(self, name: str) -> list[str]:
        """Return the names of the units of a wave that have been claimed, as ``group-unit``."""
        prefix = f"{_CLAIMS}{name}/"
        return [claim.removeprefix(prefix) for claim in self._store.list_names(prefix)]

    def owners(self, name: str, units: list[str]) -> dict[str, str]:
        """Return the owners of units of a wave. Empty for a claim that is being written."""
        claims = self._store.get_many([f"{_CLAIMS}{name}/{unit}" for unit in units])
        return dict(zip(units, map(bytes.decode, claims), strict=True))

    def claim_units(
        self,
        name: str,
        wave: Wave,
        owner: str,
        on_claimed_elsewhere: Callable[[Iterable[int]], None],
    ) -> Iterator[Chunk]:
        """Claim units of a wave for this process, and yield them, until none is left.

        Parameters
        ----------
        name, wave
            The wave.
        owner : str
            Name of this worker, which no other process has.
        on_claimed_elsewhere : callable
            Called with the fits that other workers have claimed.
        """
        if self._folder is not None:
            folder = self._folder / _CLAIMS / name
            return claim_units(wave.groups, folder, on_claimed_elsewhere, owner)
        return self._claim_in_s3(name, wave, owner, on_claimed_elsewhere)

    def _claim_in_s3(
        self,
        name: str,
        wave: Wave,
        owner: str,
        on_claimed_elsewhere: Callable[[Iterable[int]], None],
    ) -> Iterator[Chunk]:
        units = {
            f"{group}-{number}": unit
            for group, units in enumerate(wave.groups)
            for number, unit in enumerate(units)
        }
        seen: set[str] = set()
        while True:
            claimed = set(self.claimed(name))
            for unit in claimed - seen:
                on_claimed_elsewhere(units[unit])
            seen |= claimed
            free = [unit for unit in units if unit not in seen]
            if not free:
                return
            for unit in free:
                if not self._store.create(f"{_CLAIMS}{name}/{unit}", owner.encode()):
                    break  # others are at work: see what they have claimed
                seen.add(unit)
                yield units[unit]
            # The first one is the longest. The losers of a race start at different units
            units = _rotate(units, random.randrange(len(units)))


def _rotate(units: dict[str, Chunk], n: int) -> dict[str, Chunk]:
    items = list(units.items())
    return dict(items[n:] + items[:n])
