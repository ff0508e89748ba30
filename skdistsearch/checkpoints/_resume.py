"""Finished fits of earlier processes, and what makes a fit the same as one of them.

A fit's key is a digest of all that its result depends on: estimator and parameters, data,
indices, scorer, fit parameters, scikit-learn's configuration, and the versions of what computes.
A checkpoint holds outcomes by key; a search that names it runs only what is missing.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import sklearn

from skdistsearch._batch import Batch
from skdistsearch._outcome import File, Outcome
from skdistsearch.checkpoints._digest import Digester
from skdistsearch.checkpoints._versions import versions
from skdistsearch.exceptions import CheckpointError, RecordError, StoreError
from skdistsearch.scheduling._factoring import seconds_by_candidate
from skdistsearch.storage._artifacts import MODEL, located
from skdistsearch.storage._journal import Recorder, kept_in
from skdistsearch.storage._journal_sync import Push, fetch
from skdistsearch.storage._paths import private_folder, private_root
from skdistsearch.storage._store import Store, open_store

Run = Callable[[Batch], Iterator[Outcome]]

FORMAT = 1
FITS, ABOUT = "fits", "about"
"""Where in a checkpoint records are, and descriptions of the searches that used it."""
# Required by scikit-learn or by what computes, and no number depends on them
_NO_NUMBERS = {"cloudpickle", "joblib", "loky", "narwhals", "packaging", "threadpoolctl"}
_COMPARED_MAX = 20  # earlier searches that one that starts afresh is compared with

_log = logging.getLogger("skdistsearch")


def locate(checkpoint: Any, root: str = "") -> str:
    """The folder or the URL that a user's ``checkpoint`` means.

    ``root`` is where names go that are no paths; empty: beside the runs on this machine.
    """
    with suppress(TypeError, RuntimeError):  # no path, or of a home that nobody has
        place = os.fspath(checkpoint)
        if isinstance(checkpoint, str) and re.match(r"s3://[^/]", checkpoint):
            return checkpoint.rstrip("/")
        if isinstance(checkpoint, str) and re.fullmatch(r"\w[\w.+-]*", checkpoint):
            return f"{root or named_root()}/{checkpoint}"
        is_path = not isinstance(checkpoint, str) or re.search(r"^[.~]|[/\\]", checkpoint)
        if is_path and not re.match(r"\w[\w+.-]+:/", place):  # Path("s3://bucket") is "s3:/bucket"
            return str(Path(place).expanduser().absolute())
    raise CheckpointError(
        f"checkpoint={checkpoint!r} is no checkpoint: give a name of letters, digits, '.', '+', "
        "'-' and '_', or a folder's path, or s3://bucket/prefix as a string."
    )


def named_root() -> str:
    """Where on this machine checkpoints are that have a name only."""
    return str(private_root().absolute() / "checkpoints")


def resuming(run: Run, url: str) -> Run:
    """A `Backend.run` that runs only fits of which the checkpoint at ``url`` has no outcome.

    For one search: its rounds are described in the checkpoint once.
    """
    is_first = True

    def resume(batch: Batch) -> Iterator[Outcome]:
        nonlocal is_first
        keys, found = _looked_up(open_store(url), batch, describe=is_first)
        is_first = False
        for fit, outcome in found.items():
            yield replace(outcome, fit=fit, batch=batch.key, told=False, printed="")
        missing = [fit for fit in range(len(batch)) if fit not in found]
        if missing:
            yield from _run_missing(run, url, _prepared(batch, keys, found), missing)

    return resume


def _looked_up(
    store: Store, batch: Batch, *, describe: bool
) -> tuple[list[str], dict[int, Outcome]]:
    """The fits' keys, and the outcomes that the checkpoint has; tells the log what it has."""
    identity = Identity(batch)
    earlier = earlier_searches(store) if describe else []
    found = _found(store, identity.keys)
    _say_what_is_there(store.url, identity, len(found), earlier)
    if describe:
        try:
            _describe(store, identity)
        except StoreError:
            if len(found) < len(batch):  # otherwise there is nothing more to write
                raise
    return identity.keys, found


def _found(store: Store, keys: list[str]) -> dict[int, Outcome]:
    """Outcomes that the checkpoint has, by number of the fit; of several the first."""
    numbers = {key: fit for fit, key in enumerate(keys)}
    found: dict[int, Outcome] = {}
    with closing(fetch(store, FITS)) as parts:
        for part in parts:
            place = f"{FITS}/{part.name}"
            there = cache(partial(_files_in, store, place))
            for key, outcome in finished_in(part):
                if key in numbers and (not outcome.files or _names(outcome) <= there()):
                    files = located(outcome.files, f"{store.url}/{place}")
                    found.setdefault(numbers[key], replace(outcome, files=files, recorded=True))
    return dict(sorted(found.items()))


def _files_in(store: Store, place: str) -> set[str]:
    return {name.rpartition("/")[2] for name in store.names(f"{place}/")}


def _names(outcome: Outcome) -> set[str]:
    return {file.name for file in outcome.files.values() if isinstance(file, File)}


def finished_in(part: Path) -> Iterator[tuple[str, Outcome]]:
    """Key and outcome of each fit that a batch has finished; what raised or was lost has not."""
    return ((key, outcome) for key, outcome in kept_in(part) if outcome.status == "ok")


def _prepared(batch: Batch, keys: list[str], found: Mapping[int, Outcome]) -> Batch:
    """With keys, and with how long fits took whose candidates have been on other splits."""
    took = {fit: _seconds(outcome) for fit, outcome in found.items()}
    seconds = seconds_by_candidate([fit.candidate for fit in batch.fits], took)
    fits = [replace(fit, key=key) for fit, key in zip(batch.fits, keys, strict=True)]
    return replace(batch, fits=fits, seconds=seconds)


def _seconds(outcome: Outcome) -> float:
    if outcome.ended:
        return outcome.ended - outcome.began
    times = outcome.result or {}
    return float(times.get("fit_time", 0.0) + times.get("score_time", 0.0))


def _run_missing(run: Run, url: str, batch: Batch, missing: list[int]) -> Iterator[Outcome]:
    """Run some fits of ``batch``; keep what nobody has kept."""
    known = batch.seconds or {}
    seconds = {number: known[fit] for number, fit in enumerate(missing) if fit in known}
    record = f"{url}/{FITS}/{_now()}-{batch.key}"
    batch = replace(batch.only(missing), record=record, seconds=seconds or None)
    _make_place(record)
    with ExitStack() as stack:
        outcomes = stack.enter_context(closing(_closeable(run(batch))))
        recorder = None
        for outcome in outcomes:
            if outcome.status == "ok" and not outcome.recorded:
                recorder = recorder or stack.enter_context(_recorder(batch))
                outcome = _kept(recorder.finished(outcome), outcome, record)
            yield replace(outcome, fit=missing[outcome.fit])


def _kept(recorded: Outcome, outcome: Outcome, record: str) -> Outcome:
    """The outcome, whose model is in the record now; where that is far away, nothing else is."""
    files = located(recorded.files, record)
    if record.startswith("s3://"):
        models = {what: file for what, file in files.items() if what == MODEL}
        files = {**outcome.files, **models}
    return replace(outcome, files=files, recorded=True)


def _now() -> str:
    """Milliseconds since 1970, to be sorted by: what was kept first comes first."""
    return f"{time.time_ns() // 1_000_000:013d}"


def _make_place(record: str) -> None:
    """Find out before the first fit ends that it could not be kept."""
    if record.startswith("s3://"):  # `_describe` has written there
        return
    try:
        Path(record).mkdir(mode=0o700, parents=True)
    except OSError as exc:
        raise StoreError(f"No record of the fits can be made in {record}: {exc}") from exc


def _closeable(outcomes: Iterator[Outcome]) -> Generator[Outcome]:
    yield from outcomes


@contextmanager
def _recorder(batch: Batch) -> Iterator[Recorder]:
    """A record that this process keeps: of fits that ran in it, or that a backend handed over."""
    if not batch.record.startswith("s3://"):
        with Recorder(Path(batch.record), batch) as recorder:
            yield recorder
        return
    with (
        private_folder() as folder,
        Push(folder, open_store(batch.record)),
        Recorder(folder, batch) as recorder,
    ):
        yield recorder


class Identity:
    """What the fits of a batch depend on, as digests.

    A fit's key is made of its own values alone: it is the same in whatever batch the fit is.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._known: dict[int, tuple[str, str]] = {}  # by id: the batch keeps the values alive
        self._seals: dict[int, str] = {}
        self.versions = _versions_of_numbers()
        """What computes the fits: names and versions."""
        self._versions_of = cache(self._look_up)
        names = chain(["estimator", "X", "y"], (f"argument {n}" for n in count(3)))
        arguments = dict(zip(names, batch.arguments, strict=False)) | {"config": batch.settings}
        if batch.keep is not None:
            arguments |= vars(batch.keep)
        shared = {name: value for name, value in batch.shared.items() if name not in batch.aside}
        self.parts = {
            path: self._look_at(part, path)[0]
            for name, value in (arguments | shared).items()
            if name not in batch.own
            for path, part in _paths(name, value)
        }
        """Digest of each thing that all fits depend on."""
        seals = {name: self._seal(value, name) for name, value in arguments.items()}
        self._common = _sha256([seals, _versions_of_numbers()])
        self._shared = [f"{name} {self._seal(value, name)}" for name, value in shared.items()]
        self.keys = list(_told_apart(self._key(fit) for fit in range(len(batch))))
        """A key for each fit."""

    def __len__(self) -> int:
        return len(self._batch)

    def _key(self, fit: int) -> str:
        own = self._batch.fits[fit].keywords
        apart = own.keys() - self._batch.aside
        seals = self._shared + [f"{name} {self._seal(own[name], name)}" for name in apart]
        text = "\n".join([self._common, *sorted(seals)])
        return sha256(text.encode()).hexdigest()[:32]

    def _seal(self, value: Any, name: str) -> str:
        """What stands for a value in a key, whatever its name is.

        Each value is looked at once: many fits have one dict, and many dicts one value.
        """
        if id(value) not in self._seals:
            parts = [self._look_at(part, path) for path, part in _paths(name, value)]
            self._seals[id(value)] = _sha256([list(value) if _is_named(value) else 0, parts])
        return self._seals[id(value)]

    def _look_at(self, value: Any, name: str) -> tuple[str, str]:
        """Digests of a value and of the versions behind it.

        A candidate's key has the versions behind its own values: another's are of no concern.
        """
        if id(value) not in self._known:
            digester = Digester()
            digest = digester.digest(value, name)
            self._known[id(value)] = digest, self._versions_of(frozenset(digester.modules))
        return self._known[id(value)]

    def _look_up(self, modules: frozenset[str]) -> str:
        found = {name: what for name, what in versions(modules).items() if name not in _NO_NUMBERS}
        self.versions = found | self.versions
        return _sha256(found)

    @property
    def splits(self) -> str:
        """A digest of all indices."""
        words = (self._batch.keywords_of(fit) for fit in range(len(self)))
        pairs = {
            tuple(self._seal(each[name], name) for name in ("train", "test")) for each in words
        }
        return _sha256(sorted(pairs))

    def __str__(self) -> str:
        estimator, X = (*self._batch.arguments, None)[:2]
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        candidates = len({fit.candidate for fit in self._batch.fits})
        splits = len({fit.split for fit in self._batch.fits})
        of = f"{type(estimator).__name__} on {type(X).__name__}{shape}"
        return f"{of}, candidates: {candidates}, splits: {splits}"


def _is_named(value: Any) -> bool:
    return type(value) is dict and bool(value) and all(type(key) is str for key in value)


def _paths(name: str, value: Any) -> list[tuple[str, Any]]:
    """What a keyword holds, under the names that a user knows: ``fit_params['sample_weight']``."""
    if not _is_named(value):
        return [(name, value)]
    return [(f"{name}[{key!r}]", part) for key, part in value.items()]


def _told_apart(keys: Iterable[str]) -> Iterator[str]:
    """Fits that are alike in all stay fits of their own: where chance is in it, they differ."""
    alike: Counter[str] = Counter()
    for key in keys:
        yield f"{key}-{alike[key]}" if alike[key] else key
        alike[key] += 1


def _sha256(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _versions_of_numbers() -> dict[str, str]:
    """Python's patch releases keep bytecode and numbers; the others are kept to the letter."""
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
    }


@dataclass(frozen=True)
class Uses:
    """Searches of one kind that used a checkpoint: equal but for their candidates."""

    about: Mapping[str, Any]
    """What the last of them said of itself: see `_describe`."""
    times_ms: tuple[int, ...]
    """When they began, in milliseconds since 1970."""


USE = re.compile(rf"{ABOUT}/(\d{{13}})-([0-9a-f]{{16}})\.json")
"""Names of the descriptions: when, and which kind of search."""


def _describe(store: Store, identity: Identity) -> None:
    """Leave word of this search in the checkpoint."""
    kind = {"parts": identity.parts, "splits": identity.splits, "versions": identity.versions}
    about = {"format": FORMAT, "search": str(identity), **kind}
    store.put(f"{ABOUT}/{_now()}-{_sha256(kind)[:16]}.json", json.dumps(about).encode())


def earlier_searches(store: Store, limit: int | None = _COMPARED_MAX) -> list[Uses]:
    """The kinds of searches that used a checkpoint, the last one first."""
    times: dict[str, list[int]] = {}
    for use in reversed(list(filter(None, map(USE.fullmatch, store.names(f"{ABOUT}/"))))):
        times.setdefault(use[2], []).append(int(use[1]))
    newest = {f"{ABOUT}/{at[0]:013d}-{kind}.json": at for kind, at in times.items()}
    names = list(newest)[:limit]
    read = zip(names, store.get_many(names), strict=True)
    return [Uses(_about(f"{store.url}/{name}", data), tuple(newest[name])) for name, data in read]


def _about(place: str, data: bytes) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(data)
        if about["format"] != FORMAT:
            raise RecordError(
                f"{place} is of a checkpoint of format {about['format']}; this version reads "
                f"{FORMAT}. Give the checkpoint another name, or use the version of skdistsearch "
                "that wrote it."
            )
        for name in ("parts", "versions"):
            dict.items(about[name])
        str.encode(about["splits"] + about["search"])
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise RecordError(f"{place} is damaged: {exc!r}. Delete it.") from exc
    return about


def _say_what_is_there(url: str, identity: Identity, n_found: int, earlier: list[Uses]) -> None:
    """Tell the log; if the search starts afresh, why: against the search that was most like it."""
    changes = [list(_differences(uses.about, identity)) for uses in earlier]
    least = min(changes, key=len, default=[])
    if least and not n_found:
        _log.warning("Checkpoint %s starts afresh: %s.", url, "; ".join(least))
        return
    because = f"; since then {'; '.join(least)}" if least and n_found < len(identity) else ""
    _log.info("Checkpoint %s has %d of %d fits%s.", url, n_found, len(identity), because)


def _differences(before: Mapping[str, Any], now: Identity) -> Iterator[str]:
    for name in sorted(before["parts"].keys() | now.parts.keys()):
        if before["parts"].get(name) != now.parts.get(name):
            yield f"{name} changed"
    if before["splits"] != now.splits:
        yield "the splits changed (without a random_state, those that are random always do)"
    for name in sorted(before["versions"].keys() & now.versions.keys()):
        if before["versions"][name] != now.versions[name]:
            yield f"{name} {before['versions'][name]} became {now.versions[name]}"
