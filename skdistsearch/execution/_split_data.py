"""The training and test part of one split, as scikit-learn asks for them, made once for many fits.

scikit-learn's function slices whatever it is given with whatever indices it is given: it asks an
array for ``array[indices]``. Here it gets a `_View` for each array, and as indices two short arrays
that say which part is meant (tests/test_runner.py watches that on every release).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split

from skdistsearch._batch import n_samples
from skdistsearch.execution._transform_cache import ProtectedValue, TransformCache

_MARKS = {"train": np.array([0]), "test": np.array([1])}
SLICED_PARAMS = ("fit_params", "score_params")  # dicts of what else may be sliced


class SplitData:
    """What scikit-learn's function gets instead of X, y, train and test.

    Parameters
    ----------
    arguments : tuple
        The function's positional arguments: estimator, X, y.
    keywords : mapping
        Its keyword arguments.
    memo : Memo
        Where the parts are kept.
    """

    def __init__(
        self, arguments: tuple[Any, ...], keywords: Mapping[str, Any], memo: TransformCache
    ) -> None:
        _, X, y = arguments
        self._n = n_samples(X)
        indices = {part: keywords[part] for part in ("train", "test")}
        self._parts = _Parts(indices, memo, self._n or 0)
        self.data = (self._view(X, ""), None if y is None else self._view(y, "y"))
        """Instead of X and y."""
        self.keywords: dict[str, Any] = dict(_MARKS)
        """Instead of the keyword arguments of the same names."""
        for name in SLICED_PARAMS:
            if keywords.get(name):
                self.keywords[name] = self._params(name, keywords[name])

    def _params(self, group: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._view(value, f"{group} {name}") if n_samples(value) == self._n else value
            for name, value in params.items()
        }

    def _view(self, whole: Any, name: str) -> _View:
        return _View(self._parts, whole, name)

    @property
    def seconds(self) -> float:
        """How long it took to make all parts that were asked for."""
        return self._parts.seconds


class _Parts:
    """Makes the parts. It knows nothing of who asks: what is a cycle stays in memory for long."""

    def __init__(self, indices: Mapping[str, Any], memo: TransformCache, n_samples: int) -> None:
        self._indices, self._memo = indices, memo
        self.n_samples = n_samples
        """Of the whole."""
        self.seconds = 0.0

    def part(self, whole: Any, part: str) -> Any:
        """A part of one of the arrays, anew."""
        begin = time.perf_counter()
        found = _safe_indexing(whole, self._indices[part])
        self.seconds += time.perf_counter() - begin
        return found

    def original(self, value: Any, name: str, part: str) -> ProtectedValue | None:
        """What was made, kept if it can be shared."""
        return self._memo.root(value, (name, part) if name else part)

    def hand_out(self, original: ProtectedValue, whole: Any, part: str) -> Any:
        """What is shared, for the fit at hand."""
        return self._memo.hand_out(original, lambda: self.part(whole, part))


class _View:
    """One of the arrays: what ``view[train]`` and ``view[test]`` give is made once."""

    def __init__(self, parts: _Parts, whole: Any, name: str) -> None:
        self._parts, self._whole, self._name = parts, whole, name
        self._made: dict[str, ProtectedValue | None] = {}

    @property
    def shape(self) -> tuple[int]:
        """By which scikit-learn knows an array, and its length."""
        return (self._parts.n_samples,)

    def __getitem__(self, key: Any) -> Any:
        part = _part_of(key)
        if part not in self._made:
            value = self._parts.part(self._whole, part)
            self._made[part] = self._parts.original(value, self._name, part)
            if self._made[part] is None:  # what cannot be protected is made for each fit
                return value
        original = self._made[part]
        if original is None:
            return self._parts.part(self._whole, part)
        return self._parts.hand_out(original, self._whole, part)


def _part_of(key: Any) -> str:
    indices = key[0] if isinstance(key, tuple) else key  # scikit-learn>=1.9 asks for [indices, ...]
    return next(part for part, mark in _MARKS.items() if np.array_equal(mark, indices))


def test_part(estimator: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """X of the test part, as scikit-learn's function gives it to a scorer."""
    X = arguments[1]
    found, _ = _safe_split(estimator, X, None, keywords["test"], keywords["train"])
    return found
