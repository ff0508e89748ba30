"""Mean scores against one or two parameters."""

import numpy as np
import pytest
from helpers.pictures import make_axes, texts_of, with_text_values
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import Pipeline

from skdistsearch import DistributedSearchCV
from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from matplotlib.colors import to_hex

from skdistsearch.report import ParameterScoresDisplay, leaderboard
from skdistsearch.report.displays._style import contender_styles


def test_points_are_parameter_values_and_mean_scores(small_search):
    display = ParameterScoresDisplay.from_search(small_search, "max_depth", ax=make_axes())
    (points,) = display.points_.values()
    drawn = {tuple(point) for point in points.get_offsets().round(9).tolist()}
    params, means = small_search.cv_results_["params"], small_search.cv_results_["mean_test_score"]
    depths = [(p.get("model__max_depth"), round(m, 9)) for p, m in zip(params, means, strict=True)]
    assert drawn == {(depth, mean) for depth, mean in depths if depth}
    assert display.ax_.get_xticks().tolist() == [1, 2, 3]
    assert display.ax_.get_xscale() == "linear"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == (
        "max_depth",
        "R² (higher is better)",
    )
    expected = "Bars: standard error. Not shown: 5 candidates without the parameter or a score."
    assert display.note_.get_text() == expected


def test_error_bars_are_standard_errors(small_search):
    display = ParameterScoresDisplay.from_search(small_search, "max_depth", ax=make_axes())
    ((_, _, (bars,)),) = display.errorbars_
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 2 * display.leaderboard["std_error"])


def test_values_that_are_not_numbers_are_categories():
    """True is a category, not 1, and the points of both contenders lie side by side."""
    grid = [
        {"model": [Ridge(), LinearRegression()], "model__fit_intercept": [True, False]},
        {"model": [Ridge()], "model__fit_intercept": [True], "model__alpha": [0.1, 10]},
    ]
    search = DistributedSearchCV(Pipeline([("model", Ridge())]), grid, cv=3, refit=False)
    search.fit(*load_diabetes(return_X_y=True))
    display = ParameterScoresDisplay.from_search(search, "fit_intercept", ax=make_axes())
    assert texts_of(display.ax_.get_xticklabels()) == ["False", "True"]
    positions = np.concatenate([p.get_offsets()[:, 0] for p in display.points_.values()])
    assert sorted(np.round(positions)) == [0, 0, 1, 1, 1, 1]
    assert len(set(positions)) == 6
    markers = [p.get_paths()[0].vertices.shape for p in display.points_.values()]
    assert markers[0] != markers[1]


def test_axis_of_many_categories_has_no_labels(large_search):
    changed = with_text_values(large_search, "model__alpha", "about {}")
    display = ParameterScoresDisplay.from_search(changed, "alpha", ax=make_axes())
    assert texts_of(display.ax_.get_xticklabels()) == []


def test_colour_scale_of_many_candidates_omits_the_worst(large_search, small_search):
    display = ParameterScoresDisplay.from_search(large_search, ("alpha", "solver"), ax=make_axes())
    scores = display.leaderboard["mean_score"]
    low, high = display.points_["Ridge"].get_clim()
    assert (low, high) == (np.quantile(scores, 0.05), scores.max())
    assert display.colorbar_.extend == "min"
    few = ParameterScoresDisplay.from_search(small_search, ("alpha", "solver"), ax=make_axes())
    assert few.points_["Ridge"].get_clim()[0] == few.leaderboard["mean_score"].min()
    assert few.colorbar_.extend == "neither"


def test_values_that_span_decades_have_a_logarithmic_axis(large_search):
    display = ParameterScoresDisplay.from_search(large_search, "model__alpha", ax=make_axes())
    assert display.ax_.get_xscale() == "log"
    assert not display.errorbars_  # they would hide the points


def test_contender_has_the_same_colour_as_in_the_box_plot(small_search):
    display = ParameterScoresDisplay.from_search(small_search, "alpha", ax=make_axes())
    colour = contender_styles(leaderboard(small_search)["contender"])["Ridge"]["color"]
    assert to_hex(display.points_["Ridge"].get_facecolor()[0]).upper() == colour
    assert texts_of(display.legend_.get_texts()) == ["Ridge"]


def test_two_parameters_are_axes_and_scores_are_colours(large_search):
    display = ParameterScoresDisplay.from_search(large_search, ("alpha", "solver"), ax=make_axes())
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("alpha", "solver")
    assert texts_of(display.ax_.get_yticklabels()) == ["lsqr", "svd"]
    assert display.colorbar_.ax.get_ylabel() == "R² (higher is better)"
    positions = display.points_["Ridge"].get_offsets()[:, 1]
    solvers = [
        large_search.cv_results_["params"][i]["model__solver"] for i in display.leaderboard.index
    ]
    assert [["lsqr", "svd"][round(position)] for position in positions] == solvers


def test_unknown_parameters_are_named_with_the_known_ones(small_search):
    with pytest.raises(
        ReportError, match=r"parameter .*: 'alhpa'\. Known: alpha, max_depth, solver\."
    ):
        ParameterScoresDisplay.from_search(small_search, "alhpa", ax=make_axes())
    with pytest.raises(ReportError, match="No candidate with a score has all of model__alpha"):
        ParameterScoresDisplay.from_search(small_search, ["alpha", "max_depth"], ax=make_axes())
    with pytest.raises(ReportError, match=r"Got 3 parameters\. Name one or two\."):
        ParameterScoresDisplay.from_search(
            small_search, ["alpha", "max_depth", "solver"], ax=make_axes()
        )
