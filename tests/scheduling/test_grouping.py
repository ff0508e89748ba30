"""Chunks contain each fit once, split few groups with shared work, and take equally long."""

import numpy as np
import pytest
from helpers.transformers import GRID, PIPELINE, RecordingTransformer, make_data
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from skdistsearch import DistributedSearchCV
from skdistsearch.scheduling._grouping import balanced_chunks, chunk_per_group


def make_batch(pipe=PIPELINE, grid=GRID):
    """Return a batch on three splits. With the defaults it has 36 fits in six groups of six."""
    return DistributedSearchCV(pipe, grid, cv=3).plan(*make_data()).batch


def groups_of(batch, chunk):
    """Return the groups of the fits in a chunk: split and first transformer."""
    tokens = batch.context.shared_work.tokens
    return {(batch.fits[fit].split, tokens[fit][0]) for fit in chunk}


@pytest.mark.parametrize("n_chunks", [1, 2, 7, 100])
def test_balanced_chunks_contain_each_fit_once_and_split_few_groups(n_chunks):
    batch = make_batch()
    chunks = balanced_chunks(batch, range(len(batch)), n_chunks)
    assert sorted(fit for chunk in chunks for fit in chunk) == list(range(36))
    sizes = {len(chunk) for chunk in chunks}
    assert max(sizes) - min(sizes) <= 1
    if n_chunks <= 7:
        assert sum(len(groups_of(batch, chunk)) for chunk in chunks) <= 6 + n_chunks - 1


def test_each_part_of_a_group_resembles_the_whole_group():
    pipe = Pipeline([("a", RecordingTransformer()), ("model", Ridge())])
    batch = make_batch(pipe, {"model__alpha": list(np.arange(1.0, 11.0))})
    for chunk in balanced_chunks(batch, range(len(batch)), 2):
        slow = [fit for fit in chunk if batch.fits[fit].candidate >= 5]
        assert abs(len(slow) - len(chunk) / 2) <= 1


def test_balanced_chunks_take_equally_long_if_durations_are_known():
    batch = make_batch()
    seconds = {
        fit: 10.0 if batch.fits[fit].parameters["a__factor"] == 1.0 else 1.0
        for fit in range(len(batch))
    }
    batch = batch.with_context(expected_seconds=seconds)
    chunks = balanced_chunks(batch, range(len(batch)), 4)
    sums = [sum(seconds[fit] for fit in chunk) for chunk in chunks]
    assert max(sums) <= sum(sums) / 4 + 10
    assert sums == sorted(sums, reverse=True)


@pytest.mark.parametrize(("n_workers", "n_chunks"), [(2, 6), (6, 6), (12, 12), (17, 12), (100, 36)])
def test_chunk_per_group_contains_one_group_or_a_part_of_it(n_workers, n_chunks):
    batch = make_batch()
    chunks = chunk_per_group(batch, range(len(batch)), n_workers)
    assert sorted(fit for chunk in chunks for fit in chunk) == list(range(36))
    assert len(chunks) == n_chunks
    assert all(len(groups_of(batch, chunk)) == 1 for chunk in chunks)


def test_groups_are_combined_if_there_are_too_many():
    batch = make_batch(grid={**GRID, "a__factor": list(np.arange(1.0, 9.0))})
    assert len(chunk_per_group(batch, range(len(batch)), 2, chunks_max=10)) == 10
