"""Importance of each parameter."""

import sys

import numpy as np
import pytest
from helpers.pictures import make_axes, make_search, texts_of
from sklearn.linear_model import Lasso, Ridge
from sklearn.pipeline import Pipeline

from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from skdistsearch.report import ParameterImportancesDisplay
from skdistsearch.report.displays import _parameter_importances_display as module

METHODS = ["fanova", "permutation"]


@pytest.fixture(params=METHODS)
def method(request):
    if request.param == "fanova":
        pytest.importorskip("optuna", reason="computes functional ANOVA")
    return request.param


def random_search(n=40):
    """Return a search whose score depends on ``a``, a little on ``b``, and not on ``c``."""
    random = np.random.default_rng(0)
    params = [
        {"a": float(random.random()), "b": str(random.integers(3)), "c": float(random.random())}
        for _ in range(n)
    ]
    return make_search(params, [3 * p["a"] + 0.3 * int(p["b"]) for p in params])


def draw(search, **kwargs):
    return ParameterImportancesDisplay.from_search(search, ax=make_axes(), **kwargs)


def test_parameter_with_the_largest_effect_is_on_top(method):
    display = draw(random_search(), method=method)
    assert next(iter(display.importances)) == "a"
    assert display.importances["a"] > 0.7
    assert display.importances["c"] < 0.1
    assert sum(display.importances.values()) == pytest.approx(1)
    assert [bar.get_width() for bar in display.bars_] == list(display.importances.values())
    assert texts_of(display.ax_.get_yticklabels())[0] == "a"


def test_result_is_deterministic(method):
    first, second = (draw(random_search(10), method=method).importances for _ in range(2))
    assert first == second


def test_axis_names_the_method(method):
    label = draw(random_search(10), method=method).ax_.get_xlabel()
    assert ("ANOVA" in label) == (method == "fanova")
    assert ("permutation" in label) == (method == "permutation")


def test_permutation_is_used_without_optuna(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert draw(random_search(10)).method == "permutation"
    with pytest.raises(ImportError, match="pip install optuna"):
        draw(random_search(10), method="fanova")


def test_optuna_is_not_imported_for_permutation(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert draw(random_search(10), method="permutation").importances["a"] > 0.5


def test_difference_between_contenders_is_not_that_of_their_parameters():
    params = [
        {"model": model, f"model__{name}": float(value)}
        for model, name in ((Ridge(), "alpha"), (Lasso(), "tol"))
        for value in range(5)
    ]
    scores = [0.01 * n for n in range(5)] + [9.0] * 5
    search = make_search(params, scores, Pipeline([("model", Ridge())]))
    importances = draw(search, method="permutation").importances
    assert list(importances) == ["contender", "alpha", "tol"]
    assert importances["contender"] > 0.99
    assert importances["tol"] == 0


def test_difference_between_dicts_of_a_grid_is_that_of_the_parameter_that_decides():
    params = [{"kernel": "linear", "C": c} for c in range(3)]
    params += [{"kernel": "rbf", "C": c, "gamma": g} for c in range(3) for g in (1, 2)]
    scores = [0, 0, 0, 5, 7, 5, 7, 5, 7]
    importances = draw(make_search(params, scores), method="permutation").importances
    # Between the groups 3 * 4² + 6 * 2², within the second one 6 * 1²
    assert importances["kernel"] == pytest.approx(72 / 78)
    assert importances["gamma"] == pytest.approx(6 / 78, rel=0.2)


def test_first_round_of_a_halving_search_is_used():
    params = [{"a": n, "b": n % 2} for n in range(6)]
    search = make_search(
        [*params, *params[:2]],
        [*range(6), np.nan, np.nan],
        iter=[0] * 6 + [1] * 2,
        n_resources=[10] * 6 + [20] * 2,
    )
    assert draw(search, method="permutation").n_candidates == 6


def test_searches_without_enough_information_raise():
    with pytest.raises(ReportError, match=r"at least 5 candidates with a score\. Got 4\."):
        draw(random_search(4))
    with pytest.raises(ReportError, match=r"two parameters that vary\. Got 1: a\."):
        draw(make_search([{"a": n, "b": 1} for n in range(6)], range(6)))
    same = make_search([{"a": n, "b": n} for n in range(6)], [1] * 6)
    with pytest.raises(ReportError, match="All candidates have the same score"):
        draw(same)
    with pytest.raises(ReportError, match="method='x' must be 'auto', 'fanova' or 'permutation'"):
        draw(same, method="x")


def test_few_candidates_are_called_a_rough_estimate():
    few = draw(random_search(5), method="permutation").note_.get_text()
    assert few == "from 5 candidates: a rough estimate"
    many = draw(random_search(40), method="permutation").note_.get_text()
    assert many == "from 40 candidates"
