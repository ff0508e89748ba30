"""`Ensemble`: one model of several, chosen by what they predict for rows they have not seen."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import check_cv, cross_val_predict
from sklearn.multioutput import MultiOutputClassifier
from sklearn.utils import indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skdistsearch._validation import estimator_type, is_integer
from skdistsearch.ensemble._predictions import (
    classes_of,
    labels,
    positive,
    probabilities,
    responses,
    score_by,
    targets,
)
from skdistsearch.ensemble._selection import METHODS, Chooser, Chosen

Named = list[tuple[str, Any]]


def _classifies(self: Ensemble) -> bool:
    """For `available_if`."""
    if self._kind() == "classifier":
        return True
    raise AttributeError("An Ensemble of regressors has no predict_proba.")


class Ensemble(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """One regressor or classifier of several, by their out-of-fold predictions.

    ``fit`` gets each estimator's out-of-fold predictions, chooses by them which estimators to
    combine and how, and fits those on all rows. `from_search` takes the predictions that a
    search has kept. On the out-of-fold rows the ensemble is never worse than the best single
    estimator: where a method's result would be, it is the best single estimator.

    Parameters
    ----------
    estimators : list of (str, estimator object)
        The candidates by name: all of them regressors, or all of them classifiers with
        ``predict_proba``.
    method : {"greedy", "mean", "stack", "weighted"}, default="greedy"
        How predictions (of classifiers: probabilities) become one.

        - "greedy": a weighted mean by selection with replacement [1]_, from the best candidate
          on, for at most 100 rounds; what scored the best of all rounds. It needs no seed: of
          equals, the candidate that is better alone is taken.
        - "mean": the mean of the k best, for the k with the best score.
        - "weighted": non-negative weights of sum one with the least squared error, or for
          classifiers with the greatest likelihood.
        - "stack": ``final_estimator`` fitted on out-of-fold predictions.
    n_best : int or None, default=None
        How many candidates may take part, the best first; None for all.
    final_estimator : estimator object or None, default=None
        The meta-model of "stack". By default `~sklearn.linear_model.RidgeCV`, or
        `~sklearn.linear_model.LogisticRegression` for classifiers, one for each of several labels.
    cv : int, splitter, iterable or None, default=None
        The folds, as for `~sklearn.model_selection.cross_val_predict`.
    scoring : str, callable or None, default=None
        What is to be good: any scorer of scikit-learn's for ``predict`` or ``predict_proba``; by
        default R² or accuracy. Of X a scorer sees the numbers of rows only.
    n_jobs : int or None, default=None
        How many fits run at a time, as for `~sklearn.model_selection.cross_val_predict`.

    Attributes
    ----------
    members_ : dict of str -> list of estimators
        The fitted models that take part, by name: of each one, or one a split. The prediction of
        a member is the mean of its models'.
    weights_ : dict of str -> float
        Their weights, of sum one. Not if ``final_estimator_`` decides.
    final_estimator_ : estimator object
        The fitted meta-model of "stack". Not if ``used_fallback_``.
    used_fallback_ : bool
        Whether what the method found scored worse than the best single candidate, which then is
        the only member.
    best_candidate_ : str
        Name of the candidate with the best out-of-fold score.
    oof_score_, best_candidate_oof_score_ : float
        Out-of-fold score of the ensemble and of the best candidate, over all rows together. Both
        flatter: they are scored on the rows that chose them. (A meta-model is cross-fitted.)
    nested_score_, best_candidate_nested_score_ : float
        The same when for each fold all is chosen, and a meta-model fitted, on the rows of the
        other folds: means over folds. These do not flatter; compare them with each other.
    nested_std_error_, best_candidate_nested_std_error_ : float
        Standard errors of these means, as if folds were independent.
    classes_ : ndarray of shape (n_classes,), or list of such
        The labels, of classifiers.
    n_features_in_, feature_names_in_
        As of the members, if they tell.

    See Also
    --------
    sklearn.ensemble.VotingRegressor : The mean of models that are all chosen by hand.
    sklearn.ensemble.StackingRegressor : A meta-model without a choice of members.

    Notes
    -----
    Candidates with equal predictions count once. Candidates without a prediction for some of the
    rows (a failed fit) are left out, and so are rows that no fold has predicted.

    The folds of the nested score are the test parts of ``cv``, or five random ones if ``cv`` makes
    one split only. Candidates were fitted on rows of other folds: their predictions for these
    are not independent of the fold that scores, as in any stacking.

    Fits get no sample weights.

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
        "estimators": "no_validation",  # `_mistakes` says what is valid
        "method": "no_validation",
        "n_best": "no_validation",
        "final_estimator": "no_validation",
        "cv": ["cv_object"],
        "scoring": "no_validation",  # as `check_scoring` has it
        "n_jobs": [numbers.Integral, None],
    }

    def __init__(
        self,
        estimators: Named,
        *,
        method: str = "greedy",
        n_best: int | None = None,
        final_estimator: Any = None,
        cv: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.method = method
        self.n_best = n_best
        self.final_estimator = final_estimator
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs

    @classmethod
    def from_search(
        cls,
        search: Any,
        X: Any,
        y: Any,
        *,
        method: str = "greedy",
        n_best: int | None = None,
        members: str = "refit",
        final_estimator: Any = None,
        cv: Any = None,
        scoring: Any = None,
        groups: Any = None,
        n_jobs: int | None = None,
    ) -> Ensemble:
        """The fitted ensemble of a search's candidates.

        Parameters
        ----------
        search : fitted search
            Of this package, with ``keep="predictions"``.
        X, y : array-like
            What the search was fitted on, in the same order.
        method, n_best, final_estimator, n_jobs
            As of the class.
        members : {"refit", "folds"}, default="refit"
            Whether the members are fitted on all rows, or are the means of the models that the
            search has fitted on its splits, which it must have kept
            (``keep=("predictions", "estimators")``).
        cv : int, splitter, iterable or None, default=None
            The folds of the nested score; by default the search's ``cv``.
        scoring : str, callable or None, default=None
            By default the search's: of several metrics the one that it refits by.
        groups : array-like of shape (n_samples,), default=None
            For ``cv``, if it asks for groups.

        Returns
        -------
        ensemble : Ensemble
            Fitted. Its ``estimators`` are the candidates, ``"candidate0"`` and so on by their
            rows in ``cv_results_``, so that a clone can be fitted on other data.

        Raises
        ------
        ValueError
            The search has not kept what is needed, or a parameter is none; the message says what
            is valid.
        """
        ensemble = cls(
            _candidates(search),
            method=method,
            n_best=n_best,
            final_estimator=final_estimator,
            cv=search.cv if cv is None else cv,
            scoring=_scoring(search) if scoring is None else scoring,
            n_jobs=n_jobs,
        )
        classifies = ensemble._kind() == "classifier"
        predictions, models = _kept(search, classifies, members)
        return ensemble._fit(X, y, groups, predictions, models)

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Ensemble:
        """Choose by out-of-fold predictions, then fit what was chosen on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        groups : array-like of shape (n_samples,), default=None
            For ``cv``, if it asks for groups.

        Returns
        -------
        self : Ensemble
            The fitted ensemble.

        Raises
        ------
        ValueError
            Before any fit: a parameter is not valid; every mistake is named.
        """
        return self._fit(X, y, groups, None, None)

    def predict(self, X: Any) -> Any:
        """Predictions, or the likeliest labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        blended = self._blended(X)
        classes = self._blend.classes
        return blended if classes is None else labels(blended, classes)

    @available_if(_classifies)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Probabilities of classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of ``classes_``; of several labels a row, that each is there.
        """
        return self._blended(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R², or accuracy of a classifier.

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
            Whatever ``scoring`` is, as of all of scikit-learn's models.
        """
        metric = accuracy_score if self._kind() == "classifier" else r2_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, and with ``deep`` those of the estimators by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the estimators and their parameters.

        Returns
        -------
        params : dict of str -> object
            By name, such as ``ridge__alpha``.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep and not self._mistakes():
            for name, estimator in self.estimators:
                params[name] = estimator
                inner = estimator.get_params(deep=True)
                params |= {f"{name}__{key}": value for key, value in inner.items()}
        return params

    def set_params(self, **params: Any) -> Ensemble:
        """Set parameters, estimators by name, or their parameters.

        Parameters
        ----------
        **params : dict of str -> object
            Such as ``n_best=5``, ``ridge=Ridge()`` or ``ridge__alpha=1``.

        Returns
        -------
        self : Ensemble
            This ensemble.
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        if not self._mistakes():
            named = [(name, params.pop(name, estimator)) for name, estimator in self.estimators]
            if any(
                new is not old for (_, new), (_, old) in zip(named, self.estimators, strict=True)
            ):
                self.estimators = named
        super().set_params(**params)
        return self

    def _fit(self, X: Any, y: Any, groups: Any, predictions: Any, fold_models: Any) -> Ensemble:
        """``predictions`` and ``fold_models`` are of all candidates; None: they are to be made."""
        self._validate_params()
        if mistakes := [*self._mistakes(), *self._mistakes_of_method()]:
            raise ValueError("\n".join(mistakes))
        X, y, groups, classes = self._checked(X, y, groups)
        chooser = Chooser(
            self.method, self.n_best, score_by(self.scoring, classes), classes, self._final(classes)
        )
        cv = check_cv(self.cv, y, classifier=classes is not None)
        splits = list(cv.split(X, y, groups))
        if predictions is None:
            predictions = self._out_of_fold(X, y, splits, classes)
        predictions = _aligned(predictions, y, classes)
        candidates, rows = _complete(predictions)
        folds = [np.isin(np.flatnonzero(rows), np.arange(len(y))[test]) for _, test in splits]
        known = predictions[candidates][:, rows]
        chosen = chooser.choose(known, y[rows], folds)
        nested = chooser.nested(known, y[rows], folds)
        members = candidates[chosen.blend.used]
        models = self._models(X, y, members) if fold_models is None else fold_models
        self._forget()
        self.members_ = {self.estimators[index][0]: list(models[index]) for index in members}
        self._tell(chosen, nested, self.estimators[candidates[chosen.best]][0])
        self._take_names()
        return self

    def _checked(self, X: Any, y: Any, groups: Any) -> tuple[Any, Any, Any, Any]:
        """X, y and groups of equal length, and the labels of a classifier."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        X, y, groups = indexable(X, y, groups)
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self._kind() == "regressor":
            return X, y.astype(float), groups, None
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(f"y is {kind}: an Ensemble classifies one label a row, or several.")
        return X, y, groups, classes_of(y)

    def _final(self, classes: Any) -> Any:
        if self.final_estimator is not None:
            return self.final_estimator
        if classes is None:
            return RidgeCV()
        one = LogisticRegression(max_iter=1000)
        return MultiOutputClassifier(one) if isinstance(classes, list) else one

    def _out_of_fold(self, X: Any, y: Any, splits: Any, classes: Any) -> Any:
        method = _method(classes is not None)
        found = [
            cross_val_predict(estimator, X, y, cv=splits, method=method, n_jobs=self.n_jobs)
            for _, estimator in self.estimators
        ]
        if classes is None:
            return np.stack([targets(one) for one in found])
        return np.stack([probabilities(one, classes, classes) for one in found])

    def _models(self, X: Any, y: Any, members: Any) -> dict[int, list[Any]]:
        """Some candidates, fitted on all rows."""
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(_fitted)(self.estimators[index][1], X, y) for index in members
        )
        return {index: [model] for index, model in zip(members, fitted, strict=True)}

    def _forget(self) -> None:
        """What an earlier fit has learnt."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _tell(self, chosen: Chosen, nested: tuple[Any, Any], best: str) -> None:
        self._blend = blend = chosen.blend
        if blend.classes is not None:
            self.classes_ = blend.classes
        if blend.weights is None:
            self.final_estimator_ = blend.final
        else:
            self.weights_ = dict(zip(self.members_, map(float, blend.weights), strict=True))
        self.used_fallback_, self.best_candidate_ = chosen.fell_back, best
        self.oof_score_, self.best_candidate_oof_score_ = chosen.score, chosen.best_score
        (self.nested_score_, self.nested_std_error_), of_best = map(_mean_and_error, nested)
        self.best_candidate_nested_score_, self.best_candidate_nested_std_error_ = of_best

    def _take_names(self) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            for models in self.members_.values():
                if hasattr(models[0], name):
                    setattr(self, name, getattr(models[0], name))

    def _blended(self, X: Any) -> Any:
        check_is_fitted(self)
        classes = self._blend.classes
        each = [
            np.mean([responses(model, X, classes) for model in models], axis=0)
            for models in self.members_.values()
        ]
        return self._blend(np.stack(each))

    def _kind(self) -> str | None:
        """What the first candidate is."""
        return None if _mistakes_in(self.estimators) else estimator_type(self.estimators[0][1])

    def _mistakes(self) -> list[str]:
        own = set(super().get_params(deep=False))
        mistakes = _mistakes_in(self.estimators)
        if mistakes:
            return mistakes
        kinds = {name: estimator_type(estimator) for name, estimator in self.estimators}
        if not set(kinds.values()) <= {"classifier"} and not set(kinds.values()) <= {"regressor"}:
            told = ", ".join(f"{name} is {kind or 'neither'}" for name, kind in kinds.items())
            mistakes.append(f"estimators must be all regressors, or all classifiers: {told}.")
        if taken := sorted(own & set(kinds)):
            mistakes.append(f"Names of estimators are names of parameters: {', '.join(taken)}.")
        return mistakes

    def _mistakes_of_method(self) -> list[str]:
        mistakes = []
        if self.method not in METHODS:
            mistakes.append(f"method={self.method!r} must be one of: {', '.join(METHODS)}.")
        if self.n_best is not None and not is_integer(self.n_best, least=1):
            mistakes.append(f"n_best={self.n_best!r} must be None or an integer of at least 1.")
        if self.final_estimator is not None and self.method == "stack":
            kind, found = self._kind(), estimator_type(self.final_estimator)
            if found != kind:
                mistakes.append(f"final_estimator must be a {kind}, as the estimators are.")
        if self._kind() != "classifier":
            return mistakes
        mistakes += [
            f"{name} ({type(estimator).__name__}) has no predict_proba, which is what is combined."
            for name, estimator in [*self.estimators, *self._own_final()]
            if not hasattr(estimator, "predict_proba")
        ]
        return mistakes

    def _own_final(self) -> Named:
        stacked = self.method == "stack" and self.final_estimator is not None
        return [("final_estimator", self.final_estimator)] if stacked else []

    @property
    def _estimator_type(self) -> Any:  # scikit-learn < 1.6, and others that ask so
        return self._kind()

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags, get_tags  # scikit-learn >= 1.6

        tags: Any = super().__sklearn_tags__()
        tags.estimator_type, tags.target_tags.required = self._kind(), True
        if tags.estimator_type is None:
            return tags
        each = [get_tags(estimator) for _, estimator in self.estimators]
        for name in ("sparse", "allow_nan"):
            setattr(tags.input_tags, name, all(getattr(one.input_tags, name) for one in each))
        tags.target_tags.multi_output = all(one.target_tags.multi_output for one in each)
        if tags.estimator_type == "classifier":
            own = [one.classifier_tags or ClassifierTags() for one in each]
            tags.classifier_tags = ClassifierTags(
                multi_class=all(one.multi_class for one in own),
                multi_label=all(one.multi_label for one in own),
            )
        else:
            tags.regressor_tags = RegressorTags()
        return tags

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn < 1.6
        return {"requires_y": True}


def _method(classifies: bool) -> str:
    return "predict_proba" if classifies else "predict"


def _mistakes_in(estimators: Any) -> list[str]:
    """What keeps it from being a list of named estimators."""
    try:
        pairs = [(name, estimator) for name, estimator in estimators]
    except (TypeError, ValueError):
        pairs = []
    if not pairs or not isinstance(estimators, list | tuple):
        return ["estimators must be a list of pairs of name and estimator, of one at least."]
    mistakes = []
    names = [name for name, _ in pairs]
    for name, estimator in pairs:
        if not isinstance(name, str) or "__" in name or names.count(name) > 1:
            mistakes.append(f"Name {name!r} must be a str without '__', and of one estimator only.")
        if isinstance(estimator, type) or not all(
            hasattr(estimator, method) for method in ("fit", "get_params", "predict")
        ):
            mistakes.append(f"{name} must be an estimator with fit and predict: {estimator!r:.80}.")
    return mistakes


def _fitted(estimator: Any, X: Any, y: Any) -> Any:
    return clone(estimator).fit(X, y)


def _candidates(search: Any) -> Named:
    """The estimators of all candidates of a search, not fitted."""
    check_is_fitted(search, "cv_results_")
    return [
        (f"candidate{index}", clone(search.estimator).set_params(**clone(params, safe=False)))
        for index, params in enumerate(search.cv_results_["params"])
    ]


def _scoring(search: Any) -> Any:
    """What the search is after."""
    if not search.multimetric_:
        return search.scoring
    if isinstance(search.scorer_, Mapping) and search.refit in search.scorer_:
        return search.scorer_[search.refit]
    raise ValueError("The search has several metrics and refits by none of them: give scoring=.")


def _kept(search: Any, classifies: bool, members: str) -> tuple[Any, Any]:
    """Predictions and, if members are to be of them, models that the search has kept."""
    if members not in ("folds", "refit"):
        raise ValueError(f"members={members!r} must be one of: folds, refit.")
    kept = getattr(search, "oof_predictions_", {})
    if _method(classifies) not in kept:
        raise ValueError(
            f"The search has not kept {_method(classifies)} of its candidates "
            f'(kept: {", ".join(sorted(kept)) or "nothing"}). Give it keep="predictions" and fit '
            "it again."
        )
    predictions = kept[_method(classifies)]
    if isinstance(predictions, list):  # one array for each of several labels
        predictions = np.concatenate(predictions, axis=-1)
    if members == "refit":
        return predictions, None
    if not hasattr(search, "fold_estimators_"):
        raise ValueError(
            "The search has not kept the models of its splits. Give it "
            'keep=("predictions", "estimators") and fit it again, or take members="refit".'
        )
    return predictions, search.fold_estimators_


def _aligned(predictions: Any, y: Any, classes: Any) -> Any:
    """Candidates' predictions as numbers, in the shape that y has."""
    predictions = np.asarray(predictions, dtype=float)
    if predictions.shape[1] != len(y):
        raise ValueError(
            f"The search was fitted on {predictions.shape[1]} rows, and X and y have {len(y)}: "
            "they must be the same, in the same order."
        )
    if isinstance(classes, list):
        return positive(predictions, len(classes))
    if classes is None and predictions.ndim == 3 and y.ndim == 1:
        return predictions[..., 0]
    return predictions


def _complete(predictions: Any) -> tuple[Any, Any]:
    """Candidates that have predicted each row that any has predicted; a mask of these rows."""
    n_candidates, n_rows = predictions.shape[:2]
    known = np.isfinite(predictions).reshape(n_candidates, n_rows, -1).all(axis=2)
    rows = known.any(axis=0)
    whole = np.flatnonzero(known[:, rows].all(axis=1))
    if not rows.any() or not len(whole):
        raise ValueError("No candidate has predicted all rows that others have: none can be used.")
    first: dict[bytes, int] = {}
    for candidate in whole:
        first.setdefault(predictions[candidate][rows].tobytes(), int(candidate))
    return np.array(list(first.values())), rows


def _mean_and_error(scores: Any) -> tuple[float, float]:
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    return float(np.mean(scores)), float(error)
