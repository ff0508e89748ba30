"""Names and directions of metrics, for readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor

from skdistsearch._typing import FittedSearch

if TYPE_CHECKING:
    from pandas import DataFrame

_NEGATED_PREFIX = "neg_"


class Metric(NamedTuple):
    """A metric as readers see it: an error is shown as a positive number."""

    name: str
    """Name without ``neg_``."""
    direction: str
    """Text such as "higher is better"."""
    is_negated: bool
    """Whether the scores are the negatives of the values to show."""

    @property
    def label(self) -> str:
        """Label for an axis of values."""
        return f"{self.name} ({self.direction})"

    def shown(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values to show."""
        # 0.0 - scores, because -scores would turn 0.0 into -0.0
        return 0.0 - scores if self.is_negated else scores


def find_metric(search: FittedSearch, metric: str) -> Metric:
    """Return the name and the direction of a metric of a fitted search."""
    scorer = _find_scorer(search, metric)
    name = _metric_name(search, metric)
    # scikit-learn has no public name for _sign; tests/report/test_metrics.py watches it
    is_negated = name.startswith(_NEGATED_PREFIX) or getattr(scorer, "_sign", 1) < 0
    label = name.removeprefix(_NEGATED_PREFIX).replace("_", " ") if name != "r2" else "R²"
    if is_negated:
        return Metric(label, "lower is better", True)
    if search.scoring is None or hasattr(scorer, "_sign"):
        return Metric(label, "higher is better", False)
    # A function of the user's own, whose values may be negated errors
    return Metric(label, "higher ranks first", False)


def shown_scores(table: DataFrame) -> NDArray[np.float64]:
    """Return the mean scores of a leaderboard as they are shown: errors are positive."""
    scores: NDArray[np.float64] = table["mean_score"].to_numpy(dtype=float)
    return 0.0 - scores if table.attrs["lower_is_better"] else scores


def _find_scorer(search: FittedSearch, metric: str) -> Any:
    """Return the scorer of a metric, which may be one function for several metrics."""
    scorer = getattr(search, "scorer_", None)
    if isinstance(scorer, Mapping):
        return scorer.get(metric)
    return scorer


def _metric_name(search: FittedSearch, metric: str) -> str:
    scoring = search.scoring
    if metric != "score":
        return metric
    if isinstance(scoring, str):
        return scoring
    if scoring is None and is_regressor(search.estimator):
        return "r2"
    if scoring is None and is_classifier(search.estimator):
        return "accuracy"
    function = getattr(scoring, "_score_func", scoring)  # of make_scorer
    return getattr(function, "__name__", "score").replace("<lambda>", "score")
