"""The model families that `skdistsearch.EarlyStopping` can stop, and how to add one."""

from skdistsearch.early_stopping._base import Family, Part, family_of, known, register
from skdistsearch.early_stopping._keras import keras

__all__ = [
    "Family",
    "Part",
    "family_of",
    "keras",
    "known",
    "register",
]
