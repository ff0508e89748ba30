"""The order of the wrappers around a backend, as far as it can be observed."""

import logging

import pytest
from helpers.recording_backend import RecordingBackend
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from skdistsearch import DistributedSearchCV, checkpoints
from skdistsearch.backends import Backend
from skdistsearch.model_outputs import OutputCollector, OutputOptions
from skdistsearch.model_selection._pipeline import build_pipeline

X, y = load_diabetes(return_X_y=True)
# No random_state, which would make equal candidates different fits
GRID = {"fit_intercept": [True, True, False]}
N_SPLITS, N_FITS, N_UNEQUAL_FITS = 2, 6, 4


@pytest.fixture
def backend():
    return RecordingBackend()


@pytest.fixture
def make_search(backend, tmp_path):
    def make(**options):
        options = {"checkpoint": tmp_path / "checkpoint", "refit": False, **options}
        return DistributedSearchCV(
            LinearRegression(), GRID, cv=N_SPLITS, backend=backend, **options
        )

    return make


@pytest.fixture
def info_log(caplog):
    caplog.set_level(logging.INFO, logger="skdistsearch")
    return caplog


@pytest.fixture
def without_info_log(caplog):
    caplog.set_level(logging.WARNING, logger="skdistsearch")


def fit_keys(batches):
    return [set(batch.context.fit_keys) for batch in batches]


@pytest.mark.parametrize(
    "outputs", [{"extract": {"n": "n_features_in_"}}, {"keep": "predict"}, {"keep": "estimators"}]
)
def test_requested_outputs_are_part_of_the_keys(outputs, make_search, backend):
    """Outcomes without the outputs must not stand in for fits that have them."""
    for options in ({}, outputs, outputs):
        make_search(**options).fit(X, y)
    without, with_outputs = backend.batches  # the third search ran nothing
    assert without.context.extractor is None
    assert with_outputs.context.extractor is not None
    assert fit_keys([without])[0].isdisjoint(fit_keys([with_outputs])[0])


def test_equal_fits_run_once(make_search, backend):
    search = make_search(checkpoint=None).fit(X, y)
    assert [len(batch) for batch in backend.batches] == [N_UNEQUAL_FITS]
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[1] != scores[2]


def test_equal_fits_are_looked_up_and_saved_once(make_search, backend, info_log, tmp_path):
    make_search().fit(X, y)
    assert [len(keys) for keys in fit_keys(backend.batches)] == [N_UNEQUAL_FITS]
    assert checkpoints.inspect(tmp_path / "checkpoint").n_fits == N_UNEQUAL_FITS
    assert f"has 0 of {N_UNEQUAL_FITS} fits" in info_log.text


def test_resumed_search_gives_equal_fits_their_outcomes(make_search, backend, info_log):
    expected = make_search().fit(X, y).cv_results_["mean_test_score"]
    info_log.clear()
    resumed = make_search().fit(X, y)
    assert len(backend.batches) == 1
    assert list(resumed.cv_results_["mean_test_score"]) == list(expected)
    assert f"has {N_UNEQUAL_FITS} of {N_UNEQUAL_FITS} fits" in info_log.text


def test_progress_counts_equal_fits(make_search, info_log):
    make_search(checkpoint=None).fit(X, y)
    assert f"{N_FITS} of {N_FITS} fits are done" in info_log.messages[-1]


def test_progress_counts_fits_of_the_checkpoint(make_search, info_log):
    make_search().fit(X, y)
    info_log.clear()
    make_search().fit(X, y)
    assert f"{N_FITS} of {N_FITS} fits are done" in info_log.messages[-1]


def test_search_without_options_needs_no_wrapper(backend, without_info_log):
    assert build_pipeline(backend, cache_mb=0) == backend.run


def test_progress_is_logged_only_if_info_is_enabled(backend, info_log):
    assert build_pipeline(backend, cache_mb=0) != backend.run
    info_log.set_level(logging.WARNING, logger="skdistsearch")
    assert build_pipeline(backend, cache_mb=0) == backend.run


def test_progress_is_shown_if_verbose(backend, without_info_log):
    assert build_pipeline(backend, cache_mb=0, verbose=1) != backend.run


def test_closing_the_outcomes_closes_the_backend(make_search, backend, info_log, tmp_path):
    closed = []

    class ClosableBackend(Backend):
        def run(self, batch):
            try:
                yield from map(batch.run, range(len(batch)))
            finally:
                closed.append(True)

    make_search(checkpoint=None).fit(X, y)
    (batch,) = backend.batches
    options = OutputOptions.from_params({"n": "n_features_in_"}, (), subsamples=False)
    run = build_pipeline(
        ClosableBackend(),
        checkpoint=tmp_path / "checkpoint",
        collector=OutputCollector(options),
    )
    outcomes = run(batch)
    assert next(outcomes).status == "ok"
    assert closed == []
    outcomes.close()
    assert closed == [True]
