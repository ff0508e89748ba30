"""History of a checkpoint: descriptions of the searches that used it, and what changed since."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skdistsearch.checkpoints._fingerprint import FitKeys, sha256_of_json
from skdistsearch.exceptions import CorruptDataError
from skdistsearch.storage import Store

FORMAT = 1
FITS, ABOUT = "fits", "about"
"""Prefixes in a checkpoint: of journals, and of descriptions of searches."""
_COMPARED_MAX = 20  # earlier searches to compare with a search that reuses no fit

_log = logging.getLogger("skdistsearch")


def timestamp_ms() -> str:
    """Return the milliseconds since 1970 as text whose order is that of time."""
    return f"{time.time_ns() // 1_000_000:013d}"


@dataclass(frozen=True)
class SearchHistory:
    """Searches that used a checkpoint and differ in their candidates only."""

    description: Mapping[str, Any]
    """Description of the last of them, see `save_description`."""
    times_ms: tuple[int, ...]
    """Start times in milliseconds since 1970, the last first."""


DESCRIPTION_NAME = re.compile(rf"{ABOUT}/(\d{{13}})-([0-9a-f]{{16}})\.json")
"""Name of a description: the start time, and a digest of all but the candidates."""


def save_description(store: Store, keys: FitKeys) -> None:
    """Add a description of a search to a checkpoint."""
    kind = {"digests": keys.digests, "splits": keys.splits, "versions": keys.versions}
    description = {"format": FORMAT, "search": str(keys), **kind}
    name = f"{ABOUT}/{timestamp_ms()}-{sha256_of_json(kind)[:16]}.json"
    store.put(name, json.dumps(description).encode())


def earlier_searches(store: Store, limit: int | None = _COMPARED_MAX) -> list[SearchHistory]:
    """Return the searches that used a checkpoint, grouped, the last group first."""
    times: dict[str, list[int]] = {}
    matches = filter(None, map(DESCRIPTION_NAME.fullmatch, store.list_names(f"{ABOUT}/")))
    for match in reversed(list(matches)):
        times.setdefault(match[2], []).append(int(match[1]))
    times_by_name = {f"{ABOUT}/{at[0]:013d}-{kind}.json": at for kind, at in times.items()}
    names = list(times_by_name)[:limit]
    return [
        SearchHistory(_parse_description(f"{store.url}/{name}", data), tuple(times_by_name[name]))
        for name, data in zip(names, store.get_many(names), strict=True)
    ]


def _parse_description(url: str, data: bytes) -> dict[str, Any]:
    try:
        description: dict[str, Any] = json.loads(data)
        if description["format"] != FORMAT:
            raise CorruptDataError(
                f"{url} has checkpoint format {description['format']}, but this version of "
                f"skdistsearch reads {FORMAT}. Give the checkpoint another name, or use the "
                "version of skdistsearch that wrote it."
            )
        for name in ("digests", "versions"):
            dict.items(description[name])
        str.encode(description["splits"] + description["search"])
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise CorruptDataError(f"{url} is corrupt: {exc!r}. Delete it.") from exc
    return description


def log_reuse(url: str, keys: FitKeys, n_reused: int, earlier: Sequence[SearchHistory]) -> None:
    """Log how many fits a checkpoint has, and what changed since the most similar search."""
    changes = [list(_iter_changes(search.description, keys)) for search in earlier]
    fewest = min(changes, key=len, default=[])
    if fewest and not n_reused:
        _log.warning("Checkpoint %s starts afresh: %s.", url, "; ".join(fewest))
        return
    reason = f"; since then {'; '.join(fewest)}" if fewest and n_reused < len(keys) else ""
    _log.info("Checkpoint %s has %d of %d fits%s.", url, n_reused, len(keys), reason)


def _iter_changes(before: Mapping[str, Any], now: FitKeys) -> Iterator[str]:
    for name in sorted(before["digests"].keys() | now.digests.keys()):
        if before["digests"].get(name) != now.digests.get(name):
            yield f"{name} changed"
    if before["splits"] != now.splits:
        yield "the splits changed (random splits without a random_state always do)"
    for name in sorted(before["versions"].keys() & now.versions.keys()):
        if before["versions"][name] != now.versions[name]:
            yield f"{name} {before['versions'][name]} became {now.versions[name]}"
