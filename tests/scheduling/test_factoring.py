"""Chunks for containers are few, and simulated runs end close to the ideal time."""

import heapq
from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdistsearch.scheduling._factoring import factoring_chunks, seconds_by_candidate

N_WORKERS, N_SPLITS = 50, 5


def independent(n, random):
    return random.lognormal(np.log(10), 1.5, n)


def similar_per_candidate(n, random):
    return np.repeat(independent(n // N_SPLITS, random), N_SPLITS) * random.lognormal(0, 0.05, n)


def growing(n, random):
    return np.sort(similar_per_candidate(n, random))


def falling(n, random):
    return growing(n, random)[::-1]


def repeating(n, random):
    values = np.repeat(np.sort(independent(10, random)), N_SPLITS)
    return np.resize(values, n) * random.lognormal(0, 0.05, n)


N_FITS = pytest.mark.parametrize("n", [1000, 3000, 10000])
DISTRIBUTIONS = pytest.mark.parametrize(
    "draw", [independent, similar_per_candidate, growing, falling, repeating]
)


def makespan(chunks, times):
    """Return the time at which the last of `N_WORKERS` workers ends."""
    ends = [0.0] * N_WORKERS
    for chunk in chunks:
        heapq.heapreplace(ends, ends[0] + sum(times[fit] for fit in chunk))
    return max(ends)


def ideal_makespan(times):
    """Return a lower bound of the makespan."""
    return max(sum(times) / N_WORKERS, max(times))


def draw_times(draw, n, n_draws=9):
    """Yield durations of ``n`` fits, and the generator that drew them."""
    for seed in range(n_draws):
        random = np.random.default_rng(seed)
        yield draw(n, random).tolist(), random


durations = st.one_of(st.just(0.0), st.floats(1e-4, 1e5))


@st.composite
def rounds(draw):
    """Draw the fits of a round, and options of `factoring_chunks`."""
    first, step = draw(st.integers(0, 9)), draw(st.integers(1, 3))
    fits = range(first, first + step * draw(st.integers(0, 1200)), step)
    options = {"n_workers": draw(st.integers(1, 250)), "tasks_max": draw(st.integers(1, 300))}
    if draw(st.booleans()):
        cycle = draw(st.lists(durations, min_size=1, max_size=30))
        every = draw(st.sampled_from([1, 2, 7, 500]))
        options["seconds"] = {fit: cycle[fit % len(cycle)] for fit in fits[::every]}
    return fits, options


@given(rounds())
def test_every_fit_is_in_one_chunk(case):
    fits, options = case
    chunks = factoring_chunks(fits, **options)
    assert sorted(fit for chunk in chunks for fit in chunk) == list(fits)
    assert all(chunks)


@given(rounds())
def test_number_of_chunks_is_limited(case):
    fits, options = case
    assert len(factoring_chunks(fits, **options)) <= max(options["tasks_max"], options["n_workers"])


@given(rounds())
def test_chunks_are_reproducible(case):
    fits, options = case
    assert factoring_chunks(fits, **options) == factoring_chunks(list(fits), **options)


@given(rounds())
def test_longest_expected_chunks_start_first(case):
    fits, options = case
    seconds = options.get("seconds", {})
    mean = fmean(seconds.values()) if seconds else 0.0
    expected = [
        sum(seconds.get(fit, mean) for fit in chunk) for chunk in factoring_chunks(fits, **options)
    ]
    assert expected == sorted(expected, reverse=True)


@pytest.mark.parametrize("n_workers", [1, 50, 300])
def test_few_fits_have_a_chunk_each_in_their_order(n_workers):
    assert factoring_chunks(range(50), n_workers) == [(fit,) for fit in range(50)]


def test_unknown_fits_start_between_longer_and_shorter_ones():
    assert factoring_chunks([3, 5, 7, 9], 2, seconds={3: 1.0, 5: 9.0, 9: 8.0}) == [
        (5,),
        (9,),
        (7,),
        (3,),
    ]


def test_fits_share_chunks_only_above_the_limit():
    assert factoring_chunks(range(200), N_WORKERS) == [(fit,) for fit in range(200)]
    assert {len(chunk) for chunk in factoring_chunks(range(201), N_WORKERS)} == {1, 2}


def test_more_workers_than_tasks_raise_the_limit():
    assert len(factoring_chunks(range(1000), 300, tasks_max=200)) == 300


def test_chunks_of_unknown_fits_shrink_by_half():
    sizes = [len(chunk) for chunk in factoring_chunks(range(10000), N_WORKERS)]
    waves = [sum(sizes[first : first + N_WORKERS]) for first in range(0, 200, N_WORKERS)]
    assert waves == pytest.approx([10000 * share / 15 for share in (8, 4, 2, 1)], rel=0.06)
    assert all(max(wave) - min(wave) <= 1 for wave in np.reshape(sizes, (4, N_WORKERS)).tolist())


def test_last_wave_with_fewer_chunks_than_workers_has_smaller_chunks():
    sizes = [len(chunk) for chunk in factoring_chunks(range(10000), 150)]
    assert fmean(sizes[150:]) == pytest.approx(fmean(sizes[:150]) / 6, rel=0.1)


def test_one_worker_gets_few_chunks():
    assert len(factoring_chunks(range(1000), 1)) == 4


def test_both_ends_of_the_grid_start_first():
    chunks = factoring_chunks(range(10000), N_WORKERS)
    first = {fit for chunk in chunks[:N_WORKERS] for fit in chunk}
    assert {*range(20), *range(9980, 10000)} <= first
    last = [fit for chunk in chunks[2 * N_WORKERS :] for fit in chunk]
    assert min(last) >= 150
    assert max(last) < 9920


@pytest.mark.parametrize(
    ("seconds", "n_tasks"),
    [(0.0, 1), (0.001, 1), (0.015, 5), (0.1, 34), (0.15, 50), (1.0, 50), (1.5, 100), (10.0, 200)],
)
def test_chunks_are_worth_the_start_of_a_task(seconds, n_tasks):
    assert (
        len(factoring_chunks(range(10000), N_WORKERS, seconds=dict.fromkeys(range(10000), seconds)))
        == n_tasks
    )


@pytest.mark.parametrize(("n_known", "n_tasks"), [(9999, 2), (9990, 11), (9900, 50), (500, 200)])
def test_durations_of_short_fits_do_not_generalise(n_known, n_tasks):
    chunks = factoring_chunks(range(10000), N_WORKERS, seconds=dict.fromkeys(range(n_known), 0.001))
    assert len(chunks) == n_tasks


def test_durations_of_other_fits_are_ignored():
    assert factoring_chunks(range(1000), 50, seconds={1000: 1e-3}) == factoring_chunks(
        range(1000), 50
    )


def test_longest_fit_runs_alone_and_first():
    seconds = {**dict.fromkeys(range(1000), 10.0), 700: 5000.0}
    assert factoring_chunks(range(1000), N_WORKERS, seconds=seconds)[0] == (700,)


@DISTRIBUTIONS
@N_FITS
def test_known_durations_end_near_the_ideal(draw, n):
    for times, _ in draw_times(draw, n):
        chunks = factoring_chunks(range(n), N_WORKERS, seconds=dict(enumerate(times)))
        assert makespan(chunks, times) <= 1.06 * ideal_makespan(times)


@DISTRIBUTIONS
@N_FITS
def test_inaccurate_durations_end_near_the_ideal(draw, n):
    for times, random in draw_times(draw, n):
        expected = (times * random.lognormal(0, 0.3, n)).tolist()
        chunks = factoring_chunks(range(n), N_WORKERS, seconds=dict(enumerate(expected)))
        assert makespan(chunks, times) <= 1.25 * ideal_makespan(times)


@DISTRIBUTIONS
@N_FITS
def test_unknown_durations_end_about_as_early_as_one_chunk_per_fit(draw, n):
    chunks = factoring_chunks(range(n), N_WORKERS)
    singles = [(fit,) for fit in range(n)]
    ratios = [
        makespan(chunks, times) / makespan(singles, times) for times, _ in draw_times(draw, n)
    ]
    assert median(ratios) <= 1.25


@DISTRIBUTIONS
def test_unknown_durations_end_near_the_ideal_without_long_fits(draw):
    n = 10000
    chunks = factoring_chunks(range(n), N_WORKERS)
    for times, _ in draw_times(draw, n):
        times = np.sqrt(times).tolist()
        assert makespan(chunks, times) <= 1.25 * ideal_makespan(times)


@DISTRIBUTIONS
def test_single_known_duration_does_no_harm(draw):
    n = 10000
    chunks = factoring_chunks(range(n), N_WORKERS, seconds={0: 10.0})
    for times, _ in draw_times(draw, n):
        times = np.sqrt(times).tolist()
        assert makespan(chunks, times) <= 1.25 * ideal_makespan(times)


def test_unknown_durations_are_medians_of_the_candidate():
    seconds = seconds_by_candidate([0, 0, 0, 1, 1, 2], {0: 1.0, 2: 3.0, 5: 7.0})
    assert seconds == {0: 1.0, 1: 2.0, 2: 3.0, 5: 7.0}
