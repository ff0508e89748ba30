"""A small grid that runs within a minute."""

from configs import grid

LIGHTGBM, KERAS = grid.CONFIG["contenders_spec"]

CONFIG = {
    **grid.CONFIG,
    "title": "4 fits, about 20 seconds on two cores",
    "n_rows_per_category": 100,
    "n_splits": 2,
    "contenders_spec": [
        {
            **LIGHTGBM,
            "__model__init_kwargs__max_depth": [1],
            "__model__init_kwargs__n_estimators": [10],
            "__model__fit_kwargs__early_stopping_rounds": [2],
        },
        {
            **KERAS,
            "__model__init_kwargs__dense_layer_widths": [()],
            "__model__fit_kwargs__epochs": [20],
            "__model__fit_kwargs__patience": [2],
        },
    ],
}
