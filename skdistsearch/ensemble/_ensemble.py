"""`Ensemble`: one model that combines several, selected by out-of-fold predictions."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skdistsearch._typing import ArrayLike, Estimator, Indices, Splitter
from skdistsearch._validation import check_target
from skdistsearch.ensemble._named_estimators import HasNamedEstimators, NamedEstimators
from skdistsearch.ensemble._nested import FoldPair, fold_pairs, predict_fold_pairs, row_mask
from skdistsearch.ensemble._out_of_fold import (
    align_predictions,
    complete_candidates,
    cross_predict,
    response_method,
)
from skdistsearch.ensemble._predictions import (
    Classes,
    Predictions,
    Scoring,
    find_classes,
    make_prediction_scorer,
    most_likely_labels,
    predict_responses,
)
from skdistsearch.ensemble._search_outputs import (
    kept_models,
    kept_predictions,
    named_candidates,
    refit_scoring,
)
from skdistsearch.ensemble._selection import (
    EnsembleSelector,
    FoldScores,
    Selection,
    check_method,
    default_meta_model,
)


def _is_classifier(self: Ensemble) -> bool:
    """Check, for `available_if`, that the ensemble is a classifier."""
    if self._estimator_type == "classifier":
        return True
    raise AttributeError("An Ensemble of regressors has no predict_proba.")


class Ensemble(HasNamedEstimators):
    """Regressor or classifier that combines several, selected by out-of-fold predictions.

    ``fit`` makes out-of-fold predictions with each estimator, selects by them which estimators to
    combine and how, and fits the selected ones on all rows. `from_search` uses the predictions
    that a search has kept. On the out-of-fold predictions, the ensemble is never worse than the
    best single estimator: if a method's result would be, the best estimator replaces it.

    Parameters
    ----------
    estimators : list of (str, estimator object)
        The candidates with their names: all regressors, or all classifiers with
        ``predict_proba``.
    method : {"greedy", "mean", "stack", "weighted"}, default="greedy"
        How to combine predictions (probabilities for classifiers).

        - "greedy": weighted mean, by selection with replacement [1]_ that starts with the best
          candidate. The result is the best of at most 100 rounds. Needs no seed: of candidates
          that help equally, the one with the best score of its own is added.
        - "mean": mean of the k best candidates, for the k with the best score.
        - "weighted": mean with non-negative weights that sum to one and have the least squared
          error, or maximum likelihood for classifiers.
        - "stack": ``final_estimator``, fitted on the out-of-fold predictions.
    n_best : int or None, default=None
        Maximum number of candidates to combine, best first; None for all.
    final_estimator : estimator object or None, default=None
        The meta-model of "stack". The default is `~sklearn.linear_model.RidgeCV` or, for
        classifiers, `~sklearn.linear_model.LogisticRegression`, one per label if there are several.
    cv : int, splitter, iterable or None, default=None
        The folds, as for `~sklearn.model_selection.cross_val_predict`.
    scoring : str, callable or None, default=None
        Metric to optimise: any scikit-learn scorer that uses ``predict`` or ``predict_proba``.
        Default: R² or accuracy. The scorer receives row numbers instead of X.
    n_jobs : int or None, default=None
        Number of fits to run at a time, as for `~sklearn.model_selection.cross_val_predict`.
    nested : bool, default=False
        Whether to compute ``nested_score_``. With k folds, it costs k (k - 1) / 2 more fits of each
        candidate, on the rows of all but two folds: 10 for five folds. They run in this session,
        with ``n_jobs``, and not on the backend of a search.

    Attributes
    ----------
    members_ : dict of str -> list of estimators
        The fitted models of the selected candidates, by name: one model for each, or one per
        split. The prediction of a member is the mean of its models' predictions.
    weights_ : dict of str -> float
        Weights of the members, which sum to one. Not set if there is a ``final_estimator_``.
    final_estimator_ : estimator object
        The fitted meta-model of "stack". Not set if ``used_fallback_``.
    used_fallback_ : bool
        True if the method's result scored worse than the best single candidate, which then is the
        only member.
    best_candidate_ : str
        Name of the candidate with the best out-of-fold score.
    oof_score_, best_candidate_oof_score_ : float
        Out-of-fold scores of the ensemble and of the best candidate, over all rows together. Both
        are optimistic, because the same rows were used for the selection. (A meta-model is
        cross-fitted.)
    selection_cv_score_, best_candidate_selection_cv_score_ : float
        Means over folds of the same scores, with the selection and the meta-model fitted on the
        rows of the other folds. Still optimistic, though less so, because the models that
        predicted the other folds have seen the fold that scores. See Notes.
    selection_cv_std_error_, best_candidate_selection_cv_std_error_ : float
        Standard errors of these means, as if folds were independent.
    nested_score_, best_candidate_nested_score_ : float
        Means over folds of the scores of what has not seen the fold: neither the models nor the
        selection. Not optimistic, and comparable with each other. Only with ``nested=True``.
    nested_std_error_, best_candidate_nested_std_error_ : float
        Standard errors of these means, as if folds were independent. Only with ``nested=True``.
    classes_ : ndarray of shape (n_classes,), or list of such arrays
        The class labels of a classifier.
    n_features_in_, feature_names_in_
        Those of the members, if they have them.

    See Also
    --------
    sklearn.ensemble.VotingRegressor : Mean of models that are all selected by hand.
    sklearn.ensemble.StackingRegressor : Meta-model without a selection of members.

    Notes
    -----
    Candidates with equal predictions count once. Candidates without predictions for some of the
    rows (because of a failed fit) are left out, and so are rows that no fold has predicted.

    The folds of the cross-validated scores are the test parts of ``cv``, or five random ones if
    ``cv`` has only one split.

    ``selection_cv_score_`` is free, and keeps a part of the optimism of ``oof_score_``: the models
    that predict the other folds were trained on the fold that scores, so what is selected by their
    predictions knows it. "stack" gains most from that and the best candidate least, so do not
    compare them by this score where there is little to learn. ``nested_score_`` has no such leak:
    for each pair of folds, every candidate is fitted on the rows of neither. It is that of a
    cross-validation of this class, which needs at least k (k - 1) more fits of each candidate, and
    somewhat pessimistic, because its models are fitted on fewer rows.

    Sample weights are not supported.

    References
    ----------
    .. [1] Caruana, Niculescu-Mizil, Crew, Ksikes: Ensemble selection from libraries of models.
       ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from skdistsearch import Ensemble
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = [("ridge", Ridge(alpha=0.1)), ("neighbours", KNeighborsRegressor(20))]
    >>> model = Ensemble(models, method="mean").fit(X, y)
    >>> model.weights_
    {'ridge': 0.5, 'neighbours': 0.5}
    >>> model.oof_score_ > model.best_candidate_oof_score_
    True
    """

    _required_parameters = ["estimators"]  # scikit-learn < 1.6 asks for it
    _parameter_constraints: dict[str, Any] = {
        "estimators": "no_validation",  # `check_estimators` names what is valid
        "method": "no_validation",
        "n_best": "no_validation",
        "final_estimator": "no_validation",
        "cv": ["cv_object"],
        "scoring": "no_validation",  # checked by scikit-learn's `check_scoring`
        "n_jobs": [numbers.Integral, None],
        "nested": ["boolean"],
    }

    def __init__(
        self,
        estimators: NamedEstimators,
        *,
        method: str = "greedy",
        n_best: int | None = None,
        final_estimator: Estimator | None = None,
        cv: int | Splitter | None = None,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        nested: bool = False,
    ) -> None:
        self.estimators = estimators
        self.method = method
        self.n_best = n_best
        self.final_estimator = final_estimator
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.nested = nested

    @classmethod
    def from_search(
        cls,
        search: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        method: str = "greedy",
        n_best: int | None = None,
        members: str = "refit",
        final_estimator: Estimator | None = None,
        cv: int | Splitter | None = None,
        scoring: Scoring = None,
        groups: ArrayLike | None = None,
        n_jobs: int | None = None,
        nested: bool = False,
    ) -> Ensemble:
        """Return the fitted ensemble of a search's candidates.

        Parameters
        ----------
        search : fitted search
            A search of this package with ``keep="predictions"``.
        X, y : array-like
            The data on which the search was fitted, in the same order.
        method, n_best, final_estimator, n_jobs, nested
            Parameters of the class.
        members : {"refit", "folds"}, default="refit"
            If "refit", the members are fitted on all rows. If "folds", they are the means of the
            models that the search fitted on its splits, which it must have kept
            (``keep=("predictions", "estimators")``).
        cv : int, splitter, iterable or None, default=None
            Folds of the cross-validated scores. Default: the ``cv`` of the search.
        scoring : str, callable or None, default=None
            Metric to optimise. Default: that of the search or, if it has several, the one that it
            refits by.
        groups : array-like of shape (n_samples,), default=None
            Groups for ``cv``, if it uses them.

        Returns
        -------
        ensemble : Ensemble
            The fitted ensemble. Its ``estimators`` are the candidates, named ``"candidate0"`` and
            so on by their rows in ``cv_results_``, so that a clone can be fitted on other data.

        Raises
        ------
        ValueError
            The search has not kept what is needed, or parameters are not valid. The message names
            all of them and says what is valid.
        """
        ensemble = cls(
            named_candidates(search),
            method=method,
            n_best=n_best,
            final_estimator=final_estimator,
            cv=search.cv if cv is None else cv,
            scoring=refit_scoring(search) if scoring is None else scoring,
            n_jobs=n_jobs,
            nested=nested,
        )
        if members not in ("folds", "refit"):
            raise ValueError(f"members={members!r} must be one of: folds, refit.")
        method_name = response_method(ensemble._estimator_type == "classifier")
        predictions = kept_predictions(search, method_name)
        models = kept_models(search) if members == "folds" else None
        return ensemble._fit(X, y, groups, predictions, models)

    def fit(self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None) -> Ensemble:
        """Select candidates by out-of-fold predictions, then fit them on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        groups : array-like of shape (n_samples,), default=None
            Groups for ``cv``, if it uses them.

        Returns
        -------
        self : Ensemble
            The fitted ensemble.

        Raises
        ------
        ValueError
            Parameters are not valid; the message names all of them. Raised before any fit.
        """
        return self._fit(X, y, groups, None, None)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict targets or, for classifiers, the most likely labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        combined = self._combine_members(X)
        classes = self._blend.classes
        return combined if classes is None else most_likely_labels(combined, classes)

    @available_if(_is_classifier)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> Predictions:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Columns in the order of ``classes_``. If a row has several labels, the probability of
            each.
        """
        return self._combine_members(X)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R² or, for classifiers, accuracy.

        Like the ``score`` of scikit-learn's models, it does not depend on ``scoring``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            R² or accuracy of ``predict``.
        """
        metric = accuracy_score if self._estimator_type == "classifier" else r2_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))

    def _fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None,
        predictions: Predictions | None,
        fold_models: Sequence[Sequence[Any]] | None,
    ) -> Ensemble:
        """Fit with the given predictions and models of all candidates, or make them if None."""
        self._validate_params()
        if errors := [*self._estimator_errors(), *self._method_errors()]:
            raise ValueError("\n".join(errors))
        X, y, groups, classes = self._check_data(X, y, groups)
        selector = self._make_selector(classes)
        cv = check_cv(self.cv, y, classifier=classes is not None)
        splits = list(cv.split(X, y, groups))
        pairs = self._fold_pairs(splits, len(y))
        models = [estimator for _, estimator in self.estimators]
        if predictions is None:
            predictions = cross_predict(models, X, y, splits, classes, self.n_jobs)
        predictions = align_predictions(predictions, y, classes)
        candidates, rows = complete_candidates(predictions)
        predictions = predictions[candidates]
        tests = [row_mask(test, len(y)) & rows for _, test in splits]
        known, folds = (predictions[:, rows], y[rows]), [test[rows] for test in tests]
        selection = selector.select(*known, folds)
        scores = {"selection_cv": selector.selection_cv_scores(*known, folds)}
        if pairs:
            inner = predict_fold_pairs(
                [models[index] for index in candidates], X, y, pairs, classes, self.n_jobs
            )
            scores["nested"] = selector.nested_scores(predictions, y, tests, inner)
        elif self.nested:  # the only split: its models have seen no row that it tests
            scores["nested"] = scores["selection_cv"]
        members = candidates[selection.blend.candidates]
        fitted = self._fit_members(X, y, members) if fold_models is None else fold_models
        self._reset_results()
        self.members_ = {self.estimators[index][0]: list(fitted[index]) for index in members}
        self.best_candidate_ = self.estimators[candidates[selection.best]][0]
        self._set_results(selection)
        self._set_fold_scores(scores)
        self._copy_feature_names()
        return self

    def _check_data(
        self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None
    ) -> tuple[ArrayLike, NDArray[Any], ArrayLike | None, Classes]:
        """Return X, y and groups of equal length, and the classes."""
        check_target(self, y)
        X, y, groups = indexable(X, y, groups)
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self._estimator_type == "regressor":
            return X, y.astype(float), groups, None
        check_classification_targets(y)
        target_type = type_of_target(y)
        if target_type not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(
                f"y is {target_type}, but an Ensemble of classifiers needs one label per row, or "
                "an indicator matrix of several labels."
            )
        return X, y, groups, find_classes(y)

    def _fold_pairs(
        self, splits: Sequence[tuple[Indices, Indices]], n_rows: int
    ) -> Sequence[FoldPair]:
        """Return the pairs of folds that the nested score needs; none for a single split."""
        if not self.nested or len(splits) == 1:
            return []
        if pairs := fold_pairs(splits, n_rows):
            return pairs
        raise ValueError(
            f"nested=True needs rows that two folds train on, and cv={self.cv!r} has none. Use at "
            "least 3 folds."
        )

    def _make_selector(self, classes: Classes) -> EnsembleSelector:
        scorer = make_prediction_scorer(self.scoring, classes)
        meta_model = self.final_estimator
        if meta_model is None:
            meta_model = default_meta_model(classes)
        return EnsembleSelector(self.method, self.n_best, scorer, classes, meta_model)

    def _fit_members(
        self, X: ArrayLike, y: NDArray[Any], members: NDArray[np.intp]
    ) -> Mapping[int, list[Any]]:
        """Return some of the candidates, fitted on all rows."""
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_clone)(self.estimators[index][1], X, y) for index in members
        )
        return {index: [model] for index, model in zip(members, fitted, strict=True)}

    def _reset_results(self) -> None:
        """Delete the results of an earlier fit."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _set_results(self, selection: Selection) -> None:
        self._blend = blend = selection.blend
        if blend.classes is not None:
            self.classes_ = blend.classes
        if blend.weights is None:
            self.final_estimator_ = blend.meta_model
        else:
            self.weights_ = dict(zip(self.members_, map(float, blend.weights), strict=True))
        self.used_fallback_ = selection.used_fallback
        self.oof_score_, self.best_candidate_oof_score_ = selection.score, selection.best_score

    def _set_fold_scores(self, scores: Mapping[str, FoldScores]) -> None:
        for name, by_model in scores.items():
            for prefix, of_folds in zip(("", "best_candidate_"), by_model, strict=True):
                mean, error = _mean_and_error(of_folds)
                setattr(self, f"{prefix}{name}_score_", mean)
                setattr(self, f"{prefix}{name}_std_error_", error)

    def _copy_feature_names(self) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            for models in self.members_.values():
                if hasattr(models[0], name):
                    setattr(self, name, getattr(models[0], name))

    def _combine_members(self, X: ArrayLike) -> Predictions:
        """Return the combined predictions, or probabilities of classifiers."""
        check_is_fitted(self)
        classes = self._blend.classes
        predictions = [
            np.mean([predict_responses(model, X, classes) for model in models], axis=0)
            for models in self.members_.values()
        ]
        return self._blend.combine(np.stack(predictions))

    def _method_errors(self) -> list[str]:
        kind = self._estimator_type
        return check_method(self.method, self.n_best, self.final_estimator, self.estimators, kind)


def _fit_clone(estimator: Estimator, X: ArrayLike, y: ArrayLike) -> Any:
    return clone(estimator).fit(X, y)


def _mean_and_error(scores: NDArray[np.float64]) -> tuple[float, float]:
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    return float(np.mean(scores)), float(error)
