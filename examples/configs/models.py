"""Models of the configurations: Keras nets, and LightGBM for several labels."""

import logging

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.multioutput import MultiOutputClassifier

from skdistsearch import EarlyStopping

# A search compiles many small nets in one process, about which TensorFlow warns
logging.getLogger("tensorflow").setLevel(logging.ERROR)


def regression_net(meta, dense_layer_widths, l1_factor, l2_factor, activation):
    """Return a net of dense layers that predicts one number."""
    return _make_net(meta, dense_layer_widths, l1_factor, l2_factor, activation, {"units": 1})


def classification_net(meta, dense_layer_widths, l1_factor, l2_factor, activation):
    """Return a net of dense layers that predicts the probability of each class."""
    output = {"units": meta["n_classes_"], "activation": "softmax"}
    return _make_net(meta, dense_layer_widths, l1_factor, l2_factor, activation, output)


def multilabel_net(meta, dense_layer_widths, l1_factor, l2_factor, activation):
    """Return a net of dense layers that predicts the probability of each label."""
    output = {"units": meta["n_classes_"], "activation": "sigmoid"}
    return _make_net(meta, dense_layer_widths, l1_factor, l2_factor, activation, output)


def _make_net(meta, widths, l1_factor, l2_factor, activation, output):
    from keras import Input, Sequential, layers, regularizers

    penalty = regularizers.L1L2(l1_factor, l2_factor)
    net = Sequential([Input((meta["n_features_in_"],))])
    for width in widths:
        net.add(layers.Dense(width, activation=activation, kernel_regularizer=penalty))
    net.add(layers.Dense(**output, kernel_regularizer=penalty))
    return net


def trees_per_label(**params):
    """Return LightGBM with a model for each label, each of which stops early by itself."""
    trees = LGBMClassifier(n_estimators=10_000, n_jobs=1, verbose=-1)
    model = MultiOutputClassifier(EarlyStopping(trees, patience=10, random_state=0))
    return model.set_params(**params)


def best_iteration(pipeline):
    """Return the best iteration of a fitted model, or the mean over one model per label."""
    model = pipeline["model"]
    return np.mean([each.best_iteration_ for each in getattr(model, "estimators_", [model])])
