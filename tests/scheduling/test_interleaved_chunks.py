"""Chunks that interleave the fits of a grid."""

import pytest

from skdistsearch.scheduling import interleaved_chunks


@pytest.mark.parametrize(("n_chunks", "period"), [(2, 2), (10, 5), (50, 10)])
def test_slow_fits_at_a_fixed_period_are_spread_over_all_chunks(n_chunks, period):
    chunks = interleaved_chunks(range(1000), n_chunks)
    slow = [sum(fit % period == 0 for fit in chunk) for chunk in chunks]
    assert max(slow) <= 2 * 1000 / period / n_chunks
    assert {len(chunk) for chunk in chunks} == {1000 // n_chunks}
