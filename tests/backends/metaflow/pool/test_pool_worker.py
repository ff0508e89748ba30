"""The task of a pool, called in this process: which fits it runs, and when it ends."""

import json
import sys
import threading
import time
import zipfile

import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV
from skdistsearch.backends.metaflow.pool import _worker
from skdistsearch.backends.metaflow.pool._late_modules import pack_modules, unpack_modules
from skdistsearch.backends.metaflow.pool._queue import Queue, Wave
from skdistsearch.backends.metaflow.pool._worker import PoolWorker
from skdistsearch.storage import FolderStore, JournalReader, dump_batch

X, y = load_diabetes(return_X_y=True)


@pytest.fixture
def queue(tmp_path):
    return Queue(str(tmp_path / "queue"))


@pytest.fixture
def batch():
    return DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2).plan(X, y).batch


@pytest.fixture
def publish(queue, batch, tmp_path):
    """Return a function that publishes the batch as a wave."""
    store = FolderStore(tmp_path / "data")
    manifest = dump_batch(batch.portable(), store, content_addressed=True).manifest

    def publish(number=1, groups=((tuple(range(4)),),), **fields):
        wave = Wave(
            **{
                "store": store.url,
                "manifest": manifest,
                "journal": str(tmp_path / "journal"),
                "groups": groups,
                **fields,
            }
        )
        return queue.publish(number, wave)

    return publish


@pytest.fixture
def worker(queue):
    """Return a function that makes a worker, and the reasons for which workers refused a batch."""
    reasons = []

    def make(task=1, keep_alive_s=0.2, check_environment=lambda required: None):
        return PoolWorker(
            queue.url,
            keep_alive_s=keep_alive_s,
            check_environment=check_environment,
            refuse=reasons.extend,
            task_pathspec=f"DistributedSearch/1/fit/{task}",
            retry=0,
            timeout_s=0,
        )

    make.reasons = reasons
    return make


def outcomes(batch, tmp_path):
    reader = JournalReader(tmp_path / "journal", batch.key, len(batch))
    return {outcome.fit: outcome for outcome in reader.read_new()}


def test_worker_runs_each_unit_and_ends_when_idle(publish, worker, batch, tmp_path):
    publish(groups=[[(0,), (1, 2)], [(3,)]])
    worker().serve()
    found = outcomes(batch, tmp_path)
    assert sorted(found) == [0, 1, 2, 3]
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert {outcome.task_pathspec for outcome in found.values()} == {"DistributedSearch/1/fit/1"}
    expected = [batch.run(fit).result["test_scores"] for fit in range(4)]
    assert [found[fit].result["test_scores"] for fit in range(4)] == expected


def test_idle_time_begins_after_the_last_fit(queue, publish, worker, batch, tmp_path):
    """Work that arrives while the worker waits keeps it."""

    def publish_later():
        time.sleep(0.5)
        publish()

    thread = threading.Thread(target=publish_later)
    thread.start()
    worker(keep_alive_s=1.0).serve()
    thread.join()
    assert len(outcomes(batch, tmp_path)) == 4


def test_worker_ends_at_once_when_the_queue_ends(queue, worker):
    queue.end()
    begin = time.monotonic()
    worker(keep_alive_s=60).serve()
    assert time.monotonic() - begin < 30


def test_ended_queue_is_served_first(queue, publish, worker, batch, tmp_path):
    publish()
    queue.end()
    worker(keep_alive_s=60).serve()
    assert len(outcomes(batch, tmp_path)) == 4


def test_claimed_units_are_left_to_their_owners(queue, publish, worker, batch, tmp_path):
    name = publish(groups=[[(0,), (1,), (2, 3)]])
    units = queue.claim_units(name, queue.read(name), "1-2-0", lambda fits: None)
    claimed = next(units)
    worker().serve()
    assert sorted(outcomes(batch, tmp_path)) == sorted({0, 1, 2, 3} - set(claimed))


def test_batch_that_cannot_be_loaded_is_refused(publish, worker, batch, tmp_path):
    bad = tmp_path / "data" / "bad"
    bad.write_bytes(b"nonsense\n")
    publish(1, manifest="bad")
    publish(2)
    worker().serve()
    (reason,) = worker.reasons
    assert "the fits cannot be loaded" in reason
    assert "Not a batch of fits" in reason
    assert len(outcomes(batch, tmp_path)) == 4  # of the other wave


@pytest.mark.parametrize("manifest", ["bad", "missing"])
def test_batch_of_a_withdrawn_wave_is_not_missed(queue, publish, worker, tmp_path, manifest):
    """The caller has cancelled it while this worker claimed its first unit."""
    name = publish(1, manifest=manifest)
    claimed = worker()
    claim_units = queue.claim_units

    def claim_and_withdraw(*arguments):
        units = list(claim_units(*arguments))
        queue.withdraw([name])
        return iter(units)

    claimed._queue = queue
    queue.claim_units = claim_and_withdraw
    claimed.serve()
    assert worker.reasons == []


def test_worker_whose_memory_has_grown_ends_after_its_fit(
    queue, publish, worker, batch, tmp_path, monkeypatch
):
    """Metaflow then starts another one, and the caller publishes the rest of the unit again."""
    publish()
    monkeypatch.setattr(_worker, "has_grown_too_much", lambda: True)
    with pytest.raises(MemoryError, match="has grown"):
        worker().serve()
    assert len(outcomes(batch, tmp_path)) == 1


def test_wave_that_this_environment_cannot_run_is_skipped(publish, worker, batch, tmp_path):
    def check(required):
        raise RuntimeError(json.dumps(required))

    publish(requirements={"versions": {}, "modules": ["no_such_module"]})
    worker(check_environment=check).serve()
    assert outcomes(batch, tmp_path) == {}


def test_new_import_paths_are_added(publish, worker, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    publish(import_paths=("/no/such/folder", sys.path[0]))
    worker().serve()
    assert sys.path[-1] == "/no/such/folder"
    assert sys.path.count("/no/such/folder") == 1


def test_late_modules_travel_as_an_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    store, source = FolderStore(tmp_path / "store"), tmp_path / "source"
    (source / "late_package").mkdir(parents=True)
    (source / "late_module.py").write_text("value = 1\n")
    (source / "late_package" / "__init__.py").write_text("value = 2\n")
    files = {
        "late_module": source / "late_module.py",
        "late_package": source / "late_package" / "__init__.py",
    }
    name = pack_modules(files, store)
    assert name == pack_modules(files, store)  # equal content, equal name
    unpack_modules(name, store, tmp_path)
    unpack_modules(name, store, tmp_path)
    import late_module
    import late_package

    assert (late_module.value, late_package.value) == (1, 2)
    assert late_module.__file__.startswith(str(tmp_path / name.removesuffix(".zip")))


def test_changed_archive_is_not_unpacked(tmp_path):
    store = FolderStore(tmp_path)
    with zipfile.ZipFile(tmp_path / f"{'0' * 64}.zip", "w") as archive:
        archive.writestr("evil.py", "")
    with pytest.raises(ImportError, match="is corrupt"):
        unpack_modules(f"{'0' * 64}.zip", store, tmp_path)
    assert not (tmp_path / ("0" * 64)).exists()


def test_no_late_modules_are_no_archive(tmp_path):
    assert pack_modules({}, FolderStore(tmp_path / "store")) == ""
    assert not (tmp_path / "store").exists()
