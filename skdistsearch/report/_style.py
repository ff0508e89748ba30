"""What the pictures of a search share: colours, the metric's name, and axes to draw on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sklearn.base import is_classifier, is_regressor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

# Okabe and Ito's palette, which all eyes tell apart; then the same again with a hatch.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999")
_HATCHES = ("", "///", "...", "xxx")
_MARKERS = "osD^vP*X"
_MISSING = 'Pictures need matplotlib: pip install "skdistsearch[tournament]"'

ABOVE: dict[str, Any] = {
    "loc": "lower right",
    "bbox_to_anchor": (1, 1),
    "borderaxespad": 2.8,  # above the note
    "ncols": 3,
    "frameon": False,
}
"""Where a legend hides nothing, whatever is drawn."""


def looks(contenders: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour, hatch and marker of each contender, the same in all pictures of a search."""
    return {
        contender: {
            "color": _COLOURS[number % len(_COLOURS)],
            "hatch": _HATCHES[number // len(_COLOURS) % len(_HATCHES)],
            "marker": _MARKERS[number % len(_MARKERS)],
        }
        for number, contender in enumerate(sorted(set(contenders)))
    }


def score_name(search: Any, metric: str) -> str:
    """What the scores are, for an axis. All scorers of scikit-learn grow as models get better."""
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
    return f"{'R²' if name == 'r2' else name.replace('_', ' ')} (higher is better)"


def height_of(rows: int) -> float:
    """Of a figure with so many rows of which each has a label; in inches."""
    return 1.9 + 0.34 * max(rows, 3)


def bare_axes(width: float, height: float) -> Axes:
    """Axes of a figure that pyplot knows nothing of; sizes in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(_MISSING) from error
    axes: Axes = Figure(figsize=(width, height), layout="constrained").subplots()
    return axes


def new_axes(width: float, height: float) -> Axes:
    """Axes of a figure of their own, which notebooks show; sizes in inches."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(_MISSING) from error
    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    axes: Axes = ax
    return axes


def note(ax: Axes, text: str) -> Text:
    """A remark above the axes, small; on the right, where labels of the y axis leave it room."""
    return ax.set_title(text, loc="right", fontsize="small", color="#555555")


def clipped(text: str, length: int) -> str:
    """No longer than ``length`` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def counted(number: int, what: str) -> str:
    """As a person says it: 1 fit, 2,500 fits."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
