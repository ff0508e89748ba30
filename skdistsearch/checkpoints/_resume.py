"""Finished fits of earlier processes, and what makes a fit the same as one of them.

A fit's key is a digest of all that its result depends on: estimator and parameters, data,
indices, scorer, fit parameters, scikit-learn's configuration, and the versions of what computes.
A checkpoint holds outcomes by key; a search that names it runs only what is missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from skdistsearch._batch import Batch
from skdistsearch._outcome import ArtifactRef, Outcome
from skdistsearch.checkpoints._fingerprint import FitKeys
from skdistsearch.checkpoints._history import (
    FITS,
    earlier_searches,
    log_reuse,
    save_description,
    timestamp_ms,
)
from skdistsearch.exceptions import CheckpointError, StoreError
from skdistsearch.scheduling import seconds_by_candidate
from skdistsearch.storage import (
    MODEL,
    JournalUploader,
    JournalWriter,
    Store,
    default_data_dir,
    iter_journal_folders,
    iter_recorded,
    open_store,
    temporary_folder,
    with_store_url,
)

Run = Callable[[Batch], Iterator[Outcome]]


def checkpoint_url(checkpoint: Any, root: str = "") -> str:
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
    return str(default_data_dir().absolute() / "checkpoints")


def resume_from_checkpoint(run: Run, url: str) -> Run:
    """A `Backend.run` that runs only fits of which the checkpoint at ``url`` has no outcome.

    For one search: its rounds are described in the checkpoint once.
    """
    is_first = True

    def resume(batch: Batch) -> Iterator[Outcome]:
        nonlocal is_first
        keys, found = _looked_up(open_store(url), batch, describe=is_first)
        is_first = False
        for fit, outcome in found.items():
            yield replace(outcome, fit=fit, batch=batch.key, callbacks_fired=False, stdout="")
        missing = [fit for fit in range(len(batch)) if fit not in found]
        if missing:
            yield from _run_missing(run, url, _prepared(batch, keys, found), missing)

    return resume


def _looked_up(
    store: Store, batch: Batch, *, describe: bool
) -> tuple[list[str], dict[int, Outcome]]:
    """The fits' keys, and the outcomes that the checkpoint has; tells the log what it has."""
    identity = FitKeys(batch)
    earlier = earlier_searches(store) if describe else []
    found = _found(store, identity.keys)
    log_reuse(store.url, identity, len(found), earlier)
    if describe:
        try:
            save_description(store, identity)
        except StoreError:
            if len(found) < len(batch):  # otherwise there is nothing more to write
                raise
    return identity.keys, found


def _found(store: Store, keys: list[str]) -> dict[int, Outcome]:
    """Outcomes that the checkpoint has, by number of the fit; of several the first."""
    numbers = {key: fit for fit, key in enumerate(keys)}
    found: dict[int, Outcome] = {}
    with closing(iter_journal_folders(store, FITS)) as parts:
        for part in parts:
            place = f"{FITS}/{part.name}"
            there = cache(partial(_files_in, store, place))
            for key, outcome in iter_finished(part):
                if key in numbers and (not outcome.files or _names(outcome) <= there()):
                    files = with_store_url(outcome.files, f"{store.url}/{place}")
                    found.setdefault(numbers[key], replace(outcome, files=files, is_persisted=True))
    return dict(sorted(found.items()))


def _files_in(store: Store, place: str) -> set[str]:
    return {name.rpartition("/")[2] for name in store.list_names(f"{place}/")}


def _names(outcome: Outcome) -> set[str]:
    return {file.name for file in outcome.files.values() if isinstance(file, ArtifactRef)}


def iter_finished(part: Path) -> Iterator[tuple[str, Outcome]]:
    """Key and outcome of each fit that a batch has finished; what raised or was lost has not."""
    return ((key, outcome) for key, outcome in iter_recorded(part) if outcome.status == "ok")


def _prepared(batch: Batch, keys: list[str], found: Mapping[int, Outcome]) -> Batch:
    """With keys, and with how long fits took whose candidates have been on other splits."""
    took = {fit: _seconds(outcome) for fit, outcome in found.items()}
    seconds = seconds_by_candidate([fit.candidate for fit in batch.fits], took)
    fits = [replace(fit, key=key) for fit, key in zip(batch.fits, keys, strict=True)]
    return replace(batch, fits=fits, seconds=seconds)


def _seconds(outcome: Outcome) -> float:
    if outcome.finished_at:
        return outcome.finished_at - outcome.started_at
    times = outcome.result or {}
    return float(times.get("fit_time", 0.0) + times.get("score_time", 0.0))


def _run_missing(run: Run, url: str, batch: Batch, missing: list[int]) -> Iterator[Outcome]:
    """Run some fits of ``batch``; keep what nobody has kept."""
    known = batch.seconds or {}
    seconds = {number: known[fit] for number, fit in enumerate(missing) if fit in known}
    record = f"{url}/{FITS}/{timestamp_ms()}-{batch.key}"
    batch = replace(batch.only(missing), record=record, seconds=seconds or None)
    _make_place(record)
    with ExitStack() as stack:
        outcomes = stack.enter_context(closing(_closeable(run(batch))))
        recorder = None
        for outcome in outcomes:
            if outcome.status == "ok" and not outcome.is_persisted:
                recorder = recorder or stack.enter_context(_recorder(batch))
                outcome = _kept(recorder.write_outcome(outcome), outcome, record)
            yield replace(outcome, fit=missing[outcome.fit])


def _kept(is_persisted: Outcome, outcome: Outcome, record: str) -> Outcome:
    """The outcome, whose model is in the record now; where that is far away, nothing else is."""
    files = with_store_url(is_persisted.files, record)
    if record.startswith("s3://"):
        models = {what: file for what, file in files.items() if what == MODEL}
        files = {**outcome.files, **models}
    return replace(outcome, files=files, is_persisted=True)


def _make_place(record: str) -> None:
    """Find out before the first fit ends that it could not be kept."""
    if record.startswith("s3://"):  # `save_description` has written there
        return
    try:
        Path(record).mkdir(mode=0o700, parents=True)
    except OSError as exc:
        raise StoreError(f"No record of the fits can be made in {record}: {exc}") from exc


def _closeable(outcomes: Iterator[Outcome]) -> Generator[Outcome]:
    yield from outcomes


@contextmanager
def _recorder(batch: Batch) -> Iterator[JournalWriter]:
    """A record that this process keeps: of fits that ran in it, or that a backend handed over."""
    if not batch.record.startswith("s3://"):
        with JournalWriter(Path(batch.record), batch) as recorder:
            yield recorder
        return
    with (
        temporary_folder() as folder,
        JournalUploader(folder, open_store(batch.record)),
        JournalWriter(folder, batch) as recorder,
    ):
        yield recorder
