"""Five random candidates of each contender, on two categories of rows."""

from scipy.stats import loguniform, randint

from configs.base import BASE, KERAS, LIGHTGBM

CONFIG = {
    **BASE,
    "title": "50 fits, about two minutes on two cores",
    "n_rows_per_category": 5000,
    "contenders_spec": [
        {
            **LIGHTGBM,
            "__model__init_kwargs__learning_rate": loguniform(1e-2, 1e-1),
            "__model__init_kwargs__max_depth": randint(1, 4),
            "__n_iter": 5,  # samples five candidates; without it all combinations are tried
        },
        {
            **KERAS,
            "__model__init_kwargs__l1_factor": loguniform(1e-8, 1e-2),
            "__model__init_kwargs__l2_factor": loguniform(1e-8, 1e-2),
            "__n_iter": 5,
        },
    ],
}
