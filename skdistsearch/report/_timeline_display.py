"""`TimelineDisplay`: which worker fitted what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skdistsearch._cv_results import split_scores
from skdistsearch._timeline_rows import rows_of
from skdistsearch.exceptions import ReportError
from skdistsearch.report._leaderboard import contender_of, default_metric
from skdistsearch.report._style import ABOVE, counted, height_of, looks, new_axes, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NARROW = 4.0  # points; edges would hide narrower bars
_SMALLEST, _LARGEST = 5.0, 10.0  # points; a smaller label nobody can read
_UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
_FAILED: dict[str, Any] = {"facecolor": "#000000", "hatch": ""}
FAILED = "no score"
"""In the legend, fits that failed."""


class Bar(NamedTuple):
    """One fit. Times in seconds since 1970."""

    contender: str
    """Or `FAILED`."""
    started_at: float
    finished_at: float
    worker: str


class TimelineDisplay:
    """The fits of a search as bars over time, a lane for each worker, coloured by contender.

    Fits without a score are black. Where workers are more than 40, those that were there one
    after the other share a lane. Make it with `from_search`.

    Parameters
    ----------
    bars : list of Bar
        Contender, beginning and end in seconds since 1970, and worker of each fit.
    contenders : sequence of str
        All of the search: a contender looks the same in each of its pictures.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        What was drawn on.
    bars_ : dict of str to matplotlib.collections.PolyCollection
        The bars of each contender, and of what has no score.
    legend_ : matplotlib.legend.Legend or None
        The contenders; None if there is but one.
    note_ : matplotlib.text.Text
        How many fits and workers there are, and how busy these were.

    Examples
    --------
    >>> from skdistsearch.report import TimelineDisplay
    >>> TimelineDisplay.from_search(search)  # doctest: +SKIP
    """

    def __init__(self, *, bars: Sequence[Bar], contenders: Sequence[str]) -> None:
        self.bars = bars
        self.contenders = contenders

    @classmethod
    def from_search(cls, search: Any, *, ax: Axes | None = None) -> TimelineDisplay:
        """Draw the fits of a fitted search.

        Parameters
        ----------
        search : fitted search
            Of this package: others do not keep when their fits were.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot, as high as it needs to be.

        Returns
        -------
        display : TimelineDisplay
            Drawn.

        Raises
        ------
        ReportError
            The search has no times of its fits.
        sklearn.exceptions.NotFittedError
            The search is not fitted.
        """
        check_is_fitted(search, "cv_results_")
        times = [fit for fit in getattr(search, "_fit_times", ()) if 0 < fit[2] <= fit[3]]
        if not times:
            raise ReportError(
                f"{type(search).__name__} has no times of its fits: they are kept by fit() of the "
                "searches of this package."
            )
        params = search.cv_results_["params"]
        names = [contender_of(search.estimator, setting) for setting in params]
        scores = split_scores(search.cv_results_, default_metric(search))
        bars = [
            Bar(
                names[candidate] if np.isfinite(scores[candidate, split]) else FAILED,
                started_at,
                finished_at,
                worker,
            )
            for candidate, split, started_at, finished_at, worker in times
        ]
        return cls(bars=bars, contenders=sorted(set(names))).plot(ax)

    def plot(self, ax: Axes | None = None) -> TimelineDisplay:
        """Draw once more.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot.

        Returns
        -------
        self : TimelineDisplay
            With the new artists.
        """
        from matplotlib.collections import PolyCollection

        timed = sorted(self.bars, key=lambda bar: bar.started_at)
        row_of = rows_of(timed)
        rows = list(dict.fromkeys(row_of.values()))
        self.ax_ = new_axes(10, height_of(len(rows))) if ax is None else ax
        self.figure_: Any = self.ax_.figure
        first, last = timed[0].started_at, max(bar.finished_at for bar in timed)
        unit, unit_s = next((u for u in _UNITS if last - first >= 2 * u[1]), _UNITS[-1])
        self.ax_.set_xlim(0, max(last - first, 1e-9) / unit_s)
        self.ax_.set_ylim(len(rows) - 0.5, -0.5)  # the first worker on top
        edge = self._edge(timed, last - first)
        self.bars_: dict[str, Any] = {}
        for name, look in self._looks(timed).items():
            mine = [bar for bar in timed if bar.contender == name]
            corners = [_corners(bar, first, unit_s, rows.index(row_of[bar.worker])) for bar in mine]
            style: dict[str, Any] = {"edgecolor": edge or look["facecolor"], "linewidth": 0.5}
            bars = PolyCollection(corners, label=name, **look, **style)
            self.bars_[name] = self.ax_.add_collection(bars, autolim=False)
        self._label(rows, unit)
        workers, busy_s = len(row_of), sum(bar.finished_at - bar.started_at for bar in timed)
        share = busy_s / (max(last - first, 1e-9) * len(rows))
        self.note_ = note(
            self.ax_,
            f"{counted(len(timed), 'fit')} by {counted(workers, 'worker')}, "
            f"busy for {min(share, 1):.0%} of the time",
        )
        return self

    def _looks(self, timed: Sequence[Bar]) -> dict[str, dict[str, Any]]:
        """Of the contenders that are there; last, and so on top, what has no score."""
        present = {bar.contender for bar in timed}
        known: dict[str, dict[str, Any]] = {
            name: {"facecolor": look["color"], "hatch": look["hatch"]}
            for name, look in looks(self.contenders).items()
        }
        return {name: look for name, look in {**known, FAILED: _FAILED}.items() if name in present}

    def _edge(self, timed: Sequence[Bar], span_s: float) -> str:
        """A dark edge, unless it would be all there is to see of most bars."""
        width = 72 * self.figure_.get_figwidth() * self.ax_.get_position().width
        usual_s = float(np.median([bar.finished_at - bar.started_at for bar in timed]))
        return "#333333" if width * usual_s >= _NARROW * span_s else ""

    def _label(self, rows: Sequence[str], unit: str) -> None:
        room = 72 * self.figure_.get_figheight() * self.ax_.get_position().height
        size = min(_LARGEST, 0.8 * room / len(rows))
        if size < _SMALLEST:
            self.ax_.set_yticks([])
            self.ax_.set_ylabel(f"{len(rows):,} lanes of workers")
        else:
            self.ax_.set_yticks(range(len(rows)), rows, fontsize=size)
        self.ax_.set_xlabel(f"{unit} since the first fit began")
        self.ax_.grid(axis="x", alpha=0.3)
        self.ax_.set_axisbelow(True)
        self.legend_ = self.ax_.legend(**ABOVE) if len(self.bars_) > 1 else None


def _corners(bar: Bar, first: float, unit_s: float, row: int) -> NDArray[np.float64]:
    left, right = (bar.started_at - first) / unit_s, (bar.finished_at - first) / unit_s
    top, bottom = row - 0.4, row + 0.4
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
