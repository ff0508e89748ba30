"""Workers claim each unit once, and units of one group stay together."""

import itertools
import threading
import time

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from skdistsearch import DistributedSearchCV
from skdistsearch._batch import SharedWork
from skdistsearch.scheduling._work_stealing import (
    all_fits,
    claim_units,
    make_units,
    split_into_units,
    split_stages,
)


def ignore(fits):
    """Ignore the fits that other workers have claimed."""


def run_workers(groups, folder, n_workers, seconds_of=lambda unit: 0.0):
    """Return the units that each worker claimed, in order. A unit takes ``seconds_of(unit)``."""
    claimed = [[] for _ in range(n_workers)]

    def work(worker):
        for unit in claim_units(groups, folder, ignore):
            claimed[worker].append(unit)
            time.sleep(seconds_of(unit))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(n_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return claimed


@pytest.mark.parametrize("sizes", [[1], [1000], [7, 1, 3], [16] * 9, [1] * 50])
@pytest.mark.parametrize("n_workers", [1, 2, 8])
def test_units_contain_each_fit_of_a_group_once(sizes, n_workers):
    ends = list(itertools.accumulate(sizes))
    groups = [tuple(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    unit_groups = split_into_units(groups, n_workers)
    assert [tuple(all_fits([units])) for units in unit_groups] == groups


def test_units_shrink_to_single_fits():
    (units,) = split_into_units([tuple(range(1000))], 2)
    assert len(units) < 60
    assert [len(unit) for unit in units[-4:]] == [1, 1, 1, 1]
    assert len(units[0]) <= 1000 / 8


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_each_unit_is_claimed_once(n_workers, tmp_path):
    groups = split_into_units(
        [tuple(range(40)), tuple(range(40, 43)), tuple(range(43, 100))], n_workers
    )
    claimed = run_workers(groups, tmp_path, n_workers, lambda unit: 0.001 * len(unit))
    assert sorted(fit for units in claimed for unit in units for fit in unit) == list(range(100))


def test_workers_begin_with_different_groups(tmp_path):
    groups = [[(0,), (1,)], [(2,), (3,)]]
    workers = [claim_units(groups, tmp_path, ignore) for _ in range(2)]
    assert next(workers[0]) == (0,)
    assert next(workers[1]) == (2,)
    assert next(workers[0]) == (1,)
    assert next(workers[1]) == (3,)


def test_idle_worker_steals_from_the_far_end_of_the_group_with_most_fits_left(tmp_path):
    groups = [[(0,), (1,)], [(2,), (3,), (4,), (5,)]]
    workers = [claim_units(groups, tmp_path, ignore) for _ in range(3)]
    assert next(workers[0]) == (0,)
    assert next(workers[1]) == (2,)
    assert next(workers[2]) == (5,)
    assert next(workers[1]) == (3,)
    assert next(workers[2]) == (4,)
    assert next(workers[2]) == (1,)


def test_units_claimed_earlier_by_the_same_owner_come_first(tmp_path):
    groups = [[(0,), (1,)], [(2,), (3,)]]
    earlier = claim_units(groups, tmp_path, ignore, "owner")
    assert [next(earlier), next(earlier)] == [(0,), (1,)]
    other = claim_units(groups, tmp_path, ignore, "other owner")
    assert next(other) == (2,)
    retried = claim_units(groups, tmp_path, ignore, "owner")
    assert list(retried) == [(0,), (1,), (3,)]
    assert list(other) == []


def test_no_worker_is_idle_while_another_has_work(tmp_path):
    groups = split_into_units([tuple(range(40))], 2)
    claimed = run_workers(groups, tmp_path, 2, lambda unit: 0.005 * len(unit))
    n_fits = [sum(map(len, units)) for units in claimed]
    assert abs(n_fits[0] - n_fits[1]) <= 6


def test_claims_of_other_workers_are_reported(tmp_path):
    groups = [[(0, 1), (2,)], [(3,)]]
    reported = []
    worker = claim_units(groups, tmp_path, reported.extend)
    other = claim_units(groups, tmp_path, ignore)
    assert next(worker) == (0, 1)
    assert next(other) == (3,)
    assert next(worker) == (2,)
    assert reported == [3]
    assert list(worker) == []


def test_all_workers_finish_a_stage_before_the_next_one(tmp_path):
    groups = [[(0,), (1,)], [(2,)], [(3,), (4,)]]
    workers = [claim_units(groups, tmp_path, ignore, stages=[0, 0, 1]) for _ in range(3)]
    assert next(workers[0]) == (0,)
    assert next(workers[1]) == (2,)
    assert next(workers[2]) == (1,)
    assert next(workers[1]) == (3,)
    assert next(workers[0]) == (4,)


@pytest.mark.parametrize("is_large", [False, True])
def test_with_large_data_each_fit_is_a_unit_and_each_split_a_stage(is_large):
    X = np.zeros((6, 1))
    search = DistributedSearchCV(DummyRegressor(), {"constant": range(40)}, cv=3)
    batch = search.plan(X, X[:, 0]).batch
    work = SharedWork([()] * len(batch), None, has_large_data=is_large)
    batch = batch.with_context(shared_work=work, expected_seconds={119: 100.0})
    groups = make_units(batch, range(len(batch)), 2)
    assert split_stages(batch, groups) == ([0, 1, 2] if is_large else [0, 0, 0])
    assert (max(map(len, groups[0])) == 1) == is_large
