"""which searches used a checkpoint."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skdistsearch.checkpoints._fingerprint import FitKeys, _sha256
from skdistsearch.exceptions import CorruptDataError
from skdistsearch.storage import Store

FORMAT = 1
FITS, ABOUT = "fits", "about"
"""Where in a checkpoint records are, and descriptions of the searches that used it."""
_COMPARED_MAX = 20  # earlier searches that one that starts afresh is compared with

_log = logging.getLogger("skdistsearch")


def _now() -> str:
    """Milliseconds since 1970, to be sorted by: what was kept first comes first."""
    return f"{time.time_ns() // 1_000_000:013d}"


@dataclass(frozen=True)
class SearchHistory:
    """SearchGroup of one kind that used a checkpoint: equal but for their candidates."""

    about: Mapping[str, Any]
    """What the last of them said of itself: see `_describe`."""
    times_ms: tuple[int, ...]
    """When they began, in milliseconds since 1970."""


USE = re.compile(rf"{ABOUT}/(\d{{13}})-([0-9a-f]{{16}})\.json")
"""Names of the descriptions: when, and which kind of search."""


def _describe(store: Store, identity: FitKeys) -> None:
    """Leave word of this search in the checkpoint."""
    kind = {"parts": identity.parts, "splits": identity.splits, "versions": identity.versions}
    about = {"format": FORMAT, "search": str(identity), **kind}
    store.put(f"{ABOUT}/{_now()}-{_sha256(kind)[:16]}.json", json.dumps(about).encode())


def earlier_searches(store: Store, limit: int | None = _COMPARED_MAX) -> list[SearchHistory]:
    """The kinds of searches that used a checkpoint, the last one first."""
    times: dict[str, list[int]] = {}
    for use in reversed(list(filter(None, map(USE.fullmatch, store.list_names(f"{ABOUT}/"))))):
        times.setdefault(use[2], []).append(int(use[1]))
    newest = {f"{ABOUT}/{at[0]:013d}-{kind}.json": at for kind, at in times.items()}
    names = list(newest)[:limit]
    read = zip(names, store.get_many(names), strict=True)
    return [
        SearchHistory(_about(f"{store.url}/{name}", data), tuple(newest[name]))
        for name, data in read
    ]


def _about(place: str, data: bytes) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(data)
        if about["format"] != FORMAT:
            raise CorruptDataError(
                f"{place} is of a checkpoint of format {about['format']}; this version reads "
                f"{FORMAT}. Give the checkpoint another name, or use the version of skdistsearch "
                "that wrote it."
            )
        for name in ("parts", "versions"):
            dict.items(about[name])
        str.encode(about["splits"] + about["search"])
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise CorruptDataError(f"{place} is damaged: {exc!r}. Delete it.") from exc
    return about


def _say_what_is_there(
    url: str, identity: FitKeys, n_found: int, earlier: list[SearchHistory]
) -> None:
    """Tell the log; if the search starts afresh, why: against the search that was most like it."""
    changes = [list(_differences(uses.about, identity)) for uses in earlier]
    least = min(changes, key=len, default=[])
    if least and not n_found:
        _log.warning("Checkpoint %s starts afresh: %s.", url, "; ".join(least))
        return
    because = f"; since then {'; '.join(least)}" if least and n_found < len(identity) else ""
    _log.info("Checkpoint %s has %d of %d fits%s.", url, n_found, len(identity), because)


def _differences(before: Mapping[str, Any], now: FitKeys) -> Iterator[str]:
    for name in sorted(before["parts"].keys() | now.parts.keys()):
        if before["parts"].get(name) != now.parts.get(name):
            yield f"{name} changed"
    if before["splits"] != now.splits:
        yield "the splits changed (without a random_state, those that are random always do)"
    for name in sorted(before["versions"].keys() & now.versions.keys()):
        if before["versions"][name] != now.versions[name]:
            yield f"{name} {before['versions'][name]} became {now.versions[name]}"
