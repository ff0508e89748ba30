"""Fits whose workers die are retried, each at most as often as it should be.

The attempts are scripted: a `Workers` object runs the pending fits as a backend would, kills its
workers as a test prescribes, and counts how often it ran each fit.
"""

from collections import Counter
from itertools import islice

import pytest

from skdistsearch._batch import Batch, Fit
from skdistsearch._outcome import Outcome
from skdistsearch.exceptions import BackendError
from skdistsearch.scheduling._retries import (
    AttemptFailure,
    PendingFits,
    WorkerDeath,
    run_until_done,
)


def make_batch(n_fits):
    fits = [Fit(number, 0, {"alpha": number}, {}) for number in range(n_fits)]
    return Batch("batch", None, (), {}, fits)


class Workers:
    """One worker runs the fits that are not suspects, in their order. Each suspect has its own.

    Parameters
    ----------
    n_deaths : dict of int to int
        How often a fit kills its worker before it succeeds.
    host_lost : bool
        Whether workers die because their machine is taken away.
    n_broken_attempts : int
        In how many attempts all workers die before their first fit.
    """

    def __init__(self, n_deaths=(), *, host_lost=False, n_broken_attempts=0):
        self.deaths_left = Counter(n_deaths)
        self.host_lost = host_lost
        self.n_broken_attempts = n_broken_attempts
        self.workloads = []
        """Fits that each worker ran, in order."""
        self.n_runs = Counter()
        """Number of runs of each fit."""
        self.n_attempts = 0
        self.n_clean_ups = 0

    def __call__(self, pending):
        self.n_attempts += 1
        if self.n_attempts <= self.n_broken_attempts:
            return AttemptFailure([], "Python is not installed.")
        suspects = [[fit] for fit in pending.suspects]
        deaths = []
        try:
            for fits in [pending.untried, *suspects]:
                deaths += yield from self._run_worker(fits)
        finally:
            self.n_clean_ups += 1
        return AttemptFailure(deaths, "Workers died.", "flow/1") if deaths else None

    def _run_worker(self, fits):
        workload = []
        self.workloads.append(workload)
        for fit in fits:
            workload.append(fit)
            self.n_runs[fit] += 1
            if self.deaths_left[fit]:
                self.deaths_left[fit] -= 1
                return [WorkerDeath(fit, "Out of memory.", self.host_lost)]
            yield Outcome(fit, "ok")
        return []


def test_batch_without_deaths_takes_one_attempt():
    workers = Workers()
    outcomes = list(run_until_done(make_batch(3), workers))
    assert [outcome.fit for outcome in outcomes] == [0, 1, 2]
    assert workers.n_attempts == 1


def test_empty_batch_takes_no_attempt():
    workers = Workers()
    assert list(run_until_done(make_batch(0), workers)) == []
    assert workers.n_attempts == 0


def test_suspect_is_retried_alone():
    workers = Workers({1: 1})
    outcomes = list(run_until_done(make_batch(4), workers))
    assert sorted(outcome.fit for outcome in outcomes) == [0, 1, 2, 3]
    assert {outcome.status for outcome in outcomes} == {"ok"}
    assert workers.workloads == [[0, 1], [2, 3], [1]]
    assert workers.n_runs == {0: 1, 1: 2, 2: 1, 3: 1}


def test_fit_is_lost_after_two_deaths():
    workers = Workers({1: 100})
    outcomes = {outcome.fit: outcome for outcome in run_until_done(make_batch(3), workers)}
    assert workers.n_runs == {0: 1, 1: 2, 2: 1}
    assert outcomes.keys() == {0, 1, 2}
    lost = outcomes[1]
    assert lost.status == "lost"
    assert lost.reason == (
        "candidate 1 (alpha=1), split 0: its worker died 2 times. Out of memory."
    )
    assert (lost.batch, lost.task_pathspec) == ("batch", "flow/1")
    assert outcomes[0].status == outcomes[2].status == "ok"


def test_all_fits_may_be_lost():
    workers = Workers(dict.fromkeys(range(3), 100))
    outcomes = list(run_until_done(make_batch(3), workers))
    assert [outcome.status for outcome in outcomes] == ["lost"] * 3
    assert workers.n_runs == {0: 2, 1: 2, 2: 2}


@pytest.mark.parametrize(("n_losses", "status"), [(7, "ok"), (8, "lost")])
def test_fit_is_lost_after_eight_host_losses(n_losses, status):
    workers = Workers({0: n_losses}, host_lost=True)
    outcomes = {outcome.fit: outcome for outcome in run_until_done(make_batch(2), workers)}
    assert workers.n_runs == {0: 8, 1: 1}
    assert outcomes[0].status == status
    assert ("its worker died 8 times" in outcomes[0].reason) == (status == "lost")
    assert outcomes[1].status == "ok"


def test_host_loss_does_not_make_a_suspect():
    workers = Workers({0: 1}, host_lost=True)
    list(run_until_done(make_batch(3), workers))
    assert workers.workloads == [[0], [0, 1, 2]]


def test_two_attempts_without_a_fit_raise_backend_error():
    workers = Workers(n_broken_attempts=2)
    with pytest.raises(BackendError, match=r"2 times in a row\. Python is not installed\."):
        list(run_until_done(make_batch(3), workers))
    assert workers.n_attempts == 2


def test_one_attempt_without_a_fit_is_repeated():
    workers = Workers(n_broken_attempts=1)
    assert len(list(run_until_done(make_batch(3), workers))) == 3
    assert workers.n_attempts == 2


def test_progress_resets_the_count_of_idle_attempts():
    n_attempts = 0

    def attempt(pending):
        nonlocal n_attempts
        n_attempts += 1
        if n_attempts % 2 == 0:
            yield Outcome(pending.fits[0], "ok")
        return AttemptFailure([], "Workers died.")

    assert len(list(run_until_done(make_batch(3), attempt))) == 3
    assert n_attempts == 6


def test_attempt_may_leave_fits_to_the_next_attempt():
    def attempt(pending):
        yield Outcome(pending.fits[0], "ok")

    assert [outcome.fit for outcome in run_until_done(make_batch(3), attempt)] == [0, 1, 2]


def test_early_close_runs_the_clean_up_of_the_attempt():
    workers = Workers()
    outcomes = run_until_done(make_batch(3), workers)
    assert [outcome.fit for outcome in islice(outcomes, 1)] == [0]
    assert workers.n_clean_ups == 0
    outcomes.close()
    assert workers.n_clean_ups == 1
    assert workers.n_runs == {0: 1}


def test_exception_of_an_attempt_passes_through():
    def attempt(pending):
        yield Outcome(0, "ok")
        raise ZeroDivisionError("meant to fail")

    outcomes = run_until_done(make_batch(2), attempt)
    assert next(outcomes).fit == 0
    with pytest.raises(ZeroDivisionError, match="meant to fail"):
        next(outcomes)


def test_second_outcome_of_a_fit_is_ignored():
    def attempt(pending):
        yield Outcome(0, "ok", stdout="first")
        yield Outcome(0, "ok", stdout="second")
        yield Outcome(1, "ok")

    outcomes = list(run_until_done(make_batch(2), attempt))
    assert [(outcome.fit, outcome.stdout) for outcome in outcomes] == [(0, "first"), (1, "")]


def test_death_after_the_outcome_does_not_count():
    def attempt(pending):
        yield Outcome(pending.fits[0], "ok")
        return AttemptFailure([WorkerDeath(0, "Crashed in a clean-up.")], "Workers died.")

    outcomes = list(run_until_done(make_batch(4), attempt))
    assert [(outcome.fit, outcome.status) for outcome in outcomes] == [
        (fit, "ok") for fit in range(4)
    ]


def test_pending_fits_separate_suspects_from_untried_fits():
    pending = PendingFits(make_batch(4))
    failure = AttemptFailure(
        [WorkerDeath(1, "Out of memory."), WorkerDeath(2, "Reclaimed.", host_lost=True)], ""
    )
    assert list(pending.record_failure(failure)) == []
    assert pending.fits == [0, 1, 2, 3]
    assert pending.untried == [0, 2, 3]
    assert pending.suspects == [1]
    assert pending.deaths == {1: 1}
