"""Base class of meta-estimators that wrap one estimator and predict with it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdistsearch._typing import ArrayLike
from skdistsearch._validation import estimator_type

_DELEGATED = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")


def _has_method(method: str) -> Callable[[Any], bool]:
    """Return a check for `available_if`, which requires a method of the wrapped estimator.

    If the method is missing, the estimator's own `AttributeError` is raised.
    """

    def check(self: DelegatingEstimator) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class DelegatingEstimator(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Base class: ``fit`` sets ``estimator_``, a fitted copy of ``estimator``.

    All other methods, and the tags, are those of the wrapped estimator.
    """

    estimator: Any
    estimator_: Any

    @property
    def classes_(self) -> Any:
        """The class labels, if the estimator is a classifier."""
        check_is_fitted(self)
        return self.estimator_.classes_

    @available_if(_has_method("predict"))
    def predict(self, X: ArrayLike, **params: Any) -> Any:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            Parameters for the estimator's ``predict``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        return self._call_fitted("predict", X, params)

    @available_if(_has_method("predict_proba"))
    def predict_proba(self, X: ArrayLike, **params: Any) -> Any:
        """Predict class probabilities with the fitted classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            Parameters for the estimator's ``predict_proba``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._call_fitted("predict_proba", X, params)

    @available_if(_has_method("predict_log_proba"))
    def predict_log_proba(self, X: ArrayLike, **params: Any) -> Any:
        """Predict logarithms of class probabilities with the fitted classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            Parameters for the estimator's ``predict_log_proba``.

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._call_fitted("predict_log_proba", X, params)

    @available_if(_has_method("decision_function"))
    def decision_function(self, X: ArrayLike, **params: Any) -> Any:
        """Return the decision function of the fitted classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            Parameters for the estimator's ``decision_function``.

        Returns
        -------
        decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._call_fitted("decision_function", X, params)

    @available_if(_has_method("score"))
    def score(self, X: ArrayLike, y: ArrayLike = None, **params: Any) -> float:
        """Score the fitted estimator with its own ``score``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        **params : dict of str -> object
            Parameters for the estimator's ``score``, such as ``sample_weight``.

        Returns
        -------
        score : float
            Accuracy, R², or the estimator's own metric.
        """
        check_is_fitted(self)
        return float(self.estimator_.score(X, y, **self._route_params("score", params)))

    def _call_fitted(self, method: str, X: ArrayLike, params: dict[str, Any]) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(X, **self._route_params(method, params))

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata that the wrapped estimator requests, by method.

        Returns
        -------
        routing : `~sklearn.utils.metadata_routing.MetadataRouter`
            Requests of ``fit``, ``predict``, ``score`` and so on.
        """
        mapping = MethodMapping()
        for method in ("fit", *_DELEGATED):
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=type(self).__name__)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def _set_fitted(self, fitted: Any) -> None:
        self.estimator_ = fitted
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def _route_params(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters for a method of the wrapped estimator, by its own names."""
        if not get_config()["enable_metadata_routing"]:
            return params
        return dict(process_routing(self, method, **params).estimator[method])

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags, get_tags  # scikit-learn >= 1.6

        tags: Any = super().__sklearn_tags__()
        own: Any = deepcopy(get_tags(self.estimator))
        tags.estimator_type = own.estimator_type or estimator_type(self.estimator)
        tags.classifier_tags, tags.regressor_tags = own.classifier_tags, own.regressor_tags
        if tags.estimator_type == "classifier":
            tags.classifier_tags = own.classifier_tags or ClassifierTags()
        if tags.estimator_type == "regressor":
            tags.regressor_tags = own.regressor_tags or RegressorTags()
        tags.input_tags, tags.target_tags = own.input_tags, own.target_tags
        tags.target_tags.required = True
        tags.non_deterministic = own.non_deterministic
        return tags

    @property
    def _estimator_type(self) -> Any:  # scikit-learn < 1.6, and libraries written for it
        return last_step(self.estimator)._estimator_type

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn < 1.6
        own: dict[str, Any] = getattr(self.estimator, "_get_tags", dict)()
        names = ("allow_nan", "pairwise", "multioutput", "multilabel", "X_types", "binary_only")
        return {**{name: own[name] for name in names if name in own}, "requires_y": True}


def last_step_names(estimator: Any) -> list[str]:
    """Return the names of the last steps of nested pipelines, outermost first."""
    if not isinstance(estimator, Pipeline):
        return []
    name, last = estimator.steps[-1]
    return [name, *last_step_names(last)]


def last_step(estimator: Any) -> Any:
    """Return the estimator, or the last step if it is a pipeline."""
    return last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator
