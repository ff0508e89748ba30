"""Labels stay in the figure on the axes of a user."""

import pytest
from helpers.pictures import make_search

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from matplotlib.figure import Figure

from skdistsearch.report import CVScoresDisplay, ParallelCoordinatesDisplay, ScoreTimeDisplay

LONG = "a_parameter_with_quite_a_long_name"
SEARCH = make_search(
    [{LONG: a, "another_parameter": b} for a in (1, 2) for b in (1, 2)], [4, 3, 2, 1]
)


def extents(figure, ax):
    figure.draw_without_rendering()
    return ax.get_tightbbox()


@pytest.mark.parametrize("display", [CVScoresDisplay, ParallelCoordinatesDisplay, ScoreTimeDisplay])
def test_labels_are_in_a_figure_without_layout(display):
    figure = Figure()
    drawn = display.from_search(SEARCH, ax=figure.subplots())
    box = extents(figure, drawn.ax_)
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1


def test_labels_stay_off_the_axes_beside_them():
    figure = Figure(figsize=(14, 5))
    left, right = figure.subplots(1, 2)
    CVScoresDisplay.from_search(SEARCH, ax=right)
    assert extents(figure, right).x0 > extents(figure, left).x1


def test_colour_bar_keeps_the_height_of_its_axes():
    figure = Figure(figsize=(4, 3))
    drawn = ParallelCoordinatesDisplay.from_search(SEARCH, ax=figure.subplots())
    figure.draw_without_rendering()
    bar, ax = drawn.colorbar_.ax.get_position(), drawn.ax_.get_position()
    assert (bar.y0, bar.y1) == pytest.approx((ax.y0, ax.y1), abs=0.01)


def test_figure_with_a_layout_is_left_alone():
    figure = Figure(layout="constrained")
    ax = figure.subplots()
    before = ax.get_position().bounds
    CVScoresDisplay.from_search(SEARCH, ax=ax)
    assert ax.get_position().bounds == before
