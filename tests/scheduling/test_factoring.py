"""How many fits share a task in the cloud, and how far from the ideal that ends (simulated)."""

import heapq
from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdistsearch.scheduling._factoring import factoring_chunks, seconds_by_candidate

WORKERS, SPLITS = 50, 5


def independent(n, random):
    return random.lognormal(np.log(10), 1.5, n)


def alike(n, random):
    return np.repeat(independent(n // SPLITS, random), SPLITS) * random.lognormal(0, 0.05, n)


def growing(n, random):
    return np.sort(alike(n, random))


def falling(n, random):
    return growing(n, random)[::-1]


def repeating(n, random):
    values = np.repeat(np.sort(independent(10, random)), SPLITS)
    return np.resize(values, n) * random.lognormal(0, 0.05, n)


CASES = pytest.mark.parametrize("n", [1000, 3000, 10000])
TIMES = pytest.mark.parametrize("draw", [independent, alike, growing, falling, repeating])


def makespan(chunks, times):
    ends = [0.0] * WORKERS
    for chunk in chunks:
        heapq.heapreplace(ends, ends[0] + sum(times[fit] for fit in chunk))
    return max(ends)


def ideal(times):
    return max(sum(times) / WORKERS, max(times))


def drawn(draw, n, runs=9):
    for seed in range(runs):
        random = np.random.default_rng(seed)
        yield draw(n, random).tolist(), random


durations = st.one_of(st.just(0.0), st.floats(1e-4, 1e5))


@st.composite
def rounds(draw):
    first, step = draw(st.integers(0, 9)), draw(st.integers(1, 3))
    fits = range(first, first + step * draw(st.integers(0, 1200)), step)
    options = {"workers": draw(st.integers(1, 250)), "tasks_max": draw(st.integers(1, 300))}
    if draw(st.booleans()):
        cycle = draw(st.lists(durations, min_size=1, max_size=30))
        timed = draw(st.sampled_from([1, 2, 7, 500]))
        options["seconds"] = {fit: cycle[fit % len(cycle)] for fit in fits[::timed]}
    return fits, options


@given(rounds())
def test_every_fit_is_in_one_chunk(case):
    fits, options = case
    chunks = factoring_chunks(fits, **options)
    assert sorted(fit for chunk in chunks for fit in chunk) == list(fits)
    assert all(chunks)


@given(rounds())
def test_tasks_are_no_more_than_allowed(case):
    fits, options = case
    assert len(factoring_chunks(fits, **options)) <= max(options["tasks_max"], options["workers"])


@given(rounds())
def test_chunks_are_the_same_each_time(case):
    fits, options = case
    assert factoring_chunks(fits, **options) == factoring_chunks(list(fits), **options)


@given(rounds())
def test_no_chunk_is_expected_to_take_longer_than_one_that_starts_earlier(case):
    fits, options = case
    seconds = options.get("seconds", {})
    usual = fmean(seconds.values()) if seconds else 0.0
    expected = [
        sum(seconds.get(fit, usual) for fit in chunk) for chunk in factoring_chunks(fits, **options)
    ]
    assert expected == sorted(expected, reverse=True)


@pytest.mark.parametrize("workers", [1, 50, 300])
def test_few_fits_have_a_task_each_in_their_order(workers):
    assert factoring_chunks(range(50), workers) == [(fit,) for fit in range(50)]


def test_few_fits_start_longest_first_and_the_unknown_between():
    assert factoring_chunks([3, 5, 7, 9], 2, seconds={3: 1.0, 5: 9.0, 9: 8.0}) == [
        (5,),
        (9,),
        (7,),
        (3,),
    ]


def test_as_many_fits_as_tasks_are_not_shared():
    assert factoring_chunks(range(200), WORKERS) == [(fit,) for fit in range(200)]
    assert {len(chunk) for chunk in factoring_chunks(range(201), WORKERS)} == {1, 2}


def test_more_workers_than_tasks_raise_the_limit():
    assert len(factoring_chunks(range(1000), 300, tasks_max=200)) == 300


def test_chunks_of_unknown_fits_shrink_by_half():
    sizes = [len(chunk) for chunk in factoring_chunks(range(10000), WORKERS)]
    waves = [sum(sizes[first : first + WORKERS]) for first in range(0, 200, WORKERS)]
    assert waves == pytest.approx([10000 * share / 15 for share in (8, 4, 2, 1)], rel=0.06)
    assert all(max(wave) - min(wave) <= 1 for wave in np.reshape(sizes, (4, WORKERS)).tolist())


def test_chunks_that_are_not_for_all_workers_are_smaller_still():
    sizes = [len(chunk) for chunk in factoring_chunks(range(10000), 150)]
    assert fmean(sizes[150:]) == pytest.approx(fmean(sizes[:150]) / 6, rel=0.1)


def test_few_workers_do_not_start_many_tasks():
    assert len(factoring_chunks(range(1000), 1)) == 4


def test_both_ends_of_the_grid_start_first():
    chunks = factoring_chunks(range(10000), WORKERS)
    begun = {fit for chunk in chunks[:WORKERS] for fit in chunk}
    assert {*range(20), *range(9980, 10000)} <= begun
    last = [fit for chunk in chunks[2 * WORKERS :] for fit in chunk]
    assert min(last) >= 150
    assert max(last) < 9920


@pytest.mark.parametrize(
    ("seconds", "n_tasks"),
    [(0.0, 1), (0.001, 1), (0.015, 5), (0.1, 34), (0.15, 50), (1.0, 50), (1.5, 100), (10.0, 200)],
)
def test_tasks_are_worth_their_start(seconds, n_tasks):
    assert (
        len(factoring_chunks(range(10000), WORKERS, seconds=dict.fromkeys(range(10000), seconds)))
        == n_tasks
    )


@pytest.mark.parametrize(("timed", "n_tasks"), [(9999, 2), (9990, 11), (9900, 50), (500, 200)])
def test_short_fits_that_were_timed_do_not_vouch_for_the_others(timed, n_tasks):
    chunks = factoring_chunks(range(10000), WORKERS, seconds=dict.fromkeys(range(timed), 0.001))
    assert len(chunks) == n_tasks


def test_times_of_other_fits_count_for_nothing():
    assert factoring_chunks(range(1000), 50, seconds={1000: 1e-3}) == factoring_chunks(
        range(1000), 50
    )


def test_longest_fit_runs_alone_and_first():
    seconds = {**dict.fromkeys(range(1000), 10.0), 700: 5000.0}
    assert factoring_chunks(range(1000), WORKERS, seconds=seconds)[0] == (700,)


@TIMES
@CASES
def test_known_times_end_near_the_ideal(draw, n):
    for times, _ in drawn(draw, n):
        chunks = factoring_chunks(range(n), WORKERS, seconds=dict(enumerate(times)))
        assert makespan(chunks, times) <= 1.06 * ideal(times)


@TIMES
@CASES
def test_roughly_known_times_end_near_the_ideal(draw, n):
    for times, random in drawn(draw, n):
        recorded = (times * random.lognormal(0, 0.3, n)).tolist()
        chunks = factoring_chunks(range(n), WORKERS, seconds=dict(enumerate(recorded)))
        assert makespan(chunks, times) <= 1.25 * ideal(times)


@TIMES
@CASES
def test_unknown_times_end_about_when_a_task_for_each_fit_would(draw, n):
    chunks = factoring_chunks(range(n), WORKERS)
    singles = [(fit,) for fit in range(n)]
    ends = [(makespan(chunks, times), makespan(singles, times)) for times, _ in drawn(draw, n)]
    assert median(shared / alone for shared, alone in ends) <= 1.25


@TIMES
def test_unknown_times_end_near_the_ideal_if_no_fit_is_long(draw):
    n = 10000
    chunks = factoring_chunks(range(n), WORKERS)
    for times, _ in drawn(draw, n):
        times = np.sqrt(times).tolist()
        assert makespan(chunks, times) <= 1.25 * ideal(times)


@TIMES
def test_one_known_time_spoils_nothing(draw):
    n = 10000
    chunks = factoring_chunks(range(n), WORKERS, seconds={0: 10.0})
    for times, _ in drawn(draw, n):
        times = np.sqrt(times).tolist()
        assert makespan(chunks, times) <= 1.25 * ideal(times)


def test_seconds_by_candidate_are_those_of_other_splits():
    found = seconds_by_candidate([0, 0, 0, 1, 1, 2], {0: 1.0, 2: 3.0, 5: 7.0})
    assert found == {0: 1.0, 1: 2.0, 2: 3.0, 5: 7.0}
