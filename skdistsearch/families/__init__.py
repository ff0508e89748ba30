"""The model families that `skdistsearch.EarlyStopping` can stop, and how to add one."""

from skdistsearch.families._base import Family, Part, family_of, known, register
from skdistsearch.families._keras import keras

__all__ = [
    "Family",
    "Part",
    "family_of",
    "keras",
    "known",
    "register",
]
