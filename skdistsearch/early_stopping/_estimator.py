"""`EarlyStopping`: how long to train is learnt from the training rows alone."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, get_routing_for_object
from sklearn.utils.multiclass import type_of_target

from skdistsearch._meta_estimator import DelegatingEstimator, last_step, last_step_names
from skdistsearch._validation import estimator_type
from skdistsearch.early_stopping._base import Family, FitData
from skdistsearch.early_stopping._registry import find_family
from skdistsearch.early_stopping._validation_split import length, parts, split


class EarlyStopping(DelegatingEstimator):
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
        that is `registered <skdistsearch.early_stopping.register_family>`, or a
        `~sklearn.pipeline.Pipeline` that ends in one: then the preprocessing too is fitted on
        the inner training part only, and for the last fit on all rows.
    patience : int, default=10
        Stop once so many iterations in a row (trees, epochs) have not bettered the model on the
        validation part.
    max_iter : int or None, default=None
        The most iterations. None leaves the model's own setting (``n_estimators``, ``epochs``).
    validation_split : float or cross-validation splitter, default=0.2
        The fraction of the rows to validate on, drawn at random: stratified for classifiers,
        whole groups if ``fit`` is given ``groups``. Or a splitter, the last of whose splits is
        used: of `~sklearn.model_selection.TimeSeriesSplit` the one with the latest rows.
    refit : bool, default=True
        Whether to fit once more, on all rows. If not, the model that was fitted on the inner
        training part predicts, with its best iteration.
    rescale_iterations : bool, default=False
        Whether the last fit runs more iterations in proportion to its greater number of rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the drawing of the validation part. The model's own seed is the model's.
    family : "auto" or skdistsearch.early_stopping.Family, default="auto"
        How the model stops. "auto" finds the family by the model's class.

    Attributes
    ----------
    best_iteration_ : int
        The number of iterations, from 1, with which the model did best on the validation part.
    n_iter_ : int
        The number of iterations of ``estimator_``: ``best_iteration_``, unless rescaled.
    validation_history_ : ndarray of shape (n_iterations,) or None
        What the model told of the validation part after each iteration that it ran, those after
        the best included; None if its family does not tell.
    validation_metric_ : str or None
        What ``validation_history_`` is of, as the model calls it.
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
    skdistsearch.early_stopping.register : Adds a family of models.
    skdistsearch.report.TrainingHistoryDisplay : Draws what the model told of the validation part.

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
        "estimator": "no_validation",  # `find_family` says what is valid
        "patience": [numbers.Integral],
        "max_iter": [numbers.Integral, None],
        "validation_split": [numbers.Real, "cv_object"],
        "refit": ["boolean"],
        "rescale_iterations": ["boolean"],
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
        validation_split: Any = 0.2,
        refit: bool = True,
        rescale_iterations: bool = False,
        random_state: Any = None,
        family: str | Family = "auto",
    ) -> None:
        self.estimator = estimator
        self.patience = patience
        self.max_iter = max_iter
        self.validation_split = validation_split
        self.refit = refit
        self.rescale_iterations = rescale_iterations
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
        family = self._find_family()
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        X, y, sample_weight, groups = indexable(X, y, sample_weight, groups)
        if sample_weight is not None:
            params[self._weights_name()] = sample_weight
        if groups is not None and get_config()["enable_metadata_routing"]:
            params["groups"] = groups
        params = self._routed("fit", params)
        whole = FitData(X, y, params)
        train, held = split(self.validation_split, X, y, self._labels(y), groups, self.random_state)
        inner, validation = parts(whole, train, held)
        fitted, self.best_iteration_ = self._watched(family, inner, validation)
        self.validation_metric_, self.validation_history_ = self._curve(family, last_step(fitted))
        self.n_iter_ = self.best_iteration_
        if self.refit and self.rescale_iterations:
            self.n_iter_ = max(1, round(self.best_iteration_ * length(X) / len(train)))
        if self.refit or not family.restores_best:
            fitted = self._fitted(family, whole if self.refit else inner)
        self._keep(fitted)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """What metadata this class and the wrapped estimator ask for.

        Returns
        -------
        routing : `~sklearn.utils.metadata_routing.MetadataRouter`
            Of ``fit``, ``predict``, ``score`` and so on.
        """
        return super().get_metadata_routing().add_self_request(self)

    def _check_ranges(self) -> None:
        counts: dict[str, Any] = {"patience": self.patience, "max_iter": self.max_iter}
        mistakes = [
            f"The {name!r} parameter of EarlyStopping must be at least 1. Got {value!r} instead."
            for name, value in counts.items()
            if value is not None and value < 1
        ]
        fraction: Any = self.validation_split
        if fraction is None or (isinstance(fraction, numbers.Real) and not 0 < float(fraction) < 1):
            mistakes.append(
                "The 'validation' parameter of EarlyStopping must be a float between 0 and 1, "
                f"neither included, or a splitter. Got {fraction!r} instead."
            )
        if mistakes:
            raise ValueError("\n".join(mistakes))

    def _find_family(self) -> Family:
        if isinstance(self.family, Family):
            return self.family
        if self.family != "auto":
            raise ValueError(
                "The 'family' parameter of EarlyStopping must be 'auto' or a "
                f"skdistsearch.early_stopping.Family. Got {self.family!r} instead."
            )
        return find_family(last_step(self.estimator))

    def _weights_name(self) -> str:
        """As the estimator's ``fit`` calls them; without routing a pipeline asks for the step."""
        routing = get_config()["enable_metadata_routing"]
        return "__".join([*([] if routing else last_step_names(self.estimator)), "sample_weight"])

    def _labels(self, y: Any) -> Any:
        """The classes of the rows, where they are to be stratified."""
        if estimator_type(self.estimator) == "classifier" and type_of_target(y) in (
            "binary",
            "multiclass",
        ):
            return np.asarray(y).ravel()
        return None

    def _watched(self, family: Family, train: FitData, validation: FitData) -> tuple[Any, int]:
        """The estimator fitted on the inner training part, and its best iteration."""
        pipeline = clone(self.estimator)
        model = last_step(pipeline)
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
        watched = FitData(_transformed(pipeline, validation.X), validation.y, aligned)
        best = family.fit_with_validation(model, seen, watched, self.patience)
        return _with_model(pipeline, model), best

    def _curve(self, family: Family, model: Any) -> tuple[str | None, NDArray[np.float64] | None]:
        if family.validation_history is None:
            return None, None
        name, values = family.validation_history(model, self.best_iteration_)
        return name, np.array(values, dtype=float)

    def _fitted(self, family: Family, part: FitData) -> Any:
        pipeline = clone(self.estimator)
        family.set_iterations(last_step(pipeline), self.n_iter_)
        return pipeline.fit(part.X, part.y, **part.params)


class _Caught(BaseEstimator):  # type: ignore[misc]
    """Stands in a pipeline where the model does, and keeps what the model would be given."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Any, y: Any = None, **params: Any) -> _Caught:
        """Keep the rows."""
        self.part_ = FitData(X, y, params)
        return self

    def get_metadata_routing(self) -> Any:
        """As the model's."""
        return get_routing_for_object(self.model)


def _with_model(pipeline: Any, model: Any) -> Any:
    path = last_step_names(pipeline)
    return pipeline.set_params(**{"__".join(path): model}) if path else model


def _prepared(pipeline: Any, part: FitData) -> FitData:
    """What the model at the end is given; fits the steps before it."""
    if not isinstance(pipeline, Pipeline):
        return part
    caught = _Caught(last_step(pipeline))
    _with_model(pipeline, caught).fit(part.X, part.y, **part.params)
    return caught.part_


def _transformed(pipeline: Any, X: Any) -> Any:
    """Rows as the model at the end sees them."""
    while isinstance(pipeline, Pipeline):
        if len(pipeline) > 1:
            X = pipeline[:-1].transform(X)
        pipeline = pipeline.steps[-1][1]
    return X
