"""Positions of parameter values."""

import pytest

from skdistsearch.report.displays._parameter_scale import STEP, ParameterScale

pytest.importorskip("matplotlib", reason="chooses the ticks")


def place(values, n_without=0):
    candidates = [{"a": value} for value in values] + [{}] * n_without
    return ParameterScale.from_values("a", candidates)


def test_numbers_are_on_a_linear_scale():
    scale = place([1, 2, 5])
    assert scale.positions.tolist() == [0, 0.25, 1]
    assert scale.ticks == {0: "1", 0.25: "2", 1: "5"}
    assert not scale.is_log


def test_numbers_that_span_decades_are_on_a_logarithmic_scale():
    scale = place([0.1, 1, 10])
    assert scale.positions.tolist() == pytest.approx([0, 0.5, 1])
    assert scale.is_log


def test_many_numbers_have_round_ticks():
    scale = place([0.013 * n for n in range(100)])
    assert set(scale.ticks.values()) == {"0", "0.3", "0.6", "0.9", "1.2"}
    assert all("." not in text for text in place(list(range(1, 13))).ticks.values())


def test_words_are_categories_at_equal_distances():
    scale = place(["b", "a", "c", "a"])
    assert scale.positions.tolist() == [0.5, 0, 1, 0]
    assert scale.ticks == {0: "a", 0.5: "b", 1: "c"}
    assert place([True, False]).ticks == {0: "False", 1: "True"}


def test_none_among_numbers_is_below_them():
    scale = place([1, None, 3])
    assert scale.positions.tolist() == [0, -STEP, 1]
    assert scale.ticks[-STEP] == "None"
    assert scale.is_numeric


def test_candidate_without_the_parameter_is_not_set():
    scale = place([1, None, 3], n_without=2)
    assert scale.positions.tolist() == [0, -STEP, 1, -2 * STEP, -2 * STEP]
    assert scale.ticks[-2 * STEP] == "not set"


def test_many_categories_have_no_labels():
    assert place([f"word {n}" for n in range(40)]).ticks == {}
