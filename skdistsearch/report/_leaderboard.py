"""`leaderboard`: the candidates of a search, ranked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdistsearch._cv_results import (
    checked_metric,
    metrics_in,
    recorded_in,
    split_scores,
    standard_error,
)
from skdistsearch._meta_estimator import DelegatingEstimator
from skdistsearch.exceptions import ReportError

if TYPE_CHECKING:
    from pandas import DataFrame

_WRAPPERS = ((TransformedTargetRegressor, "regressor"), (DelegatingEstimator, "estimator"))
"""Estimators that stand for the one they hold, and the parameter that holds it."""


def leaderboard(
    search: Any,
    *,
    by: Literal["candidate", "contender"] = "candidate",
    metric: str | None = None,
) -> DataFrame:
    """A table of the candidates of a fitted search, the best first.

    Parameters
    ----------
    search : fitted search
        Of this package or of scikit-learn.
    by : {"candidate", "contender"}, default="candidate"
        One row for each candidate, or for each contender: its best candidate.
    metric : str or None, default=None
        What to rank by, in a search with several metrics. None is the metric of ``refit``, or
        the first one if ``refit`` is not a metric's name.

    Returns
    -------
    table : pandas.DataFrame
        Its index, ``candidate``, is the place in ``cv_results_``. Columns:

        - ``rank``: from 1; equals share one.
        - ``contender``: the model family, as the class of the model that the candidate is, within
          pipelines, `~sklearn.compose.TransformedTargetRegressor` and `EarlyStopping`.
        - ``parameters``: as text, the parameters that differ between candidates of the contender,
          by the last parts of their names. Those that read the same for all of its candidates are
          left out, so a contender with one candidate has an empty text.
          ``cv_results_["params"]`` has them all.
        - ``mean_score``, ``std_error``: over the splits, in units of the metric.
        - ``fit_time_s``: mean over the splits, in seconds.
        - ``mean_<name>``: for each name of the search's ``extract``, such as the number of
          iterations; NaN where a contender has none.
        - ``difference``, ``difference_std_error``: mean over the splits of the score minus that of
          the first row on the same split, in units of the metric. NaN between rounds of
          successive halving.
        - ``candidates``, with ``by="contender"``: how many the contender had.

        ``table.attrs["metric"]`` is the metric's name.

    Raises
    ------
    ReportError
        There is no such metric.
    sklearn.exceptions.NotFittedError
        The search is not fitted.

    Notes
    -----
    Standard errors are as if splits did not share training rows, and so are somewhat small. The
    winner's mean flatters it: it is the best of several. After successive halving a candidate
    has the scores of its last round, and those of later rounds come first.

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
        raise ReportError(f"by={by!r} is neither 'candidate' nor 'contender'.")
    check_is_fitted(search, "cv_results_")
    table = _candidates(search, default_metric(search) if metric is None else metric)
    return table if by == "candidate" else _contenders(table)


def default_metric(search: Any) -> str:
    """The metric that ``refit`` names, or else the first."""
    known = metrics_in(search.cv_results_)
    return search.refit if search.refit in known else known[0]


def contender_of(estimator: Any, params: Mapping[str, Any]) -> str:
    """Class of the model that the candidate with ``params`` is."""
    return _named(_model(estimator, params)[1])


def parameter_names(estimator: Any, candidates: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Short names of the parameters, by their names, but for those that are the model itself."""
    holders = {path for params in candidates for path in _model(estimator, params)[0]}
    names = dict.fromkeys(name for params in candidates for name in params if name not in holders)
    return {name: _short(name, names) for name in names}


def readable(params: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The parameters that have a short name, as text on one line."""
    return ", ".join(
        f"{names[name]}={readable_value(value)}" for name, value in params.items() if name in names
    )


def readable_value(value: Any) -> str:
    """A value, on one line; an estimator, class or function by its name."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}"
    if hasattr(value, "get_params") or callable(value):
        return _named(value)
    return " ".join(str(value).split())


def _candidates(search: Any, metric: str) -> DataFrame:
    from pandas import DataFrame, Index

    results = search.cv_results_
    scores = split_scores(results, checked_metric(results, metric))
    order, ranks = _ranking(results, metric)
    params = results["params"]
    contenders = [contender_of(search.estimator, setting) for setting in params]
    names = _varying_names(params, contenders, parameter_names(search.estimator, params))
    differences = scores - _first(scores, order, results)
    columns = {
        "rank": ranks,
        "contender": contenders,
        "parameters": [
            readable(setting, names[contender])
            for setting, contender in zip(params, contenders, strict=True)
        ],
        "mean_score": results[f"mean_test_{metric}"],
        "std_error": standard_error(scores),
        "fit_time_s": results["mean_fit_time"],
        **{f"mean_{name}": results[f"mean_{name}"] for name in recorded_in(results)},
        "difference": differences.mean(axis=1),
        "difference_std_error": standard_error(differences),
    }
    table = DataFrame(columns, index=Index(range(len(params)), name="candidate")).iloc[order]
    table.attrs["metric"] = metric
    return table


def _varying_names(
    candidates: Sequence[Mapping[str, Any]], contenders: Sequence[str], names: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return, for each contender, the ``names`` of parameters that vary among its candidates."""
    texts: dict[str, list[dict[str, str]]] = defaultdict(list)
    for params, contender in zip(candidates, contenders, strict=True):
        texts[contender].append(
            {name: readable_value(value) for name, value in params.items() if name in names}
        )
    return {
        contender: {
            name: short
            for name, short in names.items()
            if len({text.get(name) for text in own}) > 1
        }
        for contender, own in texts.items()
    }


def _ranking(results: Mapping[str, Any], metric: str) -> tuple[list[int], list[int]]:
    """Candidates from the best on, and the rank of each place in ``cv_results_``."""
    rounds = _rounds(results)
    ranks = np.asarray(results[f"rank_test_{metric}"])
    kept = set(_last(results) if "iter" in results else range(len(ranks)))
    keys = [(-rounds[index], ranks[index]) for index in range(len(ranks))]
    order = sorted(kept, key=lambda index: (*keys[index], index))
    first: dict[Any, int] = {}
    for place, index in enumerate(order, start=1):
        first.setdefault(keys[index], place)
    return order, [first.get(key, 0) for key in keys]


def _rounds(results: Mapping[str, Any]) -> NDArray[np.int64]:
    return np.asarray(results.get("iter", np.zeros(len(results["params"]), dtype=int)))


def _last(results: Mapping[str, Any]) -> Iterable[int]:
    """Where each candidate is for the last time: halving keeps its dict from round to round."""
    return {id(params): index for index, params in enumerate(results["params"])}.values()


def _first(
    scores: NDArray[np.float64], order: Sequence[int], results: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Scores of the first candidate, for each candidate that met the same splits."""
    rounds = _rounds(results)
    same = (rounds == rounds[order[0]])[:, np.newaxis]
    return np.where(same, scores[order[0]], np.nan)


def _contenders(table: DataFrame) -> DataFrame:
    counts = table["contender"].value_counts()
    best = table.drop_duplicates("contender").copy()
    best["rank"] = best["rank"].rank(method="min").astype(int)
    best["candidates"] = best["contender"].map(counts)
    return best


def _model(estimator: Any, params: Mapping[str, Any], path: str = "") -> tuple[list[str], Any]:
    """Names of the parameters that lead to the model, and the model."""
    estimator = params.get(path, estimator)
    name, inner = _held(estimator)
    below = f"{path}__{name}" if path else name
    if not name or (inner is None and below not in params):
        return [path], estimator
    paths, model = _model(inner, params, below)
    return [path, *paths], model


def _held(estimator: Any) -> tuple[str, Any]:
    """The estimator that another stands for, and by what name; no name if it stands for itself."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return name, last
    for wrapper, name in _WRAPPERS:
        if isinstance(estimator, wrapper):
            return name, getattr(estimator, name)
    return "", None


def _named(value: Any) -> str:
    if isinstance(value, str):  # "passthrough"
        return value
    return getattr(value, "__name__", type(value).__name__)


def _short(name: str, names: Iterable[str]) -> str:
    """The last parts of a name, as many as no other name ends in."""
    parts = name.split("__")
    for number in range(1, len(parts)):
        short = "__".join(parts[-number:])
        if not any(other != name and f"__{other}".endswith(f"__{short}") for other in names):
            return short
    return name
