"""All combinations of a grid, on one category of rows."""

from configs.base import BASE, KERAS, LIGHTGBM

CONFIG = {
    **BASE,
    "title": "35 fits",
    "n_categorical_features": 1,
    "contenders_spec": [
        {
            **LIGHTGBM,
            "__model__init_kwargs__learning_rate": [0.1],
            "__model__init_kwargs__max_depth": [1, 2, 3],
        },
        {
            **KERAS,
            "__model__init_kwargs__l1_factor": [1e-4],
            "__model__init_kwargs__l2_factor": [1e-4],
        },
    ],
}
