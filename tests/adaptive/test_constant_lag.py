"""Proposals depend on a constant number of earlier scores."""

from skdistsearch.adaptive._constant_lag import ConstantLag
from skdistsearch.testing import StrategySuite


class Proposer:
    """Proposes how many scores it knows; remembers them in their order."""

    def __init__(self):
        self.known = []
        self.dropped = []

    def propose(self):
        return {"known": len(self.known), "sum": sum(score for _, score in self.known)}

    def learn(self, candidate, score):
        self.known.append((candidate, score))

    def learn_dropped(self, candidate, score):
        self.known.append((candidate, score))
        self.dropped.append(candidate)


def make_strategy(n_pending=3, n_splits=1, **options):
    proposer = Proposer()
    options = {"n_pending": n_pending, "n_splits": n_splits, **options}
    return proposer, ConstantLag(proposer, n_trials=8, **options)


class TestConstantLag(StrategySuite):
    def make_strategy(self):
        return make_strategy(n_splits=self.n_splits)[1]


class TestConstantLagOfAllTrials(StrategySuite):
    def make_strategy(self):
        return make_strategy(n_pending=20, n_splits=self.n_splits)[1]


class TestConstantLagWithRace(StrategySuite):
    def make_strategy(self):
        return make_strategy(n_splits=self.n_splits, race=True)[1]


def run_race(n_splits=5, **options):
    """Run a race in which candidates 0, 3 and 6 score 0.9, and the others less and less."""
    proposer, strategy = make_strategy(n_splits=n_splits, race=True, **options)
    n_done = [0] * 8
    while requests := list(iter(strategy.ask, None)):
        for request in requests:
            n_done[request.candidate] += 1
            is_good = request.candidate % 3 == 0
            strategy.tell(request, 0.9 if is_good else 0.5 - request.candidate / 100)
    return proposer, n_done


def test_race_drops_candidates_that_are_worse_than_the_median_of_those_known():
    proposer, n_done = run_race(n_pending=3)
    assert n_done == [5, 5, 5, 5, 2, 2, 5, 2]  # the first three have no rivals
    assert proposer.dropped == [4, 5, 7]


def test_race_with_two_splits_drops_none():
    _, n_done = run_race(n_splits=2)
    assert n_done == [2] * 8


def test_race_without_known_scores_drops_none():
    _, n_done = run_race(n_pending=8)
    assert n_done == [5] * 8


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
