"""register, find_family."""

from __future__ import annotations

from functools import cache
from typing import Any

from skdistsearch.early_stopping._base import Family
from skdistsearch.exceptions import FamilyError

_REGISTERED: list[Family] = []


def register_family(family: Family) -> None:
    """Make a family known to this process; of two that match, the one registered last is used.

    Worker processes and containers do not hear of it. They know it if the call stands in the
    module of the estimator's class, which they import. Otherwise give
    ``EarlyStopping(model, family=family)``, which travels with the search.

    Parameters
    ----------
    family : Family
        Takes the place of a registered one of the same name.

    Raises
    ------
    FamilyError
        It is not a `Family`.
    """
    if not isinstance(family, Family):
        raise FamilyError(f"Not a skdistsearch.early_stopping.Family: {family!r}.")
    _REGISTERED[:] = [other for other in _REGISTERED if other.name != family.name]
    _REGISTERED.insert(0, family)


def all_families() -> list[Family]:
    """All families: registered ones, the last first, then those that come with this package."""
    return [*_REGISTERED, *_built_in()]


def find_family(estimator: Any) -> Family:
    """The family of an estimator.

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
        There is none; the message lists those that there are, and says how to add one.
    """
    for family in all_families():
        if family.matches(estimator):
            return family
    names = ", ".join(sorted(family.name for family in all_families()))
    raise FamilyError(
        f"EarlyStopping cannot stop {type(estimator).__name__}: it is of no known family. Known: "
        f"{names}. If it has such a model within, put EarlyStopping around that one. For another "
        "family, give family=Family(...), or call register_family(Family(...)); "
        "skdistsearch.early_stopping.Family has an example."
    )


@cache
def _built_in() -> tuple[Family, ...]:
    from skdistsearch.early_stopping import (
        _catboost,
        _hist_gradient_boosting,
        _keras,
        _lightgbm,
        _xgboost,
    )

    modules = (_catboost, _hist_gradient_boosting, _keras, _lightgbm, _xgboost)
    return tuple(module.FAMILY for module in modules)
