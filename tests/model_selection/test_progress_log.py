"""The log of a search's progress."""

import logging

import pytest
from helpers.recording_backend import RecordingBackend
from sklearn.datasets import make_regression

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV
from skdistsearch._outcome import Outcome
from skdistsearch.model_selection import _progress_log
from skdistsearch.model_selection._progress_log import Progress
from skdistsearch.testing import FaultyRegressor

X, y = make_regression(40, 2, random_state=0)
GRID = {"factor": [2.0, 1.0, 3.0]}
BEST = "candidate 1 (factor=1.0)"


@pytest.fixture
def info_log(caplog):
    caplog.set_level(logging.INFO, logger="skdistsearch")
    return caplog


def fit_search(grid=None, **options):
    search = DistributedSearchCV(FaultyRegressor(), grid or GRID, cv=2, refit=False, **options)
    return search.fit(X, y)


def test_end_of_a_search_is_logged_with_its_best_candidate(info_log):
    best_score = max(fit_search().cv_results_["mean_test_score"])
    assert info_log.messages == [
        f"6 of 6 fits are done; best mean score so far {best_score:.6g}: {BEST}"
    ]


def test_end_of_each_round_is_logged(info_log):
    search = DistributedHalvingGridSearchCV(
        FaultyRegressor(), GRID, cv=2, factor=2, refit=False, random_state=0
    ).fit(X, y)
    n_fits = [2 * n for n in search.n_candidates_]
    assert len(n_fits) > 1
    assert [text.split(";")[0] for text in info_log.messages] == [
        f"{n} of {n} fits are done" for n in n_fits
    ]


def test_progress_is_logged_at_intervals(info_log, monkeypatch):
    monkeypatch.setattr(_progress_log, "_INTERVAL_S", 0.0)
    fit_search()
    counts = [text.split(";")[0] for text in info_log.messages]
    assert counts == [f"{n} of 6 fits are done" for n in (1, 2, 3, 4, 5, 6, 6)]


def test_first_of_several_metrics_selects_the_best(info_log):
    search = fit_search(scoring=["neg_mean_squared_error", "r2"])
    best_score = max(search.cv_results_["mean_test_neg_mean_squared_error"])
    assert f"best mean score so far {best_score:.6g}: {BEST}" in info_log.text


@pytest.mark.filterwarnings(r"ignore:\s*\d+ fits failed", "ignore:One or more of the test scores")
def test_failed_fits_are_counted(info_log):
    fit_search({"behavior": ["raise", "fit"]})
    (message,) = info_log.messages
    assert message.startswith("4 of 4 fits are done, 2 of them failed; best mean score so far")


@pytest.fixture
def batch():
    backend = RecordingBackend()
    fit_search(backend=backend)
    return backend.batches[0]


def test_lost_fits_are_counted(batch):
    progress = Progress(batch)
    for fit in range(len(batch)):
        progress.add_outcome(Outcome(fit, "lost", reason="the machine was taken away"))
    assert str(progress) == "6 of 6 fits are done, 6 of them lost"


def test_no_best_candidate_before_all_its_splits_are_done(batch):
    progress = Progress(batch)
    progress.add_outcome(batch.run(0))
    assert str(progress) == "1 of 6 fits are done"
    progress.add_outcome(batch.run(1))
    assert str(progress).startswith("2 of 6 fits are done; best mean score so far")
