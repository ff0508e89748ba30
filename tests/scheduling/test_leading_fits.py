"""The fits of a path are never separated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV
from skdistsearch.scheduling import (
    make_chunks,
    make_container_chunks,
    make_units,
    order_by_shared_work,
)

X, Y = load_diabetes(return_X_y=True)
FOREST = RandomForestRegressor(random_state=0)
N_TREES, DEPTHS = [20, 5, 40], [1, 2]


def make_batch(estimator, prefix):
    grid = {f"{prefix}n_estimators": N_TREES, f"{prefix}max_depth": DEPTHS}
    return DistributedSearchCV(estimator, grid, cv=4).plan(X, Y).batch


BATCHES = [
    make_batch(FOREST, ""),
    make_batch(make_pipeline(StandardScaler(), FOREST), "randomforestregressor__"),
]


def n_trees(batch, fit):
    return next(v for name, v in batch.fits[fit].parameters.items() if "n_est" in name)


def check_paths_are_whole(batch, chunks, fits):
    """Each fit is in one chunk, and follows the longest one of its path there."""
    assert sorted(fit for chunk in chunks for fit in chunk) == sorted(fits)
    paths = {}
    for number, chunk in enumerate(chunks):
        for fit in chunk:
            token = batch.context.shared_work.paths[fit].token
            first_chunk, leader = paths.setdefault((token, batch.fits[fit].split), (number, fit))
            assert first_chunk == number
            assert n_trees(batch, leader) >= n_trees(batch, fit)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.sampled_from(BATCHES),
    fits=st.sets(st.integers(0, 23), min_size=1),
    n_workers=st.integers(1, 30),
    size=st.one_of(st.just("auto"), st.integers(1, 5)),
)
def test_paths_are_whole_in_all_kinds_of_chunks(batch, fits, n_workers, size):
    fits = sorted(fits)
    units = [unit for group in make_units(batch, fits, n_workers) for unit in group]
    for chunks in (
        make_chunks(batch, fits, n_workers, fits_per_chunk=size),
        make_container_chunks(batch, fits, n_workers),
        units,
        [order_by_shared_work(batch, fits)],
    ):
        check_paths_are_whole(batch, chunks, fits)


@pytest.mark.parametrize("batch", BATCHES, ids=["model", "pipeline"])
def test_a_path_is_one_chunk_if_there_are_enough_workers(batch):
    chunks = make_chunks(batch, range(24), 100)
    assert len(chunks) == 4 * len(DEPTHS)
    assert all([n_trees(batch, fit) for fit in chunk] == [40, 20, 5] for chunk in chunks)
