"""What the fits on one split share: their data, and the work of the transformers they have alike.

Values that several fits get are protected, so that no fit can change what another one sees. Arrays
are read-only. Of data frames and lists each fit gets a copy of its own, which is known again only
as long as it equals the original.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from skdistsearch.execution._transformer_slots import key_of, size_mb

Token = Any
"""Stands for a value that is known: equal tokens, equal values."""

_IMMUTABLE = {str, bytes, int, float, bool, type(None)}
_LOOKED_AT = 100  # longest list of which each part is looked at for changes
_SPARSE = ("data", "indices", "indptr", "row", "col", "coords")


class ProtectedValue:
    """A value that fits can share, because none of them can change it."""

    def __init__(self, value: Any, token: Token) -> None:
        self.value, self.token = value, token
        self._copies = _is_frame(value) or isinstance(value, list)

    @property
    def must_be_remade(self) -> bool:
        """Whether a copy would differ from it: in pandas < 3 in how its memory is laid out."""
        return _is_frame(self.value) and not _copies_on_write()

    @classmethod
    def of(cls, value: Any, token: Token, *, can_be_remade: bool = False) -> ProtectedValue | None:
        """``value``, protected from now on; None if it cannot be."""
        protected = (
            _freeze(value)
            or (_is_frame(value) and (can_be_remade or _copies_on_write()))
            or (isinstance(value, list) and _are_immutable(value))
        )
        return cls(value, token) if protected else None

    def hand_out(self) -> Any:
        """The value, for one fit."""
        if isinstance(self.value, list):
            return list(self.value)
        return self.value.copy(deep=False) if self._copies else self.value

    def is_still(self, handed_out: Any) -> bool:
        """Whether what was handed out is what it was then."""
        if not self._copies:
            return True
        if isinstance(self.value, list):
            return bool(self.value == handed_out)
        return bool(self.value.equals(handed_out))


def _freeze(value: Any) -> bool:
    """Make an array, dense or sparse, read-only; return whether that could be done."""
    if type(value) in (np.ndarray, np.memmap):
        base: Any = value
        while isinstance(base, np.ndarray):  # whoever holds what this is a view of
            base.flags.writeable = False
            base = base.base
        return not value.dtype.hasobject or _are_immutable(value.ravel().tolist())
    if sparse.issparse(value) and value.format in ("csr", "csc", "coo", "bsr"):
        for name in _SPARSE:
            parts = getattr(value, name, ())
            for part in parts if isinstance(parts, tuple) else (parts,):
                part.flags.writeable = False
        return True
    return False


def _are_immutable(values: list[Any]) -> bool:
    return set(map(type, values)) <= _IMMUTABLE


def _is_frame(value: Any) -> bool:
    module, name = type(value).__module__.partition(".")[0], type(value).__name__
    return module == "pandas" and name in ("DataFrame", "Series")


@cache
def _copies_on_write() -> bool:
    """Whether a shallow copy of a frame is one that nobody can write through: in pandas >= 3."""
    import pandas as pd

    return int(pd.__version__.partition(".")[0]) >= 3


@dataclass(eq=False)
class CachedFit:
    """A transformer that was fitted, and what came of it."""

    key: Any
    fitted: Any
    output: ProtectedValue | None
    """Of the training part; None if ``fit`` alone was asked for."""
    seconds: float
    transforms: dict[Any, tuple[ProtectedValue, float]] = field(default_factory=dict)
    """By token of the input: output and seconds."""
    stays: bool = True
    """Whether other fits can have it."""

    @property
    def mb(self) -> float:
        """About how much memory it takes."""
        outputs = [self.output, *(output for output, _ in self.transforms.values())]
        return size_mb(self.fitted) + sum(size_mb(one.value) for one in outputs if one)


@dataclass
class Times:
    """What a fit's times have to be corrected by, in seconds."""

    fit: float = 0.0
    score: float = 0.0


class TransformCache:
    """What is shared by the fits on one split, in one process.

    Parameters
    ----------
    budget_mb : float
        How much memory pieces may take, beside those that the fit at hand uses.
    users : callable
        Number of fits that need a piece, given its number: each bears an equal part of its cost.
    """

    def __init__(self, budget_mb: float, users: Callable[[int], int]) -> None:
        self._budget_mb, self._users = budget_mb, users
        self._known: dict[int, tuple[Any, ProtectedValue]] = {}
        self._handed_out: dict[int, tuple[Any, ProtectedValue]] = {}
        self._pieces: dict[Any, CachedFit] = {}
        self._sizes_mb: dict[Any, float] = {}
        self._inputs: list[Token] = []
        self._counted: set[Any] = set()
        self.times = Times()
        """Of the fit at hand."""

    def begin(self) -> None:
        """A fit begins."""
        self._handed_out.clear()
        self._counted.clear()
        self.times = Times()

    def retain(self, is_needed: Callable[[int], bool]) -> None:
        """Free the pieces that no remaining fit needs, by their numbers."""
        for key in [key for key in self._pieces if not is_needed(key[0])]:
            self._drop(key)

    def root(self, value: Any, token: Token) -> ProtectedValue | None:
        """The data of the split, which is known from the start."""
        original = ProtectedValue.of(value, token, can_be_remade=True)
        if original is not None:
            self._known[id(value)] = value, original
        return original

    def hand_out(self, original: ProtectedValue, remake: Callable[[], Any] | None = None) -> Any:
        """A shared value, for the fit at hand."""
        value = remake() if remake and original.must_be_remade else original.hand_out()
        if value is not original.value:
            self._handed_out[id(value)] = value, original
        return value

    def token(self, value: Any) -> Token | None:
        """What stands for ``value``; None if it is not known."""
        if value is None:
            return "None"
        _, original = self._handed_out.get(id(value)) or self._known.get(id(value)) or (None, None)
        if original is None or not original.is_still(value):
            return None
        return original.token

    def _is_still(self, value: Any) -> bool:
        """Whether nobody has changed what was handed out."""
        found = self._handed_out.get(id(value))
        return found is None or found[1].is_still(value)

    def columns_of_input(self, columns: Any) -> Token | None:
        """What stands for columns of the input of the transformer that is being computed."""
        return (columns, self._inputs[-1]) if self._inputs else None

    def piece(
        self, key: Any, transformer: Any, X: Any, compute: Callable[[], Any]
    ) -> tuple[CachedFit, bool]:
        """The piece with ``key``, and if it is new: ``compute`` fits ``transformer`` on ``X``.

        ``key`` begins with the piece's number and the token of ``X``.
        """
        piece = self._pieces.pop(key, None)
        if piece is not None:
            self._pieces[key] = piece  # at the end: it was used last
            return piece, False
        output, seconds = self._timed(key[1], compute)
        fitted_only = output is transformer
        original = self._original(output, key) if self._is_still(X) and not fitted_only else None
        piece = CachedFit(key, transformer, original, seconds)
        piece.stays = original is not None or (fitted_only and self._is_still(X))
        if piece.stays:
            self._pieces[key] = piece
            self._keep(piece)
        elif not fitted_only:
            piece.output = ProtectedValue(output, None)
        return piece, True

    def transformed(
        self, piece: CachedFit, token: Token, X: Any, compute: Callable[[], Any]
    ) -> tuple[Any, float, bool]:
        """The piece's transform of what ``token`` stands for, its seconds, and if it is new."""
        found = piece.transforms.get(token)
        if found is not None:
            return self.hand_out(found[0]), found[1], False
        value, seconds = self._timed(token, lambda: self.watched(piece, X, compute))
        kept = piece.key in self._pieces  # it may have gone for want of memory
        original = self._original(value, (piece.key, token)) if kept else None
        if original is None:
            return value, seconds, True
        piece.transforms[token] = original, seconds
        self._keep(piece)
        return self.hand_out(original), seconds, True

    def watched(self, piece: CachedFit, X: Any, compute: Callable[[], Any]) -> Any:
        """What ``compute``, a transform of ``X`` by the piece, gives.

        If that changes the transformer or ``X``, it is shared no more: to transform once more
        would then give something else.
        """
        before = _state(piece.fitted)
        value = compute()
        if _state(piece.fitted) != before or not self._is_still(X):
            piece.stays = False
            if piece.key in self._pieces:
                self._drop(piece.key)
        return value

    def charge(self, piece: CachedFit, phase: str, seconds: float, *, paid: bool) -> None:
        """Have the fit at hand bear its part of a cost that it has ``paid`` in whole, or not.

        ``phase`` is the time that the cost is a part of: ``"fit"`` or ``"score"``.
        """
        if self._inputs or not piece.stays:
            return  # a part of the cost of the piece around it, or the fit's own alone
        owed = -seconds if paid else 0.0
        if (piece.key, phase) not in self._counted:
            self._counted.add((piece.key, phase))
            owed += seconds / self._users(piece.key[0])
        setattr(self.times, phase, getattr(self.times, phase) + owed)

    def _timed(self, token: Token, compute: Callable[[], Any]) -> tuple[Any, float]:
        begin = time.perf_counter()
        with self._input(token):
            value = compute()
        return value, time.perf_counter() - begin

    @contextmanager
    def _input(self, token: Token) -> Iterator[None]:
        self._inputs.append(token)
        try:
            yield
        finally:
            self._inputs.pop()

    def _original(self, value: Any, token: Token) -> ProtectedValue | None:
        found = self._known.get(id(value))
        if found is not None:  # handed on as it came
            return found[1]
        original = ProtectedValue.of(value, token)
        if original is not None:
            self._known[id(value)] = value, original
        return original

    def _keep(self, piece: CachedFit) -> None:
        self._sizes_mb[piece.key] = piece.mb
        for key in list(self._pieces):  # the one used longest ago first
            if sum(self._sizes_mb.values()) <= self._budget_mb:
                break
            if key != piece.key or self._sizes_mb[key] > self._budget_mb:
                self._drop(key)

    def _drop(self, key: Any) -> None:
        piece = self._pieces.pop(key)
        self._sizes_mb.pop(key, None)
        made = [
            (piece.output, key),
            *((piece.transforms[t][0], (key, t)) for t in piece.transforms),
        ]
        for original, token in made:
            if original is not None and original.token == token:  # not handed on as it came
                self._known.pop(id(original.value), None)


def _state(value: Any) -> Any:
    """What shows that a transformer changes as it transforms, at little cost."""
    if isinstance(value, BaseEstimator):
        return [(name, _state(part)) for name, part in vars(value).items()]
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return key_of(value)
    if isinstance(value, list | tuple) and len(value) <= _LOOKED_AT:
        return id(value), list(map(_state, value))
    return id(value), len(value) if isinstance(value, Sized) else 0
