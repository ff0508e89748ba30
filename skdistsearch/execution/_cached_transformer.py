"""A transformer whose work is shared: within an estimator it takes the place of the user's own."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from sklearn.base import clone

from skdistsearch.execution._transform_cache import CachedFit, Token, TransformCache
from skdistsearch.execution._transformer_slots import TransformerSlot, key_of

_OWN = ("_inner", "_memo", "_number", "_columns", "_key", "_piece")


def install_cached_transformers(
    found: Iterable[TransformerSlot], numbers: Iterable[int | None], memo: TransformCache
) -> None:
    """Have the transformers at these spots share their work; not those whose number is None."""
    for spot, number in zip(found, numbers, strict=True):
        if number is not None and _can_be_shared(spot.transformer):
            cls = _SharedSequence if hasattr(spot.transformer, "__getitem__") else CachedTransformer
            spot.replace(cls(spot.transformer, memo, number, spot.columns))


def _can_be_shared(transformer: Any) -> bool:
    return hasattr(transformer, "transform") and hasattr(transformer, "fit")


class CachedTransformer:
    """Stands for a transformer; looks up what it does before it does it.

    To all but the memo it is the transformer: its class, attributes, copies and pickles are the
    transformer's.
    """

    __slots__ = _OWN

    def __init__(self, inner: Any, memo: TransformCache, number: int, columns: Any) -> None:
        self._inner, self._memo, self._columns = inner, memo, columns
        self._number: int | None = number
        self._key = key_of(inner)
        self._piece: CachedFit | None = None

    def fit(self, X: Any, *y: Any, **params: Any) -> Any:
        """Fit the transformer, or become one that was fitted on the same."""
        self._find("fit", X, y, params)
        return self

    def _fit_transform(self, X: Any, *y: Any, **params: Any) -> Any:
        return self._find("fit_transform", X, y, params)

    def _find(self, method: str, X: Any, y: tuple[Any, ...], params: dict[str, Any]) -> Any:
        memo = self._memo
        inner = self._inner if self._piece is None else clone(self._inner)  # others have that one
        do = getattr(inner, method)
        tokens = (self._token(X), *map(memo.token, y))
        if self._number is None or None in tokens:
            self._inner, self._piece = inner, None
            return do(X, *y, **params)
        key = (self._number, *tokens, method, self._tokens_of(params))
        piece, is_new = memo.piece(key, inner, X, lambda: do(X, *y, **params))
        self._inner, self._piece = piece.fitted, piece
        memo.charge(piece, "fit", piece.seconds, paid=is_new)
        return None if piece.output is None else memo.hand_out(piece.output)

    def _transform(self, X: Any, **params: Any) -> Any:
        piece, memo = self._piece, self._memo
        token = None if piece is None or params else self._token(X)
        if piece is None:
            return self._inner.transform(X, **params)
        if token is None:  # nobody else will ask for it
            return memo.watched(piece, X, lambda: self._inner.transform(X, **params))
        value, seconds, is_new = memo.transformed(piece, token, X, lambda: self._inner.transform(X))
        if _is_of_test(token):
            memo.charge(piece, "score", seconds, paid=is_new)
        return value

    def _token(self, X: Any) -> Token | None:
        token = self._memo.token(X)
        if token is None and self._columns is not None:
            return self._memo.columns_of_input(self._columns)
        return token

    def _tokens_of(self, params: dict[str, Any]) -> Any:
        return tuple(
            (name, self._memo.token(value) or key_of(value)) for name, value in params.items()
        )

    def set_params(self, **params: Any) -> Any:
        """Set the transformer's parameters; work is shared on if they are what they were."""
        self._inner.set_params(**params)
        if self._key != key_of(self._inner):
            self._number = None
        return self

    def __getattr__(self, name: str) -> Any:
        if name in _OWN:  # not set yet
            raise AttributeError(name)
        found = getattr(self._inner, name)
        return {"fit_transform": self._fit_transform, "transform": self._transform}.get(name, found)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._inner, name, value)

    def __delattr__(self, name: str) -> None:
        # scikit-learn>=1.9 puts a callback's context on an estimator, and takes it away when the
        # fit has ended: by then this may stand for another
        vars(self._inner).pop(name, None)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._inner)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return vars(self._inner)

    def __sklearn_clone__(self) -> Any:
        inner = clone(self._inner)
        if self._number is None:
            return inner
        return type(self)(inner, self._memo, self._number, self._columns)

    def __deepcopy__(self, memo: Any) -> Any:
        return copy.deepcopy(self._inner, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _itself, (self._inner,)

    def __repr__(self) -> str:
        return repr(self._inner)


class _SharedSequence(CachedTransformer):
    """The same for a Pipeline, whose steps can be counted and had."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._inner)

    def __getitem__(self, key: Any) -> Any:
        return self._inner[key]


def _itself(inner: Any) -> Any:
    return inner


def _is_of_test(token: Token) -> bool:
    """Whether what ``token`` stands for was made of the test part."""
    while isinstance(token, tuple) and token:
        token = token[-1]
    return bool(token == "test")
