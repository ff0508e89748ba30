"""`CVScoresDisplay`: how the scores of each candidate spread over the splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch._cv_results import split_scores
from skdistsearch.report._leaderboard import leaderboard
from skdistsearch.report._style import ABOVE, clipped, height_of, looks, new_axes, note, score_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_LABEL_LENGTH = 50  # characters
_SMALLEST, _LARGEST = 5.0, 10.0  # points; a smaller label nobody can read


class CVScoresDisplay:
    """Box plots of the scores on the splits, a candidate each, the best on top.

    A box is from the lower to the upper quartile, its line the median, its whiskers go to the
    minimum and the maximum. Colours are contenders. Make it with `from_search`.

    Parameters
    ----------
    leaderboard : pandas.DataFrame
        As of `skdistsearch.report.leaderboard`.
    scores : ndarray of shape (n_candidates, n_splits)
        Test scores, in the order of ``leaderboard``.
    score_name : str
        What the scores are, for the axis.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        What was drawn on.
    boxes_ : list of matplotlib.patches.PathPatch
        The boxes, from the top.
    boxplot_ : dict of str to list of artists
        All that `matplotlib.axes.Axes.boxplot` gave.
    legend_ : matplotlib.legend.Legend or None
        The contenders; None if there is but one.
    note_ : matplotlib.text.Text
        How many splits there are, and how many candidates are not shown.

    Examples
    --------
    >>> from skdistsearch.report import CVScoresDisplay
    >>> display = CVScoresDisplay.from_search(search)  # doctest: +SKIP
    >>> display.figure_.savefig("scores.png")  # doctest: +SKIP
    """

    def __init__(
        self, *, leaderboard: DataFrame, scores: NDArray[np.float64], score_name: str
    ) -> None:
        self.leaderboard = leaderboard
        self.scores = scores
        self.score_name = score_name

    @classmethod
    def from_search(
        cls, search: Any, *, metric: str | None = None, ax: Axes | None = None, top: int = 30
    ) -> CVScoresDisplay:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : fitted search
            Of this package or of scikit-learn.
        metric : str or None, default=None
            Which metric's scores, as in `skdistsearch.report.leaderboard`.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot, as high as it needs to be.
        top : int, default=30
            How many candidates to show at most: the best of each contender, then the best.

        Returns
        -------
        display : CVScoresDisplay
            Drawn.

        Raises
        ------
        ReportError
            There is no such metric.
        """
        table = leaderboard(search, metric=metric)
        scores = split_scores(search.cv_results_, table.attrs["metric"])[table.index]
        name = score_name(search, table.attrs["metric"])
        return cls(leaderboard=table, scores=scores, score_name=name).plot(ax, top=top)

    def plot(self, ax: Axes | None = None, *, top: int = 30) -> CVScoresDisplay:
        """Draw once more.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot.
        top : int, default=30
            How many candidates to show at most.

        Returns
        -------
        self : CVScoresDisplay
            With the new artists.
        """
        scored = np.isfinite(self.scores).all(axis=1)
        shown = self._shown(scored, top)
        table = self.leaderboard.iloc[shown]
        ax = new_axes(10, height_of(len(shown))) if ax is None else ax
        self.ax_ = ax
        self.figure_: Any = ax.figure
        self.boxplot_ = ax.boxplot(
            list(self.scores[shown]),
            orientation="horizontal",
            whis=(0, 100),
            widths=0.65,
            patch_artist=True,
            medianprops={"color": "black"},
        )
        self.boxes_ = self.boxplot_["boxes"]
        self._colour(table)
        self._label(table)
        self.note_ = note(ax, self._remark(len(shown), int((~scored).sum())))
        return self

    def _shown(self, scored: Any, top: int) -> NDArray[np.int64]:
        """Places of the best of each contender, and of as many others as there is room for."""
        places = np.flatnonzero(scored)
        leads = ~self.leaderboard["contender"].iloc[places].duplicated().to_numpy()
        return np.sort(np.concatenate([places[leads], places[~leads]])[:top])

    def _colour(self, table: DataFrame) -> None:
        look = looks(self.leaderboard["contender"])
        for box, contender in zip(self.boxes_, table["contender"], strict=True):
            box.set(facecolor=look[contender]["color"], hatch=look[contender]["hatch"])
        present = dict(zip(table["contender"], self.boxes_, strict=True))
        self.legend_ = None
        if len(look) > 1:
            self.legend_ = self.ax_.legend(
                [present[name] for name in sorted(present)],
                sorted(present),
                **ABOVE,
            )

    def _label(self, table: DataFrame) -> None:
        names = table["parameters"].where(table["parameters"] != "", table["contender"])
        labels = [
            f"{clipped(name, _LABEL_LENGTH)}   #{rank}"
            for name, rank in zip(names, table["rank"], strict=True)
        ]
        self.ax_.invert_yaxis()  # the winner on top
        room = 72 * self.figure_.get_figheight() * self.ax_.get_position().height
        size = min(_LARGEST, 0.8 * room / max(len(labels), 1))
        if size < _SMALLEST:
            self.ax_.set_yticks([])
            self._thin(size / _SMALLEST)
        else:
            self.ax_.set_yticks(range(1, len(labels) + 1), labels, fontsize=size)
        self.ax_.grid(axis="x", alpha=0.3)
        self.ax_.set_xlabel(self.score_name)

    def _thin(self, width: float) -> None:
        """Lines in the colours of their boxes, else black is all there is to see."""
        for lines in ("whiskers", "caps"):
            for number, line in enumerate(self.boxplot_[lines]):
                line.set(color=self.boxes_[number // 2].get_facecolor(), linewidth=width)
        for box, median in zip(self.boxes_, self.boxplot_["medians"], strict=True):
            box.set(edgecolor=box.get_facecolor(), linewidth=width)
            median.set_linewidth(width)

    def _remark(self, shown: int, without_score: int) -> str:
        """How the boxes are to be read, and what is not there."""
        count, splits = self.scores.shape
        text = f"{splits} splits: minimum, quartiles, maximum"
        if shown < count:
            text += f"\n{shown} of {count:,} candidates: the best, also of each contender"
        if without_score:
            text += f" ({without_score:,} have no score)"
        return text
