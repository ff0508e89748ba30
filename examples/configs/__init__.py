"""Configurations of the tournament: data, splits and contenders.

Each file has a dict ``CONFIG``, made of the settings in `base` and its own.
"""

import importlib

NAMES = (
    "randomized",
    "grid",
    "classification",
    "multilabel",
    "small_grid",
    "small_randomized",
)


def load_config(name):
    """Return the configuration of a file of this folder."""
    return importlib.import_module(f"configs.{name}").CONFIG
