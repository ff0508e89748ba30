"""`EarlyStopping`: how long to train is learnt from the training rows alone."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from skdistsearch._validation_part import length, parts, split
from skdistsearch.families import Family, Part, family_of

_DELEGATED = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")


def _has(method: str) -> Callable[[Any], bool]:
    """For `available_if`: the wrapped estimator's own `AttributeError` if it has no such method."""

    def check(self: EarlyStopping) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class EarlyStopping(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A model that stops early, on a part of the very rows it is given to train on.

    ``fit`` sets a validation part of its rows aside, fits the model on the others while the model
    watches that part by its own mechanism, and learns the best number of iterations. Then it
    fits once more, on all its rows, for that many iterations. Rows that a search scores on
    are never seen, so scores stay honest, and all contenders train on equally many rows.

    Parameters
    ----------
    estimator : estimator object
        A model of LightGBM, XGBoost, CatBoost, Keras (through scikeras) or scikit-learn's
        `~sklearn.ensemble.HistGradientBoostingRegressor` and ``...Classifier``, of a family
        that is `registered <skdistsearch.families.register>`, or a
        `~sklearn.pipeline.Pipeline` that ends in one: then the preprocessing too is fitted on
        the inner training part only, and for the last fit on all rows.
    patience : int, default=10
        Stop once so many iterations in a row (trees, epochs) have not bettered the model on the
        validation part.
    max_iter : int or None, default=None
        The most iterations. None leaves the model's own setting (``n_estimators``, ``epochs``).
    validation : float or cross-validation splitter, default=0.2
        The fraction of the rows to validate on, drawn at random: stratified for classifiers,
        whole groups if ``fit`` is given ``groups``. Or a splitter, the last of whose splits is
        used: of `~sklearn.model_selection.TimeSeriesSplit` the one with the latest rows.
    refit : bool, default=True
        Whether to fit once more, on all rows. If not, the model that was fitted on the inner
        training part predicts, with its best iteration.
    rescale : bool, default=False
        Whether the last fit runs more iterations in proportion to its greater number of rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the drawing of the validation part. The model's own seed is the model's.
    family : "auto" or skdistsearch.families.Family, default="auto"
        How the model stops. "auto" finds the family by the model's class.

    Attributes
    ----------
    best_iteration_ : int
        The number of iterations, from 1, with which the model did best on the validation part.
    n_iter_ : int
        The number of iterations of ``estimator_``: ``best_iteration_``, unless rescaled.
    estimator_ : estimator object
        The fitted model, or pipeline.
    classes_ : ndarray of shape (n_classes,), or list of such
        The labels, if ``estimator`` is a classifier.
    n_features_in_ : int
        Number of features seen during ``fit``, if ``estimator_`` tells.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during ``fit``, if ``estimator_`` tells.

    See Also
    --------
    skdistsearch.families.register : Adds a family of models.

    Notes
    -----
    As the last step of a pipeline, the steps before it are fitted on all rows of the pipeline,
    the inner validation part included. That cannot flatter a score, for scores come from rows
    outside; the number of iterations may come out a little higher. Put the pipeline inside to
    avoid it. In a `~sklearn.compose.TransformedTargetRegressor`, put this class inside.

    Validation rows of a class that the inner training part does not have (groups may do that)
    are left out.

    Groups reach ``fit`` through a search only with metadata routing
    (``sklearn.set_config(enable_metadata_routing=True)``), where they are asked for by default.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from sklearn.model_selection import cross_val_score
    >>> from skdistsearch import EarlyStopping
    >>> X, y = load_diabetes(return_X_y=True)
    >>> trees = HistGradientBoostingRegressor(learning_rate=0.05, max_iter=1000, random_state=0)
    >>> model = EarlyStopping(trees, patience=10, random_state=0)
    >>> print(cross_val_score(model, X, y, cv=5).mean() > 0.35)
    True
    >>> print(model.fit(X, y).best_iteration_ < 100)
    True
    """

    _required_parameters = ["estimator"]  # scikit-learn < 1.6 asks for it
    _parameter_constraints: dict[str, Any] = {
        "estimator": "no_validation",  # `family_of` says what is valid
        "patience": [numbers.Integral],
        "max_iter": [numbers.Integral, None],
        "validation": [numbers.Real, "cv_object"],
        "refit": ["boolean"],
        "rescale": ["boolean"],
        "random_state": ["random_state"],
        "family": "no_validation",
    }
    # The model's own requests decide about weights; groups are for the validation part.
    __metadata_request__fit = {"sample_weight": UNUSED, "groups": True}

    def __init__(
        self,
        estimator: Any,
        *,
        patience: int = 10,
        max_iter: int | None = None,
        validation: Any = 0.2,
        refit: bool = True,
        rescale: bool = False,
        random_state: Any = None,
        family: str | Family = "auto",
    ) -> None:
        self.estimator = estimator
        self.patience = patience
        self.max_iter = max_iter
        self.validation = validation
        self.refit = refit
        self.rescale = rescale
        self.random_state = random_state
        self.family = family

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None, **params: Any
    ) -> EarlyStopping:
        """Learn the best number of iterations, then fit for so many on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in the losses of both parts. Of a pipeline they are the model's,
            or with metadata routing those of all steps that ask for them.
        groups : array-like of shape (n_samples,), default=None
            Rows of a group stay together: all in the validation part, or none.
        **params : dict of str -> object
            For the ``fit`` of ``estimator``. What has one value per row is split as the rows are.

        Returns
        -------
        self : EarlyStopping
            The fitted model.

        Raises
        ------
        FamilyError
            Before any fit: nobody knows how to stop such a model.
        ValueError
            Before any fit: a parameter is out of its range; every one is named.
        """
        self._validate_params()
        self._check_ranges()
        family = self._family()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        X, y, sample_weight, groups = indexable(X, y, sample_weight, groups)
        if sample_weight is not None:
            params[self._weights_name()] = sample_weight
        params = self._routed("fit", params, groups)
        whole = Part(X, y, params)
        train, held = split(self.validation, X, y, self._labels(y), groups, self.random_state)
        inner, validation = parts(whole, train, held)
        fitted, self.best_iteration_ = self._watched(family, inner, validation)
        self.n_iter_ = self.best_iteration_
        if self.refit and self.rescale:
            self.n_iter_ = max(1, round(self.best_iteration_ * length(X) / len(train)))
        if self.refit or not family.predicts_best:
            fitted = self._fitted(family, whole if self.refit else inner)
        self._keep(fitted)
        return self

    def _check_ranges(self) -> None:
        counts: dict[str, Any] = {"patience": self.patience, "max_iter": self.max_iter}
        mistakes = [
            f"The {name!r} parameter of EarlyStopping must be at least 1. Got {value!r} instead."
            for name, value in counts.items()
            if value is not None and value < 1
        ]
        fraction: Any = self.validation
        if fraction is None or (isinstance(fraction, numbers.Real) and not 0 < float(fraction) < 1):
            mistakes.append(
                "The 'validation' parameter of EarlyStopping must be a float between 0 and 1, "
                f"neither included, or a splitter. Got {fraction!r} instead."
            )
        if mistakes:
            raise ValueError("\n".join(mistakes))

    def _family(self) -> Family:
        if isinstance(self.family, Family):
            return self.family
        if self.family != "auto":
            raise ValueError(
                "The 'family' parameter of EarlyStopping must be 'auto' or a "
                f"skdistsearch.families.Family. Got {self.family!r} instead."
            )
        return family_of(_model(self.estimator))

    def _weights_name(self) -> str:
        """As the estimator's ``fit`` calls them; without routing a pipeline asks for the step."""
        routing = get_config()["enable_metadata_routing"]
        return "__".join([*([] if routing else _path(self.estimator)), "sample_weight"])

    def _routed(self, method: str, params: dict[str, Any], groups: Any = None) -> dict[str, Any]:
        """Parameters for a method of the wrapped estimator, by the names it has for them."""
        if not get_config()["enable_metadata_routing"]:
            return params
        if groups is not None:
            params = {**params, "groups": groups}
        return dict(process_routing(self, method, **params).estimator[method])

    def _labels(self, y: Any) -> Any:
        """The classes of the rows, where they are to be stratified."""
        if self._kind() == "classifier" and type_of_target(y) in ("binary", "multiclass"):
            return np.asarray(y).ravel()
        return None

    def _kind(self) -> str | None:
        """What tags say, or (scikeras 0.13 with scikit-learn 1.6 and later) what they should."""
        if is_classifier(self.estimator):
            return "classifier"
        return getattr(_model(self.estimator), "_estimator_type", None)

    def _watched(self, family: Family, train: Part, validation: Part) -> tuple[Any, int]:
        """The estimator fitted on the inner training part, and its best iteration."""
        pipeline = clone(self.estimator)
        model = _model(pipeline)
        if self.max_iter is not None:
            family.set_iterations(model, self.max_iter)
        seen = _prepared(pipeline, train)
        # Pipelines and routing rename parameters of fit, and hand on the same objects.
        names = {id(train.params[name]): name for name in validation.params}
        aligned = {
            name: validation.params[names[id(value)]]
            for name, value in seen.params.items()
            if id(value) in names
        }
        watched = Part(_transformed(pipeline, validation.X), validation.y, aligned)
        best = family.fit_with_validation(model, seen, watched, self.patience)
        return _with_model(pipeline, model), best

    def _fitted(self, family: Family, part: Part) -> Any:
        pipeline = clone(self.estimator)
        family.set_iterations(_model(pipeline), self.n_iter_)
        return pipeline.fit(part.X, part.y, **part.params)

    def _keep(self, fitted: Any) -> None:
        self.estimator_ = fitted
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

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
        """What metadata this class and the wrapped estimator ask for.

        Returns
        -------
        routing : `~sklearn.utils.metadata_routing.MetadataRouter`
            Of ``fit``, ``predict``, ``score`` and so on.
        """
        mapping = MethodMapping()
        for method in ("fit", *_DELEGATED):
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags, get_tags  # scikit-learn >= 1.6

        tags: Any = super().__sklearn_tags__()
        own: Any = deepcopy(get_tags(self.estimator))
        tags.estimator_type = own.estimator_type or self._kind()
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
        return _model(self.estimator)._estimator_type

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn < 1.6
        own: dict[str, Any] = getattr(self.estimator, "_get_tags", dict)()
        names = ("allow_nan", "pairwise", "multioutput", "multilabel", "X_types", "binary_only")
        return {**{name: own[name] for name in names if name in own}, "requires_y": True}


class _Caught(BaseEstimator):  # type: ignore[misc]
    """Stands in a pipeline where the model does, and keeps what the model would be given."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Any, y: Any = None, **params: Any) -> _Caught:
        """Keep the rows."""
        self.part_ = Part(X, y, params)
        return self

    def get_metadata_routing(self) -> Any:
        """As the model's."""
        return get_routing_for_object(self.model)


def _path(estimator: Any) -> list[str]:
    """Names of the last steps of pipelines, from the outermost in."""
    if not isinstance(estimator, Pipeline):
        return []
    name, last = estimator.steps[-1]
    return [name, *_path(last)]


def _model(estimator: Any) -> Any:
    """The estimator, or the last step of the pipeline that it is."""
    return _model(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def _with_model(pipeline: Any, model: Any) -> Any:
    path = _path(pipeline)
    return pipeline.set_params(**{"__".join(path): model}) if path else model


def _prepared(pipeline: Any, part: Part) -> Part:
    """What the model at the end is given; fits the steps before it."""
    if not isinstance(pipeline, Pipeline):
        return part
    caught = _Caught(_model(pipeline))
    _with_model(pipeline, caught).fit(part.X, part.y, **part.params)
    return caught.part_


def _transformed(pipeline: Any, X: Any) -> Any:
    """Rows as the model at the end sees them."""
    while isinstance(pipeline, Pipeline):
        if len(pipeline) > 1:
            X = pipeline[:-1].transform(X)
        pipeline = pipeline.steps[-1][1]
    return X
