"""Best score so far."""

import numpy as np
import pytest
from helpers.pictures import make_axes, make_search, texts_of

from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from skdistsearch.report import BestScoreDisplay

PARAMS = [{"alpha": n} for n in range(4)]
SCORES = [0.2, 0.1, 0.4, 0.3]


def with_times(search, order):
    """Set the times of the fits: one each second, by candidate and split in the given order."""
    search._fit_times = [
        (candidate, split, 100.0 + second, 101.0 + second, "worker")
        for second, (candidate, split) in enumerate(order)
    ]
    return search


def draw(search, **kwargs):
    kwargs.setdefault("ax", make_axes())
    return BestScoreDisplay.from_search(search, **kwargs)


def test_line_is_the_best_score_so_far():
    display = draw(make_search(PARAMS, SCORES))
    assert display.line_.get_ydata().tolist() == [0.2, 0.2, 0.4, 0.4]
    assert display.line_.get_xdata().tolist() == [2, 4, 6, 8]
    assert display.line_.get_drawstyle() == "steps-post"
    assert display.points_.get_offsets()[:, 1].tolist() == SCORES


def test_candidate_counts_when_its_last_split_is_done():
    order = [(0, 0), (1, 0), (1, 1), (2, 0), (0, 1), (3, 0), (3, 1), (2, 1)]
    search = with_times(make_search(PARAMS, SCORES), order)
    fits = draw(search)
    assert fits.line_.get_xdata().tolist() == [3, 5, 7, 8]
    assert fits.line_.get_ydata().tolist() == [0.1, 0.2, 0.3, 0.4]
    assert fits.ax_.get_xlabel() == "finished fits"
    time = draw(search, x="time")
    assert time.line_.get_xdata().tolist() == [3, 5, 7, 8]
    assert time.ax_.get_xlabel() == "time since the first fit started"


def test_search_without_recorded_times_mentions_the_order_of_candidates():
    search = make_search(PARAMS, SCORES, times_s=[1, 2, 3, 4])
    display = draw(search, x="time")
    assert display.line_.get_xdata().tolist() == [2, 6, 12, 20]
    expected = "sum of fit and score times, in the order of the candidates"
    assert display.ax_.get_xlabel() == expected
    incomplete = with_times(search, [(0, 0)])
    assert draw(incomplete).ax_.get_xlabel() == "fits, in the order of the candidates"


def test_searches_on_the_same_axes_have_colours_and_names():
    first = draw(make_search(PARAMS, SCORES), name="first")
    second = draw(make_search(PARAMS, SCORES[::-1]), name="second", ax=first.ax_)
    assert texts_of(second.legend_.get_texts()) == ["first", "second"]
    assert first.line_.get_color() != second.line_.get_color()
    assert second.ax_.get_xlabel() == "fits, in the order of the candidates"


def test_one_search_without_a_name_has_no_legend():
    assert draw(make_search(PARAMS, SCORES)).legend_ is None


def test_each_round_of_a_halving_search_has_its_line():
    search = make_search(
        [*PARAMS, *PARAMS[:2]],
        [*SCORES, 0.1, 0.3],
        iter=[0] * 4 + [1] * 2,
        n_resources=[10] * 4 + [20] * 2,
    )
    display = draw(search)
    np.testing.assert_array_equal(display.line_.get_ydata(), [0.2, 0.2, 0.4, 0.4, np.nan, 0.1, 0.3])
    assert display.note_.get_text().startswith("Line: best of each round so far.")


def test_candidate_without_a_score_is_skipped():
    display = draw(make_search(PARAMS, [0.2, np.nan, 0.4, 0.1]))
    assert display.line_.get_ydata().tolist() == [0.2, 0.2, 0.4, 0.4]
    assert len(display.points_.get_offsets()) == 3


def test_bad_scores_of_many_candidates_are_outside_the_picture():
    scores = np.linspace(0, 1, 500)
    scores[:3] = -1e6
    display = draw(make_search([{"a": n} for n in range(500)], scores))
    assert display.ax_.get_ylim()[0] > -1
    hidden = int((scores < display.ax_.get_ylim()[0]).sum())
    assert display.note_.get_text().endswith(f"Not shown: {hidden} candidates with worse scores.")


@pytest.mark.parametrize(("times_s", "text"), [(1.0, "30 s"), (1800.0, "2:00:00")])
def test_long_times_are_in_hours_and_minutes(times_s, text):
    display = draw(make_search(PARAMS, SCORES, times_s=[times_s] * 4), x="time")
    position = 30 if times_s == 1 else 7200
    assert display.ax_.xaxis.get_major_formatter()(position) == text


def test_mistakes_raise():
    with pytest.raises(ReportError, match="x='hours' must be 'fits' or 'time'"):
        draw(make_search(PARAMS, SCORES), x="hours")
    with pytest.raises(ReportError, match="No candidate has a score"):
        draw(make_search(PARAMS, [np.nan] * 4))
