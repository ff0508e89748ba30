"""The file of mapped memory is found, and only if the memory is its content."""

import sys

import numpy as np
import pytest

from skdistsearch.storage._mapped_memory import find_mapped_file

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
