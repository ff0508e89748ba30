"""Rungs, and where candidates drop out of them."""

import numpy as np
import pytest
from helpers.pictures import make_axes, make_search

from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from skdistsearch.report import BestScoreDisplay, RungsDisplay

PARAMS = [{"alpha": 0, "n": 1}, {"alpha": 1, "n": 1}, {"alpha": 1, "n": 9}, {"alpha": 0, "n": 9}]
SCORES = [[0.1, np.nan], [0.2, np.nan], [0.3, 0.5], [0.6, 0.7]]


def make_rungs():
    search = make_search(
        PARAMS, SCORES, n_resources=[1, 1, 9, 9], iter=[0, 0, 1, 0], bracket=[0, 0, 0, 1],
        n_splits_done=[1, 1, 2, 2],
    )  # fmt: skip
    search.resource, search.best_index_ = "n", 3
    return search


def test_candidate_is_a_line_through_its_rungs():
    display = RungsDisplay.from_search(make_rungs(), ax=make_axes())
    lines = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in display.lines_]
    assert lines == [([1], [0.1]), ([1, 9], [0.2, 0.4]), ([9], [pytest.approx(0.65)])]
    assert display.ax_.get_xlabel() == "n"


def test_brackets_are_in_the_legend_and_the_best_is_black():
    display = RungsDisplay.from_search(make_rungs(), ax=make_axes())
    assert [text.get_text() for text in display.legend_.get_texts()] == ["bracket 0", "bracket 1"]
    assert [line.get_color() == "black" for line in display.lines_] == [False, False, True]


def test_legend_has_the_colours_of_brackets_also_that_of_the_best():
    search = make_rungs()
    search.best_index_ = 0  # the first one of bracket 0
    display = RungsDisplay.from_search(search, ax=make_axes())
    labels = [text.get_text() for text in display.legend_.get_texts()]
    assert sorted(labels) == ["bracket 0", "bracket 1"]
    assert "black" not in [line.get_color() for line in display.legend_.get_lines()]


def test_candidate_of_a_race_is_a_line_through_its_splits():
    nan = np.nan
    scores = [[0.1, nan, nan], [0.2, 0.6, 0.4], [0.4, 0.2, nan]]
    search = make_search([{"alpha": n} for n in range(3)], scores, n_splits_done=[1, 3, 2])
    search.race, search.best_index_ = True, 1
    display = RungsDisplay.from_search(search, ax=make_axes())
    lines = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in display.lines_]
    approx = pytest.approx
    assert lines == [
        ([1], [0.1]),
        ([1, 2, 3], approx([0.2, 0.4, 0.4])),
        ([1, 2], approx([0.4, 0.3])),
    ]
    assert display.ax_.get_xlabel() == "splits"
    assert [line.get_color() == "black" for line in display.lines_] == [False, True, False]


def test_search_without_rungs_raises():
    with pytest.raises(ReportError, match="has no rungs"):
        RungsDisplay.from_search(make_search([{"alpha": 1}], [0.5]), ax=make_axes())


def test_best_score_knows_the_fits_that_did_not_run():
    search = make_rungs()
    done = [(0, 0), (1, 0), (2, 0), (2, 1), (3, 0), (3, 1)]
    search._fit_times = [(*fit, 100.0 + n, 101.0 + n, "worker") for n, fit in enumerate(done)]
    display = BestScoreDisplay.from_search(search, ax=make_axes())
    assert display.ax_.get_xlabel() == "finished fits"
