"""Style of the pictures of a search: colours, sizes, and axes to draw on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

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
MANY = 60
"""Number of candidates beyond which points are small and have no error bars."""
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


def spans_decades(values: NDArray[np.float64], ratio: float = DECADES) -> bool:
    """Return whether an axis of the values should be logarithmic."""
    return bool(values.size and values.min() > 0 and values.max() >= ratio * values.min())


def score_colours(
    scores: NDArray[np.float64], *, lower_is_better: bool, is_best_dark: bool = False
) -> tuple[dict[str, Any], str]:
    """Return the colour map with its limits, and the end at which a colour bar is open.

    The worst of many candidates share a colour.
    """
    low, high = scores.min(), scores.max()
    if len(scores) > MANY and lower_is_better:
        high = np.quantile(scores, 0.95)
    elif len(scores) > MANY:
        low = np.quantile(scores, 0.05)
    is_open = low > scores.min() or high < scores.max()
    cmap = "cividis" if lower_is_better == is_best_dark else "cividis_r"
    extend = ("max" if lower_is_better else "min") if is_open else "neither"
    return {"cmap": cmap, "vmin": low, "vmax": high}, extend


def limit_to_best(ax: Axes, scores: NDArray[np.float64], *, lower_is_better: bool) -> int:
    """Set limits of the y axis that hide bad scores, if they would flatten the others.

    Returns
    -------
    n_hidden : int
        Number of scores outside the limits.
    """
    errors = scores if lower_is_better else -scores
    best, bound = errors.min(), np.quantile(errors, 0.9)
    if len(errors) <= MANY or errors.max() - best <= 3 * (bound - best):
        return 0
    margin = 0.05 * (bound - best) or 1.0
    limits = best - margin, bound + margin
    ax.set_ylim(*(limits if lower_is_better else (-limits[1], -limits[0])))
    return int((errors > limits[1]).sum())


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
