"""Cost of a search over Keras models, compared with GridSearchCV.

scikeras, a net with one hidden layer, 4 candidates x 5 splits. By hand: two warm processes with one
thread each, which take fits one by one.
"""

from itertools import product

import joblib
from scikeras.wrappers import KerasRegressor
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.model_selection import KFold

from benchmarks.competitors import BY_HAND, JOBS, compare, make_searches

CV = KFold(5)
TARGETS = {"wall / GridSearchCV": 0.85, "wall / by hand": 1.15}


def measure(options):
    X, y = make_data(100 if options.quick else 2000)
    grid = {"hidden": [8, 16] if options.quick else [8, 16, 32, 64]}
    model = make_model(epochs=1 if options.quick else 20)
    searches = make_searches(model, grid, (X, y), cv=CV)
    return compare({**searches, BY_HAND: lambda: fit_by_hand(model, X, y, grid)}, options)


def make_data(n_rows):
    return make_regression(n_rows, 20, noise=10, random_state=0)


def make_model(epochs):
    return KerasRegressor(
        make_net,
        hidden=8,
        loss="mse",
        epochs=epochs,
        fit__batch_size=128,
        random_state=0,
        verbose=0,
    )


def make_net(meta, hidden):
    from keras import Input, Sequential, layers

    width = meta["n_features_in_"]
    return Sequential([Input((width,)), layers.Dense(hidden, activation="relu"), layers.Dense(1)])


def fit_by_hand(model, X, y, grid):
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        return joblib.Parallel(JOBS, batch_size=1)(
            joblib.delayed(fit_and_score)(model, X, y, *split, hidden)
            for hidden, split in product(grid["hidden"], CV.split(X))
        )


def fit_and_score(model, X, y, train, test, hidden):
    fitted = clone(model).set_params(hidden=hidden).fit(X[train], y[train])
    return fitted.score(X[test], y[test])
