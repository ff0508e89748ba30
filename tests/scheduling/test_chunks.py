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
