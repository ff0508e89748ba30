"""What the fits of a batch have in common, found before they run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skdistsearch._batch import Batch, SharedWork
from skdistsearch._outcome import Outcome, closeable
from skdistsearch.execution._split_data import SplitData
from skdistsearch.execution._transformer_slots import (
    TransformerSlot,
    iter_slots,
    key_of,
    size_mb,
    with_parameters,
)

Run = Callable[[Batch], Iterator[Outcome]]

_WITH_SPOTS = (Pipeline, FeatureUnion, ColumnTransformer)
_DATA_MIN_MB = 1.0  # of X: less is sliced in less time than it takes to share the slices


def share_work(run: Run, budget_mb: float | None) -> Run:
    """``run``, with what fits have in common noted; equal fits are run once."""
    if budget_mb is not None and not budget_mb >= 0:
        raise ValueError(f"cache_mb={budget_mb!r} must be None or at least 0 megabytes.")
    if budget_mb == 0:
        return run

    def shared(batch: Batch) -> Generator[Outcome]:
        batch = with_shared_work(batch, budget_mb)
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
        stdout, callbacks_fired = (
            (outcome.stdout, outcome.callbacks_fired) if number == 0 else ("", False)
        )
        yield replace(
            outcome, fit=fit, result=result, stdout=stdout, callbacks_fired=callbacks_fired
        )


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


def with_shared_work(batch: Batch, budget_mb: float | None) -> Batch:
    """The batch, with the work that its fits can share, if there is any."""
    if not _has_one_split_per_number(batch):
        return batch
    if not SplitData.fits(batch.arguments, batch.keywords_of(0), batch.settings):
        return batch
    pieces = _pieces(batch)
    if not any(pieces) and not _is_big(batch):
        return batch
    return replace(batch, common=SharedWork(pieces, budget_mb))


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
    of_key: dict[Any, list[TransformerSlot]] = {}
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


def _spots(estimator: Any, parameters: Any) -> list[TransformerSlot]:
    try:
        return list(iter_slots(with_parameters(estimator, parameters)))
    except Exception:  # a candidate that cannot be set: its fit says so
        return []
