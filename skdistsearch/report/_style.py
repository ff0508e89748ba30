"""Style of the pictures of a search: colours, sizes, names of metrics, and axes to draw on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict

from sklearn.base import is_classifier, is_regressor

from skdistsearch._typing import FittedSearch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The palette of Okabe and Ito, which colour-blind readers can tell apart. Then it repeats with a
# hatch.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999")
_HATCHES = ("", "///", "...", "xxx")
_MARKERS = "osD^vP*X"
_MISSING_MATPLOTLIB = 'Pictures need matplotlib: pip install "skdistsearch[plot]"'
_LARGEST_FONT = 10.0  # points

SMALLEST_FONT = 5.0
"""Size in points; smaller labels are illegible."""
DECADES = 100.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""
EDGE_COLOUR = "#333333"
"""Colour of the edges of bars and markers."""
LEGEND_ABOVE: dict[str, Any] = {
    "loc": "lower right",
    "bbox_to_anchor": (1, 1),
    "borderaxespad": 2.8,  # above the note
    "ncols": 3,
    "frameon": False,
}
"""Arguments for a legend above the axes, where it hides no data."""


class ContenderStyle(TypedDict):
    """The look of one contender."""

    color: str
    """A hexadecimal colour."""
    hatch: str
    """A hatch of matplotlib; empty for the first eight contenders."""
    marker: str
    """A marker of matplotlib."""


def contender_styles(contenders: Iterable[str]) -> dict[str, ContenderStyle]:
    """Return the style of each contender, which is the same in all pictures of a search."""
    return {
        contender: {
            "color": _COLOURS[number % len(_COLOURS)],
            "hatch": _HATCHES[number // len(_COLOURS) % len(_HATCHES)],
            "marker": _MARKERS[number % len(_MARKERS)],
        }
        for number, contender in enumerate(sorted(set(contenders)))
    }


def metric_label(search: FittedSearch, metric: str) -> str:
    """Return the name of a metric for readers."""
    scoring = search.scoring
    if metric != "score":
        name = metric
    elif isinstance(scoring, str):
        name = scoring
    elif scoring is None and is_regressor(search.estimator):
        name = "r2"
    elif scoring is None and is_classifier(search.estimator):
        name = "accuracy"
    else:
        name = getattr(scoring, "__name__", "score")
    return "R²" if name == "r2" else name.replace("_", " ")


def score_axis_label(search: FittedSearch, metric: str) -> str:
    """Return the label for an axis of scores. Higher is better for all scorers of scikit-learn."""
    return f"{metric_label(search, metric)} (higher is better)"


def figure_height(n_rows: int) -> float:
    """Return the height, in inches, of a figure with room for the labels of its rows."""
    return 1.9 + 0.34 * max(n_rows, 3)


def row_font_size(ax: Axes, n_rows: int) -> float:
    """Return the font size for labels of rows that fill the axes, in points."""
    height = ax.bbox.height * 72 / ax.figure.dpi
    return min(_LARGEST_FONT, 0.8 * height / max(n_rows, 1))


def make_bare_axes(width: float, height: float) -> Axes:
    """Return axes of a new figure that pyplot does not manage; sizes in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(_MISSING_MATPLOTLIB) from error
    axes: Axes = Figure(figsize=(width, height), layout="constrained").subplots()
    return axes


def make_pyplot_axes(width: float, height: float) -> Axes:
    """Return axes of a new pyplot figure, which notebooks show; sizes in inches."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(_MISSING_MATPLOTLIB) from error
    axes: Axes = plt.subplots(figsize=(width, height), layout="constrained")[1]
    return axes
