"""Stand-in for a transformer that looks up its work in a cache before it does it.

A `CachedTransformer` replaces the user's transformer in the clone of the estimator that a fit gets.
The trick is that it passes for the transformer: ``__class__`` and ``__dict__`` are properties that
return those of the wrapped transformer, which is replaced by the one in the cache if that has been
fitted on the same data. The stand-in's own attributes are slots, outside of ``__dict__``. Clones
are stand-ins too, because a Pipeline clones its steps before it fits them. Copies and pickles are
the plain transformer, so that no stand-in leaves the process.

The fitted transformer is one object for all fits. A stand-in lends it to ``transform`` alone. For
anything else, such as a scorer that reads or sets an attribute, it makes itself private first: it
goes on with a deep copy, and looks nothing up any more.

Nothing simpler works. A subclass made at run time would also intercept the calls that a transformer
makes of its own methods, and could not be pickled by name. Changing the methods of the user's
classes would affect all other threads. A Pipeline's ``memory`` hashes all data, and covers neither
the test part nor the branches of a ColumnTransformer or FeatureUnion.

Code that reads ``type(x)`` of a transformer would break it, and so would a scikit-learn that does
not call a step's ``fit_transform`` and ``transform`` by name. ``test_cached_transformer.py`` in
``tests/execution`` watches that the stand-in passes for the transformer, and
``test_shared_work.py`` counts the calls that reach the user's transformers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from sklearn.base import clone

from skdistsearch._batch import BaseWork
from skdistsearch._typing import ArrayLike
from skdistsearch.execution._path_fit import become_fitted
from skdistsearch.execution._protected_value import DataKey
from skdistsearch.execution._transform_cache import CachedFit, FitKey, TransformCache
from skdistsearch.execution._transformer_slots import TransformerSlot
from skdistsearch.execution._value_key import IdentityKey, key_of

_T = TypeVar("_T")

# Two words each: they hide attributes of the same name of the wrapped transformer
_OWN_ATTRIBUTES = (
    "_wrapped_transformer",
    "_transform_cache",
    "_work_token",
    "_columns_key",
    "_base_work",
    "_cached_fit",
)

# Read by scikit-learn itself, and by no one else
_HARMLESS_ATTRIBUTES = {
    "__sklearn_tags__",
    "_get_tags",  # scikit-learn < 1.6
    "_parent_callback_ctx",
    "_skl_callbacks",
    "get_metadata_routing",
}


def install_cached_transformers(
    slots: Iterable[TransformerSlot],
    tokens: Iterable[int | None],
    cache: TransformCache,
    bases: Mapping[int, BaseWork],
) -> None:
    """Replace the transformers in ``slots`` by stand-ins that share their work.

    Transformers without a token, or that cannot be shared, stay as they are. So do the parts of a
    ColumnTransformer if there is one of the latter, because the stand-in of the whole knows the
    input of its parts.
    """
    tokens = list(tokens)
    without_parts = not cache.unshareable.isdisjoint(tokens)
    for slot, token in zip(slots, tokens, strict=True):
        transformer = slot.transformer
        if token is None or token in cache.unshareable or (without_parts and slot.columns):
            continue
        if hasattr(transformer, "transform") and hasattr(transformer, "fit"):
            is_sequence = hasattr(transformer, "__getitem__")
            stand_in = _CachedSequence if is_sequence else CachedTransformer
            slot.replace(stand_in(transformer, cache, token, slot.columns, bases.get(token)))


class CachedTransformer:
    """Stand-in for a transformer. Looks up fits and transforms before it computes them.

    Parameters
    ----------
    transformer : estimator
        The transformer to stand in for.
    cache : TransformCache
        Cache of the split whose data the transformer gets.
    token : int
        Number of the transformer in `skdistsearch._batch.SharedWork`.
    columns : hashable or None
        Key of the columns that a ColumnTransformer selects for it.
    base : BaseWork or None, default=None
        Work that it shares with transformers that have another value of one parameter.
    """

    __slots__ = _OWN_ATTRIBUTES
    _checks_itself = True  # for `_state_summary`

    def __init__(
        self,
        transformer: Any,
        cache: TransformCache,
        token: int,
        columns: Hashable,
        base: BaseWork | None = None,
    ) -> None:
        self._wrapped_transformer = transformer
        self._transform_cache = cache
        self._work_token: int | None = token
        self._columns_key = columns
        self._base_work = base
        self._cached_fit: CachedFit | None = None

    def fit(self, X: ArrayLike, *y: ArrayLike, **params: object) -> CachedTransformer:
        """Fit the transformer, or replace it by one that was fitted on the same data."""
        self._fit_or_look_up("fit", X, y, params)
        return self

    def _fit_transform(self, X: ArrayLike, *y: ArrayLike, **params: object) -> ArrayLike:
        return self._fit_or_look_up("fit_transform", X, y, params)

    def _fit_or_look_up(
        self, method: str, X: ArrayLike, y: tuple[ArrayLike, ...], params: Mapping[str, object]
    ) -> ArrayLike:
        """Return the output for ``X``, or None if ``method`` is ``"fit"`` and the work shared."""
        cache, transformer = self._transform_cache, self._wrapped_transformer
        if self._cached_fit is not None:
            transformer = clone(transformer)  # the fitted one belongs to the cache
        self._wrapped_transformer, self._cached_fit = transformer, None
        fit = getattr(transformer, method)
        found = (self._find_data_key(X), *map(cache.find_data_key, y))
        keys = tuple(key for key in found if key is not None)
        if self._work_token is None or len(keys) < len(found):
            return cache.compute_on(None, lambda: fit(X, *y, **params))[0]
        key = FitKey(self._work_token, keys, method, self._key_of_params(params))
        data = (X, *y, *params.values())
        if cache.find_fit(key) is None and (base := self._fit_base(key, data, y, params)):
            fit = partial(_fit_from, base, transformer, method)
        cached_fit, output = cache.get_or_fit(key, transformer, data, lambda: fit(X, *y, **params))
        if cached_fit is not None:
            self._wrapped_transformer, self._cached_fit = cached_fit.fitted, cached_fit
        return output

    def _fit_base(
        self, key: FitKey, data: Any, y: tuple[ArrayLike, ...], params: Mapping[str, object]
    ) -> Any:
        """Return this transformer as made from work that others share, or None."""
        work, transformer = self._base_work, self._wrapped_transformer
        if work is None or work.token in self._transform_cache.unshareable:
            return None
        family = work.family
        base = clone(transformer).set_params(**{family.parameter: family.base_value})
        base_key = key._replace(token=work.token, method="fit")
        cached_fit, _ = self._transform_cache.get_or_fit(
            base_key, base, data, lambda: base.fit(data[0], *y, **params)
        )
        value = getattr(transformer, family.parameter)
        return family.prefix(base if cached_fit is None else cached_fit.fitted, value)

    def _transform(self, X: ArrayLike, **params: object) -> ArrayLike:
        cached_fit, cache = self._cached_fit, self._transform_cache
        transform: Callable[..., ArrayLike] = self._wrapped_transformer.transform
        if cached_fit is None:
            return cache.compute_on(None, lambda: transform(X, **params))[0]
        key = None if params else self._find_data_key(X)
        if key is None:  # no other fit transforms the same data
            return cache.transform_checked(cached_fit, key, X, lambda: transform(X, **params))[0]
        return cache.get_or_transform(cached_fit, key, X, lambda: transform(X))

    def _find_data_key(self, X: ArrayLike) -> DataKey | None:
        key = self._transform_cache.find_data_key(X)
        if key is None and self._columns_key is not None:
            return self._transform_cache.find_columns_key(self._columns_key)
        return key

    def _key_of_params(self, params: Mapping[str, object]) -> Hashable:
        cache = self._transform_cache
        return tuple(
            (name, cache.find_data_key(value) or key_of(value)) for name, value in params.items()
        )

    def set_params(self, **params: object) -> CachedTransformer:
        """Set the transformer's parameters. If this changes them, it shares its work no longer."""
        self._make_private()
        before = _key_of_parameters(self._wrapped_transformer)
        self._wrapped_transformer.set_params(**params)
        if before != _key_of_parameters(self._wrapped_transformer):
            self._work_token = None
        return self

    def _make_private(self) -> None:
        """Replace a fitted transformer, which other fits use too, by a copy for this fit.

        Called before anything but ``transform`` reaches it, such as from the user's scorer.
        """
        cached_fit, cache = self._cached_fit, self._transform_cache
        if cached_fit is None or cache.is_computing:
            return
        try:
            self._wrapped_transformer = copy.deepcopy(self._wrapped_transformer)
        except Exception:  # the user's classes may raise anything
            cache.spoil(cached_fit.key.token)
        self._cached_fit = self._work_token = None

    def __getattr__(self, name: str) -> Any:
        if name in _OWN_ATTRIBUTES:  # not set yet
            raise AttributeError(name)
        if name in ("fit_transform", "transform"):
            getattr(self._wrapped_transformer, name)  # raises as the transformer would
            return self._fit_transform if name == "fit_transform" else self._transform
        if name not in _HARMLESS_ATTRIBUTES:
            self._make_private()
        return getattr(self._wrapped_transformer, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _OWN_ATTRIBUTES:
            object.__setattr__(self, name, value)
            return
        self._make_private()
        setattr(self._wrapped_transformer, name, value)
        if not name.startswith("_"):
            self._work_token = None

    def __delattr__(self, name: str) -> None:
        # scikit-learn>=1.9 sets a callback's context on an estimator and deletes it after the fit.
        # The stand-in may then have another transformer, which lacks it
        if not name.startswith("_"):
            self._make_private()
        vars(self._wrapped_transformer).pop(name, None)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._wrapped_transformer)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        self._make_private()
        attributes: dict[str, Any] = vars(self._wrapped_transformer)
        return attributes

    def __sklearn_clone__(self) -> Any:
        transformer = clone(self._wrapped_transformer)
        if self._work_token is None:
            return transformer
        stand_in = type(self)
        return stand_in(
            transformer,
            self._transform_cache,
            self._work_token,
            self._columns_key,
            self._base_work,
        )

    def __copy__(self) -> Any:
        self._make_private()
        return copy.copy(self._wrapped_transformer)

    def __deepcopy__(self, memo: dict[int, object]) -> Any:
        return copy.deepcopy(self._wrapped_transformer, memo)

    def __reduce_ex__(self, protocol: object) -> Any:
        return _unwrap, (self._wrapped_transformer,)

    def __repr__(self) -> str:
        return repr(self._wrapped_transformer)


class _CachedSequence(CachedTransformer):
    """Stand-in for a transformer with a length and parts, such as a Pipeline."""

    __slots__ = ()

    def __len__(self) -> int:
        self._make_private()
        return len(self._wrapped_transformer)

    def __getitem__(self, key: int | str | slice) -> Any:
        self._make_private()
        return self._wrapped_transformer[key]


def _fit_from(
    fitted: Any, transformer: Any, method: str, X: ArrayLike, *y: ArrayLike, **params: object
) -> Any:
    """Make a transformer fitted as another one is. Takes the place of its ``method``."""
    become_fitted(transformer, fitted)
    return transformer if method == "fit" else transformer.transform(X)


def _unwrap(transformer: _T) -> _T:
    """Return the transformer: it is what a pickled stand-in becomes."""
    return transformer


def _key_of_parameters(transformer: Any) -> Hashable:
    """Return a key of a transformer's parameters, and of those within stand-ins in it."""
    try:
        return key_of(copy.deepcopy(transformer))
    except Exception:  # the user's classes may raise anything
        return IdentityKey(object())
