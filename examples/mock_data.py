"""Mock data for the tournament.

In each category of rows the target depends on other features, and in another way.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import (
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.model_selection import train_test_split


def make_data(config, seed=0):
    """Return a data frame X with a column "category", and the targets y."""
    make = {
        "regression": _make_regression,
        "classification": _make_classification,
        "multilabel": _make_multilabel,
    }[config["task"]]
    frames, targets = [], []
    for category in range(config["n_categorical_features"]):
        X, y = make(config, random_state=seed + category)
        frames.append(pd.DataFrame(X).add_prefix("x").assign(category=f"type_{category}"))
        targets.append(y)
    return pd.concat(frames, ignore_index=True), np.concatenate(targets)


def hold_out(config, X, y, seed=0):
    """Return X_train, X_test, y_train and y_test."""
    return train_test_split(
        X,
        y,
        test_size=config["test_size"],
        random_state=seed,
        stratify=y if config["task"] == "classification" else None,
    )


def _make_regression(config, random_state):
    X, y = make_regression(
        config["n_rows_per_category"],
        config["n_numeric_features"],
        n_informative=config["n_informative_numeric_features"],
        noise=100,
        random_state=random_state,
    )
    return X, y / 100  # in units of the noise: nets learn targets of about 1 fastest


def _make_classification(config, random_state):
    return make_classification(
        config["n_rows_per_category"],
        config["n_numeric_features"],
        n_informative=config["n_informative_numeric_features"],
        n_redundant=0,
        n_classes=config["n_classes"],
        flip_y=0.1,
        random_state=random_state,
    )


def _make_multilabel(config, random_state):
    return make_multilabel_classification(
        config["n_rows_per_category"],
        config["n_numeric_features"],
        n_classes=config["n_classes"],
        n_labels=config["n_labels"],
        random_state=random_state,
    )
