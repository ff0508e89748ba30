"""Keras through scikeras: uses Keras' callback ``EarlyStopping`` with ``validation_data``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sklearn.base import clone
from sklearn.utils import check_array

from skdistsearch.early_stopping._base import Family, FitData, is_a

_CALLBACKS = "fit__callbacks"


def _matches(estimator: object) -> bool:
    return is_a(estimator, "scikeras", "BaseWrapper")


def keras_family(monitor: str = "val_loss", min_delta: float = 0.0) -> Family:
    """Return the family of neural networks, which stop early on the given metric.

    Parameters
    ----------
    monitor : str, default="val_loss"
        The value to improve: the loss on the validation data, or one of the network's metrics.
        scikeras gives metrics their long names: ``"val_mean_squared_error"``.
    min_delta : float, default=0.0
        The smallest change that counts as an improvement, in units of the value.

    Returns
    -------
    family : Family
        For the parameter ``family`` of `~skdistsearch.EarlyStopping`.

    Examples
    --------
    >>> from skdistsearch.early_stopping import keras_family
    >>> keras_family(min_delta=0.1).name
    'Keras (scikeras)'

    Stop a network by its mean absolute error on the validation data:

    .. code-block:: python

        network = KerasRegressor(build_network, metrics=["mean_absolute_error"], epochs=200)
        family = keras_family(monitor="val_mean_absolute_error", min_delta=0.1)
        model = EarlyStopping(network, patience=10, family=family)
    """
    return Family(
        "Keras (scikeras)",
        _matches,
        partial(_fit_with_validation, monitor=monitor, min_delta=min_delta),
        _set_iterations,
        validation_history=partial(_validation_history, monitor=monitor),
    )


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

    validation_data = _encode_validation(model, train, validation)
    stop = EarlyStopping(monitor, min_delta, patience, restore_best_weights=True)
    own_callbacks = vars(model).pop(_CALLBACKS, None)
    # scikeras reads callbacks from its parameters only, not from those of fit.
    model.set_params(**{_CALLBACKS: _add_callback(own_callbacks, stop)})
    try:
        model.fit(train.X, train.y, validation_data=validation_data, **train.params)
    finally:
        del vars(model)[_CALLBACKS]  # the callback holds the network and cannot be pickled
        if own_callbacks is not None:
            model.set_params(**{_CALLBACKS: own_callbacks})
    model._fit_callbacks = [callback for callback in model._fit_callbacks if callback is not stop]
    return int(stop.best_epoch) + 1


def _encode_validation(model: Any, train: FitData, validation: FitData) -> tuple[Any, ...]:
    """Return the validation data as the network reads it: scikeras encodes only training data."""
    like = clone(model).initialize(train.X, train.y)
    X = check_array(validation.X, accept_sparse=True, allow_nd=True, dtype=None)
    y = check_array(validation.y, ensure_2d=False, dtype=None)
    weights = [validation.params[name] for name in ("sample_weight",) if name in validation.params]
    return (like.feature_encoder_.transform(X), like.target_encoder_.transform(y), *weights)


def _add_callback(callbacks: Any, stop: object) -> Any:
    """Add ``stop`` to the user's callbacks.

    They keep their keys or positions, to which other parameters may refer.
    """
    if callbacks is None:
        return [stop]
    if isinstance(callbacks, dict):
        return {**callbacks, "early_stopping": stop}
    return [*callbacks, stop] if isinstance(callbacks, list | tuple) else [callbacks, stop]


def _set_iterations(model: Any, n: int) -> None:
    params = model.get_params()
    for name in ("epochs", "fit__epochs"):
        if name in params:
            model.set_params(**{name: n})
    for name in ("validation_split", "fit__validation_split"):
        if name in params:
            model.set_params(**{name: 0.0})


def _validation_history(model: Any, best: int, *, monitor: str) -> tuple[str, Sequence[float]]:
    return monitor.removeprefix("val_"), model.history_[monitor]


FAMILY = keras_family()
