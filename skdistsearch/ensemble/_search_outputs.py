"""Read what an ensemble needs from a fitted search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdistsearch.ensemble._named_estimators import NamedEstimators
from skdistsearch.ensemble._predictions import Predictions, Scoring


def named_candidates(search: Any) -> NamedEstimators:
    """Return unfitted estimators of all candidates, named by their rows in ``cv_results_``."""
    check_is_fitted(search, "cv_results_")
    return [
        (f"candidate{index}", clone(search.estimator).set_params(**clone(params, safe=False)))
        for index, params in enumerate(search.cv_results_["params"])
    ]


def refit_scoring(search: Any) -> Scoring:
    """Return the metric by which the search refits."""
    scoring: Scoring
    if not search.multimetric_:
        scoring = search.scoring
    elif isinstance(search.scorer_, Mapping) and search.refit in search.scorer_:
        scoring = search.scorer_[search.refit]
    else:
        raise ValueError("The search has several metrics and refits by none of them. Set scoring=.")
    return scoring


def kept_predictions(search: Any, method: str) -> Predictions:
    """Return the out-of-fold predictions of all candidates."""
    kept = getattr(search, "oof_predictions_", {})
    if method not in kept:
        raise ValueError(
            f"The search did not keep {method} of its candidates (kept: "
            f'{", ".join(sorted(kept)) or "nothing"}). Fit it again with keep="predictions".'
        )
    predictions: Predictions | list[Predictions] = kept[method]
    if isinstance(predictions, list):  # one array for each label
        return np.concatenate(predictions, axis=-1)
    return predictions


def kept_models(search: Any) -> Sequence[Sequence[Any]]:
    """Return the fitted models of all candidates, one for each split."""
    if not hasattr(search, "fold_estimators_"):
        raise ValueError(
            "The search did not keep the models of its splits. Fit it again with "
            'keep=("predictions", "estimators"), or use members="refit".'
        )
    models: Sequence[Sequence[Any]] = search.fold_estimators_
    return models
