"""`ParameterScoresDisplay`: mean scores against the values of one or two parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch.exceptions import ReportError
from skdistsearch.report._leaderboard import leaderboard, parameter_names, readable_value
from skdistsearch.report._style import ABOVE, clipped, looks, new_axes, note, score_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_DECADES = 100  # greatest by least value, from which on an axis is logarithmic
_MANY = 60  # candidates, beyond which points are small and have no error bars
_TICKS = 20  # values with a label each
_LABEL_LENGTH = 24  # characters
_JITTER = 0.25  # of the distance between two categories, to either side


class ParameterScoresDisplay:
    """Mean scores of the candidates, against one parameter or (as colour) against two.

    Axes are logarithmic where values span two decades, and have a place for each value where
    they are no numbers. Markers, and with one parameter colours, are contenders. Error bars are
    standard errors, of up to 60 candidates. Make it with `from_search`.

    Parameters
    ----------
    leaderboard : pandas.DataFrame
        As of `skdistsearch.report.leaderboard`, of the candidates that have the parameters.
    values : dict of str to list
        One or two parameters: name, and values in the order of ``leaderboard``.
    score_name : str
        What the scores are, for the axis.
    contenders : sequence of str
        All of the search: a contender looks the same in each of its pictures.
    left_out : int, default=0
        How many candidates do not have the parameters, or have no score.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        What was drawn on.
    points_ : dict of str to matplotlib.collections.PathCollection
        The points of each contender.
    errorbars_ : list of matplotlib.container.ErrorbarContainer
        Of each contender; with one parameter only.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        The scores; with two parameters only.
    legend_ : matplotlib.legend.Legend or None
        The contenders; None if the search has but one.

    Examples
    --------
    >>> from skdistsearch.report import ParameterScoresDisplay
    >>> ParameterScoresDisplay.from_search(search, "max_depth")  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        leaderboard: DataFrame,
        values: Mapping[str, Sequence[Any]],
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
        search: Any,
        parameters: str | Sequence[str],
        *,
        metric: str | None = None,
        ax: Axes | None = None,
    ) -> ParameterScoresDisplay:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : fitted search
            Of this package or of scikit-learn.
        parameters : str or two of them
            Names as in ``param_grid``, or as short as in `skdistsearch.report.leaderboard`.
        metric : str or None, default=None
            Which metric's scores, as in `skdistsearch.report.leaderboard`.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot.

        Returns
        -------
        display : ParameterScoresDisplay
            Drawn.

        Raises
        ------
        ReportError
            There is no such parameter or metric, or no candidate that has all of them.
        """
        table = leaderboard(search, metric=metric)
        params = search.cv_results_["params"]
        names = _long_names(search, [parameters] if isinstance(parameters, str) else parameters)
        has = [all(name in params[index] for name in names.values()) for index in table.index]
        kept = table[np.array(has) & np.isfinite(table["mean_score"])]
        if kept.empty:
            raise ReportError(f"No candidate with a score has all of {', '.join(names.values())}.")
        return cls(
            leaderboard=kept,
            values={s: [params[index][name] for index in kept.index] for s, name in names.items()},
            score_name=score_name(search, table.attrs["metric"]),
            contenders=sorted(set(table["contender"])),
            left_out=len(table) - len(kept),
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> ParameterScoresDisplay:
        """Draw once more.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot.

        Returns
        -------
        self : ParameterScoresDisplay
            With the new artists.
        """
        self.ax_ = new_axes(7.5, 5) if ax is None else ax
        self.figure_ = self.ax_.figure
        self.colorbar_: Any = None
        self.legend_: Any = None
        axes = (self.ax_.xaxis, self.ax_.yaxis)
        places = [
            _placed(axis, name, values)
            for axis, (name, values) in zip(axes, self.values.items(), strict=False)
        ]
        if len(places) == 1:
            self._against_one(*places)
        else:
            self._against_two(*places)
        self._explain()
        return self

    def _against_one(self, x: NDArray[np.float64]) -> None:
        scores = self.leaderboard["mean_score"].to_numpy()
        self.errorbars_ = []
        self.points_ = {}
        for name, rows, look in self._contenders():
            colour = look["color"]
            if len(x) <= _MANY:
                errors = self.leaderboard["std_error"].to_numpy()[rows]
                bars = self.ax_.errorbar(
                    x[rows], scores[rows], errors, fmt="none", ecolor=colour, capsize=3, zorder=1
                )
                self.errorbars_.append(bars)
            self.points_[name] = self.ax_.scatter(
                x[rows], scores[rows], c=colour, marker=look["marker"], label=name, **self._size()
            )
        self.ax_.set_ylabel(self.score_name)

    def _against_two(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        scores = self.leaderboard["mean_score"].to_numpy()
        low = np.quantile(scores, 0.05) if len(scores) > _MANY else scores.min()
        scale = {"cmap": "cividis", "vmin": low, "vmax": scores.max()}
        self.errorbars_ = []
        self.points_ = {
            name: self.ax_.scatter(
                x[rows],
                y[rows],
                c=scores[rows],
                marker=look["marker"],
                label=name,
                **scale,
                **self._size(),
            )
            for name, rows, look in self._contenders()
        }
        extend = "min" if low > scores.min() else "neither"
        self.colorbar_ = self.figure_.colorbar(
            next(iter(self.points_.values())), ax=self.ax_, label=self.score_name, extend=extend
        )

    def _contenders(self) -> list[tuple[str, NDArray[np.bool_], dict[str, str]]]:
        mine = self.leaderboard["contender"].to_numpy()
        return [
            (name, mine == name, look)
            for name, look in looks(self.contenders).items()
            if name in mine
        ]

    def _size(self) -> dict[str, Any]:
        many = len(self.leaderboard) > _MANY
        width = 0.3 if many else 0.6
        return {"s": 22 if many else 55, "edgecolors": "#333333", "linewidths": width}

    def _explain(self) -> None:
        self.ax_.grid(alpha=0.3)
        self.ax_.set_axisbelow(True)
        if len(self.contenders) > 1:
            self.legend_ = self.ax_.legend(**ABOVE)
        bars = "Bars: standard error. " if self.errorbars_ else ""
        left_out = f"{self.left_out:,} candidates without it are not shown" if self.left_out else ""
        self.note_ = note(self.ax_, bars + left_out)


def _long_names(search: Any, parameters: Sequence[str]) -> dict[str, str]:
    """Full names, by the short ones."""
    known = parameter_names(search.estimator, search.cv_results_["params"])
    by_any_name = {short: name for name, short in known.items()} | {name: name for name in known}
    unknown = [name for name in parameters if name not in by_any_name]
    if unknown:
        raise ReportError(
            f"{', '.join(map(repr, unknown))}: no parameter of the search. "
            f"Known: {', '.join(sorted(known.values()))}."
        )
    if not 1 <= len(parameters) <= 2:
        raise ReportError(f"One or two parameters can be drawn, not {len(parameters)}.")
    return {known[by_any_name[name]]: by_any_name[name] for name in parameters}


def _placed(axis: Any, name: str, values: Sequence[Any]) -> NDArray[np.float64]:
    """Where on the axis the values are; the axis gets its label, scale and ticks."""
    axis.set_label_text(name)
    if not all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return _in_categories(axis, values)
    numbers = np.array(values, dtype=float)
    if numbers.min() > 0 and numbers.max() >= _DECADES * numbers.min():
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    elif all(isinstance(value, Integral) for value in values) and np.ptp(numbers) < _TICKS:
        axis.set_ticks(np.arange(numbers.min(), numbers.max() + 1))
    return numbers


def _in_categories(axis: Any, values: Sequence[Any]) -> NDArray[np.float64]:
    """A place for each value; its candidates side by side around it, in no order."""
    texts = [readable_value(value) for value in values]
    known = sorted(set(texts))
    labels = [clipped(text, _LABEL_LENGTH) for text in known]
    if len(known) <= _TICKS:
        long = axis.axis_name == "x" and sum(map(len, labels)) > 60
        turn = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
        axis.set_ticks(range(len(known)), labels, **turn)
    else:
        axis.set_ticks([])
    axis.axes.set(**{f"{axis.axis_name}lim": (-0.5, len(known) - 0.5)})
    random = np.random.default_rng(0)
    places = np.array([float(known.index(text)) for text in texts])
    for place in range(len(known)):
        mine = np.flatnonzero(places == place)
        if len(mine) > 1:
            places[mine] += random.permutation(np.linspace(-_JITTER, _JITTER, len(mine)))
    return places
