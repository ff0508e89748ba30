"""Successive halving in brackets."""

import math

from skdistsearch.adaptive._brackets import Rung
from skdistsearch.adaptive._rungs import Rungs
from skdistsearch.testing import StrategySuite

HALVING = (Rung(6, 1, 1), Rung(3, 2, 2), Rung(1, 4, 3))
SHORT = (Rung(3, 2, 1), Rung(2, 4, 3))


def candidates(n):
    return [{"alpha": number} for number in range(n)]


class TestRungs(StrategySuite):
    def make_strategy(self):
        return Rungs([HALVING, SHORT], [candidates(6), candidates(3)], [2, 0, 1])


class TestRungsWithFewerCandidatesThanPlanned(StrategySuite):
    def make_strategy(self):
        return Rungs([HALVING], [candidates(2)], [0, 1, 2])


def ask_all(strategy):
    return list(iter(strategy.ask, None))


def first_rung():
    strategy = Rungs([HALVING], [candidates(6)], [0, 1, 2])
    return strategy, ask_all(strategy)


def test_best_candidates_go_on():
    strategy, requests = first_rung()
    for request in requests:
        strategy.tell(request, -abs(request.candidate - 2))
    assert {request.candidate for request in ask_all(strategy)} == {1, 2, 3}


def test_candidate_goes_on_as_soon_as_it_is_certain():
    strategy, requests = first_rung()
    for request in requests[:3]:
        strategy.tell(request, request.candidate)
    assert ask_all(strategy) == []
    strategy.tell(requests[3], 3)
    assert {request.candidate for request in ask_all(strategy)} == {3}


def test_failed_candidate_is_the_worst():
    strategy, requests = first_rung()
    for request in requests:
        strategy.tell(request, math.nan if request.candidate < 3 else -1e300)
    assert {request.candidate for request in ask_all(strategy)} == {3, 4, 5}


def test_first_of_equal_candidates_goes_on():
    strategy, requests = first_rung()
    for request in reversed(requests):
        strategy.tell(request, 1.0)
    assert {request.candidate for request in ask_all(strategy)} == {0, 1, 2}


def test_stages_are_those_of_the_same_split():
    strategy, requests = first_rung()
    for request in requests:
        strategy.tell(request, request.candidate)
    stages = {(request.split, request.stages) for request in ask_all(strategy)}
    assert stages == {(0, (1, 2)), (1, (2,))}


def test_only_the_last_rung_keeps_no_models():
    strategy = Rungs([SHORT], [candidates(3)], [0, 1, 2])
    requests = ask_all(strategy)
    for request in requests:
        strategy.tell(request, request.candidate)
    assert {request.is_last for request in requests} == {False}
    assert {request.is_last for request in ask_all(strategy)} == {True}
