"""`EarlyStopping`: choose the number of iterations on part of the training rows."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
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
from skdistsearch._typing import ArrayLike, Estimator, Indices, Splitter
from skdistsearch._validation import check_target, estimator_type
from skdistsearch.early_stopping._base import Family, FitData
from skdistsearch.early_stopping._registry import find_family
from skdistsearch.early_stopping._validation_split import (
    RandomState,
    count_rows,
    split_fit_data,
    train_validation_indices,
)


class EarlyStopping(DelegatingEstimator):
    """Early stopping on validation data that is split off the training rows.

    ``fit`` holds back a part of its rows as validation data and fits the model on the others, with
    the model's own early stopping. This gives the best number of iterations. Then it fits the
    model again, on all rows, for that number of iterations. Neither fit uses rows on which a
    search scores, so early stopping does not bias the scores, and all contenders train on the same
    number of rows.

    Parameters
    ----------
    estimator : estimator object
        A model of LightGBM, XGBoost, CatBoost or Keras (through scikeras), scikit-learn's
        `~sklearn.ensemble.HistGradientBoostingRegressor` or ``...Classifier``, or a model of a
        `registered <skdistsearch.early_stopping.register_family>` family. Also a
        `~sklearn.pipeline.Pipeline` that ends in such a model: its preprocessing is fitted
        without the validation data at first, and on all rows for the last fit.
    patience : int, default=10
        Stop after this number of iterations in a row (trees, epochs) without improvement on the
        validation data. Replaces the model's own setting (``early_stopping_round``,
        ``n_iter_no_change``, ...). LightGBM's ``early_stopping_min_delta`` stays in force.
    max_iter : int or None, default=None
        Maximum number of iterations. None keeps the model's own setting (``n_estimators``,
        ``epochs``).
    validation_split : float or cross-validation splitter, default=0.2
        Fraction of the rows to use as validation data, drawn at random: stratified for
        classifiers, and by whole groups if ``fit`` is given ``groups``. If a splitter, its last
        split is used, which in `~sklearn.model_selection.TimeSeriesSplit` has the latest rows.
    refit : bool, default=True
        Whether to fit again, on all rows. If False, the model that was fitted without the
        validation data is used, with its best iteration.
    rescale_iterations : bool, default=False
        Whether the last fit runs more iterations, in proportion to its larger number of rows.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing the validation data. The model has its own seed.
    family : "auto" or skdistsearch.early_stopping.Family, default="auto"
        Functions that stop the model early. "auto" finds the family by the model's class.

    Attributes
    ----------
    best_iteration_ : int
        Number of iterations, at least 1, with the best result on the validation data.
    n_iter_ : int
        Number of iterations of ``estimator_``: ``best_iteration_``, unless rescaled.
    validation_history_ : ndarray of shape (n_iterations,) or None
        Value of the metric on the validation data after each iteration, including those after
        the best one. None if the family does not record it.
    validation_metric_ : str or None
        The model's name for the metric in ``validation_history_``.
    estimator_ : estimator object
        The fitted model or pipeline.
    classes_ : ndarray of shape (n_classes,), or list of such arrays
        The class labels, if ``estimator`` is a classifier.
    n_features_in_ : int
        Number of features seen during ``fit``, if ``estimator_`` has it.
    feature_names_in_ : ndarray of shape (n_features_in,)
        Names of features seen during ``fit``, if ``estimator_`` has them.

    See Also
    --------
    skdistsearch.early_stopping.register_family : Register another family of models.
    skdistsearch.early_stopping.replace_early_stopping : Train for a fixed number of iterations.
    skdistsearch.report.TrainingHistoryDisplay : Plot ``validation_history_``.

    Notes
    -----
    If `EarlyStopping` is the last step of a pipeline, the steps before it are fitted on all rows
    of the pipeline, including the validation data. This does not bias scores, which come from
    other rows, but the number of iterations may be slightly too high. To avoid it, put the
    pipeline inside. In a `~sklearn.compose.TransformedTargetRegressor`, put `EarlyStopping` inside.

    Validation rows whose class has no training row (possible with groups) are dropped.

    A search passes groups on to ``fit`` only with metadata routing
    (``sklearn.set_config(enable_metadata_routing=True)``), where they are requested by default.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skdistsearch import EarlyStopping
    >>> X, y = load_diabetes(return_X_y=True)
    >>> trees = HistGradientBoostingRegressor(max_iter=1000, learning_rate=0.3)
    >>> model = EarlyStopping(trees, patience=3, random_state=0).fit(X, y)
    >>> model.best_iteration_ < 100
    True
    >>> model.predict(X[:2]).shape
    (2,)

    In a search, each fit stops on validation data from its own training rows. Parameters of the
    model have the prefix ``estimator__``:

    >>> from skdistsearch import DistributedSearchCV
    >>> search = DistributedSearchCV(
    ...     model,
    ...     {"estimator__max_depth": [1, 2]},
    ...     cv=2,
    ...     extract={"n_iter": "best_iteration_"},
    ... ).fit(X, y)
    >>> search.cv_results_["mean_n_iter"].shape
    (2,)
    """

    _required_parameters = ["estimator"]  # scikit-learn < 1.6 asks for it
    _parameter_constraints: dict[str, Any] = {
        "estimator": "no_validation",  # `find_family` reports what is valid
        "patience": [numbers.Integral],
        "max_iter": [numbers.Integral, None],
        "validation_split": [numbers.Real, "cv_object"],
        "refit": ["boolean"],
        "rescale_iterations": ["boolean"],
        "random_state": ["random_state"],
        "family": "no_validation",
    }
    # The model's own requests decide about weights. Groups are for splitting off validation data.
    __metadata_request__fit = {"sample_weight": UNUSED, "groups": True}

    def __init__(
        self,
        estimator: Estimator,
        *,
        patience: int = 10,
        max_iter: int | None = None,
        validation_split: float | Splitter | Iterable[tuple[Indices, Indices]] = 0.2,
        refit: bool = True,
        rescale_iterations: bool = False,
        random_state: RandomState = None,
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
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        **params: Any,
    ) -> EarlyStopping:
        """Find the best number of iterations, then fit on all rows for that number.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for training and for validation. In a pipeline the model gets
            them, or with metadata routing all steps that request them.
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows. A group is never split: the validation data has all of its rows
            or none.
        **params : dict of str -> object
            Parameters for the ``fit`` of ``estimator``. Those with one value per row are split
            like the rows.

        Returns
        -------
        self : EarlyStopping
            The fitted model.

        Raises
        ------
        FamilyError
            The model is not of a known family. Raised before any fit.
        ValueError
            Parameters are out of range; the message names all of them. Raised before any fit.
        """
        self._validate_params()
        self._check_ranges()
        family = self._find_family()
        check_target(self, y)
        X, y, sample_weight, groups = indexable(X, y, sample_weight, groups)
        if sample_weight is not None:
            params[self._weights_name()] = sample_weight
        if groups is not None and get_config()["enable_metadata_routing"]:
            params["groups"] = groups
        params = self._route_params("fit", params)
        train_rows, validation_rows = train_validation_indices(
            self.validation_split, X, y, self._stratify_by(y), groups, self.random_state
        )
        data = FitData(X, y, params)
        train, validation = split_fit_data(data, train_rows, validation_rows)
        fitted, self.best_iteration_ = self._fit_with_validation(family, train, validation)
        self._set_history(family, last_step(fitted))
        self.n_iter_ = self.best_iteration_
        if self.refit and self.rescale_iterations:
            n_iter = self.best_iteration_ * count_rows(X) / len(train_rows)
            self.n_iter_ = max(1, round(n_iter))
        if self.refit or not family.restores_best:
            fitted = self._fit_n_iter(family, data if self.refit else train)
        self._set_fitted(fitted)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata that this class and the wrapped estimator request.

        Returns
        -------
        routing : `~sklearn.utils.metadata_routing.MetadataRouter`
            Requests of ``fit``, ``predict``, ``score`` and so on.
        """
        return super().get_metadata_routing().add_self_request(self)

    def _check_ranges(self) -> None:
        counts = {"patience": self.patience, "max_iter": self.max_iter}
        errors = [
            f"The {name!r} parameter of EarlyStopping must be at least 1. Got {value!r} instead."
            for name, value in counts.items()
            if value is not None and value < 1
        ]
        split: Any = self.validation_split
        if split is None or (isinstance(split, numbers.Real) and not 0 < float(split) < 1):
            errors.append(
                "The 'validation_split' parameter of EarlyStopping must be a float greater than 0 "
                f"and less than 1, or a splitter. Got {split!r} instead."
            )
        if errors:
            raise ValueError("\n".join(errors))

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
        """Return the name that the estimator's ``fit`` has for the weights.

        Without metadata routing, a pipeline expects the names of steps before it.
        """
        routing = get_config()["enable_metadata_routing"]
        return "__".join([*([] if routing else last_step_names(self.estimator)), "sample_weight"])

    def _stratify_by(self, y: ArrayLike) -> NDArray[Any] | None:
        """Return the classes of the rows, or None if the split is not stratified."""
        if estimator_type(self.estimator) == "classifier" and type_of_target(y) in (
            "binary",
            "multiclass",
        ):
            return np.asarray(y).ravel()
        return None

    def _fit_with_validation(
        self, family: Family, train: FitData, validation: FitData
    ) -> tuple[Any, int]:
        """Return the estimator, fitted on ``train``, and its best iteration."""
        pipeline = clone(self.estimator)
        model = last_step(pipeline)
        if self.max_iter is not None:
            family.set_iterations(model, self.max_iter)
        model_data = _preprocess(pipeline, train)
        # Pipelines and routing rename parameters of fit, but pass the same objects on.
        names = {id(train.params[name]): name for name in validation.params}
        per_row = {
            name: validation.params[names[id(value)]]
            for name, value in model_data.params.items()
            if id(value) in names
        }
        model_validation = FitData(_transform_rows(pipeline, validation.X), validation.y, per_row)
        best = family.fit_with_validation(model, model_data, model_validation, self.patience)
        return _replace_last_step(pipeline, model), best

    def _set_history(self, family: Family, model: Any) -> None:
        self.validation_metric_: str | None = None
        self.validation_history_: NDArray[np.float64] | None = None
        if family.validation_history is not None:
            name, values = family.validation_history(model, self.best_iteration_)
            self.validation_metric_, self.validation_history_ = name, np.array(values, dtype=float)

    def _fit_n_iter(self, family: Family, data: FitData) -> Any:
        """Return the estimator, fitted for ``n_iter_`` iterations."""
        pipeline = clone(self.estimator)
        family.set_iterations(last_step(pipeline), self.n_iter_)
        return pipeline.fit(data.X, data.y, **data.params)


class _FitDataProbe(BaseEstimator):  # type: ignore[misc]
    """Takes the place of the model in a pipeline, and stores the data that the model would get."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: ArrayLike, y: ArrayLike = None, **params: Any) -> _FitDataProbe:
        """Store the data."""
        self.data_ = FitData(X, y, params)
        return self

    def get_metadata_routing(self) -> Any:
        """Return the model's requests."""
        return get_routing_for_object(self.model)


def _replace_last_step(pipeline: Any, model: Any) -> Any:
    path = last_step_names(pipeline)
    return pipeline.set_params(**{"__".join(path): model}) if path else model


def _preprocess(pipeline: Any, data: FitData) -> FitData:
    """Fit the steps before the model, and return the data that the model gets."""
    if not isinstance(pipeline, Pipeline):
        return data
    probe = _FitDataProbe(last_step(pipeline))
    _replace_last_step(pipeline, probe).fit(data.X, data.y, **data.params)
    return probe.data_


def _transform_rows(pipeline: Any, X: ArrayLike) -> ArrayLike:
    """Return the rows as the model at the end of the pipeline gets them."""
    while isinstance(pipeline, Pipeline):
        if len(pipeline) > 1:
            X = pipeline[:-1].transform(X)
        pipeline = pipeline.steps[-1][1]
    return X
