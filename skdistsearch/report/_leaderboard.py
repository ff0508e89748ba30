"""`leaderboard`: ranked table of the candidates of a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skdistsearch._cv_results import (
    check_metric,
    corrected_standard_error,
    extracted_names,
    metric_names,
    split_scores,
    standard_error,
)
from skdistsearch._report_rows import rank_by_key
from skdistsearch._typing import FittedSearch, Parameters
from skdistsearch.exceptions import ReportError
from skdistsearch.report._candidate_names import (
    contender_name,
    format_parameters,
    short_parameter_names,
    varying_parameter_names,
)
from skdistsearch.report._metrics import find_metric

if TYPE_CHECKING:
    from pandas import DataFrame


def leaderboard(
    search: FittedSearch,
    *,
    by: Literal["candidate", "contender"] = "candidate",
    metric: str | None = None,
) -> DataFrame:
    """Rank the candidates of a fitted search.

    Parameters
    ----------
    search : fitted search
        A search of this package or of scikit-learn.
    by : {"candidate", "contender"}, default="candidate"
        One row for each candidate, or one row for each contender: its best candidate.
    metric : str or None, default=None
        Metric to rank by, for a search with several metrics. None is the metric of ``refit``, or
        the first metric if ``refit`` does not name one.

    Returns
    -------
    table : pandas.DataFrame
        The best candidate comes first. The index, ``candidate``, is the position in
        ``cv_results_``. Columns:

        - ``rank``: from 1. Candidates with equal scores share a rank.
        - ``contender``: class name of the candidate's model, the innermost estimator of pipelines,
          `~sklearn.compose.TransformedTargetRegressor` and `EarlyStopping`.
        - ``parameters``: the parameters that vary among the candidates of the contender, as text
          and with short names. Parameters that look the same for all of them are left out, so the
          text is empty for a contender with one candidate. See ``cv_results_["params"]`` for all.
        - ``mean_score``, ``std_error``: mean over the splits and its standard error, in units of
          the metric. As if splits did not share training rows, and so too small.
        - ``corrected_std_error``: the standard error with the correction of Nadeau and Bengio
          [1]_ for shared training rows; for five folds, 1.5 times ``std_error``.
        - ``fit_time_s``: mean over the splits, in seconds.
        - ``mean_<name>``: mean of each value that the search extracts (``extract=``), such as the
          number of iterations. NaN for contenders without it.
        - ``difference``, ``difference_std_error``: mean over the splits of the score minus the
          score of the first row on the same split, and its corrected standard error, in units of
          the metric. NaN between rounds of successive halving.
        - ``candidates``, only with ``by="contender"``: number of candidates of the contender.

        - ``round``, ``n_resources``, only after successive halving: the candidate's last round,
          from 0 as ``cv_results_["iter"]``, and its resources in that round.

        ``table.attrs["metric"]`` is the name of the metric. ``table.attrs["lower_is_better"]`` is
        True if the scores are the negatives of an error, as with
        ``scoring="neg_mean_absolute_error"``. The numbers in the table are those of
        ``cv_results_``; pictures and the report show such errors as positive numbers.

    Raises
    ------
    ReportError
        If ``metric`` is not a metric of the search, or ``by`` is not valid.
    sklearn.exceptions.NotFittedError
        If the search is not fitted.

    Notes
    -----
    With k splits, the corrected standard error is ``std_error`` times the square root of ``1 + k *
    n_test / n_train``. Searches of this package know the numbers of rows of their splits; for those
    of scikit-learn, ``n_test / n_train`` is that of k folds, ``1 / (k - 1)``.

    The winner's mean is optimistic, because it was selected from several. After successive halving,
    a candidate has the scores of its last round, and candidates of later rounds come first.

    References
    ----------
    .. [1] Nadeau, Bengio: Inference for the generalization error. Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso, Ridge
    >>> from sklearn.pipeline import Pipeline
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.report import leaderboard
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = [{"model": [Ridge(), Lasso()], "model__alpha": [0.1, 1.0]}]
    >>> search = DistributedSearchCV(Pipeline([("model", Ridge())]), grid, cv=5).fit(X, y)
    >>> table = leaderboard(search)
    >>> print(table[["contender", "parameters", "mean_score"]].round(2).to_string(index=False))
    contender parameters  mean_score
        Ridge  alpha=0.1        0.48
        Lasso  alpha=0.1        0.48
        Ridge    alpha=1        0.41
        Lasso    alpha=1        0.34
    >>> leaderboard(search, by="contender")["candidates"].tolist()
    [2, 2]
    """
    if by not in ("candidate", "contender"):
        raise ReportError(f"by={by!r} must be 'candidate' or 'contender'.")
    check_is_fitted(search, "cv_results_")
    table = _candidate_table(search, default_metric(search) if metric is None else metric)
    return table if by == "candidate" else _contender_table(table)


def default_metric(search: FittedSearch) -> str:
    """Return the metric that ``refit`` names, or else the first metric."""
    known = metric_names(search.cv_results_)
    return search.refit if search.refit in known else known[0]


def _candidate_table(search: FittedSearch, metric: str) -> DataFrame:
    from pandas import DataFrame, Index

    results = search.cv_results_
    scores = split_scores(results, check_metric(results, metric))
    ranks = _rank_candidates(results, metric)
    order, params = list(ranks), results["params"]
    contenders = [contender_name(search.estimator, candidate) for candidate in params]
    differences = scores - _best_scores(scores, order[0], results)
    test_to_train = _test_to_train(search, scores.shape[1])
    columns: dict[str, Any] = {
        "rank": [ranks.get(index, 0) for index in range(len(params))],
        "contender": contenders,
        "parameters": _parameter_texts(search.estimator, params, contenders),
        "mean_score": results[f"mean_test_{metric}"],
        "std_error": standard_error(scores),
        "corrected_std_error": corrected_standard_error(scores, test_to_train),
        "fit_time_s": results["mean_fit_time"],
        **{f"mean_{name}": results[f"mean_{name}"] for name in extracted_names(results)},
        "difference": differences.mean(axis=1),
        "difference_std_error": corrected_standard_error(differences, test_to_train),
    }
    if "iter" in results:
        columns |= {"round": results["iter"], "n_resources": results["n_resources"]}
    table = DataFrame(columns, index=Index(range(len(params)), name="candidate")).iloc[order]
    table.attrs["metric"] = metric
    table.attrs["lower_is_better"] = find_metric(search, metric).is_negated
    return table


def _test_to_train(search: FittedSearch, n_splits: int) -> float:
    """Return the number of test rows over that of training rows; that of folds if not known."""
    known: float | None = getattr(search, "_test_to_train", None)
    return 1 / max(n_splits - 1, 1) if known is None else known


def _parameter_texts(
    estimator: object, candidates: Sequence[Parameters], contenders: Sequence[str]
) -> list[str]:
    short_names = short_parameter_names(estimator, candidates)
    varying = varying_parameter_names(candidates, contenders, short_names)
    return [
        format_parameters(params, varying[contender])
        for params, contender in zip(candidates, contenders, strict=True)
    ]


def _rank_candidates(results: Mapping[str, Any], metric: str) -> dict[int, int]:
    """Return ranks by position in ``cv_results_``, the best candidate first.

    Candidates of later rounds are better, and only the last round of a candidate is ranked.
    """
    rounds, ranks = _round_numbers(results), results[f"rank_test_{metric}"]
    positions = _last_positions(results) if "iter" in results else range(len(rounds))
    return rank_by_key({index: (-rounds[index], ranks[index]) for index in positions})


def _round_numbers(results: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return numbers that are larger for later rounds; over several brackets, the resources."""
    if "bracket" in results:
        return np.asarray(results["n_resources"])
    return np.asarray(results.get("iter", np.zeros(len(results["params"]), dtype=int)))


def _last_positions(results: Mapping[str, Any]) -> Iterable[int]:
    """Return the position of each candidate's last round.

    Halving searches keep the same dict of parameters from round to round, and Hyperband numbers its
    candidates.
    """
    if "candidate" in results:
        return {number: index for index, number in enumerate(results["candidate"])}.values()
    return {id(params): index for index, params in enumerate(results["params"])}.values()


def _best_scores(
    scores: NDArray[np.float64], best: int, results: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return the best candidate's scores for each candidate of its round, and NaN for others."""
    rounds = _round_numbers(results)
    is_same_round = (rounds == rounds[best])[:, np.newaxis]
    return np.where(is_same_round, scores[best], np.nan)


def _contender_table(table: DataFrame) -> DataFrame:
    """Return the rows of the best candidate of each contender."""
    counts = table["contender"].value_counts()
    best = table.drop_duplicates("contender").copy()
    ranks = rank_by_key({place: (rank,) for place, rank in enumerate(best["rank"])})
    best["rank"] = list(ranks.values())
    best["candidates"] = best["contender"].map(counts)
    return best
