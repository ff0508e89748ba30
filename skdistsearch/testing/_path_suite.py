"""A test suite that every path family must pass."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_classification, make_regression
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV
from skdistsearch._typing import ArrayLike, Estimator
from skdistsearch.model_paths import PathFamily, find_path_family
from skdistsearch.testing._differences import find_differences

_METHODS = (
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "transform",
)
_Data: TypeAlias = tuple[ArrayLike, ArrayLike, Mapping[str, Any]]


class PathFamilySuite:
    """Tests that every `~skdistsearch.model_paths.PathFamily` must pass.

    Derive a class whose name begins with ``Test``, set ``models``, ``parameter`` and ``values``,
    and run pytest. Each test fits each model on each data set, with each value: keep them small.

    Attributes
    ----------
    models : sequence of estimator objects
        Models of the family with various parameters, not fitted.
    parameter : str
        The family's parameter.
    values : sequence
        At least two values of the parameter.
    family : PathFamily, default=None
        The family under test. None for the one that is registered for the models.

    Examples
    --------
    In a file of tests, for pytest to run:

    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skdistsearch.testing import PathFamilySuite
    >>> class TestForest(PathFamilySuite):
    ...     models = [
    ...         RandomForestRegressor(random_state=0),
    ...         RandomForestRegressor(max_samples=0.5, random_state=0),
    ...     ]
    ...     parameter = "n_estimators"
    ...     values = [1, 4, 9]
    """

    models: Sequence[Estimator]
    parameter: str
    values: Sequence[Any]
    family: PathFamily | None = None

    def make_data(self, model: Estimator) -> Iterator[_Data]:
        """Yield X, y and the fit parameters of each data set for a model.

        Parameters
        ----------
        model : estimator object
            One of ``models``.

        Yields
        ------
        X : array of shape (n_samples, n_features)
            Features.
        y : array of shape (n_samples,)
            Targets: of two and of three classes, or numbers.
        params : dict of str to object
            Parameters of ``fit``.
        """
        if not is_classifier(model):
            yield *make_regression(90, 6, noise=10, random_state=0), {}
            return
        for n_classes in (2, 3):
            data = make_classification(
                90, 6, n_informative=4, n_classes=n_classes, random_state=n_classes
            )
            yield *data, {}

    def test_models_have_a_family(self) -> None:
        """The family is known for each of the models, and shares their fits."""
        for model in self.models:
            family = self._family_of(model)
            assert family.parameter == self.parameter
            assert family.can_share(model, 90), model

    def test_predictions_equal_those_of_a_fit(self) -> None:
        """Predictions of a prefix and of a fitted model are equal, bit for bit."""
        for prefix, fitted, X in self._pairs():
            for method in _METHODS:
                if hasattr(fitted, method):
                    actual, expected = getattr(prefix, method)(X), getattr(fitted, method)(X)
                    np.testing.assert_array_equal(actual, expected, err_msg=f"{method}: {fitted}")

    def test_attributes_equal_those_of_a_fit(self) -> None:
        """All attributes are equal, but those that the family names in ``differs_in``."""
        for prefix, fitted, _ in self._pairs():
            if not self._family_of(fitted).differs_in:
                assert find_differences(prefix, fitted) == [], fitted

    def test_prefix_can_be_pickled(self) -> None:
        """A prefix that was pickled and loaded predicts the same."""
        for prefix, fitted, X in self._pairs():
            loaded = pickle.loads(pickle.dumps(prefix))
            method = next(
                name for name in _METHODS if name != "get_support" and hasattr(fitted, name)
            )
            np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(fitted, method)(X))

    def test_longest_model_stays_as_it_is(self) -> None:
        """Making prefixes does not change the model that they are made from."""
        for model in self.models:
            for X, y, params in self.make_data(model):
                longest = self._fit_longest(model, X, y, params)
                before = pickle.dumps(longest)
                for value in self.values:
                    self._family_of(model).prefix(longest, value)
                after = pickle.dumps(longest)
                assert not find_differences(pickle.loads(after), pickle.loads(before)), model

    def test_search_equals_grid_search(self) -> None:
        """All scores of a search are equal to those of scikit-learn's, bit for bit."""
        for model in self.models:
            if not hasattr(model, "score"):
                continue
            X, y, params = next(self.make_data(model))
            grid = {self.parameter: list(self.values)}
            options: dict[str, Any] = {"cv": 3, "refit": False, "return_train_score": True}
            expected = GridSearchCV(clone(model), grid, **options).fit(X, y, **params)
            search = DistributedSearchCV(clone(model), grid, **options).fit(X, y, **params)
            for name, scores in expected.cv_results_.items():
                if "score" in name and "time" not in name:
                    np.testing.assert_array_equal(search.cv_results_[name], scores, err_msg=name)

    def _family_of(self, model: Estimator) -> PathFamily:
        family = self.family or find_path_family(model, self.parameter)
        assert family is not None, f"no family for {model!r}"
        return family

    def _pairs(self) -> Iterator[tuple[Any, Any, ArrayLike]]:
        """Yield a prefix, a model that was fitted with its value, and X."""
        for model in self.models:
            for X, y, params in self.make_data(model):
                longest = self._fit_longest(model, X, y, params)
                for value in self.values:
                    fitted: Any = clone(model).set_params(**{self.parameter: value})
                    prefix = self._family_of(model).prefix(longest, value)
                    assert prefix is not None, f"{self.parameter}={value!r} has no prefix"
                    yield prefix, fitted.fit(X, y, **params), X

    def _fit_longest(
        self, model: Estimator, X: ArrayLike, y: ArrayLike, params: Mapping[str, Any]
    ) -> Any:
        base = self._family_of(model).base_value
        longest: Any = clone(model)
        longest.set_params(**{self.parameter: max(self.values) if base is None else base})
        return longest.fit(X, y, **params)
