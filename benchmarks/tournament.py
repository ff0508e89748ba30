"""The tournament of the examples as a workload."""

import sys
from pathlib import Path

from sklearn.base import clone
from sklearn.model_selection import KFold

from skdistsearch import DistributedSearchCV, EarlyStopping

EXAMPLES = Path(__file__).parents[1] / "examples"
CV = KFold(5, shuffle=True, random_state=0)
_SHOWN = ("learning_rate", "max_depth", "dense_layer_widths")


def make_workload(config="randomized", n_categories=2, activation=None, *, quick=False):
    """Return the estimator, its candidates as ``param_grid``, X and y.

    Parameters
    ----------
    config : str, default="randomized"
        File of examples/configs.
    n_categories : int, default=2
        Number of categories of rows.
    activation : str or None, default=None
        Activation function of the nets.
    quick : bool, default=False
        Take a small configuration of the same kind.
    """
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    from configs import load_config
    from mock_data import make_data
    from tournament_parts import SEED, make_contenders

    config = load_config(f"small_{config}" if quick else config)
    spec = [_with_activation(contender, activation) for contender in config["contenders_spec"]]
    config = {**config, "n_categorical_features": n_categories, "contenders_spec": spec}
    X, y = make_data(config)
    estimator, grid = make_contenders(config, X)
    candidates = DistributedSearchCV(estimator, grid, random_state=SEED).plan(X, y).candidates
    return estimator, [_as_grid(candidate) for candidate in candidates], X, y


def _with_activation(contender, activation):
    key = "__model__init_kwargs__activation"
    return {**contender, key: [activation]} if key in contender else contender


def _as_grid(candidate):
    return {name: [value] for name, value in candidate.items()}


def build_model(estimator, candidate):
    """Return a model with the parameters of a candidate."""
    params = {name: clone(values[0], safe=False) for name, values in candidate.items()}
    return clone(estimator).set_params(**params)


def describe(candidate):
    """Return the class of a candidate's model, and the parameters that tell it from others."""
    model = candidate["model"][0].estimator
    while isinstance(model, EarlyStopping):
        model = model.estimator
    params = {name.rpartition("__")[2]: values[0] for name, values in candidate.items()}
    texts = [f"{name}={_readable(params[name])}" for name in _SHOWN if name in params]
    return f"{type(model).__name__}({', '.join(texts)})"


def _readable(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)
