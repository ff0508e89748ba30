"""Cache of what the fits on one split share: data, fitted transformers and their outputs.

Each value in the cache has a `DataKey`, and a transformer is looked up by the keys of its inputs. A
key is found by the identity of an object that was handed out to the current fit, and only if the
object is as it was (`_protected_value`). The key of an output is a new number each time that it is
computed. So what was fitted on an output that has been evicted is not used for the output of a
second computation, which differs if the transformer draws random numbers. An output that is equal
to the evicted one, to the last bit, gets its number again.

A fitted transformer is used by several fits only as long as it does not change itself, its input or
y. Its state is summarized when it has been fitted, and compared after each real call of
``transform`` (`_state_summary`). If something has changed, the cache is *spoiled*: the current fit
has to run again without shared work, and the transformer is not shared from then on.

Nothing simpler works. A hash of each input, as in joblib.Memory, reads all data again for each
lookup, and identity alone gives wrong scores after a transformer that modifies its input. State in
classes, global variables and files is not seen: a transformer that keeps some there would break it.
``tests/execution/test_transform_cache.py`` watches the lookups, and ``test_hostile.py`` compares
scores with scikit-learn's for transformers that modify their inputs, outputs and themselves.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, NamedTuple, TypeAlias

from skdistsearch._typing import ArrayLike
from skdistsearch.execution._protected_value import DataKey, ProtectedValue
from skdistsearch.execution._state_summary import summarize
from skdistsearch.execution._transformer_slots import size_mb

_NO_VALUE = DataKey("None", "")  # of y, if there is none

Phase: TypeAlias = Literal["fit", "score"]
"""The time of a fit that some work belongs to: ``fit_time`` or ``score_time``."""


class FitKey(NamedTuple):
    """Identifies the fit of a transformer: equal keys, equal results."""

    token: int
    """Number of the transformer in `skdistsearch._batch.SharedWork`."""
    inputs: tuple[DataKey, ...]
    """Keys of X and of y, if there is one."""
    method: str
    """``"fit"`` or ``"fit_transform"``."""
    params: Hashable
    """Names and keys of the fit parameters."""


@dataclass(eq=False)
class CachedFit:
    """A fitted transformer and its outputs."""

    key: FitKey
    """Key of the fit."""
    fitted: Any
    """The fitted transformer."""
    state: Hashable
    """Summary of its state after the fit."""
    output: ProtectedValue | None = None
    """Output for the training part. None if only ``fit`` was called."""
    transforms: dict[DataKey, ProtectedValue] = field(default_factory=dict)
    """Output of ``transform`` by key of the input."""

    @property
    def outputs(self) -> list[ProtectedValue]:
        """All outputs."""
        return [*([self.output] if self.output else []), *self.transforms.values()]

    @property
    def memory_mb(self) -> float:
        """Approximate memory of the transformer and its outputs, in MB."""
        return size_mb(self.fitted) + sum(size_mb(output.value) for output in self.outputs)


@dataclass
class TimeCorrections:
    """Seconds to add to the times of a fit, so that fits share the cost of shared work equally."""

    fit: float = 0.0
    """To add to ``fit_time``."""
    score: float = 0.0
    """To add to ``score_time``."""


class SharedSeconds:
    """Seconds of work, divided among the fits that use it. Their parts add up to it.

    Work that is done again because its result was evicted is divided among the fits that are left.
    """

    def __init__(self) -> None:
        self._owed = 0.0

    def add(self, seconds: float) -> None:
        """Add work that was done."""
        self._owed += seconds

    def charge(self, cost: float, cost_left: float) -> float:
        """Return the part of a fit, in proportion to its cost.

        ``cost_left``: the sum for all fits that have not been charged, including this one.
        """
        part = self._owed * cost / max(cost_left, cost)
        self._owed -= part
        return part


class TransformCache:
    """Data, fitted transformers and outputs that the fits on one split share, in one process.

    Parameters
    ----------
    budget_mb : float
        Memory for cached fits in MB, in addition to those that the current fit uses.
    cost_left : callable
        Returns the costs of all fits that need some work and have not ended, given its token. Each
        of them is charged its part of the time that the work takes.
    unshareable : set of int
        Tokens of transformers that must not be shared. The cache adds those that turn out to be.
    """

    def __init__(
        self,
        budget_mb: float,
        cost_left: Callable[[int], float],
        unshareable: set[int] | None = None,
    ) -> None:
        self._budget_mb, self._cost_left = budget_mb, cost_left
        self.unshareable = set() if unshareable is None else unshareable
        """Tokens of transformers that must not be shared."""
        self.is_spoiled = False
        """True if the current fit has to run again without shared work."""
        self._numbers = count()
        self._handed_out: dict[int, tuple[ArrayLike, ProtectedValue]] = {}
        self._fits: dict[FitKey, CachedFit] = {}  # the least recently used one first
        self._sizes_mb: dict[FitKey, float] = {}
        self._evicted: dict[tuple[FitKey, DataKey | None], tuple[DataKey, bytes | None]] = {}
        self._computing: list[DataKey | None] = []
        self._seconds: dict[tuple[int, Phase], SharedSeconds] = defaultdict(SharedSeconds)
        self._used: set[tuple[int, Phase]] = set()
        self._costs: Mapping[int, float] = {}
        self._times = TimeCorrections()

    def begin_fit(self, costs: Mapping[int, float]) -> None:
        """Forget what belongs to the previous fit. ``costs``: those of the new one, by token."""
        self._costs = costs
        self._handed_out.clear()
        self._used.clear()
        self._times = TimeCorrections()
        self.is_spoiled = False

    def spoil(self, token: int) -> None:
        """Mark the current fit as spoiled, and stop sharing the transformer that has spoiled it.

        Others may contain it, so all are evicted.
        """
        self.is_spoiled = True
        self.unshareable.add(token)
        self.evict_unneeded(lambda token: False)

    def evict_unneeded(self, is_needed: Callable[[int], bool]) -> None:
        """Evict the transformers that no remaining fit needs. ``is_needed`` gets their tokens."""
        for key in [key for key in self._fits if not is_needed(key.token)]:
            self.evict(key)

    def protect(self, value: ArrayLike, part: str) -> ProtectedValue | None:
        """Return a protected value with a new key, or None if it cannot be protected.

        ``part``: the part of the split that the value is.
        """
        return ProtectedValue.protect(value, self._new_key(part), can_rebuild=True)

    def share(
        self, protected: ProtectedValue, rebuild: Callable[[], ArrayLike] | None = None
    ) -> ArrayLike:
        """Return a protected value for the current fit, made by ``rebuild`` if necessary."""
        value = rebuild() if rebuild and protected.needs_rebuild else protected.share()
        self._handed_out[id(value)] = value, protected
        return value

    def find_data_key(self, value: ArrayLike) -> DataKey | None:
        """Return the key of a value, or None if it is not known or has been changed."""
        if value is None:
            return _NO_VALUE
        protected = self._find_unchanged(value)
        return None if protected is None else protected.key

    def find_columns_key(self, columns: Hashable) -> DataKey | None:
        """Return the key of columns of the data that a ColumnTransformer is being run on."""
        data_key = self._computing[-1] if self._computing else None
        return data_key and DataKey((columns, data_key.identity), data_key.part)

    def get_or_fit(
        self, key: FitKey, transformer: Any, data: Any, compute: Callable[[], ArrayLike]
    ) -> tuple[CachedFit | None, ArrayLike]:
        """Return the fit with ``key``, if it can be shared, and the output for the training part.

        Parameters
        ----------
        key : FitKey
            Key of the fit.
        transformer : estimator
            The transformer to fit, unless there is such a fit.
        data : iterable
            All data that it gets.
        compute : callable
            Calls ``fit`` or ``fit_transform``.
        """
        cached_fit = self.find_fit(key)
        if cached_fit is not None:
            self._use(key.token, "fit")
        else:
            result, seconds = self.compute_on(key.inputs[0], compute)
            cached_fit = self._make_fit(key, transformer, data, result)
            if cached_fit is None:
                return None, result
            self._use(key.token, "fit", seconds)
            self._enforce_budget(cached_fit)
        output = cached_fit.output
        return cached_fit, None if output is None else self.share(output)

    def get_or_transform(
        self, cached_fit: CachedFit, key: DataKey, X: ArrayLike, compute: Callable[[], ArrayLike]
    ) -> ArrayLike:
        """Return the transform of ``X``, computed if necessary. ``key`` is the key of ``X``."""
        phase: Phase | None = "score" if key.part == "test" else None
        protected = cached_fit.transforms.get(key)
        if protected is not None and protected.is_intact():
            self._use(cached_fit.key.token, phase)
            return self.share(protected)
        output, seconds = self.transform_checked(cached_fit, key, X, compute)
        self._use(cached_fit.key.token, phase, seconds)
        is_cached = cached_fit.key in self._fits  # it may have been evicted to free memory
        new = self._protect_output(output, cached_fit.key, key) if is_cached else None
        if new is None:
            return output
        cached_fit.transforms[key] = new
        self._enforce_budget(cached_fit)
        return self.share(new)

    def transform_checked(
        self,
        cached_fit: CachedFit,
        key: DataKey | None,
        X: ArrayLike,
        compute: Callable[[], ArrayLike],
    ) -> tuple[ArrayLike, float]:
        """Return the result of ``compute``, a transform of ``X`` with ``key``, and its seconds.

        A transformer that changes itself or ``X`` is no longer shared: another transform would then
        give another result.
        """
        output, seconds = self.compute_on(key, compute)
        if summarize(cached_fit.fitted) != cached_fit.state or self._are_changed([X]):
            self.spoil(cached_fit.key.token)
        return output, seconds

    def compute_on(
        self, key: DataKey | None, compute: Callable[[], ArrayLike]
    ) -> tuple[ArrayLike, float]:
        """Return the result of ``compute``, which works on the data with ``key``, and its time."""
        start = time.perf_counter()
        with self._computing_on(key):
            output = compute()
        return output, time.perf_counter() - start

    @property
    def is_computing(self) -> bool:
        """True while a transformer computes."""
        return bool(self._computing)

    def settle_times(self) -> TimeCorrections:
        """Charge the current fit its parts of the work that it used, and return its corrections."""
        for token, phase in self._used:
            part = self._seconds[token, phase].charge(
                self._costs.get(token, 1.0), self._cost_left(token)
            )
            setattr(self._times, phase, getattr(self._times, phase) + part)
        self._used.clear()
        return self._times

    def _use(self, token: int, phase: Phase | None, seconds: float = 0.0) -> None:
        """Note that the current fit uses work, for which it has just spent some seconds."""
        if self._computing or phase is None:
            return  # included in the time of the transformer around it, or not timed
        self._used.add((token, phase))
        self._seconds[token, phase].add(seconds)
        setattr(self._times, phase, getattr(self._times, phase) - seconds)

    def find_fit(self, key: FitKey) -> CachedFit | None:
        """Return the fit with ``key``, if there is one that can be used."""
        cached_fit = self._fits.pop(key, None)
        if cached_fit is None:
            return None
        self._fits[key] = cached_fit  # at the end, as the most recently used one
        if cached_fit.output is not None and not cached_fit.output.is_intact():
            self.evict(key)
            return None
        return cached_fit

    def _make_fit(
        self, key: FitKey, transformer: Any, data: Any, result: ArrayLike
    ) -> CachedFit | None:
        """Add a fit to the cache. Return None if it cannot be shared."""
        if self._are_changed(data):
            self.spoil(key.token)
            return None
        cached_fit = CachedFit(key, transformer, summarize(transformer))
        if result is not transformer:
            cached_fit.output = self._protect_output(result, key)
            if cached_fit.output is None:
                return None
        self._fits[key] = cached_fit
        return cached_fit

    def _protect_output(
        self, value: ArrayLike, key: FitKey, input_key: DataKey | None = None
    ) -> ProtectedValue | None:
        """Protect the output of a fit, of ``transform`` if there is an ``input_key``."""
        if known := self._find_unchanged(value):  # of a transformer that returned its input
            return known
        part = (input_key or key.inputs[0]).part
        protected = ProtectedValue.protect(value, self._new_key(part))
        evicted_key, digest = self._evicted.get((key, input_key), (None, None))
        if protected and evicted_key and digest and protected.digest() == digest:
            protected.key = evicted_key
        return protected

    def _new_key(self, part: str) -> DataKey:
        return DataKey(next(self._numbers), part)

    def _find_unchanged(self, value: ArrayLike) -> ProtectedValue | None:
        _, protected = self._handed_out.get(id(value), (None, None))
        return protected if protected is not None and protected.is_unchanged(value) else None

    def _are_changed(self, values: Any) -> bool:
        """Return True if one of the values was handed out and has been changed."""
        return any(
            id(value) in self._handed_out and self._find_unchanged(value) is None
            for value in values
        )

    @contextmanager
    def _computing_on(self, key: DataKey | None) -> Iterator[None]:
        self._computing.append(key)
        try:
            yield
        finally:
            self._computing.pop()

    def _enforce_budget(self, current: CachedFit) -> None:
        """Evict the least recently used fits, but the current one only if it is too large."""
        self._sizes_mb[current.key] = current.memory_mb
        for key in list(self._fits):
            if sum(self._sizes_mb.values()) <= self._budget_mb:
                break
            if key != current.key or self._sizes_mb[key] > self._budget_mb:
                self._remember(self._fits[key])
                self.evict(key)

    def _remember(self, cached_fit: CachedFit) -> None:
        """Remember the outputs of a fit, to recognize them if they are computed again."""
        for data_key, output in [(None, cached_fit.output), *cached_fit.transforms.items()]:
            source = cached_fit.key, data_key
            if output is not None and self._evicted.get(source, (None,))[0] != output.key:
                self._evicted[source] = output.key, output.digest()

    def evict(self, key: FitKey) -> None:
        """Forget a fit."""
        del self._fits[key]
        self._sizes_mb.pop(key, None)
