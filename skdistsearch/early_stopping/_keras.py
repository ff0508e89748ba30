"""Keras through scikeras: its callback ``EarlyStopping``, on its ``validation_data``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sklearn.base import clone
from sklearn.utils import check_array

from skdistsearch.early_stopping._base import Family, FitData, is_a

_CALLBACKS = "fit__callbacks"


def _matches(estimator: Any) -> bool:
    return is_a(estimator, "scikeras", "BaseWrapper")


def keras_family(monitor: str = "val_loss", min_delta: float = 0.0) -> Family:
    """The family of nets, and what of them is watched.

    Parameters
    ----------
    monitor : str, default="val_loss"
        The value to better: the loss on the validation part, or one of the net's metrics on it.
        scikeras gives metrics their long names: ``"val_mean_squared_error"``.
    min_delta : float, default=0.0
        What a change must exceed to be an improvement, in units of the value.

    Returns
    -------
    family : Family
        For ``EarlyStopping(model, family=keras(min_delta=0.1))``.
    """
    fit = partial(_fit_with_validation, monitor=monitor, min_delta=min_delta)
    curve = partial(_validation_history, monitor=monitor)
    return Family("Keras (scikeras)", _matches, fit, _set_iterations, validation_history=curve)


def _fit_with_validation(
    model: Any,
    train: FitData,
    validation: FitData,
    patience: int,
    *,
    monitor: str,
    min_delta: float,
) -> int:
    from keras.callbacks import EarlyStopping

    watched = _encoded(model, train, validation)
    stop = EarlyStopping(monitor, min_delta, patience, restore_best_weights=True)
    given = vars(model).pop(_CALLBACKS, None)
    # scikeras takes callbacks from parameters alone, not from those of fit.
    model.set_params(**{_CALLBACKS: _with(given, stop)})
    try:
        model.fit(train.X, train.y, validation_data=watched, **train.params)
    finally:
        del vars(model)[_CALLBACKS]  # the callback holds the net, and could not be pickled
        if given is not None:
            model.set_params(**{_CALLBACKS: given})
    model._fit_callbacks = [callback for callback in model._fit_callbacks if callback is not stop]
    return int(stop.best_epoch) + 1


def _encoded(model: Any, train: FitData, validation: FitData) -> tuple[Any, ...]:
    """The validation part as the net sees it; scikeras encodes only what it trains on."""
    like = clone(model).initialize(train.X, train.y)
    X = check_array(validation.X, accept_sparse=True, allow_nd=True, dtype=None)
    y = check_array(validation.y, ensure_2d=False, dtype=None)
    weights = [validation.params[name] for name in ("sample_weight",) if name in validation.params]
    return (like.feature_encoder_.transform(X), like.target_encoder_.transform(y), *weights)


def _with(callbacks: Any, stop: Any) -> Any:
    """``stop`` beside the user's own, whose names and numbers may occur in other parameters."""
    if callbacks is None:
        return [stop]
    if isinstance(callbacks, dict):
        return {**callbacks, "early_stopping": stop}
    return [*callbacks, stop] if isinstance(callbacks, list | tuple) else [callbacks, stop]


def _set_iterations(model: Any, n: int) -> None:
    given = model.get_params()
    for name in ("epochs", "fit__epochs"):
        if name in given:
            model.set_params(**{name: n})
    for name in ("validation_split", "fit__validation_split"):
        if name in given:
            model.set_params(**{name: 0.0})


def _validation_history(model: Any, best: int, *, monitor: str) -> tuple[str, Sequence[float]]:
    return monitor.removeprefix("val_"), model.history_[monitor]


FAMILY = keras_family()
