"""Validation and chunks of `MetaflowBackend`."""

import sys

import pytest
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.backends import Batch
from skdistsearch.exceptions import BackendConfigError


def test_missing_metaflow_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "metaflow", None)
    with pytest.raises(BackendConfigError, match="pip install metaflow"):
        DistributedSearchCV(Ridge(), {"alpha": [1.0]}, backend="metaflow").fit([[1], [2]], [0, 1])


def test_all_invalid_arguments_are_reported_at_once():
    with pytest.raises(BackendConfigError) as info:
        MetaflowBackend(compute="moon", fits_per_task=0, max_workers="two", tags=[1])
    for name in ("compute='moon': must be one of local", "fits_per_task=0", "max_workers=", "tags"):
        assert name in str(info.value)


def test_single_tag_may_be_a_string():
    assert MetaflowBackend(tags="mine") == MetaflowBackend(tags=("mine",))


@pytest.mark.parametrize(
    ("fits_per_task", "n_jobs", "sizes"),
    [("auto", 2, [25, 25]), (1, 2, [1] * 50), (20, 2, [20, 20, 10]), ("auto", 80, [1] * 50)],
)
def test_fits_per_task_sets_the_size_of_chunks(fits_per_task, n_jobs, sizes):
    backend = MetaflowBackend(fits_per_task=fits_per_task)
    chunks = backend._make_chunks(range(50), Batch("key", dict, (), {}, [], n_jobs=n_jobs))
    assert [len(chunk) for chunk in chunks] == sizes


def test_up_to_200_fits_have_their_own_container():
    backend = MetaflowBackend(compute="batch")
    batch = Batch("key", dict, (), {}, [])
    assert [len(chunk) for chunk in backend._make_chunks(range(50), batch)] == [1] * 50
    chunks = backend._make_chunks(range(10_000), batch)
    assert len(chunks) == 200
    assert sorted(fit for chunk in chunks for fit in chunk) == list(range(10_000))
