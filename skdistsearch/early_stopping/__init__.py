"""The model families that `skdistsearch.EarlyStopping` can stop, and how to add one."""

from skdistsearch.early_stopping._base import Family, Part
from skdistsearch.early_stopping._keras import keras
from skdistsearch.early_stopping._registry import family_of, known, register

__all__ = [
    "Family",
    "Part",
    "family_of",
    "keras",
    "known",
    "register",
]
