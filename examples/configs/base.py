"""Settings that the configurations share. A configuration overrides what it changes."""

from configs.models import regression_net

BASE = {
    "task": "regression",
    "scoring": "r2",
    "n_numeric_features": 10,
    "n_informative_numeric_features": 5,
    "n_categorical_features": 2,
    "n_rows_per_category": 1000,
    "test_size": 0.2,
    "n_splits": 5,
}

LIGHTGBM = {
    "__model": ["lightgbm.LGBMRegressor"],
    # Parameters of the model
    "__model__init_kwargs__n_estimators": [10_000],
    "__model__init_kwargs__n_jobs": [1],
    # Parameters of its fit
    "__model__fit_kwargs__eval_metric": ["mse"],
    "__model__fit_kwargs__early_stopping_rounds": [10],
    "__model__fit_kwargs__verbose": [-1],
}

KERAS = {
    "__model": ["scikeras.wrappers.KerasRegressor"],
    # Parameters of the model. scikeras passes those that it does not know to the function.
    "__model__init_kwargs__model": [regression_net],
    "__model__init_kwargs__loss": ["mse"],
    "__model__init_kwargs__metrics": [["mse"]],
    "__model__init_kwargs__optimizer": ["adam"],
    "__model__init_kwargs__optimizer__learning_rate": [3e-3],
    "__model__init_kwargs__random_state": [0],
    "__model__init_kwargs__verbose": [0],
    "__model__init_kwargs__dense_layer_widths": [(), (15,), (15, 15), (225,)],
    "__model__init_kwargs__activation": ["relu"],
    # Parameters of its fit
    "__model__fit_kwargs__batch_size": [128],
    "__model__fit_kwargs__epochs": [10_000],
    "__model__fit_kwargs__validation_split": [0.2],
    "__model__fit_kwargs__monitor": ["val_mean_squared_error"],
    "__model__fit_kwargs__patience": [5],
    "__model__fit_kwargs__min_delta": [1e-3],
}
