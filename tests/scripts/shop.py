"""A module of the user's, which is not installed and so travels with the search."""

import prices
from sklearn.base import BaseEstimator, TransformerMixin


class Markup(TransformerMixin, BaseEstimator):
    def __init__(self, rate=1.0):
        self.rate = rate

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return prices.scale(X, self.rate)
