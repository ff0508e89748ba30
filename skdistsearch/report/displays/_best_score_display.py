"""`BestScoreDisplay`: best score so far, during a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skdistsearch._cv_results import check_metric, split_scores
from skdistsearch._text import pluralize
from skdistsearch._typing import FittedSearch
from skdistsearch.exceptions import ReportError
from skdistsearch.report._leaderboard import default_metric
from skdistsearch.report._metrics import find_metric
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._style import MANY, contender_styles, limit_to_best

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_X_NAMES = {
    ("fits", True): "finished fits",
    ("fits", False): "fits, in the order of the candidates",
    ("time", True): "time since the first fit started",
    ("time", False): "sum of fit and score times, in the order of the candidates",
}
_LINES = "skdistsearch.best_score"  # gid of the lines of all displays on the same axes
_LONG_S = 120.0  # from which times are in hours and minutes


class BestScoreDisplay(Display):
    """Best mean score so far as a line, with the scores of the candidates as faint points.

    A candidate counts when its last split is done. Rounds of a halving search have a line each,
    because their scores come from different amounts of resources. Draw several searches on the same
    axes to compare them. Use `from_search` to create a display.

    Parameters
    ----------
    x : ndarray of shape (n_candidates,)
        Number of fits, or time in seconds, at which each candidate was done; ascending.
    scores : ndarray of shape (n_candidates,)
        Mean scores. Errors are positive. NaN for candidates without a score.
    rounds : ndarray of shape (n_candidates,)
        Round of each candidate; all zero unless it was a halving search.
    x_name, score_name : str
        Labels of the axes.
    lower_is_better : bool, default=False
        Whether the scores are errors.
    is_time : bool, default=False
        Whether ``x`` is in seconds.
    name : str or None, default=None
        Name of the search in the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    line_ : matplotlib.lines.Line2D
        The best scores so far.
    points_ : matplotlib.collections.PathCollection
        The mean scores of the candidates.
    legend_ : matplotlib.legend.Legend or None
        Names of the searches on the axes. None without names.
    note_ : matplotlib.text.Text
        Meaning of line and points, and number of candidates outside the picture.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso, Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdistsearch.report import BestScoreDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [10.0, 1.0, 0.1]}
    >>> ridge = GridSearchCV(Ridge(), grid, cv=3).fit(X, y)
    >>> lasso = GridSearchCV(Lasso(), grid, cv=3).fit(X, y)
    >>> display = BestScoreDisplay.from_search(ridge, name="Ridge")
    >>> display = BestScoreDisplay.from_search(lasso, name="Lasso", ax=display.ax_)
    >>> [text.get_text() for text in display.legend_.get_texts()]
    ['Ridge', 'Lasso']
    """

    def __init__(
        self,
        *,
        x: NDArray[np.float64],
        scores: NDArray[np.float64],
        rounds: NDArray[np.int64],
        x_name: str,
        score_name: str,
        lower_is_better: bool = False,
        is_time: bool = False,
        name: str | None = None,
    ) -> None:
        self.x = x
        self.scores = scores
        self.rounds = rounds
        self.x_name = x_name
        self.score_name = score_name
        self.lower_is_better = lower_is_better
        self.is_time = is_time
        self.name = name

    @classmethod
    def from_search(
        cls,
        search: FittedSearch,
        *,
        x: Literal["fits", "time"] = "fits",
        metric: str | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> BestScoreDisplay:
        """Draw the best scores of a fitted search.

        Parameters
        ----------
        search : fitted search
            A search of this package, which records when its fits ran, or of scikit-learn, which
            does not. Then candidates are in the order of ``cv_results_``, and a time is the sum of
            all fit and score times so far; the axis label mentions that.
        x : {"fits", "time"}, default="fits"
            Number of fits, or time.
        metric : str or None, default=None
            Metric to show, as in `skdistsearch.report.leaderboard`.
        name : str or None, default=None
            Name of the search in the legend.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot. Axes that have such a picture
            already get a line in another colour.

        Returns
        -------
        display : BestScoreDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If ``metric`` is not a metric of the search, ``x`` is not valid, or no candidate has a
            score.
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        """
        if x not in ("fits", "time"):
            raise ReportError(f"x={x!r} must be 'fits' or 'time'.")
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        name_of_metric = check_metric(results, default_metric(search) if metric is None else metric)
        shown = find_metric(search, name_of_metric)
        scores = shown.shown(np.asarray(results[f"mean_test_{name_of_metric}"], dtype=float))
        if not np.isfinite(scores).any():
            raise ReportError("No candidate has a score.")
        n_splits = split_scores(results, name_of_metric).shape[1]
        n_done = np.asarray(results.get("n_splits_done", np.full(len(scores), n_splits)))
        recorded = _recorded_progress(search, len(scores), int(n_done.sum()))
        is_recorded = recorded is not None
        fits, times_s = recorded or _progress_in_order(search, n_splits)
        done = times_s if x == "time" else fits
        order = np.argsort(done, kind="stable")
        return cls(
            x=done[order],
            scores=scores[order],
            rounds=_rounds(results)[order],
            x_name=_X_NAMES[x, is_recorded],
            score_name=shown.label,
            lower_is_better=shown.is_negated,
            is_time=x == "time",
            name=name,
        ).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        return 7.5, 4.5

    def _draw_on_axes(self) -> None:
        earlier = [line for line in self.ax_.lines if line.get_gid() == _LINES]
        style = list(contender_styles(map(str, range(8))).values())[len(earlier) % 8]
        has_score = np.isfinite(self.scores)
        self.points_ = self.ax_.scatter(
            self.x[has_score],
            self.scores[has_score],
            s=14 if len(self.scores) > MANY else 30,
            color=style["color"],
            alpha=0.3 if len(self.scores) > MANY else 0.5,
            linewidths=0,
            gid=_LINES,
        )
        (self.line_,) = self.ax_.plot(
            *self._best_so_far(),
            color=style["color"],
            drawstyle="steps-post",
            linewidth=2,
            label=self.name,
            gid=_LINES,
        )
        self._label_axes()
        lines = [line for line in [*earlier, self.line_] if str(line.get_label())[0] != "_"]
        if lines:
            self._add_legend(lines, [line.get_label() for line in lines])
        self._add_note(self._note_text())

    def _best_so_far(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the corners of the line, with NaN between the rounds."""
        best = np.fmin.accumulate if self.lower_is_better else np.fmax.accumulate
        parts: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        gap = np.array([np.nan])
        for number in np.unique(self.rounds):
            rows = self.rounds == number
            parts += [(self.x[rows], best(self.scores[rows])), (gap, gap)]
        x, y = zip(*parts[:-1], strict=True)
        return np.concatenate(x), np.concatenate(y)

    def _label_axes(self) -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        known = [name for name in (self.ax_.get_xlabel(), self.x_name) if name]
        self.ax_.set(xlabel=" / ".join(dict.fromkeys(known)), ylabel=self.score_name)
        self.ax_.set_xlim(left=0)
        self.ax_.grid(alpha=0.3)
        if self.is_time:
            self.ax_.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 1.5, 3, 6, 10]))
            self.ax_.xaxis.set_major_formatter(FuncFormatter(self._format_seconds))

    def _format_seconds(self, seconds: float, _position: int | None = None) -> str:
        if self.ax_.get_xlim()[1] < _LONG_S:
            return f"{seconds:g} s"
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"

    def _note_text(self) -> str:
        drawn = [points for points in self.ax_.collections if points.get_gid() == _LINES]
        scores = np.concatenate([np.asarray(points.get_offsets())[:, 1] for points in drawn])
        n_hidden = limit_to_best(
            self.ax_, np.asarray(scores, dtype=float), lower_is_better=self.lower_is_better
        )
        line = "best of each round so far" if self.rounds.any() else "best so far"
        sentences = [f"Line: {line}. Points: candidates."]
        if n_hidden:
            sentences.append(f"Not shown: {pluralize(n_hidden, 'candidate')} with worse scores.")
        return " ".join(sentences)


def _rounds(results: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the round of each row; rows of several brackets with equal resources are alike."""
    name = "n_resources" if "bracket" in results else "iter"
    return np.asarray(results.get(name, np.zeros(len(results["params"]), dtype=int)))


def _recorded_progress(
    search: FittedSearch, n_candidates: int, n_fits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the fits and the seconds at which candidates were done, or None if not recorded."""
    times = [fit for fit in getattr(search, "_fit_times", ()) if 0 < fit[2] <= fit[3]]
    if len({fit[:2] for fit in times}) < n_fits:
        return None
    first = min(started_at for _, _, started_at, _, _ in times)
    fits, times_s = np.zeros(n_candidates), np.zeros(n_candidates)
    for number, fit in enumerate(sorted(times, key=lambda fit: fit[3]), start=1):
        fits[fit[0]], times_s[fit[0]] = number, fit[3] - first
    return fits, times_s


def _progress_in_order(
    search: FittedSearch, n_splits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    results = search.cv_results_
    times_s = np.asarray(results["mean_fit_time"]) + np.asarray(results["mean_score_time"])
    fits = n_splits * np.arange(1.0, len(times_s) + 1)
    return fits, n_splits * np.cumsum(np.nan_to_num(times_s))
