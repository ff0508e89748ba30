"""Five random candidates of each contender, for three classes in two categories of rows."""

from configs import randomized
from configs.models import classification_net

LIGHTGBM, KERAS = randomized.CONFIG["contenders_spec"]

CONFIG = {
    **randomized.CONFIG,
    "title": "50 fits, for three classes",
    "task": "classification",
    "scoring": "accuracy",
    "n_classes": 3,
    "n_rows_per_category": 1000,
    "contenders_spec": [
        {
            **LIGHTGBM,
            "__model": ["lightgbm.LGBMClassifier"],
            "__model__fit_kwargs__eval_metric": ["multi_logloss"],
        },
        {
            **KERAS,
            "__model": ["scikeras.wrappers.KerasClassifier"],
            "__model__init_kwargs__model": [classification_net],
            "__model__init_kwargs__loss": ["sparse_categorical_crossentropy"],
            "__model__init_kwargs__metrics": [None],
            "__model__fit_kwargs__monitor": ["val_loss"],
        },
    ],
}
