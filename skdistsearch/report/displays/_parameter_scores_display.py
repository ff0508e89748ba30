"""`ParameterScoresDisplay`: mean scores against the values of one or two parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch._text import pluralize
from skdistsearch._typing import FittedSearch
from skdistsearch.exceptions import ReportError
from skdistsearch.report._candidate_labels import cut_texts, distinct_texts
from skdistsearch.report._candidate_names import short_parameter_names
from skdistsearch.report._leaderboard import leaderboard
from skdistsearch.report._metrics import find_metric, shown_scores
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._style import (
    EDGE_COLOUR,
    MANY,
    ContenderStyle,
    contender_styles,
    score_colours,
    spans_decades,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis
    from pandas import DataFrame

_MAX_TICKS = 20  # values with a label each
_LABEL_LENGTH = 24  # characters
_LABELS_LENGTH = 60  # characters of all labels of the x axis, beyond which they are rotated
_JITTER = 0.25  # of the distance between two categories, to either side


class ParameterScoresDisplay(Display):
    """Mean scores of the candidates against one parameter, or as colours against two.

    An axis is logarithmic if its values span two decades. Values that are not numbers are
    categories. Markers and, with one parameter, colours are contenders. Error bars are standard
    errors; they are drawn for up to 60 candidates. Use `from_search` to create a display.

    Parameters
    ----------
    leaderboard : pandas.DataFrame
        Table that `skdistsearch.report.leaderboard` returned, with only the candidates that have
        the parameters.
    values : dict of str to list
        One or two parameters: name, and values in the order of ``leaderboard``.
    score_name : str
        Label of the axis or of the colour bar of scores. Errors are positive.
    contenders : sequence of str
        All contenders of the search, so that each has the same style in all pictures.
    left_out : int, default=0
        Number of candidates without the parameters or without a score.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    points_ : dict of str to matplotlib.collections.PathCollection
        The points of each contender.
    errorbars_ : list of matplotlib.container.ErrorbarContainer
        The error bars of each contender. Empty with two parameters.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        The scores. None with one parameter.
    legend_ : matplotlib.legend.Legend or None
        The contenders. None if the search has only one.
    note_ : matplotlib.text.Text
        Meaning of the bars, and number of candidates that are not shown.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skdistsearch.report import ParameterScoresDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"max_depth": [2, 3, 4]}
    >>> search = GridSearchCV(DecisionTreeRegressor(random_state=0), grid, cv=3).fit(X, y)
    >>> display = ParameterScoresDisplay.from_search(search, "max_depth")
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('max_depth', 'R² (higher is better)')
    """

    def __init__(
        self,
        *,
        leaderboard: DataFrame,
        values: Mapping[str, Sequence[object]],
        score_name: str,
        contenders: Sequence[str],
        left_out: int = 0,
    ) -> None:
        self.leaderboard = leaderboard
        self.values = values
        self.score_name = score_name
        self.contenders = contenders
        self.left_out = left_out

    @classmethod
    def from_search(
        cls,
        search: FittedSearch,
        parameters: str | Sequence[str],
        *,
        metric: str | None = None,
        ax: Axes | None = None,
    ) -> ParameterScoresDisplay:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : fitted search
            A search of this package or of scikit-learn.
        parameters : str or sequence of one or two str
            Names as in ``param_grid``, or short names as in `skdistsearch.report.leaderboard`.
        metric : str or None, default=None
            Metric to show, as in `skdistsearch.report.leaderboard`.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        display : ParameterScoresDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If the search does not have a parameter or the metric, if there are more than two
            parameters, or if no candidate with a score has all of them.
        """
        table = leaderboard(search, metric=metric)
        params = search.cv_results_["params"]
        names = _long_names(search, [parameters] if isinstance(parameters, str) else parameters)
        has_all = [all(name in params[index] for name in names.values()) for index in table.index]
        shown = table[np.array(has_all) & np.isfinite(table["mean_score"])]
        if shown.empty:
            raise ReportError(f"No candidate with a score has all of {', '.join(names.values())}.")
        return cls(
            leaderboard=shown,
            values={
                short: [params[index][name] for index in shown.index]
                for short, name in names.items()
            },
            score_name=find_metric(search, table.attrs["metric"]).label,
            contenders=sorted(set(table["contender"])),
            left_out=len(table) - len(shown),
        ).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        return 7.5, 5

    def _draw_on_axes(self) -> None:
        self.colorbar_: Any = None
        self.errorbars_: list[Any] = []
        axes: tuple[XAxis | YAxis, ...] = (self.ax_.xaxis, self.ax_.yaxis)
        positions = [
            _place_values(axis, name, values)
            for axis, (name, values) in zip(axes, self.values.items(), strict=False)
        ]
        if len(positions) == 1:
            self._draw_against_one(*positions)
        else:
            self._draw_against_two(*positions)
        self.ax_.grid(alpha=0.3)
        self.ax_.set_axisbelow(True)
        if len(self.contenders) > 1:
            self._add_legend()
        self._add_note(self._note_text())

    def _draw_against_one(self, x: NDArray[np.float64]) -> None:
        scores = shown_scores(self.leaderboard)
        errors = self.leaderboard["std_error"].to_numpy()
        self.points_: dict[str, Any] = {}
        for name, rows, style in self._contender_rows():
            points = x[rows], scores[rows]
            if len(x) <= MANY:
                bars = self.ax_.errorbar(
                    *points, errors[rows], fmt="none", ecolor=style["color"], capsize=3, zorder=1
                )
                self.errorbars_.append(bars)
            self.points_[name] = self.ax_.scatter(
                *points, c=style["color"], **self._marker_options(name, style)
            )
        self.ax_.set_ylabel(self.score_name)

    def _draw_against_two(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        scores = shown_scores(self.leaderboard)
        scale, extend = score_colours(
            scores, lower_is_better=self.leaderboard.attrs["lower_is_better"]
        )
        self.points_ = {
            name: self.ax_.scatter(
                x[rows], y[rows], c=scores[rows], **scale, **self._marker_options(name, style)
            )
            for name, rows, style in self._contender_rows()
        }
        self.colorbar_ = self.figure_.colorbar(
            next(iter(self.points_.values())),
            ax=self.ax_,
            label=self.score_name,
            extend=extend,
        )

    def _contender_rows(self) -> list[tuple[str, NDArray[np.bool_], ContenderStyle]]:
        """Return each contender that is shown, the mask of its rows, and its style."""
        contenders = self.leaderboard["contender"].to_numpy()
        return [
            (name, contenders == name, style)
            for name, style in contender_styles(self.contenders).items()
            if name in contenders
        ]

    def _marker_options(self, contender: str, style: ContenderStyle) -> dict[str, Any]:
        is_many = len(self.leaderboard) > MANY
        return {
            "label": contender,
            "marker": style["marker"],
            "s": 22 if is_many else 55,
            "edgecolors": EDGE_COLOUR,
            "linewidths": 0.3 if is_many else 0.6,
        }

    def _note_text(self) -> str:
        parameters = "the parameter" if len(self.values) == 1 else "the parameters"
        sentences = []
        if self.errorbars_:
            sentences.append("Bars: standard error.")
        if self.left_out:
            count = pluralize(self.left_out, "candidate")
            sentences.append(f"Not shown: {count} without {parameters} or a score.")
        return " ".join(sentences)


def _long_names(search: FittedSearch, parameters: Sequence[str]) -> dict[str, str]:
    """Return the full names of one or two parameters by their short names."""
    known = short_parameter_names(search.estimator, search.cv_results_["params"])
    by_any_name = {short: name for name, short in known.items()} | {name: name for name in known}
    unknown = [name for name in parameters if name not in by_any_name]
    if unknown:
        raise ReportError(
            f"Not a parameter of the search: {', '.join(map(repr, unknown))}. "
            f"Known: {', '.join(sorted(known.values()))}."
        )
    if not 1 <= len(parameters) <= 2:
        raise ReportError(f"Got {len(parameters)} parameters. Name one or two.")
    return {known[by_any_name[name]]: by_any_name[name] for name in parameters}


def _place_values(axis: XAxis | YAxis, name: str, values: Sequence[object]) -> NDArray[np.float64]:
    """Set the label, scale and ticks of the axis; return the positions of the values on it."""
    axis.set_label_text(name)
    if not all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return _place_categories(axis, distinct_texts(values))
    numbers = np.array(values, dtype=float)
    if spans_decades(numbers):
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    elif all(isinstance(value, Integral) for value in values) and np.ptp(numbers) < _MAX_TICKS:
        axis.set_ticks(np.arange(numbers.min(), numbers.max() + 1))
    return numbers


def _place_categories(axis: XAxis | YAxis, texts: Sequence[str]) -> NDArray[np.float64]:
    """Set one tick per category; return positions around it, spread so that no points overlap."""
    categories = sorted(set(texts))
    _label_categories(axis, cut_texts(categories, _LABEL_LENGTH))
    axis.axes.set(**{f"{axis.axis_name}lim": (-0.5, len(categories) - 0.5)})
    random = np.random.default_rng(0)
    positions = np.array([float(categories.index(text)) for text in texts])
    for category in range(len(categories)):
        members = np.flatnonzero(positions == category)
        if len(members) > 1:
            offsets = np.linspace(-_JITTER, _JITTER, len(members))
            positions[members] += random.permutation(offsets)
    return positions


def _label_categories(axis: XAxis | YAxis, labels: Sequence[str]) -> None:
    if len(labels) > _MAX_TICKS:
        axis.set_ticks([])
        return
    is_long = axis.axis_name == "x" and sum(map(len, labels)) > _LABELS_LENGTH
    rotation: dict[str, Any] = (
        {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
    )
    axis.set_ticks(range(len(labels)), labels, **rotation)
