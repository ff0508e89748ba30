"""Find out, in the caller, which work the fits of a batch have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Hashable, Iterator
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skdistsearch._batch import BaseWork, Batch, Run, SharedWork, closing_outcomes, n_samples
from skdistsearch._outcome import Outcome
from skdistsearch._typing import Estimator, Parameters
from skdistsearch.execution._path_fit import find_base_family, find_path_members
from skdistsearch.execution._split_data import SLICED_PARAMS
from skdistsearch.execution._transformer_slots import (
    TransformerSlot,
    iter_slots,
    size_mb,
    with_parameters,
)
from skdistsearch.execution._value_key import key_of
from skdistsearch.storage import memory_mb

_CACHE_SHARE_OF_MEMORY = 0.25  # the fits themselves need the rest
_COMPOSITES = (Pipeline, FeatureUnion, ColumnTransformer)
_DATA_MIN_MB = 1.0  # size of X below which slicing it is faster than sharing the slices
_LARGE_DATA_MIN_MB = 64.0  # size of X from which its slices are made once per machine


def share_work(run: Run, cache_mb: float | None) -> Run:
    """Wrap ``run`` so that fits share work, and so that equal fits run once.

    Parameters
    ----------
    run : Run
        The ``run`` of a backend, or a wrapper around it.
    cache_mb : float or None
        Memory for shared work in each process, in MB. None: a part of the machine's memory. 0:
        returns ``run`` itself.
    """
    if cache_mb is not None and not cache_mb >= 0:
        raise ValueError(f"cache_mb={cache_mb!r} must be None or at least 0 megabytes.")
    if cache_mb == 0:
        return run

    def run_with_shared_work(batch: Batch) -> Generator[Outcome]:
        batch = with_shared_work(batch, cache_mb)
        equal_fits = defaultdict(list)
        for fit, first in enumerate(_first_equal_fits(batch)):
            equal_fits[first].append(fit)
        unique = list(equal_fits)
        subset = batch if len(unique) == len(batch) else batch.subset(unique)
        with closing_outcomes(run(subset)) as outcomes:
            for outcome in outcomes:
                yield from _distribute_outcome(outcome, equal_fits[unique[outcome.fit]])

    return run_with_shared_work


def _distribute_outcome(outcome: Outcome, fits: list[int]) -> Iterator[Outcome]:
    """Yield the outcome once for each of the equal fits, which share its times."""
    result = outcome.result
    if result is not None and len(fits) > 1:
        result = result.copy()
        for name in ("fit_time", "score_time"):
            if name in result:
                result[name] /= len(fits)
    for number, fit in enumerate(fits):
        is_first = number == 0
        yield replace(
            outcome,
            fit=fit,
            result=result,
            stdout=outcome.stdout if is_first else "",
            callbacks_fired=outcome.callbacks_fired and is_first,
        )


def _first_equal_fits(batch: Batch) -> list[int]:
    """Return, per fit, the first fit of the same candidate on the same split.

    Equal candidates are not equal fits if they draw random numbers without a seed, or if callbacks
    follow each of them.
    """
    if batch.local.callbacks or _is_random(batch):
        return list(range(len(batch)))
    candidates: dict[int, Hashable] = {}
    first_fits: dict[Hashable, int] = {}
    firsts = []
    for number, fit in enumerate(batch.fits):
        if fit.candidate not in candidates:
            candidates[fit.candidate] = tuple(
                (name, key_of(value)) for name, value in fit.parameters.items()
            )
        key = candidates[fit.candidate], fit.split, _split_identity(batch, number)
        firsts.append(first_fits.setdefault(key, number))
    return firsts


def _is_random(batch: Batch) -> bool:
    all_parameters = [batch.arguments[0].get_params(), *(fit.parameters for fit in batch.fits)]
    return any(map(_has_unseeded_estimator, all_parameters))


def _has_unseeded_estimator(parameters: Parameters) -> bool:
    return any(
        (value is None and name.rpartition("__")[2] == "random_state")
        or (isinstance(value, BaseEstimator) and _has_unseeded_estimator(value.get_params()))
        for name, value in parameters.items()
    )


def _split_identity(batch: Batch, fit: int) -> tuple[int, int]:
    """Return what tells splits apart: their indices are the same objects for all candidates."""
    keywords = batch.keywords_of(fit)
    return id(keywords["train"]), id(keywords["test"])


def with_shared_work(batch: Batch, cache_mb: float | None) -> Batch:
    """Return the batch with the work that its fits can share, if there is any."""
    if not _has_one_split_per_number(batch):
        return batch
    if not _can_share_slices(batch):
        return batch
    work = _find_shared_work(batch, cache_mb)
    if not any(work.tokens) and not work.paths and not _is_slicing_worth_sharing(batch):
        return batch
    is_large = size_mb(batch.arguments[1]) >= _LARGE_DATA_MIN_MB
    return batch.with_context(shared_work=replace(work, has_large_data=is_large))


def _can_share_slices(batch: Batch) -> bool:
    """Return True if `SplitData` slices the data of the batch as scikit-learn does."""
    _, X, y = batch.arguments
    keywords, n_rows = batch.keywords_of(0), n_samples(X)
    params = [value for name in SLICED_PARAMS for value in (keywords.get(name) or {}).values()]
    sliced = [X, *([] if y is None else [y]), *(p for p in params if n_samples(p) == n_rows)]
    return (
        n_rows is not None
        and not batch.sklearn_config.get("array_api_dispatch")
        and all(isinstance(keywords[part], np.ndarray) for part in ("train", "test"))
        and all(map(_is_sliced_unconverted, sliced))
    )


def _is_sliced_unconverted(value: object) -> bool:
    """Return False for types that scikit-learn may convert before it slices them."""
    module = type(value).__module__.partition(".")[0]
    return isinstance(value, np.ndarray | list) or module in ("pandas", "scipy")


def _has_one_split_per_number(batch: Batch) -> bool:
    splits = {(fit.split, _split_identity(batch, number)) for number, fit in enumerate(batch.fits)}
    return len(splits) == len({fit.split for fit in batch.fits})


def _is_slicing_worth_sharing(batch: Batch) -> bool:
    return (
        len({fit.candidate for fit in batch.fits}) > 1
        and size_mb(batch.arguments[1]) >= _DATA_MIN_MB
    )


def _find_shared_work(batch: Batch, cache_mb: float | None) -> SharedWork:
    tokens = _Tokens(n_samples(batch.arguments[1]) or 0)
    slots = _slots_by_candidate(batch, tokens)
    counts = Counter(token for found in slots.values() for token in {token for token, _ in found})
    counts.update(
        base.token
        for found in slots.values()
        for base in {tokens.bases[token] for token, _ in found if token in tokens.bases}
    )
    bases = {token: base for token, base in tokens.bases.items() if counts[base.token] > 1}
    shared = {token for token in counts if counts[token] > 1 or token in bases}
    by_candidate = {c: _tokens_to_share(found, shared) for c, found in slots.items()}
    if all(token is None for found in by_candidate.values() for token in found):
        by_candidate = dict.fromkeys(slots, ())
    return SharedWork(
        [by_candidate.get(fit.candidate, ()) for fit in batch.fits],
        cache_mb,
        paths=find_path_members(batch, first_token=len(tokens)),
        bases=bases,
    )


class _Tokens:
    """Numbers for the work of transformers: equal work, equal numbers."""

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._numbers: dict[Hashable, int] = {}
        self.bases: dict[int, BaseWork] = {}
        """Work that a transformer shares with those of other tokens, by its token."""

    def __len__(self) -> int:
        return len(self._numbers)

    def token_of(self, slot: TransformerSlot) -> int:
        """Return the token of a transformer's work."""
        if slot.key not in self._numbers:
            token = self._number_of(slot.key)
            if base := find_base_family(slot.transformer, self._n_rows):
                self.bases[token] = BaseWork(self._number_of(slot.base_key(base)), base)
        return self._numbers[slot.key]

    def _number_of(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def _slots_by_candidate(batch: Batch, tokens: _Tokens) -> dict[int, list[tuple[int, Hashable]]]:
    """Return the token and the columns of each candidate's transformers."""
    if not isinstance(batch.arguments[0], _COMPOSITES):
        return {}  # only a composite says which data its parts get
    slots_by_key: dict[Hashable, list[TransformerSlot]] = {}
    slots_by_candidate = {}
    for fit in batch.fits:
        if fit.candidate not in slots_by_candidate:
            key = _transformers_key(batch.arguments[0], fit.parameters)
            if key not in slots_by_key:  # building a candidate takes a millisecond
                slots_by_key[key] = _slots_of(batch.arguments[0], fit.parameters)
            slots_by_candidate[fit.candidate] = [
                (tokens.token_of(slot), slot.columns) for slot in slots_by_key[key]
            ]
    return slots_by_candidate


def _transformers_key(estimator: Estimator, parameters: Parameters) -> Hashable:
    """Return a key of the parameters that a candidate's transformers depend on.

    These are all but those of the model at the end, unless a parameter replaces all steps.
    """
    names = set(parameters)
    if isinstance(estimator, Pipeline) and "steps" not in names:
        model, value = estimator.steps[-1]
        if not isinstance(parameters.get(model, value), _COMPOSITES):
            names -= {name for name in names if name.partition("__")[0] == model}
    return frozenset((name, key_of(parameters[name])) for name in names)


def _tokens_to_share(
    slots: list[tuple[int, Hashable]], shared: Collection[int]
) -> tuple[int | None, ...]:
    """Return the tokens of the transformers that share work, None for the others.

    If a part of a ColumnTransformer is among them, return all tokens, because the input of the
    part is identified by the input of the whole.
    """
    if any(token in shared for token, columns in slots if columns is not None):
        return tuple(token for token, _ in slots)
    return tuple(token if token in shared else None for token, _ in slots)


def _slots_of(estimator: Estimator, parameters: Parameters) -> list[TransformerSlot]:
    try:
        return list(iter_slots(with_parameters(estimator, parameters)))
    except Exception:  # invalid parameters: the fit reports the error
        return []


def default_budget_mb() -> float:
    """Return the memory for cached work of all processes on this machine, in MB."""
    return memory_mb() * _CACHE_SHARE_OF_MEMORY


def divide_cache(batch: Batch, n_processes: int) -> Batch:
    """Divide the memory for cached work by the number of processes on this machine."""
    work = batch.context.shared_work
    if work is None or work.budget_mb is not None:
        return batch
    budget_mb = default_budget_mb() / n_processes
    return batch.with_context(shared_work=replace(work, budget_mb=budget_mb))
