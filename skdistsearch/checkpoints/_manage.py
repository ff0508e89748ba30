"""List, inspect and delete checkpoints."""

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
from skdistsearch.checkpoints._history import (
    ABOUT,
    DESCRIPTION_NAME,
    FITS,
    SearchHistory,
    earlier_searches,
)
from skdistsearch.checkpoints._location import checkpoint_url, default_checkpoint_root
from skdistsearch.checkpoints._resume import iter_finished
from skdistsearch.exceptions import CheckpointError, CorruptDataError, StoreError
from skdistsearch.storage import Store, iter_journal_folders, journal_names, open_store

__all__ = ["Checkpoint", "SearchGroup", "delete", "inspect", "list"]

# Journals, their segments in S3, artifacts, and temporary files of killed processes
_FIT_FILE_NAME = re.compile(
    rf"{FITS}/\d{{13}}-[0-9a-f]{{32}}/"
    r"([^/]+\.fits\.jsonl|\d{13}-[^/]+-\d{6}|0-[^/]+\.(npy|pkl)|\.[0-9a-f]{16})"
)
_TEMPORARY_NAME = re.compile(rf"{ABOUT}/\.[0-9a-f]{{16}}")


@dataclass(frozen=True, repr=False)
class SearchGroup:
    """Searches that used a checkpoint and differ in their candidates only.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, checkpoints
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.1, 1.0]}
    >>> search = DistributedSearchCV(Ridge(), grid, cv=5, checkpoint="saturday")
    >>> search = search.fit(X, y)
    >>> wider = search.set_params(param_grid={"alpha": [0.1, 1.0, 10.0]}).fit(X, y)
    >>> (group,) = checkpoints.inspect("saturday").searches
    >>> group.count, group.search
    (2, 'Ridge on ndarray of shape (442, 10), candidates: 3, splits: 5')
    >>> checkpoints.delete("saturday")
    """

    search: str
    """Estimator, data, and the numbers of candidates and splits of the last search."""
    count: int
    """Number of searches."""
    first_use: datetime
    """Start of the first search."""
    last_use: datetime
    """Start of the last search."""
    versions: Mapping[str, str]
    """Names and versions of the packages and modules that computed the fits."""
    digests: Mapping[str, str]
    """Digests of what the fits depend on. Searches with different digests share no fit."""

    def __repr__(self) -> str:
        versions = ", ".join(f"{name} {version[:12]}" for name, version in self.versions.items())
        times = f"{self.count} times, last " if self.count > 1 else ""
        return f"{self.search}; {times}{self.last_use:%Y-%m-%d %H:%M}; {versions}"


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """Content of a checkpoint. ``print`` shows it with its searches.

    See Also
    --------
    skdistsearch.checkpoints.inspect : Return the content of a checkpoint.
    skdistsearch.checkpoints.list : Return all named checkpoints, without their searches.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, checkpoints
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.1, 1.0]}
    >>> search = DistributedSearchCV(Ridge(), grid, cv=5, checkpoint="friday")
    >>> search = search.fit(X, y)
    >>> content = checkpoints.inspect("friday")
    >>> content.name, content.n_fits, content.problem
    ('friday', 10, '')
    >>> checkpoints.delete("friday")
    """

    name: str
    """Its name, or its location if it has no name."""
    url: str
    """Its location: a folder, or ``s3://bucket/prefix``."""
    n_fits: int
    """Number of finished fits."""
    n_failed: int
    """Number of finished fits that failed and have ``error_score``. They are not run again."""
    first_use: datetime
    """Start of the first search that used it."""
    last_use: datetime
    """Start of the last search that used it."""
    size_bytes: int
    """Size of the journals, without predictions and models."""
    searches: tuple[SearchGroup, ...] = ()
    """Searches that used it, the last first."""
    problem: str = ""
    """Reason why it cannot be read completely; empty if it can."""

    def __repr__(self) -> str:
        failed = f", {self.n_failed} of them failed" if self.n_failed else ""
        problem = f", then {self.problem}" if self.problem else ""
        size = f"{self.size_bytes / 1e6:.1f} MB" if self.size_bytes >= 1e5 else "< 0.1 MB"
        fits = f"{self.n_fits} fits{failed}{problem}"
        return f"{self.name}: {fits}; {size}; last used {self.last_use:%Y-%m-%d %H:%M}"

    def __str__(self) -> str:
        return "\n".join([repr(self), *(f"  {group}" for group in self.searches)])


def list(backend: str | Backend = "local") -> builtins.list[Checkpoint]:  # noqa: A001 # checkpoints.list
    """List all named checkpoints, the last used first.

    Parameters
    ----------
    backend : str or Backend, default="local"
        The backend of the searches. Searches on AWS Batch or Kubernetes have their named
        checkpoints in S3, all others on this machine.

    Returns
    -------
    checkpoints : list of Checkpoint
        Checkpoints that cannot be read have a ``problem``.

    Raises
    ------
    BackendConfigError
        The backend is not valid, or its datastore is not configured.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, checkpoints
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.1, 1.0]}
    >>> search = DistributedSearchCV(Ridge(), grid, cv=5, checkpoint="tuesday")
    >>> search = search.fit(X, y)
    >>> latest = checkpoints.list()[0]
    >>> latest.name, latest.n_fits
    ('tuesday', 10)
    >>> checkpoints.delete("tuesday")
    """
    root = _find_root(backend)
    checkpoints = [
        _read_checkpoint(name, open_store(f"{root}/{name}")) for name in _list_checkpoints(root)
    ]
    return sorted(checkpoints, key=lambda checkpoint: checkpoint.last_use, reverse=True)


def inspect(checkpoint: str | os.PathLike[str], backend: str | Backend = "local") -> Checkpoint:
    """Return the content of a checkpoint and the searches that used it.

    Parameters
    ----------
    checkpoint : str or path
        The search's ``checkpoint``: a name, a folder or ``s3://bucket/prefix``.
    backend : str or Backend, default="local"
        The search's ``backend``, which determines the location of named checkpoints.

    Returns
    -------
    content : Checkpoint
        ``print`` shows it with its searches.

    Raises
    ------
    CheckpointError
        If no search has used the checkpoint.
    CorruptDataError, StoreError
        If it is corrupt or cannot be read.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, checkpoints
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.1, 1.0]}
    >>> search = DistributedSearchCV(Ridge(), grid, cv=5, checkpoint="sunday")
    >>> search = search.fit(X, y)
    >>> content = checkpoints.inspect("sunday")
    >>> content.n_fits, content.n_failed
    (10, 0)
    >>> content.searches[0].search
    'Ridge on ndarray of shape (442, 10), candidates: 2, splits: 5'
    >>> checkpoints.delete("sunday")
    """
    store = _open_existing(checkpoint, backend)
    searches = tuple(map(_search_group, earlier_searches(store, None)))
    content = replace(_read_checkpoint(str(checkpoint), store), searches=searches)
    if content.problem:
        raise CorruptDataError(content.problem)
    return content


def delete(checkpoint: str | os.PathLike[str], backend: str | Backend = "local") -> None:
    """Delete a checkpoint. No search may be using it.

    Parameters
    ----------
    checkpoint : str or path
        The search's ``checkpoint``: a name, a folder or ``s3://bucket/prefix``.
    backend : str or Backend, default="local"
        The search's ``backend``, which determines the location of named checkpoints.

    Raises
    ------
    CheckpointError
        If no search has used the checkpoint, or its location has other files too. Nothing is
        deleted.
    StoreError
        If it cannot be deleted.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, checkpoints
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.1, 1.0]}
    >>> search = DistributedSearchCV(Ridge(), grid, cv=5, checkpoint="thursday")
    >>> search = search.fit(X, y)
    >>> checkpoints.delete("thursday")
    >>> "thursday" in [checkpoint.name for checkpoint in checkpoints.list()]
    False
    """
    store = _open_existing(checkpoint, backend)
    names = store.list_names()
    patterns = (DESCRIPTION_NAME, _FIT_FILE_NAME, _TEMPORARY_NAME)
    foreign = [name for name in names if not any(each.fullmatch(name) for each in patterns)]
    if foreign:
        raise CheckpointError(
            f"{store.url} is not deleted: {len(foreign)} of its files do not belong to a "
            f"checkpoint, first {foreign[0]}."
        )
    # Descriptions last: a partly deleted checkpoint can be deleted again
    store.delete(sorted(names, reverse=True))
    if not store.url.startswith("s3://"):
        _remove_folders(Path(store.url))


def _find_root(backend: str | Backend) -> str:
    """Return the location of named checkpoints."""
    root = get_backend(backend).checkpoint_root()
    return root or default_checkpoint_root()


def _list_checkpoints(root: str) -> builtins.list[str]:
    """Return the sorted names of the checkpoints in a location."""
    paths = (path.partition("/") for path in open_store(root).list_names())
    return sorted({name for name, _, inner in paths if DESCRIPTION_NAME.fullmatch(inner)})


def _open_existing(checkpoint: str | os.PathLike[str], backend: str | Backend) -> Store:
    """Return the store of a checkpoint. Raise `CheckpointError` if no search has used it."""
    root = _find_root(backend)
    store = open_store(checkpoint_url(checkpoint, root))
    if _times_of_use(store):
        return store
    message = f"{store.url} is not a checkpoint: no search has used it."
    if store.url == f"{root}/{checkpoint}":
        known = _list_checkpoints(root)
        message += f" Known names: {', '.join(known) or 'none'}."
        message += did_you_mean(str(checkpoint), known)
    raise CheckpointError(message)


def _times_of_use(store: Store) -> builtins.list[datetime]:
    """Return the start times of the searches that used a checkpoint, the first first."""
    matches = filter(None, map(DESCRIPTION_NAME.fullmatch, store.list_names(f"{ABOUT}/")))
    return [_local_time(int(match[1])) for match in matches]


def _local_time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000).astimezone()


def _read_checkpoint(name: str, store: Store) -> Checkpoint:
    """Return the content of a checkpoint, as far as it can be read."""
    times = _times_of_use(store)
    failed_by_key: dict[str, bool] = {}
    size, problem = 0, ""
    with closing(iter_journal_folders(store, FITS)) as folders:
        try:
            for folder in folders:
                size += sum((folder / file).stat().st_size for file in journal_names(folder))
                for key, outcome in iter_finished(folder):
                    failed_by_key.setdefault(key, bool(outcome.fit_error))
        except (CorruptDataError, StoreError) as exc:
            problem = str(exc)
    return Checkpoint(
        name,
        store.url,
        n_fits=len(failed_by_key),
        n_failed=sum(failed_by_key.values()),
        first_use=times[0],
        last_use=times[-1],
        size_bytes=size,
        problem=problem,
    )


def _search_group(history: SearchHistory) -> SearchGroup:
    times = [_local_time(time_ms) for time_ms in history.times_ms]
    return SearchGroup(
        search=history.description["search"],
        count=len(times),
        first_use=min(times),
        last_use=max(times),
        versions=history.description["versions"],
        digests=history.description["digests"],
    )


def _remove_folders(root: Path) -> None:
    folders = [path for path in (root / FITS).glob("*") if path.is_dir()]
    for folder in (*folders, root / FITS, root / ABOUT, root):
        with suppress(OSError):  # another search is writing to it
            folder.rmdir()
