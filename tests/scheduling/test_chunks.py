"""The two simple ways to cut fits into chunks."""

import pytest

from skdistsearch.scheduling import consecutive_chunks, interleaved_chunks


@pytest.mark.parametrize("n_fits", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize(
    "make_chunks",
    [lambda fits: interleaved_chunks(fits, 3), lambda fits: consecutive_chunks(fits, 4)],
    ids=["interleaved", "consecutive"],
)
def test_chunks_contain_each_fit_once(make_chunks, n_fits):
    chunks = make_chunks(range(n_fits))
    assert sorted(fit for chunk in chunks for fit in chunk) == list(range(n_fits))
    assert all(chunks)


@pytest.mark.parametrize(("n_chunks", "period"), [(2, 2), (10, 5), (50, 10)])
def test_slow_fits_at_a_fixed_period_are_spread_over_all_chunks(n_chunks, period):
    chunks = interleaved_chunks(range(1000), n_chunks)
    slow = [sum(fit % period == 0 for fit in chunk) for chunk in chunks]
    assert max(slow) <= 2 * 1000 / period / n_chunks
    assert {len(chunk) for chunk in chunks} == {1000 // n_chunks}
