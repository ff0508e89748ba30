"""A small random search that runs within a minute."""

from configs import randomized

LIGHTGBM, KERAS = randomized.CONFIG["contenders_spec"]

CONFIG = {
    **randomized.CONFIG,
    "n_categorical_features": 1,
    "n_rows_per_category": 100,
    "n_splits": 2,
    "contenders_spec": [
        {
            **LIGHTGBM,
            "__model__init_kwargs__n_estimators": [10],
            "__model__fit_kwargs__early_stopping_rounds": [2],
            "__n_iter": 1,
        },
        {
            **KERAS,
            "__model__init_kwargs__dense_layer_widths": [()],
            "__model__fit_kwargs__epochs": [20],
            "__model__fit_kwargs__patience": [2],
            "__n_iter": 1,
        },
    ],
}
