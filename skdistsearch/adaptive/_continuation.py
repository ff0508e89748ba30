"""Models that go on: train a fitted model for longer, instead of fitting a longer one.

A `Continuation` is offered only where a model that was paused, pickled and trained further is equal
to one that was fitted at once, bit for bit. ``tests/adaptive/test_continuation.py`` compares them,
family by family. Equal are scikit-learn's ensembles with a seed (by ``warm_start``), LightGBM
without sampling, and passes of ``partial_fit``. Not equal, and so fitted from the start: LightGBM
and XGBoost that sample rows or columns, CatBoost, and ``warm_start`` of ``MLPClassifier``,
``SGDClassifier`` or ``LogisticRegression``, which lose a part of their state.

The trick for multilayer perceptrons: ``partial_fit`` checks and encodes all rows in each pass, and
takes up to a third of its time. So `_repeat_inside` makes one call do several passes, by a
stand-in for its private method ``_fit_stochastic``. No public way leaves out the checks. If
scikit-learn did not call that method, ``partial_fit`` would be called for each pass, as for other
models; if it kept state between two calls, the models would differ, and
``test_passes_equal_calls_of_partial_fit`` would fail.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skdistsearch._typing import ArrayLike
from skdistsearch.model_paths import find_path, is_exactly

PASSES = "partial_fit"
"""Name of the resource that counts calls of ``partial_fit`` with all training rows."""

_WARM_STARTED = (
    "BaggingClassifier",
    "BaggingRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
    "RandomForestClassifier",
    "RandomForestRegressor",
)
_PERCEPTRONS = ("MLPClassifier", "MLPRegressor")
_LIGHTGBM = ("LGBMClassifier", "LGBMRegressor")
# Parameters outside its signature that draw no random numbers
_LIGHTGBM_OTHERS = {"deterministic", "force_col_wise", "force_row_wise", "max_bin", "verbose"}
_AUTO_STOP_ROWS = 10_000  # with more, early_stopping="auto" stops early
_STREAM = "_skdistsearch_random_stream"  # of a paused model: its state between two passes

Train = Callable[[Any, int, int, "ArrayLike", "ArrayLike", "ArrayLike", dict[str, Any]], None]


@dataclass(frozen=True)
class Continuation:
    """A way to train a model in several parts."""

    train: Train
    """``train(model, had, amount, X, y, all_y, params)``: train a model that has had ``had`` units
    of the resource until it has had ``amount``. ``all_y`` are the targets of all rows, and
    ``params`` the parameters of ``fit``."""
    is_equal: bool
    """True if the result is the same, bit for bit, in any number of parts."""


def find_continuation(estimator: Any, resource: str, n_rows: int) -> Continuation | None:
    """Return the way to train an estimator in parts, or None if it has to be fitted at once.

    Parameters
    ----------
    estimator : estimator object
        The unfitted estimator, with all parameters set.
    resource : str
        Name of a parameter, such as ``"model__n_estimators"``, or `PASSES`.
    n_rows : int
        Number of rows of all splits.
    """
    model = find_model(estimator, resource)
    if model is None:
        return None
    is_repeatable = _has_repeatable_steps(estimator)
    if resource == PASSES:
        return Continuation(_train_passes, is_repeatable)
    parameter = resource.rpartition("__")[2]
    is_equal = is_repeatable and find_path(estimator, resource, n_rows) is not None
    if is_exactly(model, "lightgbm", *_LIGHTGBM) and parameter == "n_estimators":
        return Continuation(_train_lightgbm, is_equal and _is_lightgbm_without_sampling(model))
    if not hasattr(model, "warm_start"):
        return None
    is_known = is_exactly(model, "sklearn", *_WARM_STARTED) and _has_no_early_stop(model, n_rows)
    return Continuation(_warm_start(parameter), is_equal and is_known)


def find_model(estimator: Any, resource: str) -> Any:
    """Return the model that the resource belongs to: the estimator, or a pipeline's last step.

    None if it is a part of anything else.
    """
    names = None if resource == PASSES else resource.split("__")[:-1]
    while type(estimator) is Pipeline and names != []:
        if estimator.memory is not None:
            return None
        name, estimator = estimator.steps[-1]
        if names is not None and names.pop(0) != name:
            return None
    return None if names else estimator


def _has_repeatable_steps(estimator: Any) -> bool:
    """Return True if the steps before the model do the same each time they are fitted."""
    if type(estimator) is not Pipeline:
        return True
    steps = [step for _, step in estimator.steps[:-1] if hasattr(step, "get_params")]
    seeds = [
        value
        for step in steps
        for name, value in step.get_params().items()
        if name.rpartition("__")[2] == "random_state"
    ]
    are_seeded = all(isinstance(seed, numbers.Integral) for seed in seeds)
    return are_seeded and _has_repeatable_steps(estimator.steps[-1][1])


def _has_no_early_stop(model: Any, n_rows: int) -> bool:
    """Return True if no setting makes warm starts differ from fits, or warn."""
    if isinstance(getattr(model, "class_weight", None), str):  # computed from the rows of each fit
        return False
    early_stopping = getattr(model, "early_stopping", None)
    if early_stopping is None:
        return getattr(model, "n_iter_no_change", None) is None
    return early_stopping is False or (early_stopping == "auto" and n_rows <= _AUTO_STOP_ROWS)


def _warm_start(parameter: str) -> Train:
    def train(
        model: Any, had: int, amount: int, X: Any, y: Any, all_y: Any, params: dict[str, Any]
    ) -> None:
        own = model.warm_start
        model.set_params(**{parameter: amount, "warm_start": True})
        try:
            model.fit(X, y, **params)
        finally:
            model.set_params(warm_start=own)

    return train


def _is_lightgbm_without_sampling(model: Any) -> bool:
    has_row_sampling = model.subsample_freq > 0 and model.subsample < 1
    others = set(model.get_params()) - set(model._get_param_names())
    is_plain = model.boosting_type in ("gbdt", "gbrt") and model.colsample_bytree == 1
    return is_plain and others <= _LIGHTGBM_OTHERS and not has_row_sampling


def _train_lightgbm(
    model: Any, had: int, amount: int, X: Any, y: Any, all_y: Any, params: dict[str, Any]
) -> None:
    model.set_params(n_estimators=amount - had)
    try:
        model.fit(X, y, init_model=model.booster_ if had else None, **params)
    finally:
        model.set_params(n_estimators=amount)


def _train_passes(
    model: Any, had: int, amount: int, X: Any, y: Any, all_y: Any, params: dict[str, Any]
) -> None:
    """Call ``partial_fit`` for each pass, with one stream of random numbers over all of them.

    With an int as ``random_state`` each call would shuffle the rows in the same way.
    """
    if "classes" in inspect.signature(model.partial_fit).parameters:
        params = {"classes": np.unique(np.asarray(all_y)), **params}
    seed = getattr(model, "random_state", None)
    is_seeded = isinstance(seed, numbers.Integral)
    if is_seeded:
        stream = vars(model).pop(_STREAM, None) if had else None
        model.random_state = np.random.RandomState(seed) if stream is None else stream
    try:
        n_left = amount - had
        while n_left:
            n_left -= _repeat_inside(model, n_left, X, y, params)
    finally:
        if is_seeded:
            vars(model)[_STREAM] = model.random_state
            model.random_state = seed


def _repeat_inside(
    model: Any, n_passes: int, X: ArrayLike, y: ArrayLike, params: dict[str, Any]
) -> int:
    """Call ``partial_fit`` once, for as many passes as it can do; return their number."""
    n_done = 1
    one_pass = getattr(model, "_fit_stochastic", None)
    if one_pass is None or not is_exactly(model, "sklearn", *_PERCEPTRONS):
        model.partial_fit(X, y, **params)
        return n_done

    def repeat(*args: Any, **kwargs: Any) -> None:
        nonlocal n_done
        n_done = n_passes
        for _ in range(n_passes):
            one_pass(*args, **kwargs)

    vars(model)["_fit_stochastic"] = repeat
    try:
        model.partial_fit(X, y, **params)
    finally:
        del vars(model)["_fit_stochastic"]
    return n_done
