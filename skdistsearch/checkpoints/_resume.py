"""Run only the fits that a checkpoint lacks, and save those that finish.

A checkpoint holds outcomes by the keys of their fits. The key of a fit is a digest of everything
its result depends on: estimator and parameters, data, indices, scorer, fit parameters,
scikit-learn's configuration, and the versions of the code (see `_fingerprint`).

A key cannot cover what the code reads by itself: environment variables, files, and attributes of
modules that are set at run time. Who changes these gives the checkpoint another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from skdistsearch._batch import Batch, Run, closing_outcomes
from skdistsearch._outcome import ArtifactRef, Outcome
from skdistsearch.checkpoints._code_check import CodeCheck, make_code_check
from skdistsearch.checkpoints._fingerprint import FitKeys
from skdistsearch.checkpoints._history import (
    FITS,
    earlier_searches,
    log_reuse,
    save_description,
    timestamp_ms,
)
from skdistsearch.exceptions import StoreError
from skdistsearch.scheduling import seconds_by_candidate
from skdistsearch.storage import (
    MODEL,
    SKOPS_MODEL,
    JournalUploader,
    JournalWriter,
    Store,
    iter_journal_folders,
    iter_recorded,
    open_store,
    temporary_folder,
    with_store_url,
)


def resume_from_checkpoint(run: Run, url: str) -> Run:
    """Wrap ``run`` so that it runs only the fits that the checkpoint at ``url`` lacks.

    For one search: the checkpoint describes a search once, at its first round.
    """
    is_first_round = True

    def run_missing_fits(batch: Batch) -> Iterator[Outcome]:
        nonlocal is_first_round
        describe, is_first_round = is_first_round, False
        yield from _run_missing(run, url, batch, range(len(batch)), describe=describe)

    return run_missing_fits


def run_chunk_from_checkpoint(
    run: Run, url: str, batch: Batch, chunk: Sequence[int]
) -> list[Outcome]:
    """Run only the fits of a chunk that the checkpoint at ``url`` lacks.

    The keys are those of the whole batch, in which equal fits of different chunks differ. The chunk
    of the first fit describes the search.
    """
    outcomes = {o.fit: o for o in _run_missing(run, url, batch, chunk, describe=0 in chunk)}
    return [outcomes[fit] for fit in chunk]


def _run_missing(
    run: Run, url: str, batch: Batch, fits: Sequence[int], *, describe: bool
) -> Iterator[Outcome]:
    """Yield the outcomes of some fits of a batch: those of the checkpoint first."""
    content = _look_up(open_store(url), batch, describe=describe)
    missing = [fit for fit in fits if fit not in content.outcomes]
    for fit in sorted(set(fits) - set(missing)):
        outcome = content.outcomes[fit]
        yield replace(outcome, fit=fit, batch=batch.key, callbacks_fired=False, stdout="")
    if missing:
        yield from _run_and_save(run, url, _with_expectations(batch, content), missing)


@dataclass(frozen=True)
class _Content:
    """Content of a checkpoint, as far as it concerns a batch."""

    keys: list[str]
    """The key of each fit of the batch."""
    outcomes: Mapping[int, Outcome]
    """Outcomes by number of the fit."""
    check_code: CodeCheck
    """Compares the code of a process with that of the keys."""


def _look_up(store: Store, batch: Batch, *, describe: bool) -> _Content:
    """Return what the checkpoint has of a batch, and log it."""
    fingerprint = FitKeys(batch)
    earlier = earlier_searches(store) if describe else []
    outcomes = _saved_outcomes(store, fingerprint.keys)
    log_reuse(store.url, fingerprint, len(outcomes), earlier)
    if describe:
        try:
            save_description(store, fingerprint)
        except StoreError:
            if len(outcomes) < len(batch):  # otherwise there is nothing left to write
                raise
    return _Content(fingerprint.keys, outcomes, make_code_check(fingerprint))


def _saved_outcomes(store: Store, keys: list[str]) -> dict[int, Outcome]:
    """Return the outcomes in the checkpoint, by number of the fit: the first one of each."""
    fits = {key: fit for fit, key in enumerate(keys)}
    outcomes: dict[int, Outcome] = {}
    with closing(iter_journal_folders(store, FITS)) as folders:
        for folder in folders:
            location = f"{FITS}/{folder.name}"
            stored_names = cache(partial(_artifact_names_in, store, location))
            for key, outcome in iter_finished(folder):
                if key in fits and (
                    not outcome.artifacts or _artifact_names(outcome) <= stored_names()
                ):
                    artifacts = with_store_url(outcome.artifacts, f"{store.url}/{location}")
                    outcome = replace(outcome, artifacts=artifacts, is_persisted=True)
                    outcomes.setdefault(fits[key], outcome)
    return dict(sorted(outcomes.items()))


def _artifact_names_in(store: Store, location: str) -> set[str]:
    return {name.rpartition("/")[2] for name in store.list_names(f"{location}/")}


def _artifact_names(outcome: Outcome) -> set[str]:
    return {file.name for file in outcome.artifacts.values() if isinstance(file, ArtifactRef)}


def iter_finished(folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield key and outcome of each fit in a journal that is ok; fits that failed run again."""
    return ((key, outcome) for key, outcome in iter_recorded(folder) if outcome.status == "ok")


def _with_expectations(batch: Batch, content: _Content) -> Batch:
    """Return the batch with keys, and with expected durations of fits."""
    durations = {fit: _duration_s(outcome) for fit, outcome in content.outcomes.items()}
    seconds = seconds_by_candidate([fit.candidate for fit in batch.fits], durations)
    return batch.with_context(
        fit_keys=content.keys, expected_seconds=seconds, check_code=content.check_code
    )


def _duration_s(outcome: Outcome) -> float:
    if outcome.finished_at:
        return outcome.finished_at - outcome.started_at
    if outcome.result is None:
        return 0.0
    return outcome.result.get("fit_time", 0.0) + outcome.result.get("score_time", 0.0)


def _run_and_save(run: Run, url: str, batch: Batch, missing: list[int]) -> Iterator[Outcome]:
    """Run the missing fits of ``batch``, and save outcomes that the backend has not saved."""
    journal_url = f"{url}/{FITS}/{timestamp_ms()}-{batch.key}"
    subset = batch.subset(missing).with_context(journal_url=journal_url)
    _create_folder(journal_url)
    with ExitStack() as stack:
        writer = None
        for outcome in stack.enter_context(closing_outcomes(run(subset))):
            if outcome.status == "ok" and not outcome.is_persisted:
                writer = writer or stack.enter_context(_open_writer(subset))
                outcome = _with_saved_artifacts(outcome, writer.write_outcome(outcome), journal_url)
            yield replace(outcome, fit=missing[outcome.fit])


def _with_saved_artifacts(outcome: Outcome, saved: Outcome, journal_url: str) -> Outcome:
    """Refer to the saved artifacts; keep the bytes of predictions that were saved to S3."""
    artifacts = with_store_url(saved.artifacts, journal_url)
    if journal_url.startswith("s3://"):
        models = {name: file for name, file in artifacts.items() if name in (MODEL, SKOPS_MODEL)}
        artifacts = {**outcome.artifacts, **models}
    return replace(outcome, artifacts=artifacts, is_persisted=True)


def _create_folder(journal_url: str) -> None:
    """Raise an error before the first fit if outcomes cannot be saved."""
    if journal_url.startswith("s3://"):  # `save_description` has written there
        return
    try:
        Path(journal_url).mkdir(mode=0o700, parents=True)
    except OSError as exc:
        raise StoreError(f"Could not create the journal folder {journal_url}: {exc}") from exc


@contextmanager
def _open_writer(batch: Batch) -> Iterator[JournalWriter]:
    """Open a journal for fits that ran in this process, or whose backend did not save them."""
    url = batch.context.journal_url
    if not url.startswith("s3://"):
        with JournalWriter(Path(url), batch) as writer:
            yield writer
        return
    with (
        temporary_folder() as folder,
        JournalUploader(folder, open_store(url)),
        JournalWriter(folder, batch) as writer,
    ):
        yield writer
