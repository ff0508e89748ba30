"""The net of the configurations."""


def regression_net(meta, dense_layer_widths, l1_factor, l2_factor):
    """Dense layers of the given widths, and one number at the end."""
    from keras import Input, Sequential, layers, regularizers

    penalty = regularizers.L1L2(l1_factor, l2_factor)
    net = Sequential([Input((meta["n_features_in_"],))])
    for width in dense_layer_widths:
        net.add(layers.Dense(width, activation="relu", kernel_regularizer=penalty))
    net.add(layers.Dense(1, kernel_regularizer=penalty))
    return net
