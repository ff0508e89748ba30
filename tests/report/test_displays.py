"""Pictures of a search: what is on them."""

import copy
import sys

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeRegressor

from skdistsearch import DistributedSearchCV
from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="leaderboard are a DataFrame")

from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from skdistsearch.report import CVScoresDisplay, ParameterScoresDisplay, leaderboard
from skdistsearch.report._style import looks


def searched(n, **kwargs):
    grid = [
        {
            "__n_iter": n,
            "model": [Ridge()],
            "model__alpha": loguniform(1e-4, 1e2),
            "model__solver": ["svd", "lsqr"],
        },
        {"model": [DecisionTreeRegressor(random_state=0)], "model__max_depth": [1, 2, 3]},
        {"model": [KNeighborsRegressor()]},
    ]
    pipe = Pipeline([("model", Ridge())])
    search = DistributedSearchCV(pipe, grid, cv=3, refit=False, random_state=0, **kwargs)
    return search.fit(*load_diabetes(return_X_y=True))


def with_texts(search, name, text):
    """The search as if that parameter's values had been texts."""
    params = [
        {key: text.format(value) if key == name else value for key, value in setting.items()}
        for setting in search.cv_results_["params"]
    ]
    found = copy.copy(search)
    found.cv_results_ = {**search.cv_results_, "params": params}
    return found


@pytest.fixture(scope="module")
def small():
    return searched(4)


@pytest.fixture(scope="module")
def large():
    return searched(150)


def axes(width=10, height=6):
    return Figure(figsize=(width, height), layout="constrained").subplots()


def texts(labels):
    return [label.get_text() for label in labels]


def apart(labels):
    """Whether no two of the texts overlap, and none leaves the figure."""
    figure = labels[0].get_figure()
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in labels]
    inside = all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    return inside and not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_boxes_are_quartiles_and_extremes_the_best_on_top(small):
    display = CVScoresDisplay.from_search(small, ax=axes())
    best = leaderboard(small).index[0]
    scores = [small.cv_results_[f"split{split}_test_score"][best] for split in range(3)]
    x = display.boxes_[0].get_path().vertices[:, 0]
    np.testing.assert_allclose([x.min(), x.max()], np.percentile(scores, [25, 75]))
    caps = [cap.get_xdata()[0] for cap in display.boxplot_["caps"][:2]]
    np.testing.assert_allclose(caps, [min(scores), max(scores)])
    low, high = display.ax_.get_ylim()
    assert low > high


def test_whiskers_reach_an_outlier(small):
    display = CVScoresDisplay.from_search(small, ax=axes())
    display.scores = np.tile([-5.0, 0.1, 0.2, 0.3, 0.4, 0.5], (8, 1))
    display.plot(axes())
    assert [cap.get_xdata()[0] for cap in display.boxplot_["caps"][:2]] == [-5.0, 0.5]


def test_without_axes_a_figure_is_made_as_high_as_it_needs_to_be(small, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot", reason="makes the figure")
    plt.switch_backend("agg")
    display = CVScoresDisplay.from_search(small)
    assert plt.fignum_exists(display.figure_.number)
    assert display.figure_.get_figheight() > 8 * 0.3
    plt.close(display.figure_)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skdistsearch\[tournament\]"'):
        CVScoresDisplay.from_search(small)


def test_boxes_are_labelled_and_coloured_by_contender(small):
    display, table = CVScoresDisplay.from_search(small, ax=axes()), leaderboard(small)
    labels = display.ax_.get_yticklabels()
    place = table["contender"].tolist().index("KNeighborsRegressor")
    assert texts(labels)[place] == f"KNeighborsRegressor   #{place + 1}"
    assert texts(labels)[0] == f"{table['parameters'].iloc[0]}   #1"
    assert apart(labels)
    colours = [to_hex(box.get_facecolor()).upper() for box in display.boxes_]
    look = looks(table["contender"])
    assert colours == [look[contender]["color"] for contender in table["contender"]]
    assert texts(display.legend_.get_texts()) == sorted(look)
    assert display.ax_.get_xlabel() == "R² (higher is better)"
    assert display.note_.get_text() == "3 splits: minimum, quartiles, maximum"


def test_of_many_the_best_and_the_best_of_each_contender_are_shown(large):
    display = CVScoresDisplay.from_search(large, ax=axes(10, 12))
    labels = texts(display.ax_.get_yticklabels())
    ranks = [int(label.rpartition("#")[2]) for label in labels]
    lasts = leaderboard(large).drop_duplicates("contender")["rank"].tolist()
    assert len(ranks) == 30
    assert ranks[:28] == list(range(1, 29))
    assert set(lasts) <= set(ranks)
    assert "30 of 154 candidates" in display.note_.get_text()
    assert apart(display.ax_.get_yticklabels())


def test_labels_that_have_no_room_are_left_out(large):
    display = CVScoresDisplay.from_search(large, ax=axes(6, 4), top=154)
    assert len(display.boxes_) == 154
    assert not display.ax_.get_yticklabels()
    assert all(box.get_edgecolor() == box.get_facecolor() for box in display.boxes_)


def test_candidate_without_a_score_is_counted_and_not_drawn(small):
    display = CVScoresDisplay.from_search(small, ax=axes())
    display.scores[2, 0] = -np.inf
    display.plot(axes())
    assert len(display.boxes_) == 7
    assert "7 of 8 candidates: the best" in display.note_.get_text()
    assert display.note_.get_text().endswith("(1 have no score)")


def test_metric_is_named_on_the_axis():
    search = searched(2, scoring={"e": "neg_max_error", "r": "r2"})
    display = CVScoresDisplay.from_search(search, metric="e", ax=axes())
    assert display.ax_.get_xlabel() == "e (higher is better)"
    with pytest.raises(ReportError, match=r"metric='x' .* Known: e, r\."):
        CVScoresDisplay.from_search(search, metric="x", ax=axes())


def test_points_are_values_and_mean_scores(small):
    display = ParameterScoresDisplay.from_search(small, "max_depth", ax=axes())
    (points,) = display.points_.values()
    found = {tuple(point) for point in points.get_offsets().round(9).tolist()}
    params, means = small.cv_results_["params"], small.cv_results_["mean_test_score"]
    depths = [(p.get("model__max_depth"), round(m, 9)) for p, m in zip(params, means, strict=True)]
    assert found == {(depth, mean) for depth, mean in depths if depth}
    assert display.ax_.get_xticks().tolist() == [1, 2, 3]
    assert display.ax_.get_xscale() == "linear"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == (
        "max_depth",
        "R² (higher is better)",
    )
    expected = "Bars: standard error. 5 candidates without it are not shown"
    assert display.note_.get_text() == expected


def test_bars_are_standard_errors(small):
    display = ParameterScoresDisplay.from_search(small, "max_depth", ax=axes())
    ((_, _, (bars,)),) = display.errorbars_
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 2 * display.leaderboard["std_error"])


def test_values_that_are_no_numbers_are_places_side_by_side():
    """Of two contenders, which have markers of their own; and True is no 1."""
    grid = [
        {"model": [Ridge(), LinearRegression()], "model__fit_intercept": [True, False]},
        {"model": [Ridge()], "model__fit_intercept": [True], "model__alpha": [0.1, 10]},
    ]
    search = DistributedSearchCV(Pipeline([("model", Ridge())]), grid, cv=3, refit=False)
    search.fit(*load_diabetes(return_X_y=True))
    display = ParameterScoresDisplay.from_search(search, "fit_intercept", ax=axes())
    assert texts(display.ax_.get_xticklabels()) == ["False", "True"]
    places = np.concatenate([p.get_offsets()[:, 0] for p in display.points_.values()])
    assert sorted(np.round(places)) == [0, 0, 1, 1, 1, 1]
    assert len(set(places)) == 6
    markers = [p.get_paths()[0].vertices.shape for p in display.points_.values()]
    assert markers[0] != markers[1]


def test_of_many_values_none_is_named(large):
    found = with_texts(large, "model__alpha", "about {}")
    display = ParameterScoresDisplay.from_search(found, "alpha", ax=axes())
    assert texts(display.ax_.get_xticklabels()) == []


def test_colours_of_many_leave_out_the_worst(large, small):
    display = ParameterScoresDisplay.from_search(large, ("alpha", "solver"), ax=axes())
    scores = display.leaderboard["mean_score"]
    low, high = display.points_["Ridge"].get_clim()
    assert (low, high) == (np.quantile(scores, 0.05), scores.max())
    assert display.colorbar_.extend == "min"
    of_few = ParameterScoresDisplay.from_search(small, ("alpha", "solver"), ax=axes())
    assert of_few.points_["Ridge"].get_clim()[0] == of_few.leaderboard["mean_score"].min()
    assert of_few.colorbar_.extend == "neither"


def test_long_label_is_cut(small):
    found = with_texts(small, "model__solver", "s" * 500)
    labels = texts(CVScoresDisplay.from_search(found, ax=axes()).ax_.get_yticklabels())
    assert max(map(len, labels)) < 200


def test_axis_of_values_that_span_decades_is_logarithmic(large):
    display = ParameterScoresDisplay.from_search(large, "model__alpha", ax=axes())
    assert display.ax_.get_xscale() == "log"
    assert not display.errorbars_  # of so many, they would hide the points


def test_contender_has_the_colour_of_the_other_picture(small):
    display = ParameterScoresDisplay.from_search(small, "alpha", ax=axes())
    colour = looks(leaderboard(small)["contender"])["Ridge"]["color"]
    assert to_hex(display.points_["Ridge"].get_facecolor()[0]).upper() == colour
    assert texts(display.legend_.get_texts()) == ["Ridge"]


def test_two_parameters_have_an_axis_each_and_scores_are_colours(large):
    display = ParameterScoresDisplay.from_search(large, ("alpha", "solver"), ax=axes())
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("alpha", "solver")
    assert texts(display.ax_.get_yticklabels()) == ["lsqr", "svd"]
    assert display.colorbar_.ax.get_ylabel() == "R² (higher is better)"
    places = display.points_["Ridge"].get_offsets()[:, 1]
    solvers = [large.cv_results_["params"][i]["model__solver"] for i in display.leaderboard.index]
    assert [["lsqr", "svd"][round(place)] for place in places] == solvers


def test_parameter_that_is_not_there_is_named_with_those_that_are(small):
    with pytest.raises(ReportError, match=r"'alhpa': no .* Known: alpha, max_depth, solver\."):
        ParameterScoresDisplay.from_search(small, "alhpa", ax=axes())
    with pytest.raises(ReportError, match="No candidate with a score has all of model__alpha"):
        ParameterScoresDisplay.from_search(small, ["alpha", "max_depth"], ax=axes())
    with pytest.raises(ReportError, match="One or two parameters can be drawn, not 3"):
        ParameterScoresDisplay.from_search(small, ["alpha", "max_depth", "solver"], ax=axes())


def test_contenders_beyond_the_palette_have_a_hatch():
    look = looks(map(str, range(10, 30)))
    assert len({(each["color"], each["hatch"]) for each in look.values()}) == 20
