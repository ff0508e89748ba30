"""Sizes of the brackets of Hyperband."""

import pytest

from skdistsearch.adaptive._brackets import make_brackets

OPTIONS = {"min_amount": 1, "factor": 3, "n_splits": 5}


def sizes(brackets):
    return [[(rung.n_candidates, rung.amount) for rung in bracket] for bracket in brackets]


def test_brackets_are_those_of_the_paper():
    assert sizes(make_brackets(max_amount=81, **OPTIONS)) == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (12, 9), (4, 27), (2, 81)],
        [(15, 9), (5, 27), (2, 81)],
        [(8, 27), (3, 81)],
        [(5, 81)],
    ]


@pytest.mark.parametrize(("factor", "amounts"), [(3, [1, 3, 11, 33, 100]), (4, [1, 6, 25, 100])])
def test_amounts_are_counted_from_the_last_rung(factor, amounts):
    brackets = make_brackets(max_amount=100, min_amount=1, factor=factor, n_splits=5)
    assert [rung.amount for rung in brackets[0]] == amounts


def test_equal_amounts_are_one_rung():
    brackets = make_brackets(max_amount=3, min_amount=1, factor=1.3, n_splits=5)
    amounts = [rung.amount for rung in brackets[0]]
    assert amounts == sorted(set(amounts))


def test_largest_amount_below_factor_is_one_rung():
    assert sizes(make_brackets(max_amount=2, **OPTIONS)) == [[(1, 2)]]


def test_one_bracket_is_no_longer_than_its_candidates():
    brackets = make_brackets(max_amount=81, n_brackets=1, n_candidates=9, **OPTIONS)
    assert sizes(brackets) == [[(9, 9), (3, 27), (1, 81)]]


def test_brackets_have_no_more_candidates_than_there_are():
    brackets = make_brackets(max_amount=9, n_candidates_max=4, **OPTIONS)
    assert [bracket[0].n_candidates for bracket in brackets] == [4, 4, 3]


def test_number_of_candidates_changes_in_proportion():
    brackets = make_brackets(max_amount=9, n_candidates=18, **OPTIONS)
    assert [bracket[0].n_candidates for bracket in brackets] == [18, 9, 6]


def test_splits_grow_up_to_the_last_rung_that_has_all():
    brackets = make_brackets(max_amount=27, grows_splits=True, **OPTIONS)
    splits = [[rung.n_splits for rung in bracket] for bracket in brackets]
    assert splits == [[1, 2, 3, 5], [1, 2, 5], [1, 5], [5]]
