"""`Display`: base class of the displays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from skdistsearch.report.displays._room import make_room
from skdistsearch.report.displays._style import (
    LEGEND_ABOVE,
    SMALLEST_FONT,
    make_pyplot_axes,
    row_font_size,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend
    from matplotlib.text import Text

_DisplayT = TypeVar("_DisplayT", bound="Display")


class Display(ABC):
    """A picture that keeps what it shows, so that it can be drawn again.

    A display follows scikit-learn's conventions: class methods compute what to show, `plot` draws
    it, and the artists become attributes whose names end in an underscore.
    """

    ax_: Axes
    """The axes drawn on."""
    figure_: Any  # a Figure or, for axes in one, a SubFigure
    """The figure of the axes."""
    legend_: Legend | None = None
    """The legend above the axes, if there is one."""
    note_: Text
    """The note above the axes."""

    def plot(self: _DisplayT, ax: Axes | None = None) -> _DisplayT:
        """Draw the picture again.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        self : display
            The display, with the new artists.
        """
        self.ax_ = make_pyplot_axes(*self._figure_size()) if ax is None else ax
        self.figure_ = self.ax_.figure
        self.legend_ = None
        self._draw_on_axes()
        make_room(self.ax_, self._own_axes())
        return self

    def _own_axes(self) -> list[Axes]:
        """Return axes that belong to ``ax_``, such as a colour bar."""
        colorbar = getattr(self, "colorbar_", None)
        return [] if colorbar is None else [colorbar.ax]

    @abstractmethod
    def _figure_size(self) -> tuple[float, float]:
        """Return the width and height of a new figure, in inches."""

    @abstractmethod
    def _draw_on_axes(self) -> None:
        """Draw on ``ax_`` and set the attributes of the artists."""

    def _add_legend(self, *handles_and_labels: Sequence[Any]) -> None:
        """Add a legend above the axes, by default of all labelled artists."""
        self.legend_ = self.ax_.legend(*handles_and_labels, **LEGEND_ABOVE)

    def _add_note(self, text: str) -> None:
        """Add a small note above the axes, on the right, where no labels of the y axis are."""
        self.note_ = self.ax_.set_title(text, loc="right", fontsize="small", color="#555555")

    def _label_rows(self, positions: Sequence[int], labels: Sequence[str]) -> float:
        """Label the rows along the y axis, unless the labels would be illegible.

        Returns
        -------
        ratio : float
            The font size that fits over the smallest legible one. Below 1 there are no labels.
        """
        size = row_font_size(self.ax_, len(labels))
        if size < SMALLEST_FONT:
            self.ax_.set_yticks([])
        else:
            self.ax_.set_yticks(positions, labels, fontsize=size)
        return size / SMALLEST_FONT
