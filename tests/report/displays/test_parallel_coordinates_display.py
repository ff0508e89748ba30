"""Lines of candidates across their parameters."""

import numpy as np
import pytest
from helpers.pictures import make_axes, make_search, texts_of
from sklearn.linear_model import Lasso, Ridge
from sklearn.pipeline import Pipeline

from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from matplotlib.colors import to_hex

from skdistsearch.report import ParallelCoordinatesDisplay


def random_search(n):
    random = np.random.default_rng(0)
    params = [
        {"alpha": float(10 ** random.uniform(-3, 3)), "solver": ["svd", "lsqr"][n % 2], "tol": 1}
        for n in range(n)
    ]
    return make_search(params, random.random(n))


def draw(search, *args, **kwargs):
    return ParallelCoordinatesDisplay.from_search(search, *args, ax=make_axes(), **kwargs)


def test_lines_run_from_the_worst_to_the_best_candidate():
    params = [{"a": 1, "b": 10}, {"a": 2, "b": 20}, {"a": 3, "b": 30}]
    display = draw(make_search(params, [0.2, 0.9, 0.1]))
    drawn = [path.vertices[:, 1].tolist() for path in display.lines_.get_paths()]
    assert drawn == [[1, 1], [0, 0], [0.5, 0.5]]
    assert display.best_.get_ydata().tolist() == [0.5, 0.5]
    assert display.best_.get_zorder() > display.lines_.get_zorder()
    assert texts_of(display.legend_.get_texts()) == ["best candidate"]


def test_axes_are_the_parameters_that_vary():
    display = draw(random_search(5))
    assert texts_of(display.ax_.get_xticklabels()) == ["alpha\n(log)", "solver"]
    assert texts_of(display.ticks_["solver"]) == ["lsqr", "svd"]


def test_few_lines_are_opaque_and_hundreds_are_faint_but_for_the_best():
    few, many = draw(random_search(5)), draw(random_search(500))
    assert few.lines_.get_colors()[:, 3].tolist() == [1] * 5
    opacities = many.lines_.get_colors()[:, 3]
    assert opacities.tolist() == [0.2] * 450 + [1] * 50


def test_candidates_without_a_parameter_are_at_not_set():
    grid = [{"model": Ridge(), "model__tol": 1}, {"model": Lasso(), "model__max_iter": 5}]
    pipe = Pipeline([("model", Ridge())])
    display = draw(make_search(grid, [0.2, 0.1], pipe))
    assert list(display.ticks_) == ["contender", "tol", "max_iter"]
    assert texts_of(display.ticks_["tol"]) == ["not set", "1"]


def test_parameters_can_be_chosen():
    params = [{"a": n, "b": n, "c": n} for n in range(4)]
    display = draw(make_search(params, [4, 3, 2, 1]), ["c", "a"])
    assert texts_of(display.ax_.get_xticklabels()) == ["c", "a"]
    assert display.note_.get_text() == "4 candidates. Not shown: 1 parameter"


def test_candidate_without_a_score_is_not_drawn():
    params = [{"a": n, "b": n} for n in range(3)]
    display = draw(make_search(params, [1, np.nan, 3]))
    assert len(display.lines_.get_paths()) == 2


def test_search_with_one_parameter_raises():
    search = make_search([{"alpha": 1}, {"alpha": 2}], [1, 2])
    with pytest.raises(ReportError, match=r"need two parameters that vary\. Got 1: alpha\."):
        draw(search)
    with pytest.raises(ReportError, match=r"Not a parameter that varies: 'x'\. Known: alpha\."):
        draw(search, ["x"])


def test_best_candidate_stands_out_from_the_colour_map():
    display = draw(random_search(100))
    colours = {to_hex(colour) for colour in display.lines_.get_colors()}
    assert to_hex(display.best_.get_color()) not in colours
    assert display.colorbar_.extend == "min"
