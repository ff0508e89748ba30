"""Mean scores against fit times."""

import numpy as np
import pytest
from helpers.pictures import make_axes, make_search, texts_of
from sklearn.linear_model import Lasso, Ridge
from sklearn.pipeline import Pipeline

from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from matplotlib.colors import to_hex

from skdistsearch.report import ScoreTimeDisplay
from skdistsearch.report.displays._score_time_display import pareto_front
from skdistsearch.report.displays._style import contender_styles

PARAMS = [{"alpha": n} for n in range(5)]
SCORES = [0.1, 0.3, 0.2, 0.5, 0.4]
TIMES_S = [1, 2, 3, 4, 5]


def draw(search):
    return ScoreTimeDisplay.from_search(search, ax=make_axes())


def random_search(n):
    random = np.random.default_rng(0)
    params = [{"alpha": n} for n in range(n)]
    return make_search(params, random.random(n), times_s=random.uniform(1, 900, n))


def test_front_has_the_candidates_that_no_other_beats():
    times_s, scores = np.array([3.0, 1, 2, 2, 4]), np.array([5.0, 1, 3, 4, 5])
    assert pareto_front(times_s, scores).tolist() == [1, 3, 0]


def test_front_is_drawn_and_named():
    display = draw(make_search(PARAMS, SCORES, times_s=TIMES_S))
    assert display.front_.get_xdata().tolist() == [1, 2, 4]
    assert display.front_.get_ydata().tolist() == [0.1, 0.3, 0.5]
    assert texts_of(display.front_labels_.get_texts()) == ["alpha=0", "alpha=1", "alpha=3"]
    assert texts_of(display.ax_.texts) == ["1", "2", "3"]


def test_labels_on_a_long_front_are_few_and_apart():
    params = [{"alpha": n} for n in range(500)]
    search = make_search(params, np.sqrt(np.arange(500)), times_s=np.arange(1, 501))
    display = draw(search)
    assert len(display.front_.get_xdata()) == 500
    labels = texts_of(display.front_labels_.get_texts())
    assert len(labels) == 8
    assert labels[-1] == "alpha=499"
    points = display.ax_.transData.transform([text.xy for text in display.ax_.texts])
    assert np.abs(np.diff(points, axis=0)).max(axis=1).min() > 15


def test_times_that_span_a_decade_have_a_logarithmic_axis():
    assert draw(random_search(500)).ax_.get_xscale() == "log"
    assert draw(make_search(PARAMS, SCORES, times_s=TIMES_S)).ax_.get_xscale() == "linear"


def test_error_bars_are_for_few_candidates():
    few, many = draw(random_search(5)), draw(random_search(500))
    assert few.errorbars_ is not None
    assert few.note_.get_text() == "Bars: standard error."
    assert many.errorbars_ is None


def test_contenders_have_their_colours():
    params = [{"model": model, "model__alpha": 1} for model in (Ridge(), Lasso())]
    display = draw(make_search(params, [0.1, 0.2], Pipeline([("model", Ridge())])))
    for name, style in contender_styles(["Ridge", "Lasso"]).items():
        assert to_hex(display.points_[name].get_facecolor()[0]).upper() == style["color"]
    assert texts_of(display.legend_.get_texts()) == ["Lasso", "Ridge"]


def test_earlier_rounds_are_faint_and_not_on_the_front():
    search = make_search(
        PARAMS,
        [0.9, 0.8, 0.1, 0.5, 0.4],
        times_s=TIMES_S,
        iter=[0, 0, 0, 1, 1],
        n_resources=[1, 1, 1, 2, 2],
    )
    display = draw(search)
    assert display.front_.get_ydata().tolist() == [0.5]
    opacities = display.points_["Ridge"].get_alpha()
    assert sorted(opacities) == pytest.approx([0.35, 0.35, 0.35, 1, 1])
    assert "Faint: earlier rounds" in display.note_.get_text()


def test_candidates_without_a_score_are_not_drawn():
    display = draw(make_search(PARAMS, [np.nan, *SCORES[1:]], times_s=TIMES_S))
    assert len(display.points_["Ridge"].get_offsets()) == 4
    with pytest.raises(ReportError, match="No candidate has a score"):
        draw(make_search(PARAMS, [np.nan] * 5))
