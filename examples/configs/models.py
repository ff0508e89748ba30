"""What the configurations put together themselves: nets, and trees for several labels."""

from lightgbm import LGBMClassifier
from sklearn.multioutput import MultiOutputClassifier

from skdistsearch import EarlyStopping


def regression_net(meta, dense_layer_widths, l1_factor, l2_factor, activation):
    """Dense layers of the given widths, and one number at the end."""
    return _net(meta, dense_layer_widths, l1_factor, l2_factor, activation, {"units": 1})


def classification_net(meta, dense_layer_widths, l1_factor, l2_factor, activation):
    """Dense layers of the given widths, and the probabilities of the classes."""
    last = {"units": meta["n_classes_"], "activation": "softmax"}
    return _net(meta, dense_layer_widths, l1_factor, l2_factor, activation, last)


def multilabel_net(meta, dense_layer_widths, l1_factor, l2_factor, activation):
    """Dense layers of the given widths, and the probability of each label."""
    last = {"units": meta["n_classes_"], "activation": "sigmoid"}
    return _net(meta, dense_layer_widths, l1_factor, l2_factor, activation, last)


def _net(meta, widths, l1_factor, l2_factor, activation, last):
    from keras import Input, Sequential, layers, regularizers

    penalty = regularizers.L1L2(l1_factor, l2_factor)
    net = Sequential([Input((meta["n_features_in_"],))])
    for width in widths:
        net.add(layers.Dense(width, activation=activation, kernel_regularizer=penalty))
    net.add(layers.Dense(**last, kernel_regularizer=penalty))
    return net


def trees_per_label(**params):
    """LightGBM, a model for each label, each of which stops when it is time."""
    trees = LGBMClassifier(n_estimators=10_000, n_jobs=1, verbose=-1)
    model = MultiOutputClassifier(EarlyStopping(trees, patience=10, random_state=0))
    return model.set_params(**params)
