"""Proposals depend on a constant number of earlier scores."""

from skdistsearch.adaptive._constant_lag import ConstantLag
from skdistsearch.testing import StrategySuite


class Proposer:
    """Proposes how many scores it knows; remembers them in their order."""

    def __init__(self):
        self.known = []

    def propose(self):
        return {"known": len(self.known), "sum": sum(score for _, score in self.known)}

    def learn(self, candidate, score):
        self.known.append((candidate, score))


def make_strategy(n_pending=3, n_splits=1):
    proposer = Proposer()
    return proposer, ConstantLag(proposer, n_trials=8, n_pending=n_pending, n_splits=n_splits)


class TestConstantLag(StrategySuite):
    def make_strategy(self):
        return make_strategy(n_splits=self.n_splits)[1]


class TestConstantLagOfAllTrials(StrategySuite):
    def make_strategy(self):
        return make_strategy(n_pending=20, n_splits=self.n_splits)[1]


def test_scores_that_are_early_are_held_back():
    proposer, strategy = make_strategy()
    requests = list(iter(strategy.ask, None))
    assert len(requests) == 3
    for request in reversed(requests):
        strategy.tell(request, request.candidate)
    assert strategy.ask().parameters["known"] == 1
    assert proposer.known == [(0, 0.0)]


def test_candidate_waits_for_the_one_that_it_depends_on():
    _, strategy = make_strategy()
    requests = list(iter(strategy.ask, None))
    strategy.tell(requests[1], 1.0)
    strategy.tell(requests[2], 2.0)
    assert strategy.ask() is None


def test_one_pending_candidate_knows_all_before():
    _, strategy = make_strategy(n_pending=1)
    for number in range(8):
        request = strategy.ask()
        assert request.parameters["known"] == number
        assert strategy.ask() is None
        strategy.tell(request, 0.5)


def test_all_scores_are_passed_on_at_the_end_in_their_order():
    proposer, strategy = make_strategy()
    while requests := list(iter(strategy.ask, None)):
        for request in reversed(requests):
            strategy.tell(request, request.candidate / 10)
    assert proposer.known == [(number, number / 10) for number in range(8)]
