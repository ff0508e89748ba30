"""Slices in files equal those of scikit-learn, are private to each fit, and go away."""

import errno
import logging
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.transformers import assert_same_results
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.utils import _safe_indexing

from skdistsearch import DistributedSearchCV
from skdistsearch.execution import _shared_work, _slice_files
from skdistsearch.execution._slice_files import SliceFiles, SliceFolders, open_slice_files
from skdistsearch.storage import HAS_LOCKS

pytestmark = pytest.mark.skipif(not HAS_LOCKS, reason="needs locks of POSIX")

rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=(60, 4))
ARRAYS = {
    "array": NUMBERS,
    "Fortran order": np.asfortranarray(NUMBERS),
    "every second column": NUMBERS[:, ::2],
    "vector": NUMBERS[:, 0],
    "three axes": NUMBERS.reshape(60, 2, 2),
    "dates": np.arange("2000-01-01", "2000-03-01", dtype="datetime64[D]"),
    "strings": np.array(["a", "bcd"] * 30),
}
TABLES = {
    "frame": pd.DataFrame(NUMBERS, columns=list("abcd")),
    "frame with two types": pd.DataFrame({"a": NUMBERS[:, 0], "b": np.arange(60)}),
    "series": pd.Series(NUMBERS[:, 0], name="y"),
    "csr": sparse.csr_matrix(NUMBERS),
    "csc": sparse.csc_array(NUMBERS),
}
ROWS = {
    "sorted": np.arange(10, 50),
    "shuffled": rng.permutation(60)[:40],
    "mask": np.arange(60) % 3 > 0,
    "from the end": -np.arange(1, 30),
}


@pytest.fixture(autouse=True)
def small_data_is_large(monkeypatch):
    monkeypatch.setattr(_shared_work, "_LARGE_DATA_MIN_MB", 0.0)
    monkeypatch.setattr(_shared_work, "_DATA_MIN_MB", 0.0)
    monkeypatch.setattr(_slice_files, "_FILE_MIN_MB", 0.0)
    monkeypatch.setattr(_slice_files, "_PART", 400)  # bytes: several parts for each slice
    monkeypatch.setattr(_slice_files, "_BLOCK", 100)


@pytest.fixture
def folders(tmp_path):
    for name in ("steps", "memory", "disk"):
        (tmp_path / name).mkdir()
    return SliceFolders(str(tmp_path / "steps"), (str(tmp_path / "memory"), str(tmp_path / "disk")))


@pytest.fixture
def files(folders):
    files = SliceFiles(folders, 0)
    yield files
    files.close()


def load(files, data, rows):
    return files.load("0-train", data, rows, lambda: _safe_indexing(data, rows))


def list_slices(folders):
    return [path for folder in folders.data for path in Path(folder).glob("*.data")]


def flat(value):
    return value.toarray() if sparse.issparse(value) else np.asarray(value)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", [*ARRAYS, *TABLES])
def test_slice_equals_that_of_scikit_learn(name, rows, files):
    data = (ARRAYS | TABLES)[name]
    actual = load(files, data, ROWS[rows])
    expected = _safe_indexing(data, ROWS[rows])
    assert type(actual) is type(expected)
    np.testing.assert_array_equal(flat(actual), flat(expected))
    if name in ARRAYS:
        assert (actual.dtype, actual.strides) == (expected.dtype, expected.strides)
        assert actual.flags.writeable
        assert actual.flags.aligned
    elif hasattr(expected, "index"):
        pd.testing.assert_index_equal(actual.index, expected.index)


@pytest.mark.parametrize("name", ["array", "frame", "csr"])
def test_fit_that_writes_to_its_slice_changes_no_other(name, files):
    data, rows = (ARRAYS | TABLES)[name], np.arange(30)
    first = load(files, data, rows)
    target = first.data if name == "csr" else first
    target[:] = 0
    second = load(files, data, rows)
    assert not flat(first).any()
    np.testing.assert_array_equal(flat(second), flat(_safe_indexing(data, rows)))


@pytest.mark.parametrize(
    "data",
    [
        np.array(["a", None] * 30, object),
        pd.DataFrame({"a": pd.array(range(60), "Int64")}),
        pd.Series(["a", "b"] * 30),
        list(range(60)),
        NUMBERS.reshape(60, 2, 2).transpose(0, 2, 1),
    ],
    ids=["objects", "nullable", "text", "list", "other layout"],
)
def test_other_types_are_in_no_file(data, files, folders):
    assert load(files, data, np.arange(30)) is None
    assert list_slices(folders) == []


def slice_in_other_process(folders, ready, end):
    files = SliceFiles(folders, 0)
    load(files, np.zeros((60, 4)), np.arange(30))
    ready.set()
    end.wait(20)
    files.close()


def test_slice_is_made_once_and_deleted_by_its_last_user(folders):
    context = multiprocessing.get_context("fork")
    ready, end = context.Event(), context.Event()
    other = context.Process(target=slice_in_other_process, args=(folders, ready, end))
    other.start()
    assert ready.wait(20)
    files = SliceFiles(folders, 0)
    assert not load(files, np.ones((60, 4)), np.arange(30)).any()
    files.close()
    assert len(list_slices(folders)) == 1
    end.set()
    other.join(20)
    assert list_slices(folders) == []


def test_deleted_slice_is_not_made_again(folders):
    for _ in range(2):
        files = SliceFiles(folders, 0)
        loaded = load(files, NUMBERS, np.arange(30))
        files.close()
    assert loaded is None
    assert list_slices(folders) == []


@pytest.fixture
def full_folders(monkeypatch):
    """Return the set of folders that are full."""
    full = set()
    allocate = _slice_files._allocate

    def allocate_unless_full(file, n_bytes):
        if str(Path(file.name).parent) in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(file, n_bytes)

    monkeypatch.setattr(_slice_files, "_allocate", allocate_unless_full)
    return full


def test_slice_is_on_disk_if_memory_is_full(files, folders, full_folders, caplog):
    full_folders.add(folders.data[0])
    assert load(files, NUMBERS, np.arange(30)) is not None
    assert [path.parent.name for path in list_slices(folders)] == ["disk"]
    assert [record.message for record in caplog.records] == [
        f"[Errno 28] No space left on device. Slices of the data are on disk, not in "
        f"{folders.data[0]}."
    ]


def test_slice_is_in_no_file_if_the_disk_is_full(files, folders, full_folders):
    full_folders.update(folders.data)
    assert load(files, NUMBERS, np.arange(30)) is None
    assert list_slices(folders) == []


def test_slices_are_on_disk_if_they_need_more_than_the_free_memory(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "skdistsearch")
    monkeypatch.setattr(_slice_files, "free_memory_mb", lambda: 1e-4)
    DistributedSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2).fit(NUMBERS, NUMBERS[:, 0])
    assert "Slices of the data are on disk" in caplog.text


def test_file_system_without_locks_is_not_used(folders, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.lockf", fail)
    assert open_slice_files(folders, 0) is None


class WritesToInput(Ridge):
    """Writes to all of its input, and counts its fits."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        WritesToInput.n_fits += 1
        X *= 2
        y += X[:, 0]
        super().fit(X, y, sample_weight)
        X[:] = np.nan
        return self

    def predict(self, X):
        X += 1
        return super().predict(X)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("options", [{}, {"copy_X": False}], ids=str)
def test_estimator_that_writes_to_its_input_gets_the_scores_of_grid_search(options, n_jobs):
    X = np.tile(NUMBERS, (1000, 1))  # workers have the usual limits of size
    y = X @ np.arange(4.0)
    grid = {"alpha": [0.1, 1.0, 10.0]}
    # as many processes: BLAS sums with other threads in each differ in the last bits
    ours, theirs = (
        search(WritesToInput(**options), grid, cv=3, refit=False, n_jobs=n_jobs)
        for search in (DistributedSearchCV, GridSearchCV)
    )
    for search in (ours, theirs):
        search.fit(X.copy(), y.copy())
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_estimator_that_writes_to_its_input_is_fitted_once():
    WritesToInput.n_fits = 0
    search = DistributedSearchCV(WritesToInput(), {"alpha": [0.1, 1.0]}, cv=3, refit=False)
    search.fit(NUMBERS.copy(), NUMBERS @ np.arange(4.0))
    assert WritesToInput.n_fits == 6


class Resizes(Ridge):
    """Shortens its input in place, which numpy allows for an array that owns its memory."""

    def fit(self, X, y):
        X.resize((20, 4), refcheck=False)
        return super().fit(X, y[:20])


def test_estimator_that_resizes_its_input_gets_the_scores_of_grid_search():
    ours, theirs = (
        search(clone(Resizes()), {"alpha": [0.1, 1.0]}, cv=2, refit=False)
        .fit(NUMBERS.copy(), NUMBERS @ np.arange(4.0))
        .cv_results_
        for search in (DistributedSearchCV, GridSearchCV)
    )
    assert_same_results(ours, theirs)
