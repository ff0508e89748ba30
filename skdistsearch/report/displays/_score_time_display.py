"""`ScoreTimeDisplay`: mean scores against mean fit times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch._text import pluralize
from skdistsearch._typing import FittedSearch, Parameters
from skdistsearch.exceptions import ReportError
from skdistsearch.report._candidate_labels import candidate_labels
from skdistsearch.report._candidate_names import short_parameters
from skdistsearch.report._leaderboard import leaderboard
from skdistsearch.report._metrics import find_metric, shown_scores
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._style import (
    EDGE_COLOUR,
    MANY,
    contender_styles,
    limit_to_best,
    spans_decades,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_MAX_NAMED = 8  # candidates of the Pareto front with a label each
_LABEL_LENGTH = 34  # characters
_FAINT = 0.35
_LOG_RATIO = 10.0  # of the longest to the shortest time, from which their axis is logarithmic
_DISTANCE = 18.0  # pixels between the labels of two candidates on the front


class ScoreTimeDisplay(Display):
    """Mean scores of the candidates against their mean fit times, with the Pareto front.

    A candidate is on the Pareto front if no other candidate is both faster and at least as good.
    The axis of times is logarithmic if they span a decade. Colours and markers are contenders.
    Error bars are standard errors; they are drawn for up to 60 candidates. In a halving search,
    candidates of earlier rounds are faint and not on the front, because they had fewer resources.
    Use `from_search` to create a display.

    Parameters
    ----------
    leaderboard : pandas.DataFrame
        Table that `skdistsearch.report.leaderboard` returned, with only the candidates that have a
        score.
    candidates : list of dict
        Parameters of each candidate by their short names, in the order of ``leaderboard``.
    score_name : str
        Label of the axis of scores.
    contenders : sequence of str
        All contenders of the search, so that each has the same style in all pictures.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    points_ : dict of str to matplotlib.collections.PathCollection
        The points of each contender.
    errorbars_ : matplotlib.container.ErrorbarContainer or None
        The standard errors of few candidates.
    front_ : matplotlib.lines.Line2D
        The Pareto front, from the fastest to the best candidate.
    front_labels_ : matplotlib.legend.Legend
        Numbers and names of up to 8 candidates on the front that are apart from each other.
    legend_ : matplotlib.legend.Legend or None
        The contenders. None if the search has only one.
    note_ : matplotlib.text.Text
        Meaning of the bars, and number of candidates outside the picture.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skdistsearch.report import ScoreTimeDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"max_depth": [2, 3, 4]}
    >>> search = GridSearchCV(DecisionTreeRegressor(random_state=0), grid, cv=3).fit(X, y)
    >>> display = ScoreTimeDisplay.from_search(search)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('mean fit time (seconds)', 'R² (higher is better)')
    """

    def __init__(
        self,
        *,
        leaderboard: DataFrame,
        candidates: Sequence[Parameters],
        score_name: str,
        contenders: Sequence[str],
    ) -> None:
        self.leaderboard = leaderboard
        self.candidates = candidates
        self.score_name = score_name
        self.contenders = contenders

    @classmethod
    def from_search(
        cls, search: FittedSearch, *, metric: str | None = None, ax: Axes | None = None
    ) -> ScoreTimeDisplay:
        """Draw the scores and times of a fitted search.

        Parameters
        ----------
        search : fitted search
            A search of this package or of scikit-learn.
        metric : str or None, default=None
            Metric to show, as in `skdistsearch.report.leaderboard`.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        display : ScoreTimeDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If ``metric`` is not a metric of the search, or no candidate has a score.
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        """
        table = leaderboard(search, metric=metric)
        shown = table[np.isfinite(table["mean_score"])]
        if shown.empty:
            raise ReportError("No candidate has a score.")
        candidates = short_parameters(search.estimator, search.cv_results_["params"])
        return cls(
            leaderboard=shown,
            candidates=[candidates[index] for index in shown.index],
            score_name=find_metric(search, table.attrs["metric"]).label,
            contenders=sorted(set(table["contender"])),
        ).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        return 9.5, 5

    def _draw_on_axes(self) -> None:
        self._times_s = self.leaderboard["fit_time_s"].to_numpy(dtype=float)
        self._scores = shown_scores(self.leaderboard)
        self._is_last_round = np.ones(len(self._scores), dtype=bool)
        if "round" in self.leaderboard:
            rounds = self.leaderboard["round"].to_numpy()
            self._is_last_round = rounds == rounds.max()
        self._draw_points()
        self._label_axes()
        n_hidden = limit_to_best(
            self.ax_, self._scores, lower_is_better=self.leaderboard.attrs["lower_is_better"]
        )
        self._draw_front()
        self._add_note(self._note_text(n_hidden))

    def _draw_points(self) -> None:
        is_many = len(self._scores) > MANY
        opacities = np.where(self._is_last_round, 1.0, _FAINT)
        contenders = self.leaderboard["contender"].to_numpy()
        self.points_: dict[str, Any] = {}
        for name, style in contender_styles(self.contenders).items():
            rows = contenders == name
            if rows.any():
                self.points_[name] = self.ax_.scatter(
                    self._times_s[rows],
                    self._scores[rows],
                    s=22 if is_many else 55,
                    c=style["color"],
                    marker=style["marker"],
                    edgecolors=EDGE_COLOUR,
                    linewidths=0.3 if is_many else 0.6,
                    alpha=opacities[rows] * (0.7 if is_many else 1),
                    label=name,
                    zorder=2,
                )
        self.errorbars_: Any = None
        errors = self.leaderboard["std_error"].to_numpy()
        if not is_many and np.isfinite(errors).any():
            self.errorbars_ = self.ax_.errorbar(
                *(self._times_s, self._scores, errors),
                fmt="none",
                ecolor="#999999",
                capsize=3,
                zorder=1,
            )

    def _draw_front(self) -> None:
        is_negated = self.leaderboard.attrs["lower_is_better"]
        ranked = np.where(self._is_last_round, self._scores * (-1 if is_negated else 1), -np.inf)
        rows = pareto_front(self._times_s, ranked)
        (self.front_,) = self.ax_.plot(
            self._times_s[rows],
            self._scores[rows],
            color=EDGE_COLOUR,
            drawstyle="steps-post",
            linewidth=1.2,
            zorder=1.5,
        )
        named = self._choose_named(rows)
        for number, row in enumerate(named, start=1):
            self.ax_.annotate(
                str(number),
                (self._times_s[row], self._scores[row]),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                weight="bold",
                zorder=4,
            )
        self._list_front(named)

    def _choose_named(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those rows of the front whose labels are apart; the best candidate is one."""
        points = self.ax_.transData.transform(
            np.column_stack([self._times_s[rows], self._scores[rows]])
        )
        named: list[int] = []
        for place in reversed(range(len(rows))):
            distances = np.abs(points[named] - points[place]).max(axis=1)
            if len(named) < _MAX_NAMED and (distances > _DISTANCE).all():
                named.append(place)
        return rows[named[::-1]]

    def _list_front(self, named: NDArray[np.int64]) -> None:
        """List the names of candidates on the front beside the axes."""
        from matplotlib.legend import Legend
        from matplotlib.lines import Line2D

        table = self.leaderboard.iloc[named]
        params = dict(zip(table.index, [self.candidates[row] for row in named], strict=True))
        labels = candidate_labels(params, list(table["contender"]), length=_LABEL_LENGTH)
        handles = [
            Line2D([], [], linestyle="", color="black", marker=f"${number}$")
            for number in range(1, len(named) + 1)
        ]
        self.front_labels_ = Legend(
            self.ax_,
            handles,
            labels,
            title="Pareto front",
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            fontsize="small",
            alignment="left",
        )
        self.ax_.add_artist(self.front_labels_).set_clip_on(False)

    def _label_axes(self) -> None:
        self.ax_.set(xlabel="mean fit time (seconds)", ylabel=self.score_name)
        if spans_decades(self._times_s, _LOG_RATIO):
            self._use_log_times()
        self.ax_.grid(alpha=0.3)
        self.ax_.set_axisbelow(True)
        self.ax_.margins(y=0.1)
        if len(self.contenders) > 1:
            self._add_legend(list(self.points_.values()), list(self.points_))

    def _use_log_times(self) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

        self.ax_.set_xscale("log")
        is_short = self._times_s.max() < 100 * self._times_s.min()
        self.ax_.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if is_short else (1,)))
        self.ax_.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: f"{time_s:g}"))
        self.ax_.xaxis.set_minor_locator(NullLocator())

    def _note_text(self, n_hidden: int) -> str:
        sentences = []
        if self.errorbars_ is not None:
            sentences.append("Bars: standard error.")
        if not self._is_last_round.all():
            sentences.append("Faint: earlier rounds, with fewer resources.")
        if n_hidden:
            sentences.append(f"Not shown: {pluralize(n_hidden, 'candidate')} with worse scores.")
        return " ".join(sentences)


def pareto_front(times_s: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rows that no other row beats in time and score, the fastest first.

    Higher scores are better. Rows with a score of minus infinity are left out.
    """
    order = np.lexsort((-scores, times_s))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(scores[order])[:-1]])
    front: NDArray[np.int64] = order[scores[order] > before]
    return front
