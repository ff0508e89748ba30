"""Parts of docstrings that the distributed searches share."""

from __future__ import annotations

import inspect
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)

_PARTS = {
    "estimator": """
        estimator : estimator object
            The model or pipeline to fit. It has a ``score`` method, unless ``scoring`` is given.
        """,
    "scoring": """
        scoring : str, callable, list, tuple or dict, default=None
            One metric or several, as for `~sklearn.model_selection.GridSearchCV`. None: the
            estimator's own ``score``.
        """,
    "single_scoring": """
        scoring : str or callable, default=None
            The metric. None: the estimator's own ``score``.
        """,
    "n_jobs": """
        n_jobs : int or None, default=None
            Number of processes. With ``backend="local"``: the number of worker processes; None is
            one, unless a `joblib.parallel_config` says otherwise, and -1 is one per core. For a
            Metaflow run: the number of tasks at a time, unless the backend has ``max_workers``;
            None is one per core, or 50 on AWS Batch and Kubernetes.
        """,
    "refit": """
        refit : bool, str or callable, default=True
            Fit the best candidate on all rows, on this machine. With several metrics: the name of
            the metric that decides. A callable gets ``cv_results_`` and returns the index of the
            candidate, as `~skdistsearch.one_standard_error` does.
        """,
    "single_refit": """
        refit : bool or callable, default=True
            Fit the best candidate on all rows, on this machine. A callable gets ``cv_results_`` and
            returns the index of the candidate.
        """,
    "cv": """
        cv : int, cross-validation splitter or iterable of (train, test), default=None
            The splits. An integer is a number of folds, stratified for classifiers. None: 5 folds.
        """,
    "halving_cv": """
        cv : int, cross-validation splitter or iterable of (train, test), default=5
            The splits. An integer is a number of folds, stratified for classifiers. A splitter must
            give the same splits each time.
        """,
    "verbose": """
        verbose : int, default=0
            Messages to print: above 0 the number of fits, above 1 the time of each fit, above 2 its
            score.
        """,
    "pre_dispatch": """
        pre_dispatch : int or str, default="2*n_jobs"
            Accepted for compatibility with `~sklearn.model_selection.GridSearchCV`, and ignored:
            fits share one copy of the data.
        """,
    "error_score": """
        error_score : "raise" or float, default=nan
            Score of a fit that fails or is lost. If "raise", the search ends with its exception.
        """,
    "return_train_score": """
        return_train_score : bool, default=False
            Whether ``cv_results_`` has scores on the training rows too.
        """,
    "halving_train_score": """
        return_train_score : bool, default=True
            Whether ``cv_results_`` has scores on the training rows too.
        """,
    "halving_parameters": """
        factor : float, default=3
            One candidate in ``factor`` survives each round, and the resource grows by the same
            factor.
        resource : str, default="n_samples"
            The resource that grows from round to round: the number of rows, or a parameter of the
            estimator with positive integer values, such as ``"n_estimators"``.
        max_resources : int or "auto", default="auto"
            Largest amount of the resource for a candidate. "auto": all rows. Required for any
            other resource.
        """,
    "aggressive_elimination": """
        aggressive_elimination : bool, default=False
            Whether to repeat the first round, with its amount of the resource, until the last round
            has at most ``factor`` candidates.
        """,
    "backend_parameters": """
        backend : {"local", "metaflow", "batch", "kubernetes"} or Backend, default="local"
            Where the fits run: worker processes on this machine, tasks of a Metaflow run on this
            machine, on AWS Batch or on Kubernetes, or a configured backend such as
            ``MetaflowBackend(compute="batch", memory_mb=16_000)``.
        checkpoint : str, path or None, default=None
            Where to save finished fits, and to look for them: a name, a folder or
            ``s3://bucket/prefix``. A search that was interrupted, and is run again, runs only the
            fits that are missing, and gives bit-equal ``cv_results_``; an extended grid runs only
            the new fits. After a change of data, estimator, scorer, splits, or of a version that
            matters, the search runs all fits again, and the log says why. See
            `skdistsearch.checkpoints.inspect`.
        """,
    "cache_mb": """
        cache_mb : float or None, default=None
            Memory in MB that each process may use for shared work, in addition to the data of one
            split. None: a quarter of the memory, divided by the number of processes. 0 shares
            nothing. See Notes of `~skdistsearch.DistributedSearchCV`.
        """,
    "extract": """
        extract : dict of str to str or callable, default=None
            Numbers to extract from each fitted model: by name, an attribute path or a function of
            the model. A path goes through steps, attributes and nested estimators, joined by
            ``"__"``: ``{"n_iter": "model__best_iteration_"}``, or ``"regressor___n_iter_"`` for
            ``regressor_.n_iter_``. The value is NaN if the fit failed, if the model does not have
            the attribute, and for None.
        """,
    "keep": """
        keep : str or tuple of str, default=()
            Predictions and models to keep. ``"predict"``, ``"predict_proba"`` and
            ``"decision_function"``: the out-of-fold predictions of that method. ``"predictions"``:
            those of ``predict_proba`` for a classifier, else of ``predict``. ``"estimators"``: the
            fitted models, as pickles. ``"skops"``: the fitted models, saved and loaded without
            pickle.
        """,
    "halving_keep": """
        keep : str or tuple of str, default=()
            ``"estimators"`` keeps the fitted models as pickles, ``"skops"`` without. Halving
            searches keep no predictions, because each round uses a subsample.
        """,
    "race": """
        race : bool, default=False
            Whether to drop the worse half of the candidates after each split. At least five are
            fitted on all splits, and the best of these wins. Saves about half of the fits with five
            splits, at a small loss: the winner of the whole search may be dropped. ``refit`` names
            the metric that decides, if there are several.
        """,
    "time_budget_s": """
        time_budget_s : float or None, default=None
            Seconds after which no fit begins, and running ones are ended. With one process, the fit
            that runs is finished. Candidates are tried in a random order, and the best of those
            that were fitted on all splits wins. The refit comes in addition.
        """,
    "halving_time_budget_s": """
        time_budget_s : float or None, default=None
            Seconds after which no fit begins, and running ones are ended. With one process, the fit
            that runs is finished. A round that is not complete is left out. The refit comes in
            addition.
        """,
    "adaptive_time_budget_s": """
        time_budget_s : float or None, default=None
            Seconds after which no fit begins, and running ones are ended. With one process, the fit
            that runs is finished. The best of the candidates that were fitted on all splits wins.
            Until then, fits run in small waves, for whose end all workers wait. The refit comes in
            addition.
        """,
    "adaptive_stopped": """
        stopped_ : str
            ``"time_budget_s"`` if the search ended early for that reason, else empty. Only with
            ``time_budget_s``.
        """,
    "halving_stopped": """
        stopped_ : str
            ``"time_budget_s"`` if rounds were left out for that reason, else empty. Only with
            ``time_budget_s``.
        """,
    "budget_attributes": """
        stopped_ : str
            ``"race"`` or ``"time_budget_s"`` if fits were skipped because of that parameter, else
            empty. ``cv_results_`` then has ``n_splits_done``. A candidate that was not fitted on
            all splits has NaN as its mean, and is ranked last. Only with one of the two.
        """,
    "fitted_attributes": """
        cv_results_ : dict of str to ndarray
            Scores, times in seconds, ranks and parameters, with one entry for each candidate.
        best_estimator_ : estimator object
            The best candidate, fitted on all rows. Only with ``refit``.
        best_score_ : float
            Mean score of the best candidate over the splits. Not with a callable ``refit``.
        best_params_ : dict of str to object
            Parameters of the best candidate.
        best_index_ : int
            Position of the best candidate in ``cv_results_``.
        scorer_ : callable or dict of str to callable
            The scorer, or the scorers by name.
        n_splits_ : int
            Number of splits.
        refit_time_ : float
            Seconds that the fit of ``best_estimator_`` took. Only with ``refit``.
        multimetric_ : bool
            True if there are several metrics.
        classes_ : ndarray of shape (n_classes,)
            The class labels. Only with ``refit``, if the estimator is a classifier.
        n_features_in_ : int
            Number of features seen during ``fit``, if ``best_estimator_`` has it.
        feature_names_in_ : ndarray of shape (n_features_in,)
            Names of features seen during ``fit``, if ``best_estimator_`` has them.
        """,
    "halving_attributes": """
        n_resources_ : list of int
            Amount of the resource in each round.
        n_candidates_ : list of int
            Number of candidates in each round.
        n_remaining_candidates_ : int
            Number of candidates left after the last round.
        max_resources_, min_resources_ : int
            Largest amount of the resource, and the amount in the first round.
        n_iterations_ : int
            Number of rounds.
        n_possible_iterations_ : int
            Number of rounds that ``max_resources_`` allows.
        n_required_iterations_ : int
            Number of rounds until at most ``factor`` candidates are left.
        """,
    "own_attributes": """
        runs_ : list of str
            Pathspecs of the Metaflow runs that ran fits. Only if there were any.
        best_<name>_ : float
            For each name in ``extract``, the best candidate's mean over the splits.
            ``cv_results_`` has ``split0_<name>``, ..., ``mean_<name>``, ``std_<name>`` and
            ``std_error_<name>``.
        fold_estimators_ : sequence of sequences
            ``fold_estimators_[candidate][split]`` is the fitted model, or None if its fit failed.
            Each access loads a new object. Only with ``keep="estimators"`` or
            ``keep="skops"``. Add to its list ``trusted`` the types that skops may load in addition
            to those of `~skdistsearch.skops_trusted_types`.
        """,
}


def fill_docstring(cls: _Class) -> _Class:
    """Replace ``{name}`` in the docstring of a class by the shared part of that name."""
    if cls.__doc__ is not None:  # python -OO
        cls.__doc__ = inspect.cleandoc(cls.__doc__)  # as Python 3.13 does by itself
        for name, text in _PARTS.items():
            cls.__doc__ = cls.__doc__.replace("{" + name + "}", inspect.cleandoc(text))
    return cls
