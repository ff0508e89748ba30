"""`TimelineDisplay`: fits over time, by worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skdistsearch._cv_results import split_scores
from skdistsearch._report_rows import assign_rows
from skdistsearch._text import pluralize
from skdistsearch._typing import FittedSearch
from skdistsearch.exceptions import ReportError
from skdistsearch.report._candidate_names import contender_name
from skdistsearch.report._leaderboard import default_metric
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._style import EDGE_COLOUR, contender_styles, figure_height

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NARROW = 4.0  # points; edges would hide narrower bars
_UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
_SHORTEST_S = 1e-9  # a length of the search that can be divided by

NO_SCORE = "no score"
"""Label of the fits without a score."""


class Bar(NamedTuple):
    """One fit on the timeline."""

    contender: str
    """Name of the contender, or `NO_SCORE`."""
    started_at: float
    """Start, in seconds since 1970."""
    finished_at: float
    """End, in seconds since 1970."""
    worker: str
    """Name of the worker that ran the fit."""


class TimelineDisplay(Display):
    """Fits of a search as bars over time: one row per worker, coloured by contender.

    Fits without a score are black. With more than 40 workers, those that did not overlap share a
    row. Use `from_search` to create a display.

    Parameters
    ----------
    bars : list of Bar
        Contender, start and end in seconds since 1970, and worker of each fit.
    contenders : sequence of str
        All contenders of the search, so that each has the same style in all pictures.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    bars_ : dict of str to matplotlib.collections.PolyCollection
        The bars of each contender, and those of the fits without a score.
    legend_ : matplotlib.legend.Legend or None
        The contenders. None if there is only one.
    note_ : matplotlib.text.Text
        Number of fits and workers, and the share of the time in which the workers were busy.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.report import TimelineDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3).fit(X, y)
    >>> display = TimelineDisplay.from_search(search)
    >>> display.note_.get_text().partition(",")[0]
    '6 fits on 1 worker'
    """

    def __init__(self, *, bars: Sequence[Bar], contenders: Sequence[str]) -> None:
        self.bars = bars
        self.contenders = contenders

    @classmethod
    def from_search(cls, search: FittedSearch, *, ax: Axes | None = None) -> TimelineDisplay:
        """Draw the fits of a fitted search.

        Parameters
        ----------
        search : fitted search
            A search of this package. Other searches do not record when their fits ran.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot, with room for all labels.

        Returns
        -------
        display : TimelineDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If the search has not recorded when its fits ran.
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        """
        check_is_fitted(search, "cv_results_")
        times = [fit for fit in getattr(search, "_fit_times", ()) if 0 < fit[2] <= fit[3]]
        if not times:
            raise ReportError(
                f"{type(search).__name__} has not recorded when its fits ran. Only the searches of "
                "skdistsearch do, when they are fitted."
            )
        params = search.cv_results_["params"]
        contenders = [contender_name(search.estimator, candidate) for candidate in params]
        has_score = np.isfinite(split_scores(search.cv_results_, default_metric(search)))
        bars = [
            Bar(
                contenders[candidate] if has_score[candidate, split] else NO_SCORE,
                started_at,
                finished_at,
                worker,
            )
            for candidate, split, started_at, finished_at, worker in times
        ]
        return cls(bars=bars, contenders=sorted(set(contenders))).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        return 10, figure_height(len(set(assign_rows(self._sorted_bars()).values())))

    def _sorted_bars(self) -> list[Bar]:
        return sorted(self.bars, key=lambda bar: bar.started_at)

    def _draw_on_axes(self) -> None:
        bars = self._sorted_bars()
        row_of = assign_rows(bars)
        rows = list(dict.fromkeys(row_of.values()))
        first = bars[0].started_at
        length_s = max(bar.finished_at for bar in bars) - first
        unit, unit_s = next((u for u in _UNITS if length_s >= 2 * u[1]), _UNITS[-1])
        self.ax_.set_xlim(0, max(length_s, _SHORTEST_S) / unit_s)
        self.ax_.set_ylim(len(rows) - 0.5, -0.5)  # the first worker on top
        rectangles = [_corners(bar, first, unit_s, rows.index(row_of[bar.worker])) for bar in bars]
        self._draw_bars(bars, rectangles, self._edge_colour(bars, length_s))
        self._label_axes(rows, unit)
        busy_s = sum(bar.finished_at - bar.started_at for bar in bars)
        busy_share = busy_s / (max(length_s, _SHORTEST_S) * len(rows))
        self._add_note(
            f"{pluralize(len(bars), 'fit')} on {pluralize(len(row_of), 'worker')}, "
            f"busy {min(busy_share, 1):.0%} of the time"
        )

    def _draw_bars(
        self, bars: Sequence[Bar], rectangles: Sequence[NDArray[np.float64]], edge_colour: str
    ) -> None:
        from matplotlib.collections import PolyCollection

        self.bars_: dict[str, Any] = {}
        for name, style in self._styles(bars).items():
            members = [
                corners
                for bar, corners in zip(bars, rectangles, strict=True)
                if bar.contender == name
            ]
            collection = PolyCollection(
                members,
                label=name,
                edgecolor=edge_colour or style["facecolor"],
                linewidth=0.5,
                **style,
            )
            self.bars_[name] = self.ax_.add_collection(collection, autolim=False)

    def _styles(self, bars: Sequence[Bar]) -> dict[str, dict[str, Any]]:
        """Return the styles of the bars by label; fits without a score are last, so on top."""
        styles: dict[str, dict[str, Any]] = {
            name: {"facecolor": style["color"], "hatch": style["hatch"]}
            for name, style in contender_styles(self.contenders).items()
        }
        styles[NO_SCORE] = {"facecolor": "#000000", "hatch": ""}
        labels = {bar.contender for bar in bars}
        return {name: style for name, style in styles.items() if name in labels}

    def _edge_colour(self, bars: Sequence[Bar], length_s: float) -> str:
        """Return a dark colour, or none if edges would cover most of the bars."""
        width = self.ax_.bbox.width * 72 / self.figure_.dpi
        median_s = float(np.median([bar.finished_at - bar.started_at for bar in bars]))
        return EDGE_COLOUR if width * median_s >= _NARROW * length_s else ""

    def _label_axes(self, rows: Sequence[str], unit: str) -> None:
        if self._label_rows(range(len(rows)), rows) < 1:
            self.ax_.set_ylabel(f"{len(rows):,} rows of workers")
        self.ax_.set_xlabel(f"{unit} since the first fit started")
        self.ax_.grid(axis="x", alpha=0.3)
        self.ax_.set_axisbelow(True)
        if len(self.bars_) > 1:
            self._add_legend()


def _corners(bar: Bar, first: float, unit_s: float, row: int) -> NDArray[np.float64]:
    """Return the corners of a bar, of shape (4, 2), in units of time and rows."""
    left, right = (bar.started_at - first) / unit_s, (bar.finished_at - first) / unit_s
    top, bottom = row - 0.4, row + 0.4
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
