"""Room for the labels of axes in a figure without automatic layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_SMALLEST_SHARE = 0.3  # of the width or height that axes keep
_PADDING = 4  # pixels


def make_room(ax: Axes, others: Sequence[Axes] = ()) -> None:
    """Shrink axes until their labels are in the figure and off the axes beside them.

    Figures with a layout engine are left alone: the engine does that when it draws.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes with labels.
    others : sequence of matplotlib.axes.Axes
        Axes that move with ``ax``, such as its colour bar.
    """
    from matplotlib.transforms import Bbox, BboxTransform

    group, figure = [ax, *others], ax.figure
    root: Any = ax.get_figure(root=True)
    if root.get_layout_engine() is not None:
        return
    root.draw_without_rendering()
    outer: Any = Bbox.union(_boxes_with_labels(group))
    inner: Any = Bbox.union([each.bbox for each in group])
    neighbours = [each for each in figure.axes if each not in group]
    room = _find_room(inner, figure.bbox, _boxes_with_labels(neighbours))
    target = _fit(inner, outer, room)
    if target is inner:
        return
    boxes = [each.bbox.frozen() for each in group]
    for each, box in zip(group, boxes, strict=True):
        moved = box.transformed(BboxTransform(inner, target))
        each.set_position(moved.transformed(figure.transSubfigure.inverted()))


def _boxes_with_labels(group: Sequence[Axes]) -> list[Bbox]:
    return [box for each in group if (box := each.get_tightbbox()) is not None]


def _find_room(inner: Bbox, figure: Any, neighbours: Sequence[Bbox]) -> Bbox:
    """Return the part of the figure between axes and their neighbours."""
    from matplotlib.transforms import Bbox

    left, bottom, right, top = figure.extents
    for box in neighbours:
        is_beside = box.y0 < inner.y1 and box.y1 > inner.y0
        is_above_or_below = box.x0 < inner.x1 and box.x1 > inner.x0
        if is_beside and box.x1 <= inner.x0:
            left = max(left, box.x1)
        elif is_beside and box.x0 >= inner.x1:
            right = min(right, box.x0)
        elif is_above_or_below and box.y0 >= inner.y1:
            top = min(top, box.y0)
        elif is_above_or_below and box.y1 <= inner.y0:
            bottom = max(bottom, box.y1)
    return Bbox.from_extents(left, bottom, right, top).padded(-_PADDING)


def _fit(inner: Bbox, outer: Bbox, room: Bbox) -> Bbox:
    """Return ``inner``, made smaller so that ``outer`` fits; itself if it fits already."""
    from matplotlib.transforms import Bbox

    x0, y0 = inner.x0 + max(room.x0 - outer.x0, 0), inner.y0 + max(room.y0 - outer.y0, 0)
    x1, y1 = inner.x1 - max(outer.x1 - room.x1, 0), inner.y1 - max(outer.y1 - room.y1, 0)
    if (x0, y0, x1, y1) == tuple(inner.extents):
        return inner
    x0 = min(x0, max(inner.x0, x1 - _SMALLEST_SHARE * inner.width))
    y1 = max(y1, min(inner.y1, y0 + _SMALLEST_SHARE * inner.height))
    return Bbox.from_extents(x0, y0, x1, y1)
