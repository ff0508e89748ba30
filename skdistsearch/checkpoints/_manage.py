"""What searches have kept: see it, and delete it.

A search with ``checkpoint=`` keeps its finished fits. They stay until somebody deletes them.

Examples
--------
>>> import tempfile
>>> from sklearn.datasets import load_diabetes
>>> from sklearn.linear_model import Ridge
>>> from skdistsearch import DistributedSearchCV, checkpoints
>>> place = tempfile.mkdtemp()
>>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=5, checkpoint=place)
>>> search = search.fit(*load_diabetes(return_X_y=True))
>>> found = checkpoints.inspect(place)
>>> found.n_fits, found.searches[0].search
(10, 'Ridge on ndarray of shape (442, 10), candidates: 2, splits: 5')
>>> checkpoints.delete(place)
"""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from skdistsearch._validation import did_you_mean
from skdistsearch.backends import Backend, get_backend
from skdistsearch.checkpoints._history import ABOUT, FITS, USE, SearchHistory, earlier_searches
from skdistsearch.checkpoints._location import checkpoint_url, default_checkpoint_root
from skdistsearch.checkpoints._resume import iter_finished
from skdistsearch.exceptions import CheckpointError, RecordError, StoreError
from skdistsearch.storage import Store, iter_journal_folders, journal_names, open_store

__all__ = ["Checkpoint", "SearchGroup", "delete", "inspect", "list"]

# All else that a search leaves: records, their pieces in S3, predictions and models, and what a
# killed process was about to rename
_RECORD = re.compile(
    rf"{FITS}/\d{{13}}-[0-9a-f]{{32}}/"
    r"([^/]+\.fits\.jsonl|\d{13}-[^/]+-\d{6}|0-[^/]+\.(npy|pkl)|\.[0-9a-f]{16})"
)
_HIDDEN = re.compile(rf"{ABOUT}/\.[0-9a-f]{{16}}")


@dataclass(frozen=True, repr=False)
class SearchGroup:
    """SearchGroup that used a checkpoint, equal in all but their candidates."""

    search: str
    """Estimator, data, and the numbers of candidates and splits, of the last of them."""
    count: int
    """How many there were."""
    first_use: datetime
    """When the first of them began."""
    last_use: datetime
    """When the last of them began."""
    versions: Mapping[str, str]
    """What computed their fits: names and versions."""
    parts: Mapping[str, str]
    """Digests of what their fits depend on: where two searches differ, they share no fit."""

    def __repr__(self) -> str:
        versions = ", ".join(f"{name} {version[:12]}" for name, version in self.versions.items())
        times = f"{self.count} times, last " if self.count > 1 else ""
        return f"{self.search}; {times}{self.last_use:%Y-%m-%d %H:%M}; {versions}"


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """What is kept under one name or in one place."""

    name: str
    """Its name, or where it is."""
    url: str
    """The folder, or ``s3://bucket/prefix``."""
    n_fits: int
    """How many fits have been kept, each once."""
    n_failed: int
    """How many of them failed and have ``error_score``; they are not tried again."""
    first_use: datetime
    """When the first search that used it began."""
    last_use: datetime
    """When the last search that used it began."""
    size_bytes: int
    """What the records of fits take up, without the predictions and models kept beside them."""
    searches: tuple[SearchGroup, ...] = ()
    """Which searches have used it, the last first."""
    problem: str = ""
    """Why it cannot be read to its end, if it cannot."""

    def __repr__(self) -> str:
        failed = f", {self.n_failed} of them failed" if self.n_failed else ""
        said = f"{self.n_fits} fits{failed}" + (f", then {self.problem}" if self.problem else "")
        size = f"{self.size_bytes / 1e6:.1f} MB" if self.size_bytes >= 1e5 else "< 0.1 MB"
        return f"{self.name}: {said}; {size}; last used {self.last_use:%Y-%m-%d %H:%M}"

    def __str__(self) -> str:
        return "\n".join([repr(self), *(f"  {searches}" for searches in self.searches)])


def list(backend: str | Backend = "local") -> builtins.list[Checkpoint]:  # noqa: A001 # checkpoints.list
    """All checkpoints that have a name, the one that was used last first.

    Parameters
    ----------
    backend : str or object with ``run``, default="local"
        The backend of the searches: those on AWS Batch or Kubernetes keep named checkpoints in
        S3, all others on this machine.

    Returns
    -------
    checkpoints : list of Checkpoint
        With a ``problem`` where one cannot be read.
    """
    root = _root(backend)
    found = [_seen(name, open_store(f"{root}/{name}")) for name in _names(root)]
    return sorted(found, key=lambda one: one.last_use, reverse=True)


def inspect(checkpoint: str | os.PathLike[str], backend: str | Backend = "local") -> Checkpoint:
    """What one checkpoint holds, and which searches have used it.

    Parameters
    ----------
    checkpoint : str or path
        As given to the search: a name, a folder or ``s3://bucket/prefix``.
    backend : str or object with ``run``, default="local"
        As given to the search: it says where names are.

    Returns
    -------
    found : Checkpoint
        ``print`` shows it with its searches.

    Raises
    ------
    CheckpointError
        There is no such checkpoint.
    RecordError, StoreError
        It is damaged, or cannot be read.
    """
    store = _opened(checkpoint, backend)
    searches = tuple(map(_searches, earlier_searches(store, None)))
    found = replace(_seen(str(checkpoint), store), searches=searches)
    if found.problem:
        raise RecordError(found.problem)
    return found


def delete(checkpoint: str | os.PathLike[str], backend: str | Backend = "local") -> None:
    """Delete all of a checkpoint, which no search may be using.

    Parameters
    ----------
    checkpoint : str or path
        As given to the search: a name, a folder or ``s3://bucket/prefix``.
    backend : str or object with ``run``, default="local"
        As given to the search: it says where names are.

    Raises
    ------
    CheckpointError
        There is no such checkpoint, or something else is in that place: nothing is deleted.
    StoreError
        It cannot be deleted.
    """
    store = _opened(checkpoint, backend)
    names = store.names()
    patterns = (USE, _RECORD, _HIDDEN)
    foreign = [name for name in names if not any(ours.fullmatch(name) for ours in patterns)]
    if foreign:
        raise CheckpointError(
            f"{store.url} is not deleted: {len(foreign)} of its files are none of a checkpoint's, "
            f"first {foreign[0]}."
        )
    # Descriptions last: a half deleted checkpoint is one that can be deleted
    store.remove(sorted(names, reverse=True))
    if not store.url.startswith("s3://"):
        _remove_folders(Path(store.url))


def _root(backend: str | Backend) -> str:
    root = get_backend(backend).checkpoint_root()
    return root or default_checkpoint_root()


def _names(root: str) -> builtins.list[str]:
    """Names that stand for checkpoints."""
    paths = (path.partition("/") for path in open_store(root).names())
    return sorted({name for name, _, inner in paths if USE.fullmatch(inner)})


def _opened(checkpoint: str | os.PathLike[str], backend: str | Backend) -> Store:
    """The store of a checkpoint that there is."""
    root = _root(backend)
    store = open_store(checkpoint_url(checkpoint, root))
    if _times(store):
        return store
    said = f"{store.url} is no checkpoint: no search has used it."
    if store.url == f"{root}/{checkpoint}":
        known = _names(root)
        said += f" Known names: {', '.join(known) or 'none'}."
        said += did_you_mean(str(checkpoint), known)
    raise CheckpointError(said)


def _times(store: Store) -> builtins.list[datetime]:
    """When searches used a checkpoint."""
    uses = filter(None, map(USE.fullmatch, store.names(f"{ABOUT}/")))
    return [_time(int(use[1])) for use in uses]


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000).astimezone()


def _seen(name: str, store: Store) -> Checkpoint:
    """What there is; that some of it cannot be read is a part of that."""
    times = _times(store)
    failed: dict[str, bool] = {}
    size, problem = 0, ""
    with closing(iter_journal_folders(store, FITS)) as parts:
        try:
            for part in parts:
                size += sum((part / file).stat().st_size for file in journal_names(part))
                for key, outcome in iter_finished(part):
                    failed.setdefault(key, bool(outcome.fit_error))
        except (RecordError, StoreError) as exc:
            problem = str(exc)
    return Checkpoint(
        name,
        store.url,
        n_fits=len(failed),
        n_failed=sum(failed.values()),
        first_use=times[0],
        last_use=times[-1],
        size_bytes=size,
        problem=problem,
    )


def _searches(uses: SearchHistory) -> SearchGroup:
    times = [_time(at) for at in uses.times_ms]
    return SearchGroup(
        search=uses.about["search"],
        count=len(times),
        first_use=min(times),
        last_use=max(times),
        versions=uses.about["versions"],
        parts=uses.about["parts"],
    )


def _remove_folders(root: Path) -> None:
    folders = [path for path in (root / FITS).glob("*") if path.is_dir()]
    for folder in (*folders, root / FITS, root / ABOUT, root):
        with suppress(OSError):  # a search is using it, against all advice
            folder.rmdir()
