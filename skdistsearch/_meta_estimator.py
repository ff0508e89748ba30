"""Meta-estimators that predict as what they have fitted does."""

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

from skdistsearch._validation import estimator_type

_DELEGATED = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")


def _has(method: str) -> Callable[[Any], bool]:
    """For `available_if`: the wrapped estimator's own `AttributeError` if it has no such method."""

    def check(self: DelegatingEstimator) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class DelegatingEstimator(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits a copy of ``estimator``, kept as ``estimator_``; all but ``fit`` is that one's."""

    estimator: Any
    estimator_: Any

    @property
    def classes_(self) -> Any:
        """The labels, of a classifier."""
        check_is_fitted(self)
        return self.estimator_.classes_

    @available_if(_has("predict"))
    def predict(self, X: Any, **params: Any) -> Any:
        """What the fitted estimator predicts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            For the estimator's ``predict``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        return self._delegated("predict", X, params)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any, **params: Any) -> Any:
        """The fitted classifier's probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            For the estimator's ``predict_proba``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._delegated("predict_proba", X, params)

    @available_if(_has("predict_log_proba"))
    def predict_log_proba(self, X: Any, **params: Any) -> Any:
        """Logarithms of the fitted classifier's probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            For the estimator's ``predict_log_proba``.

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._delegated("predict_log_proba", X, params)

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any, **params: Any) -> Any:
        """The fitted classifier's decision function.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        **params : dict of str -> object
            For the estimator's ``decision_function``.

        Returns
        -------
        decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._delegated("decision_function", X, params)

    @available_if(_has("score"))
    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """The fitted estimator's own score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        **params : dict of str -> object
            For the estimator's ``score``, such as ``sample_weight``.

        Returns
        -------
        score : float
            Accuracy, R², or what the estimator scores by.
        """
        check_is_fitted(self)
        return float(self.estimator_.score(X, y, **self._routed("score", params)))

    def _delegated(self, method: str, X: Any, params: dict[str, Any]) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(X, **self._routed(method, params))

    def get_metadata_routing(self) -> MetadataRouter:
        """What metadata the wrapped estimator asks for, method by method.

        Returns
        -------
        routing : `~sklearn.utils.metadata_routing.MetadataRouter`
            Of ``fit``, ``predict``, ``score`` and so on.
        """
        mapping = MethodMapping()
        for method in ("fit", *_DELEGATED):
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=type(self).__name__)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def _keep(self, fitted: Any) -> None:
        self.estimator_ = fitted
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def _routed(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters for a method of the wrapped estimator, by the names it has for them."""
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
    def _estimator_type(self) -> Any:  # scikit-learn < 1.6, and others that ask so
        return last_step(self.estimator)._estimator_type

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn < 1.6
        own: dict[str, Any] = getattr(self.estimator, "_get_tags", dict)()
        names = ("allow_nan", "pairwise", "multioutput", "multilabel", "X_types", "binary_only")
        return {**{name: own[name] for name in names if name in own}, "requires_y": True}


def last_step_names(estimator: Any) -> list[str]:
    """Names of the last steps of pipelines, from the outermost in."""
    if not isinstance(estimator, Pipeline):
        return []
    name, last = estimator.steps[-1]
    return [name, *last_step_names(last)]


def last_step(estimator: Any) -> Any:
    """The estimator, or the last step of the pipeline that it is."""
    return last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator
