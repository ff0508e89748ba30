"""A small random search that runs within half a minute."""

from configs import randomized

LIGHTGBM, KERAS = randomized.CONFIG["contenders_spec"]

CONFIG = {
    **randomized.CONFIG,
    "title": "9 fits, about 20 seconds on two cores",
    "n_categorical_features": 1,
    "n_rows_per_category": 500,
    "n_splits": 3,
    "contenders_spec": [
        {**LIGHTGBM, "__n_iter": 2},
        {
            **KERAS,
            "__model__init_kwargs__dense_layer_widths": [(15,)],
            "__model__init_kwargs__optimizer__learning_rate": [3e-2],
            "__model__fit_kwargs__epochs": [30],
            "__n_iter": 1,
        },
    ],
}
