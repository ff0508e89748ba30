"""one_standard_error: the simplest candidate that is about as good as the best, for ``refit=``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch._cv_results import check_metric, split_scores, standard_error
from skdistsearch.exceptions import ReportError


def one_standard_error(
    cv_results: Mapping[str, Any], *, by: str = "mean_fit_time", metric: str = "score"
) -> int:
    """Return the index of the simplest candidate within one standard error of the best.

    For ``refit=``. The default measure of simplicity is the duration of a candidate's fits, the
    only one that all model families have. Durations vary from run to run. To get the same choice
    each time, use a parameter: ``refit=functools.partial(one_standard_error,
    by="param_max_depth")``.

    Parameters
    ----------
    cv_results : dict of str to arrays
        ``cv_results_`` of a search, which passes it to a callable ``refit``.
    by : str, default="mean_fit_time"
        A numeric column of ``cv_results``. Lower is simpler, or higher with a minus sign in front
        (``"-param_alpha"``). Candidates without the parameter or with NaN come last. Equal ones
        are in the order of their mean scores.
    metric : str, default="score"
        Name of the metric; ``"score"`` for a search with one metric.

    Returns
    -------
    best_index : int
        Position of the candidate in ``cv_results``.

    Raises
    ------
    ReportError
        The metric or the column does not exist, or the column is not numeric.

    Notes
    -----
    The rule is that of Breiman, Friedman, Olshen and Stone, *Classification and Regression Trees*
    (1984), section 3.4.3. The standard error is that of the best candidate's mean over the splits,
    as if splits did not share training rows. With a single split there is no standard error, and
    the best candidate is chosen. As with any callable ``refit``, the search then has no
    ``best_score_``.

    Examples
    --------
    >>> from functools import partial
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso
    >>> from skdistsearch import DistributedSearchCV, one_standard_error
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.01, 0.1, 1.0]}
    >>> DistributedSearchCV(Lasso(), grid, cv=5).fit(X, y).best_params_
    {'alpha': 0.01}
    >>> simplest = partial(one_standard_error, by="-param_alpha")
    >>> DistributedSearchCV(Lasso(), grid, cv=5, refit=simplest).fit(X, y).best_params_
    {'alpha': 0.1}
    """
    scores = split_scores(cv_results, check_metric(cv_results, metric))
    cost = _simplicity_costs(cv_results, by)
    ranks = np.asarray(cv_results[f"rank_test_{metric}"])
    means = np.asarray(cv_results[f"mean_test_{metric}"], dtype=float)
    best = int(np.argmin(ranks))
    near = np.flatnonzero(means >= means[best] - standard_error(scores[best]))
    return int(min(near, key=lambda index: (cost[index], ranks[index]), default=best))


def _simplicity_costs(results: Mapping[str, Any], by: str) -> NDArray[np.float64]:
    """Return a number for each candidate, lower for simpler; infinite if it has none."""
    name = by.removeprefix("-")
    if name not in results:
        known = [name for name in results if name.startswith("param_")]
        raise ReportError(
            f"by={by!r} is not a column of cv_results_. Known: mean_fit_time, {', '.join(known)}."
        )
    column = np.ma.asarray(results[name])
    try:
        known_values = np.asarray(column.compressed(), dtype=float)
    except (TypeError, ValueError) as error:
        raise ReportError(f"by={by!r} has values that are not numbers: {error}.") from error
    cost = np.full(len(column), np.inf)
    cost[~np.ma.getmaskarray(column)] = -known_values if by.startswith("-") else known_values
    return np.where(np.isnan(cost), np.inf, cost)
