"""What the fits of a batch have in common, found before they run."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import accumulate, groupby
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skdistsearch._batch import Batch, Common
from skdistsearch._outcome import Outcome, closeable
from skdistsearch.execution._split_data import Slices
from skdistsearch.execution._transformer_slots import Spot, key_of, size_mb, spots, with_parameters
from skdistsearch.scheduling._chunks import TURN, Chunk, grouped

Run = Callable[[Batch], Iterator[Outcome]]

_WITH_SPOTS = (Pipeline, FeatureUnion, ColumnTransformer)
_DATA_MIN_MB = 1.0  # of X: less is sliced in less time than it takes to share the slices


def sharing(run: Run, budget_mb: float | None) -> Run:
    """``run``, with what fits have in common noted; equal fits are run once."""
    if budget_mb is not None and not budget_mb >= 0:
        raise ValueError(f"share_mb={budget_mb!r} must be None or at least 0 megabytes.")
    if budget_mb == 0:
        return run

    def shared(batch: Batch) -> Generator[Outcome]:
        batch = with_common(batch, budget_mb)
        firsts = _firsts(batch)
        alike = defaultdict(list)
        for fit, first in enumerate(firsts):
            alike[first].append(fit)
        only = list(alike)
        asked = batch if len(only) == len(batch) else batch.only(only)
        with closing(closeable(run(asked))) as outcomes:
            for outcome in outcomes:
                yield from _divided(outcome, alike[only[outcome.fit]])

    return shared


def _divided(outcome: Outcome, fits: list[int]) -> Iterator[Outcome]:
    """The outcome of a fit, for each of the fits that are alike: they share its times."""
    result = outcome.result
    if result is not None and len(fits) > 1:
        times = [name for name in ("fit_time", "score_time") if name in result]
        result = {**result, **{name: result[name] / len(fits) for name in times}}
    for number, fit in enumerate(fits):
        printed, told = (outcome.printed, outcome.told) if number == 0 else ("", False)
        yield replace(outcome, fit=fit, result=result, printed=printed, told=told)


def _firsts(batch: Batch) -> list[int]:
    """Per fit, the first one that is just like it: the same candidate on the same split.

    Where they draw from a source that nobody has seeded, equal candidates are not alike.
    """
    if _is_random(batch):
        return list(range(len(batch)))
    keys: dict[int, Any] = {}
    found: dict[Any, int] = {}
    firsts = []
    for number, fit in enumerate(batch.fits):
        if fit.candidate not in keys:
            keys[fit.candidate] = frozenset(
                (name, key_of(value)) for name, value in fit.parameters.items()
            )
        firsts.append(
            found.setdefault((keys[fit.candidate], fit.split, _data(batch, number)), number)
        )
    return firsts


def _is_random(batch: Batch) -> bool:
    given = [batch.arguments[0].get_params(), *(fit.parameters for fit in batch.fits)]
    return any(map(_is_unseeded, given))


def _is_unseeded(parameters: Mapping[str, Any]) -> bool:
    return any(
        (value is None and name.rpartition("__")[2] == "random_state")
        or (isinstance(value, BaseEstimator) and _is_unseeded(value.get_params()))
        for name, value in parameters.items()
    )


def _data(batch: Batch, fit: int) -> tuple[int, int]:
    """What tells two splits apart: the indices are the same objects for all candidates."""
    keywords = batch.keywords_of(fit)
    return id(keywords["train"]), id(keywords["test"])


def with_common(batch: Batch, budget_mb: float | None) -> Batch:
    """The batch, with the work that its fits can share, if there is any."""
    if not _has_one_split_per_number(batch):
        return batch
    if not Slices.fits(batch.arguments, batch.keywords_of(0), batch.settings):
        return batch
    pieces = _pieces(batch)
    if not any(pieces) and not _is_big(batch):
        return batch
    return replace(batch, common=Common(pieces, budget_mb))


def _has_one_split_per_number(batch: Batch) -> bool:
    data = {(fit.split, _data(batch, number)) for number, fit in enumerate(batch.fits)}
    return len(data) == len({fit.split for fit in batch.fits})


def _is_big(batch: Batch) -> bool:
    """Whether the slices of X are worth sharing, and there are fits to share them."""
    return (
        len({fit.candidate for fit in batch.fits}) > 1
        and size_mb(batch.arguments[1]) >= _DATA_MIN_MB
    )


def _pieces(batch: Batch) -> list[tuple[int | None, ...]]:
    """Per fit, the numbers of its shared pieces; an empty tuple where there are none."""
    numbers: dict[Any, int] = {}
    of_key: dict[Any, list[Spot]] = {}
    of_candidate: dict[int, list[tuple[int, Any]]] = {}
    if _may_have_spots(batch):
        for fit in batch.fits:
            if fit.candidate not in of_candidate:
                key = _before_the_model(batch.arguments[0], fit.parameters)
                if key not in of_key:  # to make a candidate takes a millisecond
                    of_key[key] = _spots(batch.arguments[0], fit.parameters)
                of_candidate[fit.candidate] = [
                    (numbers.setdefault(spot.key, len(numbers)), spot.columns)
                    for spot in of_key[key]
                ]
    counts = Counter(number for found in of_candidate.values() for number, _ in set(found))
    shared = {candidate: _shared(found, counts) for candidate, found in of_candidate.items()}
    some = any(number is not None for found in shared.values() for number in found)
    return [shared.get(fit.candidate, ()) if some else () for fit in batch.fits]


def _before_the_model(estimator: Any, parameters: Mapping[str, Any]) -> Any:
    """What the transformers of a candidate depend on: not its model's parameters."""
    names = set(parameters)
    if isinstance(estimator, Pipeline):
        model, value = estimator.steps[-1]
        if not isinstance(parameters.get(model, value), _WITH_SPOTS):
            names -= {name for name in names if name.partition("__")[0] == model}
    return frozenset((name, key_of(parameters[name])) for name in names)


def _shared(found: list[tuple[int, Any]], counts: Counter[int]) -> tuple[int | None, ...]:
    """The numbers of what other candidates have too.

    If a part of a ColumnTransformer is among them, all: the part's input is known by the whole's.
    """
    if any(counts[number] > 1 for number, columns in found if columns is not None):
        return tuple(number for number, _ in found)
    return tuple(number if counts[number] > 1 else None for number, _ in found)


def _may_have_spots(batch: Batch) -> bool:
    # Of other estimators, nobody but they themselves knows what data their parts get
    return isinstance(batch.arguments[0], _WITH_SPOTS)


def _spots(estimator: Any, parameters: Any) -> list[Spot]:
    try:
        return list(spots(with_parameters(estimator, parameters)))
    except Exception:  # a candidate that cannot be set: its fit says so
        return []


def arranged(batch: Batch, fits: Sequence[int]) -> list[Chunk]:
    """The fits, in groups that share data and work, in the order in which to run them.

    Where nothing is shared, all are one group.
    """
    if batch.common is None:
        return [tuple(fits)] if fits else []
    groups = defaultdict(list)
    for fit in fits:
        groups[batch.fits[fit].split, _first(batch.common.pieces[fit])].append(fit)
    found = [
        tuple(sorted(group, key=lambda fit: (_order(batch, fit), fit)))
        for _, group in sorted(groups.items())
    ]
    if batch.seconds:
        seconds = batch.seconds
        found.sort(key=lambda group: -sum(seconds.get(fit, 0.0) for fit in group))
    return found


def shares_work(batch: Batch) -> bool:
    """Whether fits share transformers, which is worth more than slices of X."""
    return batch.common is not None and any(batch.common.pieces)


def spread(batch: Batch, fits: Sequence[int], n_chunks: int) -> list[Chunk]:
    """Chunks that take equally long, as far as is known, and cut few groups that share work.

    Chunks run apart: what two of them need, each does for itself.
    """
    order = [fit for group in arranged(batch, fits) for fit in _mixed(batch, group)]
    known = batch.seconds or {}
    usual = statistics.fmean(known.values()) if known else 1.0
    begins = [0.0, *accumulate(known.get(fit, usual) for fit in order)]
    n_chunks = min(n_chunks, len(order))
    found = groupby(range(len(order)), lambda at: _chunk_at(begins, at, n_chunks))
    chunks = [tuple(order[at] for at in places) for _, places in found]
    return sorted(chunks, key=lambda chunk: -sum(known.get(fit, usual) for fit in chunk))


def by_group(batch: Batch, fits: Sequence[int], workers: int, chunks_max: int = 200) -> list[Chunk]:
    """A chunk for each group that shares work; several where there are more workers than groups.

    For tasks that start when a worker is free, so that nobody has to know how long a group takes.
    """
    groups = [_mixed(batch, group) for group in arranged(batch, fits)]
    if len(groups) > max(chunks_max, workers):
        return spread(batch, fits, max(chunks_max, workers))
    n_parts = max(1, workers // len(groups))
    size = {len(group): math.ceil(len(group) / n_parts) for group in groups}
    chunks = [part for group in groups for part in grouped(group, size[len(group)])]
    known = batch.seconds or {}
    usual = statistics.fmean(known.values()) if known else 1.0
    return sorted(chunks, key=lambda chunk: -sum(known.get(fit, usual) for fit in chunk))


def _chunk_at(begins: list[float], at: int, n_chunks: int) -> int:
    """Which chunk has the middle of a fit."""
    middle = (begins[at] + begins[at + 1]) / 2
    return int(middle / begins[-1] * n_chunks)


def _mixed(batch: Batch, group: Chunk) -> Chunk:
    """A group whose fits share all alike, in an order in which each part is like the whole."""
    if batch.common is None or len({batch.common.pieces[fit] for fit in group}) > 1:
        return group
    return tuple(fit for _, fit in sorted((n * TURN % 1, fit) for n, fit in enumerate(group)))


def _first(pieces: tuple[int | None, ...]) -> int:
    return next((number for number in pieces if number is not None), -1)


def _order(batch: Batch, fit: int) -> tuple[int, ...]:
    """Fits that have more in common are nearer to each other."""
    assert batch.common is not None
    return tuple(-1 if number is None else number for number in batch.common.pieces[fit])
