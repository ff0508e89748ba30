"""The state of a round as text."""

import re
import time
from dataclasses import replace

import pytest
from helpers.recording_backend import RecordingBackend
from sklearn.datasets import make_regression

from skdistsearch import DistributedSearchCV
from skdistsearch._batch import Batch, Fit, FitMonitor, LocalCalls
from skdistsearch._outcome import Outcome
from skdistsearch.model_selection._progress import Progress, format_seconds
from skdistsearch.testing import FaultyRegressor

N_SPLITS = 2


@pytest.fixture
def batch():
    """Three candidates on two splits; the second is the best."""
    backend = RecordingBackend()
    search = DistributedSearchCV(
        FaultyRegressor(),
        {"factor": [2.0, 1.0, 3.0]},
        cv=N_SPLITS,
        refit=False,
        backend=backend,
        cache_mb=0,
    )
    search.fit(*make_regression(40, 2, random_state=0))
    return backend.batches[0]


def make_batch(candidates, monitor=None):
    fits = [
        Fit(candidate, split, parameters, {})
        for candidate, parameters in enumerate(candidates)
        for split in range(N_SPLITS)
    ]
    return Batch("key", dict, (), {}, fits, local=LocalCalls(monitor=monitor))


def finish(progress, fit, score, seconds=2.0, **fields):
    now = time.time()
    times = {"started_at": now - seconds, "finished_at": now}
    progress.add_outcome(Outcome(fit, "ok", {"test_scores": score}, **times, **fields))


def test_lost_fits_are_counted(batch):
    progress = Progress(batch)
    for fit in range(len(batch)):
        progress.add_outcome(Outcome(fit, "lost", reason="the machine was taken away"))
    assert str(progress) == "6 of 6 fits are done, 6 lost"
    assert progress.short_text().startswith("6/6 fits, 6 lost  ")


def test_best_candidate_is_one_of_those_with_most_splits(batch):
    progress = Progress(batch)
    for fit in (0, 2):
        progress.add_outcome(batch.run(fit))
    assert "(1 of 2 splits): candidate 1 (factor=1.0)" in str(progress)
    assert "(1/2 splits)" in progress.short_text()
    progress.add_outcome(batch.run(1))
    assert "splits" not in str(progress)
    assert "candidate 0 (factor=2.0)" in str(progress)


def test_candidate_with_a_failed_fit_is_not_the_best():
    progress = Progress(make_batch([{"C": 1}, {"C": 2}]))
    for fit, score in enumerate([float("nan"), 0.9, 0.5, 0.6]):
        finish(progress, fit, score)
    assert "best mean score so far 0.55: candidate 1" in str(progress)


def test_time_left_is_unknown_before_fits_of_each_contender_have_finished():
    """The quick fits of one contender say nothing about another one."""
    progress = Progress(make_batch([{"depth": 1}, {"depth": 2}, {"width": 1}, {"width": 2}]))
    for fit in (0, 1, 2, 3, 4, 5):
        finish(progress, fit, 0.5)
        assert "left" not in str(progress)
    finish(progress, 6, 0.5)
    assert "left" in progress.short_text()
    finish(progress, 7, 0.5)
    assert "left" not in str(progress)


def test_time_left_is_divided_among_the_running_fits():
    monitor = FitMonitor()
    progress = Progress(make_batch([{"C": number} for number in range(20)], monitor))
    for fit in range(10):
        finish(progress, fit, 0.5, seconds=60.0)
    progress._begun_at -= 600  # so a single worker has run them
    left = []
    for n_workers in (1, 10):
        running = [(progress._batch.fits[fit], 1.0) for fit in range(10, 10 + n_workers)]
        monitor.running_fits = lambda running=running: running
        left.append(re.search(r"about .* left", progress.short_text())[0])
    assert left == ["about 30 min left", "about 3 min left"]


def test_fits_of_an_earlier_search_say_how_long_others_take():
    progress = Progress(make_batch([{"C": number} for number in range(20)]))
    for fit in range(10):
        finish(progress, fit, 0.5, is_persisted=True)
    assert "left" not in str(progress)  # nothing says how many workers there are
    finish(progress, 10, 0.5)
    assert "left" in str(progress)


@pytest.mark.parametrize(("seconds", "is_slow"), [(9.0, False), (50.0, False), (70.0, True)])
def test_fit_that_runs_much_longer_than_others_is_named(seconds, is_slow):
    monitor = FitMonitor()
    batch = make_batch([{"C": number} for number in range(20)], monitor)
    progress = Progress(batch)
    for fit in range(5):
        finish(progress, fit, 0.5, seconds=20.0)
    monitor.running_fits = lambda: [(batch.fits[8], 1.0), (batch.fits[7], seconds)]
    slow = "slow: candidate 3 (C=3), split 1, running for 1 min 10 s (median 20 s)"
    assert str(progress).endswith(slow) == is_slow


def test_candidate_is_described_by_what_varies():
    model = FaultyRegressor()
    candidates = [{"model": model, "C": C, "kernel": "rbf"} for C in (0.1234567, 1.0)]
    progress = Progress(make_batch([*candidates, {"alpha": 1.0}]))
    texts = []
    for fit, score in ((0, 0.1), (2, 0.2), (4, 0.3)):
        finish(progress, fit, score)
        texts.append(str(progress).partition("splits): ")[2])
    assert texts == ["candidate 0 (C=0.1235)", "candidate 1 (C=1.0)", "candidate 2"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["model__C", "scale__with_mean"], "(C=0, with_mean=0)"),
        (["tfidf__norm", "scale__norm"], "(tfidf__norm=0, scale__norm=0)"),
    ],
)
def test_parameters_are_named_without_their_steps_if_that_is_clear(names, expected):
    progress = Progress(make_batch([dict.fromkeys(names, 0), dict.fromkeys(names, 1)]))
    finish(progress, 0, 0.1)
    assert f"candidate 0 {expected}" in str(progress)


def test_text_is_one_line(batch):
    fits = [replace(fit, parameters={"model": FaultyRegressor("x" * 99)}) for fit in batch.fits]
    progress = Progress(replace(batch, fits=fits))
    progress.add_outcome(batch.run(0))
    assert "\n" not in str(progress)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (7500, "2 h 5 min")],
)
def test_duration_as_text(seconds, text):
    assert format_seconds(seconds) == text
