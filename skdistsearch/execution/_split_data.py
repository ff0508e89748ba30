"""Training and test data of one split, sliced once for all fits on the split.

scikit-learn's function slices X, y and each array among the fit and score parameters itself, for
each fit. The trick is to give it a `_View` instead of each array, and as ``train`` and ``test`` two
short marker arrays that stand for the real indices. scikit-learn evaluates ``view[marker]``, and
the view answers with the part of the data, which was sliced once.

Nothing simpler works. The function has no parameter for data that has been sliced, and it applies
both sets of indices to the same X and y, so that slices cannot be passed in the place of X.

A scikit-learn that looks at the indices, at the type of the data or at more than its ``shape``
before it slices would break it. ``tests/execution/test_split_data.py`` compares scikit-learn's
slices of a view with its slices of the data itself, on every release that the tests run on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split

from skdistsearch._batch import n_samples
from skdistsearch._typing import ArrayLike, Indices
from skdistsearch.execution._protected_value import ProtectedValue
from skdistsearch.execution._slice_files import SliceFiles, is_sliced_in_files
from skdistsearch.execution._transform_cache import SharedSeconds, TransformCache

_MARKERS = {"train": np.array([0]), "test": np.array([1])}
SLICED_PARAMS = ("fit_params", "score_params")
"""Keyword arguments of scikit-learn's function: dicts with values that it may slice."""


class SplitData:
    """Arguments for scikit-learn's function that replace X, y, train and test.

    Parameters
    ----------
    arguments : tuple
        The function's positional arguments: estimator, X, y.
    keywords : mapping
        The function's keyword arguments.
    cache : TransformCache
        Cache for the parts.
    files : SliceFiles or None, default=None
        Files for the slices of large data.
    """

    def __init__(
        self,
        arguments: tuple[Any, ...],
        keywords: Mapping[str, Any],
        cache: TransformCache,
        files: SliceFiles | None = None,
    ) -> None:
        _, X, y = arguments
        indices = {part: keywords[part] for part in ("train", "test")}
        self._n_rows = n_samples(X)
        self._shared_seconds = SharedSeconds()
        self._slicer = _Slicer(indices, cache, self._n_rows or 0, files)
        self._can_be_private = files is not None and is_sliced_in_files(X)
        self.data = (_View(self._slicer, X), None if y is None else _View(self._slicer, y))
        """Replacements for X and y."""
        self.keywords: dict[str, Any] = dict(_MARKERS)
        """Replacements for keyword arguments."""
        for name in SLICED_PARAMS:
            if keywords.get(name):
                self.keywords[name] = self._params_with_views(keywords[name])

    def begin_fit(self, *, can_be_private: bool) -> bool:
        """Choose the data of the next fit: slices of its own if they cost no memory.

        Returns True if it gets those. No earlier work can be looked up for them.
        ``can_be_private``: none has to be.
        """
        self._slicer.is_private = self._can_be_private and can_be_private
        return self._slicer.is_private

    def close(self) -> None:
        """Stop using the data."""
        if self._slicer.files is not None:
            self._slicer.files.close()

    def _params_with_views(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: _View(self._slicer, value) if n_samples(value) == self._n_rows else value
            for name, value in params.items()
        }

    def settle_seconds(self, n_left: int) -> float:
        """Return the seconds to add to the time of a fit, so that fits share those of slicing.

        ``n_left``: number of fits of the split that have not ended, including this one.
        """
        slicer = self._slicer
        spent, slicer.seconds = slicer.seconds, 0.0
        self._shared_seconds.add(spent)
        return self._shared_seconds.charge(1, n_left) - spent


class _Slicer:
    """Slices the arrays. Holds no reference to its callers, to avoid reference cycles."""

    def __init__(
        self,
        indices: Mapping[str, Indices],
        cache: TransformCache,
        n_rows: int,
        files: SliceFiles | None = None,
    ) -> None:
        self._indices, self._cache = indices, cache
        self._numbers = count()
        self.files = files
        """Files for the slices of large data."""
        self.n_rows = n_rows
        """Number of rows of each array."""
        self.is_private = False
        """True if the current fit gets slices of its own."""
        self.seconds = 0.0
        """Time that the current fit has spent on slicing."""

    def next_name(self) -> str:
        """Return a name for an array, the same in all processes."""
        return str(next(self._numbers))

    def slice(self, array: ArrayLike, name: str, part: str) -> ArrayLike:
        """Return a new slice of an array: its ``"train"`` or ``"test"`` part."""
        start, indices = time.perf_counter(), self._indices[part]
        make_slice, rows = partial(_safe_indexing, array, indices), None
        if self.files is not None:
            rows = self.files.load(f"{name}-{part}", array, indices, make_slice)
        if rows is None:
            rows = make_slice()
        self.seconds += time.perf_counter() - start
        return rows

    def protect(self, rows: ArrayLike, part: str) -> ProtectedValue | None:
        """Protect a slice. Return None if fits cannot share it."""
        return self._cache.protect(rows, part)

    def share(self, protected: ProtectedValue, rebuild: Callable[[], ArrayLike]) -> ArrayLike:
        """Return a shared slice for the current fit."""
        return self._cache.share(protected, rebuild)


class _View:
    """Stands for an array. ``view[marker]`` slices the array once, and shares the slice."""

    def __init__(self, slicer: _Slicer, array: ArrayLike) -> None:
        self._slicer, self._array, self._name = slicer, array, slicer.next_name()
        self._protected: dict[str, ProtectedValue | None] = {}

    @property
    def shape(self) -> tuple[int]:
        """Number of rows: the attribute by which scikit-learn recognises an array."""
        return (self._slicer.n_rows,)

    def __getitem__(self, key: Any) -> ArrayLike:
        slicer, part = self._slicer, _find_part(key)
        make_slice = partial(slicer.slice, self._array, self._name, part)
        if slicer.is_private:
            return make_slice()
        if not self._has_slice(part):
            rows = make_slice()
            self._protected[part] = slicer.protect(rows, part)
            if self._protected[part] is None:
                return rows
        protected = self._protected[part]
        if protected is None:  # not shareable: each fit gets a slice of its own
            return make_slice()
        return slicer.share(protected, make_slice)

    def _has_slice(self, part: str) -> bool:
        """Return False if the slice has not been made, or the memory of it has been changed."""
        if part not in self._protected:
            return False
        protected = self._protected[part]
        return protected is None or protected.is_intact()


def _find_part(key: Any) -> str:
    """Return the part that a marker stands for."""
    indices = key[0] if isinstance(key, tuple) else key  # scikit-learn>=1.9: [indices, ...]
    return next(part for part, marker in _MARKERS.items() if np.array_equal(marker, indices))


def slice_test_part(
    estimator: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> ArrayLike:
    """Return X of the test part, as scikit-learn's function passes it to a scorer."""
    X = arguments[1]
    X_test, _ = _safe_split(estimator, X, None, keywords["test"], keywords["train"])
    return X_test
