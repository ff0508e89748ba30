"""The registry of families: built-in ones and the user's own."""

from __future__ import annotations

from functools import cache

from skdistsearch._typing import Estimator
from skdistsearch.early_stopping._base import Family
from skdistsearch.exceptions import FamilyError

_REGISTERED: list[Family] = []


def register_family(family: Family) -> None:
    """Register a family, for all matching models of this process.

    If several families match a model, the one registered last is used. A registered family of the
    same name is replaced.

    Worker processes and containers do not share the registry. They know the family if the call is
    in the module of the estimator's class, which they import. Otherwise pass the family to the
    estimator, ``EarlyStopping(model, family=family)``: it is sent along with the search.

    Parameters
    ----------
    family : Family
        The family to register.

    Raises
    ------
    FamilyError
        ``family`` is not a `Family`.

    Examples
    --------
    Let all neural networks of this process stop by their accuracy:

    >>> from skdistsearch.early_stopping import all_families, keras_family
    >>> from skdistsearch.early_stopping import register_family
    >>> family = keras_family(monitor="val_accuracy")
    >>> register_family(family)
    >>> all_families()[0] is family
    True

    See `Family` for a family of other models.
    """
    if not isinstance(family, Family):
        raise FamilyError(f"Not a skdistsearch.early_stopping.Family: {family!r}.")
    _REGISTERED[:] = [other for other in _REGISTERED if other.name != family.name]
    _REGISTERED.insert(0, family)


def all_families() -> list[Family]:
    """Return all families: registered ones, the latest first, then the built-in ones.

    Returns
    -------
    families : list of Family
        In the order in which `find_family` tries them.

    Examples
    --------
    >>> from skdistsearch.early_stopping import all_families
    >>> "LightGBM" in [family.name for family in all_families()]
    True
    """
    return [*_REGISTERED, *_built_in_families()]


def find_family(estimator: Estimator) -> Family:
    """Return the family of an estimator.

    Parameters
    ----------
    estimator : estimator object
        A model, not a pipeline around one.

    Returns
    -------
    family : Family
        The first of `all_families` that matches.

    Raises
    ------
    FamilyError
        No family matches. The message lists all families and says how to add one.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skdistsearch.early_stopping import find_family
    >>> find_family(HistGradientBoostingRegressor()).name
    'HistGradientBoosting'
    """
    for family in all_families():
        if family.matches(estimator):
            return family
    names = ", ".join(sorted(family.name for family in all_families()))
    raise FamilyError(
        f"EarlyStopping cannot stop {type(estimator).__name__}: no known family matches it. Known: "
        f"{names}. If it wraps a model of one of these, put EarlyStopping around that model. For "
        "another family, give family=Family(...), or call register_family(Family(...)); see the "
        "example of skdistsearch.early_stopping.Family."
    )


@cache
def _built_in_families() -> tuple[Family, ...]:
    from skdistsearch.early_stopping import (
        _catboost,
        _hist_gradient_boosting,
        _keras,
        _lightgbm,
        _xgboost,
    )

    modules = (_catboost, _hist_gradient_boosting, _keras, _lightgbm, _xgboost)
    return tuple(module.FAMILY for module in modules)
