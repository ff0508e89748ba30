"""Box plots of the scores on the splits."""

import sys

import numpy as np
import pytest
from helpers.pictures import (
    are_apart,
    fit_three_contenders,
    make_axes,
    make_search,
    texts_of,
    with_text_values,
)

from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from matplotlib.colors import to_hex

from skdistsearch.report import CVScoresDisplay, leaderboard
from skdistsearch.report.displays._style import contender_styles


def test_boxes_show_quartiles_and_extremes_with_the_best_on_top(small_search):
    display = CVScoresDisplay.from_search(small_search, ax=make_axes())
    best = leaderboard(small_search).index[0]
    scores = [small_search.cv_results_[f"split{split}_test_score"][best] for split in range(3)]
    x = display.boxes_[0].get_path().vertices[:, 0]
    np.testing.assert_allclose([x.min(), x.max()], np.percentile(scores, [25, 75]))
    caps = [cap.get_xdata()[0] for cap in display.boxplot_["caps"][:2]]
    np.testing.assert_allclose(caps, [min(scores), max(scores)])
    low, high = display.ax_.get_ylim()
    assert low > high


def test_whiskers_reach_an_outlier(small_search):
    display = CVScoresDisplay.from_search(small_search, ax=make_axes())
    display.scores = np.tile([-5.0, 0.1, 0.2, 0.3, 0.4, 0.5], (8, 1))
    display.plot(make_axes())
    assert [cap.get_xdata()[0] for cap in display.boxplot_["caps"][:2]] == [-5.0, 0.5]


def test_new_figure_has_room_for_all_labels(small_search, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot", reason="makes the figure")
    plt.switch_backend("agg")
    display = CVScoresDisplay.from_search(small_search)
    assert plt.fignum_exists(display.figure_.number)
    assert display.figure_.get_figheight() > 8 * 0.3
    plt.close(display.figure_)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skdistsearch\[plot\]"'):
        CVScoresDisplay.from_search(small_search)


def test_boxes_have_labels_and_contender_colours(small_search):
    display, table = (
        CVScoresDisplay.from_search(small_search, ax=make_axes()),
        leaderboard(small_search),
    )
    labels = display.ax_.get_yticklabels()
    row = table["contender"].tolist().index("KNeighborsRegressor")
    assert texts_of(labels)[row] == f"KNeighborsRegressor   #{row + 1}"
    assert texts_of(labels)[0] == f"{table['parameters'].iloc[0]}   #1"
    assert are_apart(labels)
    colours = [to_hex(box.get_facecolor()).upper() for box in display.boxes_]
    styles = contender_styles(table["contender"])
    assert colours == [styles[contender]["color"] for contender in table["contender"]]
    assert texts_of(display.legend_.get_texts()) == sorted(styles)
    assert display.ax_.get_xlabel() == "R² (higher is better)"
    assert display.note_.get_text() == "3 splits: minimum, quartiles, maximum"


def test_best_candidate_of_each_contender_is_always_shown(large_search):
    display = CVScoresDisplay.from_search(large_search, ax=make_axes(10, 12))
    labels = texts_of(display.ax_.get_yticklabels())
    ranks = [int(label.rpartition("#")[2].rstrip("=")) for label in labels]
    best_of_each = leaderboard(large_search).drop_duplicates("contender")["rank"].tolist()
    assert len(ranks) == 30
    assert ranks[:28] == list(range(1, 29))
    assert set(best_of_each) <= set(ranks)
    assert "30 of 154 candidates" in display.note_.get_text()
    assert are_apart(display.ax_.get_yticklabels())


def test_labels_without_room_are_omitted(large_search):
    display = CVScoresDisplay.from_search(large_search, ax=make_axes(6, 4), top=154)
    assert len(display.boxes_) == 154
    assert not display.ax_.get_yticklabels()
    assert all(box.get_edgecolor() == box.get_facecolor() for box in display.boxes_)


def test_candidates_without_a_score_are_counted_but_not_drawn(small_search):
    display = CVScoresDisplay.from_search(small_search, ax=make_axes())
    display.scores[2, 0] = -np.inf
    display.plot(make_axes())
    assert len(display.boxes_) == 7
    assert "7 of 8 candidates: the best overall and of each contender" in display.note_.get_text()
    assert display.note_.get_text().endswith("(1 without a score)")


def test_axis_label_names_the_metric():
    search = fit_three_contenders(2, scoring={"e": "neg_max_error", "r": "r2"})
    display = CVScoresDisplay.from_search(search, metric="e", ax=make_axes())
    assert display.ax_.get_xlabel() == "e (lower is better)"
    with pytest.raises(ReportError, match=r"metric='x' .* Known: e, r\."):
        CVScoresDisplay.from_search(search, metric="x", ax=make_axes())


def test_long_labels_are_truncated(small_search):
    changed = with_text_values(small_search, "model__solver", "s" * 500)
    labels = texts_of(CVScoresDisplay.from_search(changed, ax=make_axes()).ax_.get_yticklabels())
    assert max(map(len, labels)) < 200


def test_labels_are_unique_with_many_parameters():
    names = [f"a_long_name_of_a_parameter_{n}" for n in range(12)]
    random = np.random.default_rng(0)
    params = [{name: float(random.random()) for name in names} for _ in range(30)]
    display = CVScoresDisplay.from_search(make_search(params, random.random(30)), ax=make_axes())
    assert len({text.partition("   ")[0] for text in texts_of(display.ax_.get_yticklabels())}) == 30


def test_candidates_with_equal_scores_are_counted():
    params = [{"alpha": n} for n in range(40)]
    scores = [0.9, 0.8, *[0.7] * 38]
    display = CVScoresDisplay.from_search(make_search(params, scores), ax=make_axes())
    assert texts_of(display.ax_.get_yticklabels())[1:3] == ["alpha=1   #2", "alpha=2   #3="]
    assert display.note_.get_text().endswith("equal scores: 38 candidates at #3")


def test_rounds_of_a_halving_search_are_apart():
    params = [{"alpha": n} for n in range(4)]
    rounds = {"iter": [0] * 4 + [1] * 2, "n_resources": [100] * 4 + [2000] * 2}
    search = make_search([*params, *params[:2]], [0.1, 0.2, 0.9, 0.8, 0.3, 0.4], **rounds)
    display = CVScoresDisplay.from_search(search, ax=make_axes())
    assert texts_of(display.rounds_) == ["round 2\n2,000 samples", "round 1\n100 samples"]
    assert [text.get_position()[1] for text in display.rounds_] == [1.5, 3.5]
    assert texts_of(display.ax_.get_yticklabels())[0] == "alpha=1   #1"


def test_other_searches_have_no_rounds(small_search):
    assert CVScoresDisplay.from_search(small_search, ax=make_axes()).rounds_ == []
