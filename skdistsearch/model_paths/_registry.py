"""The registry of path families: built-in ones and the user's own."""

from __future__ import annotations

from functools import cache

from skdistsearch._typing import Estimator
from skdistsearch.exceptions import FamilyError
from skdistsearch.model_paths._base import PathFamily

_REGISTERED: list[PathFamily] = []


def register_path_family(family: PathFamily) -> None:
    """Register a path family, for all searches of this process.

    If several families match a model, the one registered last is used. A registered family of the
    same name is replaced. The family is sent along with the fits, to every backend.

    Parameters
    ----------
    family : PathFamily
        The family to register.

    Raises
    ------
    FamilyError
        ``family`` is not a `PathFamily`.

    Examples
    --------
    Fit one random forest for all numbers of trees, although it computes out-of-bag scores, which
    are then those of the largest forest:

    >>> from dataclasses import replace
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skdistsearch.model_paths import find_path_family, register_path_family
    >>> family = find_path_family(RandomForestRegressor(), "n_estimators")
    >>> forgiving = replace(
    ...     family,
    ...     can_share=lambda model, n_samples: model.random_state is not None,
    ...     differs_in=("oob_score_", "oob_prediction_"),
    ... )
    >>> register_path_family(forgiving)

    See `PathFamily` for a family of other models.
    """
    if not isinstance(family, PathFamily):
        raise FamilyError(f"Not a skdistsearch.model_paths.PathFamily: {family!r}.")
    _REGISTERED[:] = [other for other in _REGISTERED if other.name != family.name]
    _REGISTERED.insert(0, family)


def all_path_families() -> list[PathFamily]:
    """Return all path families: registered ones, the latest first, then the built-in ones.

    Returns
    -------
    families : list of PathFamily
        In the order in which `find_path_family` tries them.

    Examples
    --------
    >>> from skdistsearch.model_paths import all_path_families
    >>> "LightGBM" in [family.name for family in all_path_families()]
    True
    """
    return [*_REGISTERED, *_built_in_families()]


def find_path_family(model: Estimator, parameter: str) -> PathFamily | None:
    """Return the path family of a model and one of its parameters.

    Parameters
    ----------
    model : estimator object
        A model, not a pipeline around one.
    parameter : str
        Name of the parameter.

    Returns
    -------
    family : PathFamily or None
        The first of `all_path_families` that matches, if there is one.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skdistsearch.model_paths import find_path_family
    >>> find_path_family(HistGradientBoostingRegressor(), "max_iter").name
    'HistGradientBoosting'
    """
    for family in all_path_families():
        if family.parameter == parameter and family.matches(model):
            return family
    return None


@cache
def _built_in_families() -> tuple[PathFamily, ...]:
    from skdistsearch.model_paths import (
        _catboost,
        _ensembles,
        _lightgbm,
        _trees,
        _univariate_selection,
        _xgboost,
    )

    modules = (_catboost, _ensembles, _lightgbm, _trees, _univariate_selection, _xgboost)
    return tuple(family for module in modules for family in module.FAMILIES)
