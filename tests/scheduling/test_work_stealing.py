"""Workers take the next fits themselves: each once, and what shares work stays together."""

import itertools
import threading
import time

import pytest

from skdistsearch.scheduling._work_stealing import claim_units, split_into_units


def flat(groups):
    return [fit for cut in groups for unit in cut for fit in unit]


def run(groups, folder, n_lanes, seconds=lambda unit: 0.0):
    """What each lane took, in its order."""
    found = [[] for _ in range(n_lanes)]

    def lane(number):
        for unit in claim_units(groups, folder, lambda fits: None):
            found[number].append(unit)
            time.sleep(seconds(unit))

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(n_lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("sizes", [[1], [1000], [7, 1, 3], [16] * 9, [1] * 50])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_units_hold_each_fit_once_and_stay_within_a_group(sizes, workers):
    ends = list(itertools.accumulate(sizes))
    groups = [tuple(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    cut = split_into_units(groups, workers)
    assert [tuple(flat([group])) for group in cut] == groups


def test_units_are_few_and_end_with_single_fits():
    (cut,) = split_into_units([tuple(range(1000))], 2)
    assert len(cut) < 60
    assert [len(unit) for unit in cut[-4:]] == [1, 1, 1, 1]
    assert len(cut[0]) <= 1000 / 8


@pytest.mark.parametrize("n_lanes", [1, 2, 5])
def test_lanes_take_each_unit_once(n_lanes, tmp_path):
    groups = split_into_units(
        [tuple(range(40)), tuple(range(40, 43)), tuple(range(43, 100))], n_lanes
    )
    found = run(groups, tmp_path, n_lanes, lambda unit: 0.001 * len(unit))
    assert sorted(fit for lane in found for unit in lane for fit in unit) == list(range(100))


def test_lanes_begin_with_groups_of_their_own(tmp_path):
    groups = [[(0,), (1,)], [(2,), (3,)]]
    lanes = [claim_units(groups, tmp_path, lambda fits: None) for _ in range(2)]
    assert next(lanes[0]) == (0,)
    assert next(lanes[1]) == (2,)
    assert next(lanes[0]) == (1,)
    assert next(lanes[1]) == (3,)


def test_lane_without_a_group_helps_at_the_other_end_of_the_one_with_most_left(tmp_path):
    groups = [[(0,), (1,)], [(2,), (3,), (4,), (5,)]]
    lanes = [claim_units(groups, tmp_path, lambda fits: None) for _ in range(3)]
    assert next(lanes[0]) == (0,)
    assert next(lanes[1]) == (2,)
    assert next(lanes[2]) == (5,)
    assert next(lanes[1]) == (3,)
    assert next(lanes[2]) == (4,)
    assert next(lanes[2]) == (1,)


def test_what_a_try_before_has_taken_comes_first(tmp_path):
    groups = [[(0,), (1,)], [(2,), (3,)]]
    before = claim_units(groups, tmp_path, lambda fits: None, "mine")
    assert [next(before), next(before)] == [(0,), (1,)]
    other = claim_units(groups, tmp_path, lambda fits: None, "other's")
    assert next(other) == (2,)
    again = claim_units(groups, tmp_path, lambda fits: None, "mine")
    assert list(again) == [(0,), (1,), (3,)]
    assert list(other) == []


def test_one_lane_does_not_idle_while_the_other_has_work(tmp_path):
    groups = split_into_units([tuple(range(40))], 2)
    found = run(groups, tmp_path, 2, lambda unit: 0.005 * len(unit))
    n_fits = [sum(map(len, lane)) for lane in found]
    assert abs(n_fits[0] - n_fits[1]) <= 6


def test_lane_hears_of_what_others_have_taken(tmp_path):
    groups = [[(0, 1), (2,)], [(3,)]]
    heard = []
    mine = claim_units(groups, tmp_path, heard.extend)
    other = claim_units(groups, tmp_path, lambda fits: None)
    assert next(mine) == (0, 1)
    assert next(other) == (3,)
    assert next(mine) == (2,)
    assert heard == [3]
    assert list(mine) == []
