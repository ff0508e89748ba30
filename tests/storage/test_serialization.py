"""Batches as bytes: memory-mapped, written once, and verified before they are unpickled."""

import re
import stat
import sys
import threading

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV
from skdistsearch._batch import Batch, Fit
from skdistsearch.exceptions import CorruptDataError, NotPicklableError
from skdistsearch.storage._serialization import (
    dump_batch,
    dump_json,
    dump_objects,
    load_batch,
    load_json,
    load_objects,
    release_pages,
)
from skdistsearch.storage._store import FolderStore

N_BIG = 100_000  # rows of an X that is an object of its own
BIG_BYTES = 3 * 8 * N_BIG


def make_batch(n_rows=20):
    X = np.asfortranarray(np.arange(3.0 * n_rows).reshape(n_rows, 3))
    return DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2).plan(X, X[:, 0]).batch


@pytest.mark.parametrize("content_addressed", [True, False])
@pytest.mark.parametrize("n_rows", [20, N_BIG], ids=["inline", "external"])
def test_arrays_of_a_loaded_batch_are_mapped_and_writable(n_rows, content_addressed, tmp_path):
    batch = make_batch(n_rows)
    store = FolderStore(tmp_path)
    manifest = dump_batch(batch, store, content_addressed=content_addressed).manifest
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    X = load_batch(str(tmp_path), manifest).arguments[1]
    np.testing.assert_array_equal(X, batch.arguments[1])
    assert not X.flags.owndata
    assert X.flags.aligned
    assert X.flags.f_contiguous
    X[0, 0] = -1  # the mapping is copy-on-write
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def mapped(tmp_path):
    """Return an X that is a mapped file."""
    np.save(tmp_path / "X.npy", np.arange(3.0 * N_BIG).reshape(-1, 3))
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def dump_mapped(X, store, *, content_addressed):
    batch = Batch("key", print, (Ridge(), X, None), {}, [Fit(0, 0, {}, {})])
    return dump_batch(batch, store, content_addressed=content_addressed).manifest


@pytest.mark.skipif(sys.platform != "linux", reason="finds files in /proc")
def test_mapped_file_of_the_user_is_not_copied(mapped, tmp_path):
    store = FolderStore(tmp_path / "store")
    manifest = dump_mapped(mapped[10:], store, content_addressed=False)
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["manifest"]
    assert (tmp_path / "store" / manifest).stat().st_size < BIG_BYTES / 10
    X = load_batch(store.url, manifest).arguments[1]
    np.testing.assert_array_equal(X, mapped[10:])


def test_mapped_file_is_copied_for_other_machines(mapped, tmp_path):
    store = FolderStore(tmp_path / "store")
    manifest = dump_mapped(mapped, store, content_addressed=True)
    (tmp_path / "X.npy").unlink()
    np.testing.assert_array_equal(load_batch(store.url, manifest).arguments[1], mapped)


@pytest.mark.parametrize("n_rows", [20, N_BIG], ids=["inline", "external"])
def test_array_is_read_again_after_its_memory_was_freed(n_rows, tmp_path):
    batch = make_batch(n_rows)
    manifest = dump_batch(batch, FolderStore(tmp_path), content_addressed=False).manifest
    X = load_batch(str(tmp_path), manifest).arguments[1]
    for array in (X, batch.arguments[1]):  # the second one is not mapped
        release_pages(array)
        np.testing.assert_array_equal(array, batch.arguments[1])


def test_equal_data_is_written_once(tmp_path):
    for batch in (make_batch(N_BIG), make_batch(N_BIG)):
        dump_batch(batch, FolderStore(tmp_path), content_addressed=True)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sizes.count(BIG_BYTES) == 1
    assert len(sizes) == 3  # X, and a manifest for each batch
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


@pytest.mark.parametrize("changed", ["manifest", "X"])
def test_changed_bytes_are_not_unpickled(changed, tmp_path):
    store = FolderStore(tmp_path)
    manifest = dump_batch(make_batch(N_BIG), store, content_addressed=True).manifest
    (big,) = (path for path in tmp_path.iterdir() if path.stat().st_size == BIG_BYTES)
    path = big if changed == "X" else tmp_path / manifest
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptDataError, match=r"is corrupt: its SHA-256.*None of it was loaded"):
        load_batch(str(tmp_path), manifest)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            b'"format": 2',
            b'"format": 9',
            "The batch has format 9, but this version of skdistsearch reads 2",
        ),
        (b'{"format"', b'x"format"', "Not a batch of fits: it starts with"),
    ],
)
def test_other_format_is_rejected(old, new, message, tmp_path):
    dump_batch(make_batch(), FolderStore(tmp_path), content_addressed=False)
    path = tmp_path / "manifest"
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(CorruptDataError, match=message):
        load_batch(str(tmp_path), "manifest")


def test_json_round_trip_is_verified(tmp_path):
    name = dump_json({"a": [1, None]}, FolderStore(tmp_path))
    assert load_json(str(tmp_path), name) == {"a": [1, None]}
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(CorruptDataError, match=re.escape(f"{tmp_path}/{name} is corrupt")):
        load_json(str(tmp_path), name)


def test_smallest_unpicklable_part_is_named(tmp_path):
    estimator = Ridge(alpha={"nested": [1.0, threading.Lock()]})
    batch = Batch("key", print, (estimator, np.zeros(3)), {}, [Fit(0, 0, {"alpha": 1.0}, {})])
    message = r"estimator\.alpha\.nested\.1 \(lock\): cannot pickle.*\. Use objects that can be"
    with pytest.raises(NotPicklableError, match=message):
        dump_batch(batch, FolderStore(tmp_path), content_addressed=True)
    assert list(tmp_path.iterdir()) == []


def test_objects_come_back_and_equal_ones_are_stored_once(tmp_path):
    X = np.arange(3.0 * N_BIG).reshape(N_BIG, 3)
    store = FolderStore(tmp_path)
    stored = dump_objects({"search": Ridge(), "X": X}, store)
    n_files = len(list(tmp_path.iterdir()))
    assert dump_objects({"search": Ridge(), "X": X}, store) == stored
    assert len(list(tmp_path.iterdir())) == n_files == 2
    objects = load_objects(str(tmp_path), stored.manifest, tmp_path)
    np.testing.assert_array_equal(objects["X"], X)
    assert "sklearn.linear_model._ridge" in stored.modules


def test_changed_objects_are_refused(tmp_path):
    stored = dump_objects({"X": np.arange(3.0 * N_BIG)}, FolderStore(tmp_path))
    for path in tmp_path.iterdir():
        if path.name != stored.manifest:
            path.write_bytes(b"!" + path.read_bytes()[1:])
    with pytest.raises(CorruptDataError, match="None of it was loaded"):
        load_objects(str(tmp_path), stored.manifest, tmp_path)


def test_error_names_the_object_that_cannot_be_pickled(tmp_path):
    with pytest.raises(NotPicklableError, match=r"another process: X\.1 \(lock\): cannot pickle"):
        dump_objects({"X": [1, threading.Lock()]}, FolderStore(tmp_path))
