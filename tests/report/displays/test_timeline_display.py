"""Fits over time, by worker."""

import numpy as np
import pytest
from helpers.pictures import are_apart, make_axes, texts_of
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeRegressor

from skdistsearch import DistributedSearchCV
from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from matplotlib.colors import to_hex

from skdistsearch.report import TimelineDisplay
from skdistsearch.report.displays._style import contender_styles

STYLES = contender_styles(["DecisionTreeRegressor", "Ridge"])


def fit_ridge_and_tree(n_candidates, **kwargs):
    grid = [
        {"model": [Ridge()], "model__alpha": list(range(1, n_candidates))},
        {"model": [DecisionTreeRegressor(max_depth=1)]},
    ]
    search = DistributedSearchCV(Pipeline([("model", Ridge())]), grid, cv=5, refit=False, **kwargs)
    return search.fit(*load_diabetes(return_X_y=True))


def with_times(search, n_workers, seconds=3.0):
    """Set the times of the fits as if the workers had run them in turns."""
    n_fits = 5 * len(search.cv_results_["params"])
    turns = [divmod(fit, n_workers) for fit in range(n_fits)]
    search._fit_times = [
        (fit // 5, fit % 5, 1e9 + seconds * turn, 1e9 + seconds * (turn + 1), f"host {worker}")
        for fit, (turn, worker) in enumerate(turns)
    ]
    return search


@pytest.fixture(scope="module")
def small():
    return fit_ridge_and_tree(10)


@pytest.fixture(scope="module")
def large():
    return fit_ridge_and_tree(500)


def spans(bars):
    """Return the row, the left and the right end of each bar."""
    corners = [path.vertices for path in bars.get_paths()]
    return [(round(c[:, 1].min() + 0.4, 9), c[:, 0].min(), c[:, 0].max()) for c in corners]


def test_fits_are_bars_in_the_rows_of_their_workers(small):
    display = TimelineDisplay.from_search(with_times(small, 2), ax=make_axes())
    assert texts_of(display.ax_.get_yticklabels()) == ["host 0", "host 1"]
    low, high = display.ax_.get_ylim()
    assert low > high
    assert display.ax_.get_xlim() == (0, 75)
    assert display.ax_.get_xlabel() == "seconds since the first fit started"
    drawn = spans(display.bars_["Ridge"])
    np.testing.assert_allclose(drawn[:3], [(0, 0, 3), (1, 0, 3), (0, 3, 6)])
    assert len(drawn) == 45
    assert len(spans(display.bars_["DecisionTreeRegressor"])) == 5
    assert display.note_.get_text() == "50 fits on 2 workers, busy 100% of the time"


def test_long_search_is_in_minutes_and_idle_time_is_reported():
    search = with_times(fit_ridge_and_tree(10), 2, seconds=60.0)
    search._fit_times = search._fit_times[:-10]
    del search._fit_times[1:21:2]  # the other worker starts late
    display = TimelineDisplay.from_search(search, ax=make_axes())
    assert display.ax_.get_xlabel() == "minutes since the first fit started"
    np.testing.assert_allclose(spans(display.bars_["Ridge"])[:3], [(0, 0, 1), (0, 1, 2), (0, 2, 3)])
    assert display.note_.get_text() == "30 fits on 2 workers, busy 75% of the time"


def test_contender_has_the_same_colour_as_in_other_pictures(small):
    display = TimelineDisplay.from_search(with_times(small, 2), ax=make_axes())
    for name, bars in display.bars_.items():
        assert to_hex(bars.get_facecolor()[0]).upper() == STYLES[name]["color"]
    assert texts_of(display.legend_.get_texts()) == sorted(STYLES)


def test_fit_without_a_score_is_black():
    search = with_times(fit_ridge_and_tree(3), 2)
    search.cv_results_["split4_test_score"][0] = np.nan
    display = TimelineDisplay.from_search(search, ax=make_axes())
    assert texts_of(display.legend_.get_texts()) == [*sorted(STYLES), "no score"]
    assert spans(display.bars_["no score"]) == [(0, 6, 9)]
    assert to_hex(display.bars_["no score"].get_facecolor()[0]) == "#000000"


@pytest.mark.parametrize("n_workers", [2, 50])
@pytest.mark.parametrize("size", ["small", "large"])
def test_labels_do_not_overlap(size, n_workers, request):
    search = with_times(request.getfixturevalue(size), n_workers)
    display = TimelineDisplay.from_search(search, ax=make_axes(10, 8))
    labels = display.ax_.get_yticklabels()
    assert len(labels) == n_workers
    assert are_apart(labels)
    assert sum(len(spans(bars)) for bars in display.bars_.values()) == len(search._fit_times)


def test_row_labels_without_room_are_omitted(small):
    display = TimelineDisplay.from_search(with_times(small, 50), ax=make_axes(6, 3))
    assert not display.ax_.get_yticklabels()
    assert display.ax_.get_ylabel() == "50 rows of workers"


def test_many_workers_that_do_not_overlap_share_rows(large):
    with_times(large, 50)
    large._fit_times = [(*fit[:4], f"task {n}") for n, fit in enumerate(large._fit_times)]
    display = TimelineDisplay.from_search(large, ax=make_axes(10, 8))
    assert texts_of(display.ax_.get_yticklabels()) == [f"slot {n}" for n in range(1, 51)]
    assert display.note_.get_text().startswith("2,500 fits on 2,500 workers")


def test_edges_do_not_hide_short_bars(large):
    many = TimelineDisplay.from_search(with_times(large, 2), ax=make_axes()).bars_["Ridge"]
    few = TimelineDisplay.from_search(with_times(large, 500), ax=make_axes()).bars_["Ridge"]
    assert to_hex(many.get_edgecolor()[0]) == to_hex(many.get_facecolor()[0])
    assert to_hex(few.get_edgecolor()[0]) == "#333333"


@pytest.mark.parametrize(("seconds", "unit"), [(0.1, "seconds"), (30, "minutes"), (3600, "hours")])
def test_unit_of_time_fits_the_search(small, seconds, unit):
    display = TimelineDisplay.from_search(with_times(small, 2, seconds), ax=make_axes())
    assert display.ax_.get_xlabel() == f"{unit} since the first fit started"


def test_times_of_a_real_search_are_drawn():
    search = fit_ridge_and_tree(3, n_jobs=1)
    display = TimelineDisplay.from_search(search, ax=make_axes())
    assert sum(len(spans(bars)) for bars in display.bars_.values()) == 15
    assert len(display.ax_.get_yticklabels()) == 1
    assert display.note_.get_text().startswith("15 fits on 1 worker, busy ")


def test_fits_without_times_are_omitted_and_one_contender_has_no_legend(small):
    """Lost fits have no times."""
    search = with_times(small, 2)
    search._fit_times = [
        (0, 0, 0.0, 0.0, ""),
        (1, 0, 1e9 + 3, 1e9, "host 0"),
        *search._fit_times[:5],
    ]
    display = TimelineDisplay.from_search(search, ax=make_axes())
    assert len(display.bars) == 5
    assert display.legend_ is None


def test_search_without_times_raises():
    grid = GridSearchCV(Ridge(), {"alpha": [1.0]})
    with pytest.raises(NotFittedError):
        TimelineDisplay.from_search(grid)
    with pytest.raises(ReportError, match="GridSearchCV has not recorded when its fits ran"):
        TimelineDisplay.from_search(grid.fit(*load_diabetes(return_X_y=True)))
