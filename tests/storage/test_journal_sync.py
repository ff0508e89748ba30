"""Journals that travel through a store."""

import os

import numpy as np
import pytest
from helpers.sample_outcomes import SAMPLE_OUTCOMES
from sklearn.tree import DecisionTreeClassifier

from skdistsearch._batch import Batch, Fit
from skdistsearch._outcome import Outcome
from skdistsearch.exceptions import CorruptDataError, StoreError
from skdistsearch.storage._artifacts import MODEL, dump_array, dump_model, read_verified
from skdistsearch.storage._journal import JournalReader, JournalWriter, journal_names
from skdistsearch.storage._journal_sync import (
    JournalDownloader,
    JournalUploader,
    iter_journal_folders,
)
from skdistsearch.storage._store import FolderStore


@pytest.fixture
def batch():
    return Batch("key", print, (), {}, [Fit(number, 0, {}, {}) for number in range(3)])


@pytest.mark.parametrize("with_models", [False, True])
def test_artifacts_arrive_before_the_lines_that_name_them(with_models, batch, tmp_path):
    remote, local = FolderStore(tmp_path / "remote"), tmp_path / "local"
    files = {"predict": dump_array(np.arange(3.0)), MODEL: dump_model(DecisionTreeClassifier())}
    with (
        JournalUploader(tmp_path / "worker", remote),
        JournalWriter(tmp_path / "worker", batch) as writer,
    ):
        writer.write_outcome(Outcome(0, "ok", {"test_scores": 1.0}, artifacts=files))
    downloader = JournalDownloader(remote, local, with_artifacts=True, with_models=with_models)
    downloader.download_new(list_all=True)
    models_url = "" if with_models else remote.url
    (outcome,) = JournalReader(local, "key", 1, models_url=models_url).read_new()
    assert {kind: read_verified(file) for kind, file in outcome.artifacts.items()} == files
    assert outcome.artifacts[MODEL].url == (str(local) if with_models else remote.url)
    assert outcome.artifacts["predict"].url == str(local)


def test_downloads_continue_the_journals(batch, tmp_path):
    remote, local = FolderStore(tmp_path / "remote"), tmp_path / "local"
    downloader = JournalDownloader(remote, local)
    reader = JournalReader(local, "key", 3)
    with (
        JournalUploader(tmp_path / "worker", remote) as uploader,
        JournalWriter(tmp_path / "worker", batch) as writer,
    ):
        for outcome in SAMPLE_OUTCOMES:
            writer.write_outcome(outcome)
            uploader.flush_if_due(force=True)
            downloader.download_new()
            downloader.download_new()
            assert list(reader.read_new()) == [outcome]
    assert len(remote.list_names()) >= len(SAMPLE_OUTCOMES)


def test_downloader_of_one_task_ignores_other_segments(batch, tmp_path):
    remote, local = FolderStore(tmp_path / "remote"), tmp_path / "local"
    for task in ("F/1/fit/2", "F/1/fit/20"):
        folder = tmp_path / task.replace("/", "-")
        with JournalUploader(folder, remote), JournalWriter(folder, batch, task):
            pass
    JournalDownloader(remote, local, task="1-2").download_new(list_all=True)
    (name,) = os.listdir(local)
    assert name.startswith("1-2-")


@pytest.mark.parametrize(
    "name",
    [
        *("notes", "1-a", "1-a-b", "1-../a-000000", "0-../a.npy"),
        *("0000000000001-../../evil-000000", "0000000000001-/tmp/evil-000000"),
        *("0000000000001-..-000000", "0000000000001-a.b-000000", "0000000000001-a-\u0663"),
    ],
)
def test_foreign_object_among_the_segments_is_an_error(name, tmp_path):
    local = tmp_path / "local"
    store = FolderStore(tmp_path / "remote")
    store.list_names = lambda prefix="", after="": [name]
    with pytest.raises(CorruptDataError, match="is not a segment of a journal"):
        JournalDownloader(store, local).download_new()
    assert not local.exists()


@pytest.mark.parametrize("name", ["fits/../evil/x", "fits/0000000000001-../x", "fits//x", "fits/x"])
def test_foreign_folder_in_a_checkpoint_is_an_error(name):
    class Remote:
        url = "s3://bucket/checkpoint"

        def list_names(self, prefix=""):
            return [name]

    with pytest.raises(CorruptDataError, match=f"checkpoint/{name} is not part of a checkpoint"):
        list(iter_journal_folders(Remote(), "fits"))


@pytest.mark.parametrize("content", [b"", b'{"started": 0}'])
def test_incomplete_segment_is_an_error_after_few_downloads(content, tmp_path):
    remote, local = FolderStore(tmp_path / "remote"), tmp_path / "local"
    for number in range(200):
        remote.put(f"0000000000001-1-{number:08x}-000000", content)
    read = []
    remote.get = lambda name, *limit: read.append(name) or FolderStore.get(remote, name, *limit)
    with pytest.raises(CorruptDataError, match="its last line is incomplete"):
        JournalDownloader(remote, local).download_new()
    assert len(read) <= 64


def test_large_segment_is_an_error_before_it_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("skdistsearch.storage._journal_sync.LINE_MAX_BYTES", 1000, raising=False)
    remote = FolderStore(tmp_path / "remote")
    remote.put("0000000000001-1-a-000000", b" " * 2000 + b"\n")
    with pytest.raises(CorruptDataError, match="1-a-000000 is corrupt: it has more than 1000 byt"):
        JournalDownloader(remote, tmp_path / "local").download_new()


def test_long_journal_is_uploaded_in_several_segments(batch, tmp_path, monkeypatch):
    monkeypatch.setattr("skdistsearch.storage._journal.LINE_MAX_BYTES", 1000, raising=False)
    remote = FolderStore(tmp_path / "remote")
    with JournalWriter(tmp_path / "worker", batch) as writer:
        for fit in range(3):
            writer.write_outcome(Outcome(fit, "lost", reason="x" * 500))
    JournalUploader(tmp_path / "worker", remote).flush_all()
    assert len(remote.list_names()) == 3
    JournalDownloader(remote, tmp_path / "local").download_new()
    assert len(list(JournalReader(tmp_path / "local", "key", 3).read_new())) == 3


def test_failed_download_is_repeated(batch, tmp_path):
    remote, local = FolderStore(tmp_path / "remote"), tmp_path / "local"
    with JournalUploader(tmp_path / "worker", remote), JournalWriter(tmp_path / "worker", batch):
        pass
    downloader = JournalDownloader(remote, local)
    remote.get_many = _FailsOnce(remote.get_many)
    with pytest.raises(StoreError, match="meant to fail"):
        downloader.download_new()
    downloader.download_new()
    assert len(journal_names(local)) == 1


class _FailsOnce:
    """Raises an error at the first call."""

    def __init__(self, function):
        self.function, self.is_first = function, True

    def __call__(self, *args):
        if self.is_first:
            self.is_first = False
            raise StoreError("meant to fail")
        return self.function(*args)


class _FailingStore(FolderStore):
    """Rejects the first ``n_failures`` writes."""

    def __init__(self, url, n_failures):
        super().__init__(url)
        self.n_failures = n_failures

    def put(self, name, data):
        if self.n_failures:
            self.n_failures -= 1
            raise StoreError("meant to fail")
        super().put(name, data)


def test_failed_upload_is_repeated(batch, tmp_path):
    remote = _FailingStore(tmp_path / "remote", n_failures=2)
    uploader = JournalUploader(tmp_path / "worker", remote)
    with JournalWriter(tmp_path / "worker", batch) as writer:
        writer.write_outcome(SAMPLE_OUTCOMES[0])
    uploader.flush_if_due(force=True)
    assert remote.list_names() == []
    uploader.flush_all()
    JournalDownloader(remote, tmp_path / "local").download_new()
    reader = JournalReader(tmp_path / "local", "key", 3)
    assert list(reader.read_new()) == SAMPLE_OUTCOMES[:1]


def test_upload_that_keeps_failing_is_an_error(batch, tmp_path):
    remote = _FailingStore(tmp_path / "remote", n_failures=100)
    uploader = JournalUploader(tmp_path / "worker", remote)
    with (
        JournalWriter(tmp_path / "worker", batch),
        pytest.raises(StoreError, match="meant to fail"),
    ):
        uploader.flush_all()
    assert remote.n_failures == 97


def test_folders_of_a_local_store_are_sorted(tmp_path):
    for name in ("2-b", "1-a"):
        (tmp_path / "fits" / name).mkdir(parents=True)
    (tmp_path / "fits" / "file").touch()
    folders = iter_journal_folders(FolderStore(tmp_path), "fits")
    assert [path.name for path in folders] == ["1-a", "2-b"]
