"""Three candidates of each contender at random, of which the trees are a model for each label."""

from models import multilabel_net, trees_per_label
from scipy.stats import loguniform, randint

n_numeric_features = 10
n_categorical_features = 2
task = "multilabel"
n_classes = 4
n_labels = 2
n_rows_per_category = 1000
test_size = 0.2
n_splits = 5
score_path = "sklearn.metrics.f1_micro"
contenders_spec = [
    {
        "__model": [trees_per_label],
        # These go to the model within the model that stops, within that of all labels.
        "__model__init_kwargs__estimator__estimator__learning_rate": loguniform(1e-2, 1e-1),
        "__model__init_kwargs__estimator__estimator__max_depth": randint(1, 4),
        # The presence of this key samples candidates instead of trying all.
        "__n_iter": 3,
    },
    {
        "__model": ["scikeras.wrappers.KerasClassifier"],
        # These go to the model, and what it has no name for to the function that makes the net.
        "__model__init_kwargs__model": [multilabel_net],
        "__model__init_kwargs__loss": ["binary_crossentropy"],
        "__model__init_kwargs__optimizer": ["adam"],
        "__model__init_kwargs__random_state": [0],
        "__model__init_kwargs__verbose": [0],
        "__model__init_kwargs__dense_layer_widths": [(), (15,), (225,)],
        "__model__init_kwargs__activation": ["relu"],
        "__model__init_kwargs__l1_factor": loguniform(1e-8, 1e-2),
        "__model__init_kwargs__l2_factor": loguniform(1e-8, 1e-2),
        # These go to its fit.
        "__model__fit_kwargs__batch_size": [None],
        "__model__fit_kwargs__epochs": [10_000],
        "__model__fit_kwargs__validation_split": [0.2],
        "__model__fit_kwargs__monitor": ["val_loss"],
        "__model__fit_kwargs__patience": [10],
        "__model__fit_kwargs__min_delta": [1e-3],
        # The presence of this key samples candidates instead of trying all.
        "__n_iter": 3,
    },
]
