"""`ParallelCoordinatesDisplay`: a line for each candidate across its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch._text import pluralize
from skdistsearch._typing import FittedSearch, Parameters
from skdistsearch.exceptions import ReportError
from skdistsearch.report._candidate_labels import cut_texts
from skdistsearch.report._candidate_names import short_parameters
from skdistsearch.report._leaderboard import leaderboard
from skdistsearch.report._metrics import find_metric, shown_scores
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._parameter_scale import ParameterScale
from skdistsearch.report.displays._style import score_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_MAX_AXES = 12
_FEW = 20  # candidates up to which all lines are opaque
_GOOD_SHARE = 0.1  # of many candidates: the best ones, which are opaque too
_FAINT = 0.2
_SPREAD = 0.025  # of the height: candidates of one category, to either side
_NAME_LENGTH = 20  # characters
_FONT = 8.0  # points, size of the labels of ticks
_LETTER = 5.2  # points, width of a letter of a parameter's name
_BEST_COLOUR = "#D55E00"

CONTENDER = "contender"
"""Name of the model among the parameters."""


class ParallelCoordinatesDisplay(Display):
    """Lines of the candidates across their parameters, coloured by mean score.

    Each parameter that varies has a vertical axis. The axis is logarithmic if its values span two
    decades. Values that are not numbers are categories. Candidates without the parameter are at
    "not set". With several contenders, the first axis shows them. Good candidates are dark and on
    top; the best one is a thick orange line. Use `from_search` to create a display.

    Parameters
    ----------
    leaderboard : pandas.DataFrame
        Table that `skdistsearch.report.leaderboard` returned, with only the candidates that have a
        score.
    candidates : list of dict
        Parameters to show, by name, of each candidate in the order of ``leaderboard``.
    score_name : str
        Label of the colour bar.
    n_omitted : int, default=0
        Number of parameters that vary but are not shown.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    lines_ : matplotlib.collections.LineCollection
        The lines, from the worst to the best candidate.
    best_ : matplotlib.lines.Line2D
        The line of the best candidate.
    ticks_ : dict of str to list of matplotlib.text.Text
        The labels of each parameter's axis, from bottom to top.
    colorbar_ : matplotlib.colorbar.Colorbar
        The scores.
    legend_ : matplotlib.legend.Legend
        The best candidate.
    note_ : matplotlib.text.Text
        Number of candidates and of parameters that are not shown.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skdistsearch.report import ParallelCoordinatesDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"max_depth": [2, 3, None], "criterion": ["squared_error", "absolute_error"]}
    >>> search = GridSearchCV(DecisionTreeRegressor(random_state=0), grid, cv=3).fit(X, y)
    >>> display = ParallelCoordinatesDisplay.from_search(search)
    >>> [label.get_text() for label in display.ticks_["max_depth"]]
    ['None', '2', '3']
    """

    def __init__(
        self,
        *,
        leaderboard: DataFrame,
        candidates: Sequence[Parameters],
        score_name: str,
        n_omitted: int = 0,
    ) -> None:
        self.leaderboard = leaderboard
        self.candidates = candidates
        self.score_name = score_name
        self.n_omitted = n_omitted

    @classmethod
    def from_search(
        cls,
        search: FittedSearch,
        parameters: Sequence[str] | None = None,
        *,
        metric: str | None = None,
        ax: Axes | None = None,
    ) -> ParallelCoordinatesDisplay:
        """Draw the candidates of a fitted search.

        Parameters
        ----------
        search : fitted search
            A search of this package or of scikit-learn. Candidates of a halving search have the
            scores of their last round.
        parameters : sequence of str or None, default=None
            Short names of the parameters to show, in order, as in
            `skdistsearch.report.leaderboard`; ``"contender"`` is the model. None shows the first 12
            that vary.
        metric : str or None, default=None
            Metric to show, as in `skdistsearch.report.leaderboard`.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        display : ParallelCoordinatesDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If ``metric`` is not a metric of the search, a parameter does not vary, there are fewer
            than two parameters to show, or no candidate has a score.
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        """
        table, candidates = scored_candidates(search, metric)
        varying = varying_scales(candidates)
        names = list(varying)[:_MAX_AXES] if parameters is None else list(parameters)
        unknown = [name for name in names if name not in varying]
        if unknown:
            raise ReportError(
                f"Not a parameter that varies: {', '.join(map(repr, unknown))}. "
                f"Known: {', '.join(sorted(varying))}."
            )
        if len(names) < 2:
            raise ReportError(
                f"Parallel coordinates need two parameters that vary. Got {len(names)}: "
                f"{', '.join(names) or 'none'}. ParameterScoresDisplay shows one parameter."
            )
        shown = [{name: c[name] for name in names if name in c} for c in candidates]
        return cls(
            leaderboard=table,
            candidates=shown,
            score_name=find_metric(search, table.attrs["metric"]).label,
            n_omitted=len(varying) - len(names),
        ).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        n_axes = len({name for params in self.candidates for name in params})
        return max(7.5, 1.4 * n_axes + 2.5), 5

    def _draw_on_axes(self) -> None:
        scales = list(varying_scales(self.candidates).values())
        y = np.column_stack([_spread_categories(scale) for scale in scales])
        scores = shown_scores(self.leaderboard)
        self._draw_lines(y, scores)
        self._draw_scales(scales)
        self._add_legend([self.best_], ["best candidate"])
        self._add_note(self._note_text(len(scores)))

    def _draw_lines(self, y: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.collections import LineCollection
        from matplotlib.colors import Normalize

        limits, extend = score_colours(
            scores,
            lower_is_better=self.leaderboard.attrs["lower_is_better"],
            is_best_dark=True,
        )
        norm = Normalize(limits["vmin"], limits["vmax"])
        mappable = ScalarMappable(norm, limits["cmap"])
        colours = mappable.to_rgba(scores)
        colours[:, 3] = _opacities(len(scores))
        x = np.arange(y.shape[1])
        paths = [np.column_stack([x, row]) for row in y]
        self.lines_: Any = self.ax_.add_collection(
            LineCollection(paths[::-1], colors=colours[::-1], linewidths=1.5, zorder=1)
        )
        (self.best_,) = self.ax_.plot(x, y[0], color=_BEST_COLOUR, linewidth=3, zorder=3)
        self.colorbar_: Any = self.figure_.colorbar(
            mappable, ax=self.ax_, label=self.score_name, extend=extend
        )

    def _draw_scales(self, scales: Sequence[ParameterScale]) -> None:
        bottom = min(0.0, *(min(scale.ticks, default=0.0) for scale in scales))
        self.ax_.set_xlim(-0.1, len(scales) - 0.5)
        self.ax_.set_ylim(bottom - 0.06, 1.06)
        self.ax_.spines[:].set_visible(False)
        self.ax_.set_yticks([])
        outline = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6}
        self.ticks_: dict[str, list[Any]] = {}
        for x, scale in enumerate(scales):
            start = min(0.0, *scale.ticks, 1.0)
            self.ax_.plot([x, x], [start, 1], color="black", linewidth=0.8, zorder=2)
            self.ticks_[scale.name] = [
                self.ax_.text(
                    x + 0.03, y, label, va="center", fontsize=_FONT, zorder=4, bbox=outline
                )
                for y, label in self._choose_ticks(scale)
            ]
        self._name_scales(scales)

    def _choose_ticks(self, scale: ParameterScale) -> list[tuple[float, str]]:
        """Return positions and labels that do not overlap."""
        bottom, top = self.ax_.get_ylim()
        height = self.ax_.bbox.height * 72 / self.figure_.dpi  # points
        chosen: list[tuple[float, str]] = []
        for tick in sorted(scale.ticks.items()):
            if not chosen or (tick[0] - chosen[-1][0]) / (top - bottom) * height > _FONT:
                chosen.append(tick)
        return chosen

    def _name_scales(self, scales: Sequence[ParameterScale]) -> None:
        names = cut_texts([scale.name for scale in scales], _NAME_LENGTH)
        width = self.ax_.bbox.width * 72 / self.figure_.dpi / len(scales)  # points
        is_crowded = max(map(len, names)) * _LETTER > width
        rotation: dict[str, Any] = {}
        if is_crowded:
            rotation = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"}
        remark = " (log)" if is_crowded else "\n(log)"
        labels = [
            name + (remark if scale.is_log else "")
            for name, scale in zip(names, scales, strict=True)
        ]
        self.ax_.set_xticks(range(len(scales)), labels, **rotation)
        self.ax_.tick_params(axis="x", length=0)

    def _note_text(self, n_candidates: int) -> str:
        text = pluralize(n_candidates, "candidate")
        if "round" in self.leaderboard:
            text += ", scores of their last rounds"
        if self.n_omitted:
            text += f". Not shown: {pluralize(self.n_omitted, 'parameter')}"
        return text


def scored_candidates(
    search: FittedSearch, metric: str | None, *, first_round: bool = False
) -> tuple[DataFrame, list[Parameters]]:
    """Return the leaderboard of the candidates with a score, and their parameters.

    With several contenders, the first parameter of each candidate is its contender. The scores are
    those of the last round of each candidate, or those of the first round of the search.
    """
    if first_round and "iter" in search.cv_results_:
        search = _first_round(search)
    table = leaderboard(search, metric=metric)
    table = table[np.isfinite(table["mean_score"])]
    if table.empty:
        raise ReportError("No candidate has a score.")
    params = short_parameters(search.estimator, search.cv_results_["params"])
    contenders = table["contender"]
    is_one = contenders.nunique() == 1
    candidates: list[Parameters] = [
        params[index] if is_one else {CONTENDER: contender, **params[index]}
        for index, contender in contenders.items()
    ]
    return table, candidates


def _first_round(search: FittedSearch) -> FittedSearch:
    """Return a copy of a halving search that has only its first round."""
    rows = np.flatnonzero(np.asarray(search.cv_results_["iter"]) == 0)
    first = copy(search)
    first.cv_results_ = {
        name: [values[row] for row in rows] if name == "params" else np.asarray(values)[rows]
        for name, values in search.cv_results_.items()
    }
    return first


def varying_scales(candidates: Sequence[Parameters]) -> dict[str, ParameterScale]:
    """Return the scale of each parameter that varies, by name."""
    names = dict.fromkeys(name for params in candidates for name in params)
    scales = {name: ParameterScale.from_values(name, candidates) for name in names}
    return {name: scale for name, scale in scales.items() if scale.n_values > 1}


def _spread_categories(scale: ParameterScale) -> NDArray[np.float64]:
    """Return the positions; candidates of one category are side by side."""
    positions = scale.positions.copy()
    random = np.random.default_rng(0)
    for place in np.unique(positions):
        members = np.flatnonzero(positions == place)
        if len(members) > 1 and (place < 0 or not scale.is_numeric):
            positions[members] += random.permutation(np.linspace(-_SPREAD, _SPREAD, len(members)))
    return positions


def _opacities(n_candidates: int) -> NDArray[np.float64]:
    """Return the opacity of each line, the best candidate first."""
    opacities = np.full(n_candidates, np.clip(_FEW / n_candidates, _FAINT, 1.0))
    opacities[: max(1, int(_GOOD_SHARE * n_candidates))] = 1.0
    return opacities
