"""Cache of what the fits on one split share: data, fitted transformers and their outputs.

Each value in the cache has a `DataKey`, and a transformer is looked up by the keys of its inputs. A
key is found by the identity of the object, which is valid only while the object is not modified.
The trick is to share values in a form that keeps this true. Arrays and sparse matrices are made
read-only, with every array that they are a view of. Each fit gets its own shallow copy of a data
frame or list. A copy is compared with the original when it comes back as an input: if a fit has
changed it, it has no key, and nothing is looked up or stored for it.

Nothing simpler works. A hash of each input, as in joblib.Memory, reads all data again for each
lookup, and identity alone gives wrong scores after a transformer that modifies its input. In pandas
< 3 a copy of a frame may differ from it in memory layout: slices are made again for each fit there.

A type that can be modified despite a read-only flag or behind an equal copy would break it: only
the types below are protected, and values of other types are computed again for each fit. So would a
transformer that makes a read-only array writeable again.
``tests/execution/test_transform_cache.py`` watches the protection of each type, and
``tests/execution/test_shared_work.py`` compares scores with scikit-learn's for transformers that
modify their inputs, their outputs and themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from skdistsearch._typing import ArrayLike
from skdistsearch.execution._transformer_slots import key_of, size_mb

DataKey: TypeAlias = Hashable
"""Identifies a value that fits share: equal keys, equal values. None for a value that is not known.
The last item of a tuple is the key of the data that the value was made from."""

_IMMUTABLE_TYPES = {str, bytes, int, float, bool, type(None)}
_CHECKED_LIST_MAX = 100  # longest list whose items are compared to notice changes
_SPARSE_ARRAYS = ("data", "indices", "indptr", "row", "col", "coords")


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


class ProtectedValue:
    """A value that fits can share, because none of them can change it."""

    def __init__(self, value: ArrayLike, key: DataKey) -> None:
        self.value, self.key = value, key
        self._is_copied = _is_frame(value) or isinstance(value, list)

    @classmethod
    def protect(
        cls, value: ArrayLike, key: DataKey, *, can_rebuild: bool = False
    ) -> ProtectedValue | None:
        """Return the protected value, or None if values of its type cannot be protected.

        ``can_rebuild``: the value can be made again, for a fit that cannot get a copy.
        """
        is_protected = (
            _freeze(value)
            or (_is_frame(value) and (can_rebuild or _has_copy_on_write()))
            or (isinstance(value, list) and _are_immutable(value))
        )
        return cls(value, key) if is_protected else None

    @property
    def needs_rebuild(self) -> bool:
        """True if a copy would differ from the value: in pandas < 3, in its memory layout."""
        return _is_frame(self.value) and not _has_copy_on_write()

    def share(self) -> ArrayLike:
        """Return the value for one fit."""
        if isinstance(self.value, list):
            return list(self.value)
        return self.value.copy(deep=False) if self._is_copied else self.value

    def is_unchanged(self, shared: ArrayLike) -> bool:
        """Return True if ``shared``, which a fit got, still equals the value."""
        if not self._is_copied:
            return True
        if isinstance(self.value, list):
            return bool(self.value == shared)
        return bool(self.value.equals(shared))


def _freeze(value: ArrayLike) -> bool:
    """Make an array, dense or sparse, read-only. Return False if that does not protect it."""
    if type(value) in (np.ndarray, np.memmap):
        base: Any = value
        while isinstance(base, np.ndarray):  # the array that this is a view of could be modified
            base.flags.writeable = False
            base = base.base
        return not value.dtype.hasobject or _are_immutable(value.ravel().tolist())
    if sparse.issparse(value) and value.format in ("csr", "csc", "coo", "bsr"):
        for name in _SPARSE_ARRAYS:
            arrays = getattr(value, name, ())
            for array in arrays if isinstance(arrays, tuple) else (arrays,):
                array.flags.writeable = False
        return True
    return False


def _are_immutable(values: list[Any]) -> bool:
    return set(map(type, values)) <= _IMMUTABLE_TYPES


def _is_frame(value: object) -> bool:
    module, name = type(value).__module__.partition(".")[0], type(value).__name__
    return module == "pandas" and name in ("DataFrame", "Series")


@cache
def _has_copy_on_write() -> bool:
    """Return True if no write to a shallow copy of a frame reaches the frame: in pandas >= 3."""
    import pandas as pd

    return int(pd.__version__.partition(".")[0]) >= 3


@dataclass(eq=False)
class CachedFit:
    """A fitted transformer and its outputs."""

    key: FitKey
    """Key of the fit."""
    fitted: Any
    """The fitted transformer."""
    seconds: float
    """Duration of the fit."""
    output: ProtectedValue | None = None
    """Output for the training part. None if only ``fit`` was called."""
    transforms: dict[DataKey, tuple[ProtectedValue, float]] = field(default_factory=dict)
    """By key of the input: the output of ``transform``, and its duration in seconds."""
    is_shareable: bool = True
    """False if the result is valid for the current fit only."""

    @property
    def memory_mb(self) -> float:
        """Approximate memory of the transformer and its outputs, in MB."""
        outputs = [self.output, *(output for output, _ in self.transforms.values())]
        return size_mb(self.fitted) + sum(size_mb(output.value) for output in outputs if output)


@dataclass
class TimeCorrections:
    """Seconds to add to the times of a fit, so that fits share the cost of shared work equally."""

    fit: float = 0.0
    """To add to ``fit_time``."""
    score: float = 0.0
    """To add to ``score_time``."""


class TransformCache:
    """Data, fitted transformers and outputs that the fits on one split share, in one process.

    Parameters
    ----------
    budget_mb : float
        Memory for cached fits in MB, in addition to those that the current fit uses.
    n_users : callable
        Returns the number of fits that need a transformer, given its token. Each of them is charged
        an equal part of the transformer's time.
    """

    def __init__(self, budget_mb: float, n_users: Callable[[int], int]) -> None:
        self._budget_mb, self._n_users = budget_mb, n_users
        self._known: dict[int, tuple[ArrayLike, ProtectedValue]] = {}
        self._shared_copies: dict[int, tuple[ArrayLike, ProtectedValue]] = {}
        self._fits: dict[FitKey, CachedFit] = {}  # the least recently used one first
        self._sizes_mb: dict[FitKey, float] = {}
        self._computing: list[DataKey] = []
        self._accounted: set[tuple[FitKey, str]] = set()
        self.times = TimeCorrections()
        """Of the current fit."""

    def begin_fit(self) -> None:
        """Forget what belongs to the previous fit."""
        self._shared_copies.clear()
        self._accounted.clear()
        self.times = TimeCorrections()

    def evict_unneeded(self, is_needed: Callable[[int], bool]) -> None:
        """Evict the transformers that no remaining fit needs. ``is_needed`` gets their tokens."""
        for key in [key for key in self._fits if not is_needed(key.token)]:
            self._evict(key)

    def add_input(self, value: ArrayLike, key: DataKey) -> ProtectedValue | None:
        """Protect and add a part of the split's data. Return None if it cannot be protected."""
        protected = ProtectedValue.protect(value, key, can_rebuild=True)
        if protected is not None:
            self._known[id(value)] = value, protected
        return protected

    def share(
        self, protected: ProtectedValue, rebuild: Callable[[], ArrayLike] | None = None
    ) -> ArrayLike:
        """Return a protected value for the current fit, made by ``rebuild`` if necessary."""
        value = rebuild() if rebuild and protected.needs_rebuild else protected.share()
        if value is not protected.value:
            self._shared_copies[id(value)] = value, protected
        return value

    def find_data_key(self, value: ArrayLike) -> DataKey | None:
        """Return the key of a value, or None if it is not known or has been changed."""
        if value is None:
            return "None"
        _, protected = (
            self._shared_copies.get(id(value)) or self._known.get(id(value)) or (None, None)
        )
        if protected is None or not protected.is_unchanged(value):
            return None
        return protected.key

    def find_columns_key(self, columns: Hashable) -> DataKey | None:
        """Return the key of columns of the data that a ColumnTransformer is being run on."""
        return (columns, self._computing[-1]) if self._computing else None

    def get_or_fit(
        self, key: FitKey, transformer: Any, X: ArrayLike, compute: Callable[[], ArrayLike]
    ) -> tuple[CachedFit, bool]:
        """Return the fit with ``key``, and True if ``compute`` had to make it.

        ``compute`` calls ``fit`` or ``fit_transform`` of ``transformer`` on ``X``.
        """
        cached_fit = self._fits.pop(key, None)
        if cached_fit is not None:
            self._fits[key] = cached_fit  # at the end, as the most recently used one
            return cached_fit, False
        output, seconds = self._compute_timed(key.inputs[0], compute)
        has_output, is_valid = output is not transformer, self._is_unchanged(X)
        cached_fit = CachedFit(key, transformer, seconds)
        if has_output and is_valid:
            cached_fit.output = self._protect(output, key)
        cached_fit.is_shareable = is_valid and has_output == (cached_fit.output is not None)
        if cached_fit.is_shareable:
            self._fits[key] = cached_fit
            self._enforce_budget(cached_fit)
        elif has_output:
            cached_fit.output = ProtectedValue(output, None)
        return cached_fit, True

    def get_or_transform(
        self,
        cached_fit: CachedFit,
        key: DataKey,
        X: ArrayLike,
        compute: Callable[[], ArrayLike],
    ) -> tuple[ArrayLike, float, bool]:
        """Return the transform of ``X``, its seconds, and True if ``compute`` had to make it.

        ``key`` is the key of ``X``.
        """
        if key in cached_fit.transforms:
            protected, seconds = cached_fit.transforms[key]
            return self.share(protected), seconds, False
        output, seconds = self._compute_timed(
            key, lambda: self.transform_checked(cached_fit, X, compute)
        )
        is_cached = cached_fit.key in self._fits  # it may have been evicted to free memory
        output_key = (cached_fit.key, key)
        new = self._protect(output, output_key) if is_cached else None
        if new is None:
            return output, seconds, True
        cached_fit.transforms[key] = new, seconds
        self._enforce_budget(cached_fit)
        return self.share(new), seconds, True

    def transform_checked(
        self, cached_fit: CachedFit, X: ArrayLike, compute: Callable[[], ArrayLike]
    ) -> ArrayLike:
        """Return the result of ``compute``, a transform of ``X`` by a cached transformer.

        If that changes the transformer or ``X``, the transformer is no longer shared: another
        transform of ``X`` would then give another result.
        """
        state = _snapshot(cached_fit.fitted)
        output = compute()
        if _snapshot(cached_fit.fitted) != state or not self._is_unchanged(X):
            cached_fit.is_shareable = False
            if cached_fit.key in self._fits:
                self._evict(cached_fit.key)
        return output

    def account_time(
        self,
        cached_fit: CachedFit,
        phase: Literal["fit", "score"],
        seconds: float,
        *,
        computed_here: bool,
    ) -> None:
        """Charge the current fit its part of the time of shared work.

        Parameters
        ----------
        cached_fit : CachedFit
            The transformer that did the work.
        phase : "fit" or "score"
            The time of the fit that the work belongs to.
        seconds : float
            Duration of the work.
        computed_here : bool
            True if the work was done in the current fit, whose measured time then includes it.
        """
        if self._computing or not cached_fit.is_shareable:
            return  # included in the time of the transformer around it, or not shared
        correction = -seconds if computed_here else 0.0
        if (cached_fit.key, phase) not in self._accounted:
            self._accounted.add((cached_fit.key, phase))
            correction += seconds / self._n_users(cached_fit.key.token)
        setattr(self.times, phase, getattr(self.times, phase) + correction)

    def _is_unchanged(self, value: ArrayLike) -> bool:
        """Return True unless ``value`` is a copy for the current fit that has been changed."""
        _, protected = self._shared_copies.get(id(value), (None, None))
        return protected is None or protected.is_unchanged(value)

    def _compute_timed(
        self, key: DataKey, compute: Callable[[], ArrayLike]
    ) -> tuple[ArrayLike, float]:
        """Return the result of ``compute``, which works on the data with ``key``, and its time."""
        start = time.perf_counter()
        with self._computing_on(key):
            output = compute()
        return output, time.perf_counter() - start

    @contextmanager
    def _computing_on(self, key: DataKey) -> Iterator[None]:
        self._computing.append(key)
        try:
            yield
        finally:
            self._computing.pop()

    def _protect(self, value: ArrayLike, key: DataKey) -> ProtectedValue | None:
        if id(value) in self._known:  # a transformer that returned its input
            return self._known[id(value)][1]
        protected = ProtectedValue.protect(value, key)
        if protected is not None:
            self._known[id(value)] = value, protected
        return protected

    def _enforce_budget(self, current: CachedFit) -> None:
        """Evict the least recently used fits, but the current one only if it is too large."""
        self._sizes_mb[current.key] = current.memory_mb
        for key in list(self._fits):
            if sum(self._sizes_mb.values()) <= self._budget_mb:
                break
            if key != current.key or self._sizes_mb[key] > self._budget_mb:
                self._evict(key)

    def _evict(self, key: FitKey) -> None:
        cached_fit = self._fits.pop(key)
        self._sizes_mb.pop(key, None)
        outputs = [(cached_fit.output, key)] + [
            (output, (key, input_key)) for input_key, (output, _) in cached_fit.transforms.items()
        ]
        for output, output_key in outputs:
            if output is not None and output.key == output_key:  # else it is the input itself
                self._known.pop(id(output.value), None)


def _snapshot(value: object) -> object:
    """Return a cheap summary of a transformer that differs after most changes to its state."""
    if isinstance(value, BaseEstimator):
        return [(name, _snapshot(part)) for name, part in vars(value).items()]
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return key_of(value)
    if isinstance(value, list | tuple) and len(value) <= _CHECKED_LIST_MAX:
        return id(value), list(map(_snapshot, value))
    return id(value), len(value) if isinstance(value, Sized) else 0
