"""Fitted models as ``.skops`` files, which are loaded without pickle.

skops describes a model as JSON and arrays, and creates only objects of types that the reader
trusts. It has its own list: scikit-learn's estimators, and types of numpy and scipy.
`skops_trusted_types` adds what models of this package's users consist of, and never imports
anything: a file that names a class of a module that this process has not imported stays untrusted.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from skdistsearch.exceptions import UntrustedTypeError

_PACKAGES_OF_ESTIMATORS = {"lightgbm", "skdistsearch", "xgboost"}
_TYPES = {
    "catboost.core.CatBoostClassifier",
    "catboost.core.CatBoostRanker",
    "catboost.core.CatBoostRegressor",
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "skdistsearch.contenders._fit_params.FitParams",
    "skdistsearch.ensemble._selection.Blend",
    "xgboost.core.Booster",
}
"""Types that are no estimators, or not derived from scikit-learn's."""


def dump_skops(model: Any) -> bytes:
    """Return a fitted model in the format of skops, after a look at whether it can be loaded.

    Raises the errors of skops for what it does not know, such as Keras' nets. It writes a lambda,
    and fails only when it loads one.
    """
    io = _skops_io()
    data: bytes = io.dumps(model, compression=zipfile.ZIP_DEFLATED)
    io.loads(data, trusted=io.get_untrusted_types(data=data))  # what this process has just written
    return data


def load_skops(data: bytes, trusted: Iterable[str] = ()) -> Any:
    """Return the model that `dump_skops` wrote, if all its types are trusted.

    ``trusted`` are names of types in addition to those of `skops_trusted_types`.
    """
    io = _skops_io()
    known = {*skops_trusted_types(data), *trusted}
    if unknown := sorted(set(io.get_untrusted_types(data=data)) - known):
        raise UntrustedTypeError(
            f"The model has types that are not trusted: {', '.join(unknown)}. Import their modules "
            "first, if they are of LightGBM, XGBoost, CatBoost or scikit-learn. Add other types "
            "that you trust by name: search.fold_estimators_.trusted.append(...)."
        )
    return io.loads(data, trusted=sorted(known))


def skops_trusted_types(file: str | os.PathLike[str] | bytes) -> list[str]:
    """Return the types to trust in a ``.skops`` file of a model.

    For ``skops.io.load(file, trusted=...)``, and for MLflow's ``skops_trusted_types``. These are
    types of the file that skops does not trust by itself, if they are classes that this process
    has imported, and one of:

    - a class of scikit-learn, such as the trees of a forest;
    - an estimator of this package, LightGBM, XGBoost or CatBoost, or a part of one: a booster.

    Functions and classes of your own are never among them.

    Parameters
    ----------
    file : str, path or bytes
        The file, or its content.

    Returns
    -------
    types : list of str
        Full names. A file with other types than these does not load.

    Raises
    ------
    ImportError
        skops is not installed: ``pip install "skdistsearch[skops]"``.

    Notes
    -----
    Loading runs no code of the file's choice, unlike unpickling. It is not safe for all that:
    compiled classes such as trees and boosters read their state from the file, and are not made
    for hostile content.

    Examples
    --------
    >>> import skops.io
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skdistsearch import skops_trusted_types
    >>> X, y = load_diabetes(return_X_y=True)
    >>> data = skops.io.dumps(RandomForestRegressor(n_estimators=2).fit(X, y))
    >>> skops_trusted_types(data)
    ['sklearn.tree._tree.Tree']
    >>> model = skops.io.loads(data, trusted=skops_trusted_types(data))
    """
    data = file if isinstance(file, bytes) else Path(file).read_bytes()
    return [name for name in _skops_io().get_untrusted_types(data=data) if _is_trusted(name)]


def _is_trusted(name: str) -> bool:
    cls = _imported_class(name)
    if cls is None:
        return False
    package = name.partition(".")[0]
    if name in _TYPES or package == "sklearn":
        return True
    from sklearn.base import BaseEstimator

    return package in _PACKAGES_OF_ESTIMATORS and issubclass(cls, BaseEstimator)


def _imported_class(name: str) -> type | None:
    """Return the class of this full name, if it has been imported under it."""
    module_name, _, class_name = name.rpartition(".")
    cls = vars(sys.modules.get(module_name, ModuleType(""))).get(class_name)
    is_defined_there = isinstance(cls, type) and f"{cls.__module__}.{cls.__qualname__}" == name
    return cls if is_defined_there else None


def _skops_io() -> Any:
    try:
        import skops.io
    except ImportError as exc:
        raise ImportError(
            'Models without pickle need skops: pip install "skdistsearch[skops]"'
        ) from exc
    return skops.io
