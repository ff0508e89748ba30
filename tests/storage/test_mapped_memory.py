"""Mapped files are found, and used again only where no user can see a difference."""

import sys

import numpy as np
import pytest

from skdistsearch.storage._mapped_memory import (
    PrivateMapping,
    find_mapped_file,
    may_have_private_pages,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a file.npy"
    np.save(path, np.arange(20_000).reshape(-1, 4))
    return path


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_part_of_a_file_is_found(mode, path):
    rows = np.load(path, mmap_mode=mode)[10:3000]
    part = find_mapped_file(memoryview(np.asarray(rows)).cast("B"))
    assert part.path == str(path)
    assert path.read_bytes()[part.start :][: rows.nbytes] == rows.tobytes()


def test_memory_that_may_differ_from_its_file_has_none(path):
    assert find_mapped_file(memoryview(np.load(path, mmap_mode="c")).cast("B")) is None


def test_memory_of_no_file_has_none():
    assert find_mapped_file(memoryview(np.arange(100_000))) is None


@pytest.mark.parametrize("is_replaced", [False, True])
def test_file_that_is_gone_is_not_found(is_replaced, path):
    array = np.load(path, mmap_mode="r")
    path.unlink()
    if is_replaced:
        np.save(path, np.zeros((5000, 4), int))
    assert find_mapped_file(memoryview(array).cast("B")) is None


@pytest.fixture
def mapping(path):
    with open(path, "rb") as file:
        yield PrivateMapping(file)


def as_array(memory):
    return np.frombuffer(memory, np.uint8)


def test_mapping_that_was_only_read_is_used_again(mapping):
    first = as_array(mapping.share())
    address, total = first.ctypes.data, first.sum()
    del first
    second = as_array(mapping.share())
    assert (second.ctypes.data, second.sum()) == (address, total)


@pytest.mark.parametrize("position", [0, 100_000, -1])
def test_user_does_not_see_what_another_has_written(position, mapping, path):
    first = as_array(mapping.share())
    first[position] ^= 1
    del first
    assert as_array(mapping.share()).tobytes() == path.read_bytes()


@pytest.mark.parametrize("keep", [lambda a: a, lambda a: a[5:].reshape(-1, 1), memoryview])
def test_user_that_keeps_its_memory_keeps_it_for_itself(keep, mapping, path):
    kept = keep(as_array(mapping.share()))
    second = as_array(mapping.share())
    np.asarray(kept)[:] = 0
    assert second.tobytes() == path.read_bytes()


def test_memory_of_no_file_may_have_been_written_to():
    assert may_have_private_pages(memoryview(np.ones(100_000)))
