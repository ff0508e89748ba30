"""Three random candidates of each contender, for four labels; LightGBM fits a model per label."""

from scipy.stats import loguniform, randint

from configs import classification
from configs.models import multilabel_net, trees_per_label

_, KERAS = classification.CONFIG["contenders_spec"]

CONFIG = {
    **classification.CONFIG,
    "title": "30 fits, for four labels",
    "task": "multilabel",
    "scoring": "f1_micro",
    "n_classes": 4,
    "n_labels": 2,
    "contenders_spec": [
        {
            "__model": [trees_per_label],
            # The path from the model of all labels to LightGBM: MultiOutputClassifier,
            # EarlyStopping, LGBMClassifier
            "__model__init_kwargs__estimator__estimator__learning_rate": loguniform(1e-2, 1e-1),
            "__model__init_kwargs__estimator__estimator__max_depth": randint(1, 4),
            "__n_iter": 3,
        },
        {
            **KERAS,
            "__model__init_kwargs__model": [multilabel_net],
            "__model__init_kwargs__loss": ["binary_crossentropy"],
            "__model__init_kwargs__dense_layer_widths": [(), (15,), (225,)],
            "__n_iter": 3,
        },
    ],
}
