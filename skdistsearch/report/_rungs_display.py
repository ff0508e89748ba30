"""`RungsDisplay`: the rungs of a search that drops candidates, and where each candidate ends."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skdistsearch._cv_results import check_metric, split_scores
from skdistsearch._typing import FittedSearch
from skdistsearch.exceptions import ReportError
from skdistsearch.report._leaderboard import default_metric
from skdistsearch.report._metrics import find_metric
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._style import EDGE_COLOUR, MANY, contender_styles, spans_decades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Line = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Amounts of the resource, and the mean scores with them, of one candidate."""


class RungsDisplay(Display):
    """Score of each candidate by the amount of the resource. Lines end where candidates drop out.

    For `~skdistsearch.DistributedHyperbandSearchCV` and the halving searches: a score is the mean
    over the splits that the rung used. For searches with ``race=True``, the resource is the number
    of splits: a score is the mean over the splits so far. Use `from_search` to create a display.

    Parameters
    ----------
    lines : list of tuple of ndarray
        Of each candidate, the amounts of the resource and the scores with them. Errors are
        positive.
    brackets : ndarray of shape (n_candidates,)
        Bracket of each candidate.
    best : int
        Position of the best candidate in ``lines``.
    resource, score_name : str
        Labels of the axes.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    lines_ : list of matplotlib.lines.Line2D
        A line for each candidate.
    legend_ : matplotlib.legend.Legend or None
        The brackets and the best candidate.
    note_ : matplotlib.text.Text
        Meaning of the lines.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedHyperbandSearchCV
    >>> from skdistsearch.report import RungsDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.01, 0.1, 1.0, 10.0]}
    >>> search = DistributedHyperbandSearchCV(Ridge(), grid, n_brackets=1, cv=3)
    >>> display = RungsDisplay.from_search(search.fit(X, y))
    >>> display.ax_.get_xlabel(), len(display.lines_)
    ('n_samples', 4)
    """

    def __init__(
        self,
        *,
        lines: list[Line],
        brackets: NDArray[np.int64],
        best: int,
        resource: str,
        score_name: str,
    ) -> None:
        self.lines = lines
        self.brackets = brackets
        self.best = best
        self.resource = resource
        self.score_name = score_name

    @classmethod
    def from_search(
        cls, search: FittedSearch, *, metric: str | None = None, ax: Axes | None = None
    ) -> RungsDisplay:
        """Draw the rungs of a fitted search.

        Parameters
        ----------
        search : fitted search
            A search that gives few candidates more of a resource, or all splits.
        metric : str or None, default=None
            Metric to show, as in `skdistsearch.report.leaderboard`.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        display : RungsDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If the search has no rungs, or ``metric`` is not a metric of the search.
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        """
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        if not has_rungs(search):
            raise ReportError(
                "The search has no rungs. They are those of DistributedHyperbandSearchCV, of "
                "halving searches, and of searches with race=True."
            )
        name = check_metric(results, default_metric(search) if metric is None else metric)
        shown = find_metric(search, name)
        best_row = getattr(search, "best_index_", -1)
        if "n_resources" not in results:
            return cls(
                lines=[_race_line(shown.shown(scores)) for scores in split_scores(results, name)],
                brackets=np.zeros(len(results["params"]), dtype=int),
                best=best_row,
                resource="splits",
                score_name=shown.label,
            ).plot(ax)
        scores = shown.shown(_mean_of_done(split_scores(results, name)))
        resource = getattr(search, "resource", "n_samples")
        rows = _rows_by_candidate(results, resource)
        amounts = np.asarray(results["n_resources"], dtype=float)
        best = [n for n, candidate in enumerate(rows.values()) if best_row in candidate]
        return cls(
            lines=[(amounts[candidate], scores[candidate]) for candidate in rows.values()],
            brackets=np.array([bracket for bracket, _ in rows]),
            best=best[0] if best else -1,
            resource=resource,
            score_name=shown.label,
        ).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        return 7.5, 4.5

    def _draw_on_axes(self) -> None:
        styles = list(contender_styles(map(str, range(8))).values())
        labelled = self._lines_for_legend()
        self.lines_ = []
        for number, (amounts, scores) in enumerate(self.lines):
            bracket = int(self.brackets[number])
            self.lines_ += self.ax_.plot(
                amounts,
                scores,
                label=f"bracket {bracket}" if number in labelled else None,
                **{"color": styles[bracket % len(styles)]["color"], **self._line_style(number)},
            )
        self._label_axes()
        if labelled:
            self._add_legend()
        self._add_note("A line ends where its candidate was dropped. Black: the best candidate.")

    def _lines_for_legend(self) -> list[int]:
        """Return a line of each bracket, if possible not the black one; none of a single one."""
        others = [number for number in range(len(self.lines)) if number != self.best]
        order = [*others, *range(len(self.lines))]
        lines = {
            bracket: next(number for number in order if self.brackets[number] == bracket)
            for bracket in np.unique(self.brackets)
        }
        return list(lines.values()) if len(lines) > 1 else []

    def _line_style(self, number: int) -> dict[str, Any]:
        is_best, has_many = number == self.best, len(self.lines) > MANY
        return {
            "marker": "o",
            "markersize": 5 if is_best else 3,
            "linewidth": 2.5 if is_best else 1,
            "alpha": 1.0 if is_best else (0.3 if has_many else 0.6),
            "zorder": 3 if is_best else 2,
            **({"markeredgecolor": EDGE_COLOUR, "color": "black"} if is_best else {}),
        }

    def _label_axes(self) -> None:
        amounts = np.unique(np.concatenate([amounts for amounts, _ in self.lines]))
        if spans_decades(amounts, ratio=8):
            self.ax_.set_xscale("log")
        self.ax_.set_xticks(amounts, [f"{amount:g}" for amount in amounts])
        self.ax_.minorticks_off()
        self.ax_.set(xlabel=self.resource, ylabel=self.score_name)
        self.ax_.grid(alpha=0.3)


def has_rungs(search: FittedSearch) -> bool:
    """Return True if the search drops candidates, so that `RungsDisplay` can draw it."""
    return "n_resources" in search.cv_results_ or bool(getattr(search, "race", False))


def _race_line(scores: NDArray[np.float64]) -> Line:
    """Return the numbers of splits, and the mean score so far, until a candidate was dropped."""
    done = scores[np.isfinite(scores)]
    counts = np.arange(1, len(done) + 1, dtype=float)
    return counts, np.cumsum(done) / counts


def _mean_of_done(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the splits that have a score; NaN if none has."""
    has_score = np.isfinite(scores)
    counts = has_score.sum(axis=1)
    sums = np.where(has_score, scores, 0.0).sum(axis=1)
    means: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _rows_by_candidate(results: Any, resource: str) -> dict[tuple[int, str], list[int]]:
    """Return the rows of ``cv_results_`` of each candidate, by its bracket and a name.

    Hyperband numbers its candidates; those of halving searches are known by their parameters.
    """
    brackets = results.get("bracket", np.zeros(len(results["params"]), dtype=int))
    rows: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row, params in enumerate(results["params"]):
        own = {name: value for name, value in params.items() if name != resource}
        name = str(results["candidate"][row]) if "candidate" in results else repr(own)
        rows[int(brackets[row]), name].append(row)
    return rows
