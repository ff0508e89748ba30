"""A small random search, to see that it runs."""

from models import regression_net
from scipy.stats import loguniform, randint

n_numeric_features = 10
n_informative_numeric_features = 5
n_categorical_features = 1
n_rows_per_category = 100
test_size = 0.2
n_splits = 2
score_path = "sklearn.metrics.r2_score"
contenders_spec = [
    {
        "__model": ["lightgbm.LGBMRegressor"],
        # These go to the model.
        "__model__init_kwargs__learning_rate": loguniform(1e-2, 1e-1),
        "__model__init_kwargs__max_depth": randint(1, 4),
        "__model__init_kwargs__n_estimators": [10],
        "__model__init_kwargs__n_jobs": [1],
        # These go to its fit.
        "__model__fit_kwargs__eval_metric": ["mse"],
        "__model__fit_kwargs__early_stopping_rounds": [2],
        "__model__fit_kwargs__verbose": [-1],
        # The presence of this key samples candidates instead of trying all.
        "__n_iter": 1,
    },
    {
        "__model": ["scikeras.wrappers.KerasRegressor"],
        # These go to the model, and what it has no name for to the function that makes the net.
        "__model__init_kwargs__model": [regression_net],
        "__model__init_kwargs__loss": ["mse"],
        "__model__init_kwargs__metrics": [["mse"]],
        "__model__init_kwargs__optimizer": ["adam"],
        "__model__init_kwargs__random_state": [0],
        "__model__init_kwargs__verbose": [0],
        "__model__init_kwargs__dense_layer_widths": [()],
        "__model__init_kwargs__activation": ["relu"],
        "__model__init_kwargs__l1_factor": loguniform(1e-8, 1e-2),
        "__model__init_kwargs__l2_factor": loguniform(1e-8, 1e-2),
        # These go to its fit.
        "__model__fit_kwargs__batch_size": [None],
        "__model__fit_kwargs__epochs": [20],
        "__model__fit_kwargs__validation_split": [0.2],
        "__model__fit_kwargs__monitor": ["val_mean_squared_error"],
        "__model__fit_kwargs__patience": [2],
        "__model__fit_kwargs__min_delta": [1e-5],
        # The presence of this key samples candidates instead of trying all.
        "__n_iter": 1,
    },
]
