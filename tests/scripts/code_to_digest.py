"""Code of all kinds that no other process can import; tests read, change and run this file."""

import abc
import dataclasses
import enum
import functools

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

LIMIT = 3


def helper(x):
    return x + LIMIT


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


class Base(abc.ABC):  # noqa: B024
    def scale(self):
        return 2


class Model(BaseEstimator, TransformerMixin, Base):
    """A model."""

    rate: float = 0.1

    def __init__(self, a=1, *, b=2):
        self.a, self.b = a, b

    def fit(self, X: int, y=None):
        # a comment
        return helper(X) * self.scale() * even(self.b)

    def transform(self, X):
        import math

        return super().scale() + np.log(X) + math.pi + Model.rate

    @property
    def size(self):
        return 4

    @functools.cached_property
    def weight(self):
        return 5

    @staticmethod
    def one():
        return 6

    @classmethod
    def new(cls):
        return cls(7)


class Kind(enum.Enum):
    A = 8


@dataclasses.dataclass
class Options:
    depth: int = 9


class Slots:
    __slots__ = ("x",)


@functools.lru_cache
def cached(x):
    return x + 10


def make(factor):
    return lambda x: x * factor + LIMIT


def outer(x):
    return (lambda: x + INNER)()


INNER = 12
made = make(11)
everything = [Model(), Kind.A, Options(), Slots(), cached, made, helper, even, outer]
