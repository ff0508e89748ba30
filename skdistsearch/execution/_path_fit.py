"""Fit the longest model of a path, and make the models of the other candidates from it.

The trick is an attribute ``fit`` on the model itself, which hides the method of its class for one
call. It keeps the fitted model in the cache of the split. For the next candidate of the path the
model *becomes* the prefix of the one in the cache: it gets its fitted attributes, and keeps its own
parameters. scikit-learn's function then scores it as if it had been fitted.

The models in the cache are looked up by the data that they were fitted on, like transformers. So a
model behind a transformer that is random, or that cannot be shared, is fitted for each candidate.

Nothing simpler works. A prefix in the place of the model would be fitted again, and a stand-in for
the model, as for transformers, would have to pass for it in predictions, scores and pickles. Models
without ``__dict__``, or whose fitted state is elsewhere, would break it: no family has such models.
``tests/execution/test_path_fit.py`` counts the fits, and compares scores and fitted attributes with
scikit-learn's.
"""

from __future__ import annotations

import copy
import logging
from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import Any

from sklearn.base import clone

from skdistsearch._batch import Batch, PathMember, n_samples
from skdistsearch._typing import ArrayLike
from skdistsearch.execution._transform_cache import FitKey, TransformCache
from skdistsearch.execution._transformer_slots import with_parameters
from skdistsearch.execution._value_key import key_of
from skdistsearch.model_paths import ModelPath, PathFamily, all_path_families, find_path

_log = logging.getLogger("skdistsearch")

_FIT_PARAM = "sample_weight"  # others, such as eval_set, may see the number of iterations


def find_path_members(batch: Batch, first_token: int) -> list[PathMember | None]:
    """Return, per fit, its place on a path. Empty if fits have no path in common.

    ``first_token``: first number for a path.
    """
    if batch.local.callbacks or not _has_plain_fit_params(batch):
        return []
    members: dict[int, PathMember] = {}
    for (name, _), values in _candidates_by_others(batch).items():
        path = _find_common_path(batch, name, values)
        if path is not None:
            token = first_token + len(members)
            for candidate in values:
                cost = path.family.relative_cost(values[candidate])
                members.setdefault(candidate, PathMember(token, path, values[candidate], cost))
    return [members.get(fit.candidate) for fit in batch.fits] if members else []


def find_base_family(transformer: Any, n_rows: int) -> PathFamily | None:
    """Return the family of a transformer whose work does not depend on one of its parameters."""
    for family in all_path_families():
        if family.base_value is not None and family.matches(transformer):
            value = getattr(transformer, family.parameter)
            if family.is_valid(value) and family.can_share(transformer, n_rows):
                return family
    return None


def _has_plain_fit_params(batch: Batch) -> bool:
    names = batch.common_keywords.get("fit_params") or {}
    return all(name.rpartition("__")[2] == _FIT_PARAM for name in names)


def _candidates_by_others(batch: Batch) -> dict[tuple[str, Hashable], dict[int, Any]]:
    """Return the values of candidates that are equal in all other parameters.

    The keys are the name of the parameter and a key of the others.
    """
    known = {family.parameter for family in all_path_families()}
    candidates = {fit.candidate: fit.parameters for fit in batch.fits}
    groups: dict[tuple[str, Hashable], dict[int, Any]] = defaultdict(dict)
    for candidate, parameters in candidates.items():
        names = [name for name in parameters if name.rpartition("__")[2] in known]
        keys = {name: key_of(value) for name, value in parameters.items()} if names else {}
        for name in names:
            others = frozenset((other, key) for other, key in keys.items() if other != name)
            groups[name, others][candidate] = parameters[name]
    return groups


def _find_common_path(batch: Batch, name: str, values: dict[int, Any]) -> ModelPath | None:
    """Return the path of candidates. Removes those from ``values`` whose value is not on it."""
    if len(values) < 2:
        return None
    parameters = next(fit.parameters for fit in batch.fits if fit.candidate in values)
    try:
        estimator = with_parameters(batch.arguments[0], parameters)
        path = find_path(estimator, name, n_samples(batch.arguments[1]) or 0)
    except Exception:  # invalid parameters: the fit reports the error
        return None
    if path is None or (path.family.differs_in and sees_models(batch)):
        return None
    for candidate in [c for c, value in values.items() if not path.family.is_valid(value)]:
        del values[candidate]
    return path if len(values) > 1 else None


def sees_models(batch: Batch) -> bool:
    """Return True if code of the user's gets the fitted models."""
    scorer = batch.common_keywords.get("scorer")
    scorers = getattr(scorer, "_scorers", None) or {"score": scorer}
    return batch.context.extractor is not None or not all(map(_is_own_scorer, scorers.values()))


def _is_own_scorer(scorer: object) -> bool:
    """Return True for scorers of scikit-learn's classes: a metric sees predictions only."""
    return type(scorer).__module__ == "sklearn.metrics._scorer"


def install_path_fit(
    estimator: Any, member: PathMember, cache: TransformCache, *, copies_model: bool
) -> None:
    """Make the next ``fit`` of the model within an estimator use the longest model of its path.

    ``copies_model``: keep a deep copy, because code of the user's gets the fitted model.
    """
    model = member.path.find_fitted_part(estimator)
    vars(model)["fit"] = _PathFit(model, member, cache, copies_model)


class _PathFit:
    """The next ``fit`` of a model, and no later one."""

    def __init__(
        self, model: Any, member: PathMember, cache: TransformCache, copies_model: bool
    ) -> None:
        self._model, self._member, self._cache = model, member, cache
        self._copies_model = copies_model

    def __call__(self, X: ArrayLike, y: ArrayLike = None, **params: Any) -> Any:
        """Fit the model, or give it the fitted attributes of a prefix."""
        model = self._model
        del vars(model)["fit"]
        key = self._find_key(X, y, params)
        fitted = None if key is None else self._make_fitted(key, X, y, params)
        if fitted is None:
            return model.fit(X, y, **params)
        become_fitted(model, copy.deepcopy(fitted) if self._copies_model else fitted)
        return model

    def _find_key(self, X: ArrayLike, y: ArrayLike, params: Mapping[str, Any]) -> FitKey | None:
        cache = self._cache
        inputs = cache.find_data_key(X), cache.find_data_key(y)
        keys = tuple(key for key in inputs if key is not None)
        if len(keys) < len(inputs):
            return None
        param_keys = tuple(
            (name, cache.find_data_key(value) or key_of(value)) for name, value in params.items()
        )
        return FitKey(self._member.token, keys, "fit", param_keys)

    def _make_fitted(self, key: FitKey, X: ArrayLike, y: ArrayLike, params: Any) -> Any:
        """Return a fitted model with the value of this fit, or None if it needs its own fit."""
        path, value = self._member.path, self._member.value
        held = self._cache.find_fit(key)
        if held is not None and not path.family.contains(path.value_of(held.fitted), value):
            self._cache.evict(key)
        longest = self._unfitted_longest()
        held, _ = self._cache.get_or_fit(
            key, longest, (X, y, *params.values()), lambda: longest.fit(X, y, **params)
        )
        return _prefix_of(longest if held is None else held.fitted, path, value)

    def _unfitted_longest(self) -> Any:
        """Return an unfitted model that contains the model with the value of this fit."""
        path, longest = self._member.path, clone(self._model)
        if path.family.base_value is None:
            return longest
        return longest.set_params(**{path.parameter: path.family.base_value})


def _prefix_of(longest: Any, path: ModelPath, value: Any) -> Any:
    if key_of(path.value_of(longest)) == key_of(value):
        return longest
    try:
        return path.prefix(longest, value)
    except Exception:  # of a release of the model's library that the family does not know
        _log.warning(
            "%s is fitted for each value of %s: its path could not be used",
            type(longest).__name__,
            path.parameter,
            exc_info=True,
        )
        return None


def become_fitted(model: Any, fitted: Any) -> None:
    """Give an unfitted model the fitted attributes of another. It keeps its parameters."""
    names = model.get_params(deep=False)
    vars(model).update({key: part for key, part in vars(fitted).items() if key not in names})
