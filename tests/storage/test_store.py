"""Stores: objects are complete, private, and stay inside their folder."""

import errno
import io
import stat
from pathlib import Path

import pytest

from skdistsearch.exceptions import StoreError
from skdistsearch.storage import _store
from skdistsearch.storage._store import FolderStore, S3Store, open_store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(folder):
    return FolderStore(folder)


def test_folder_store_returns_what_was_put(store, folder, tmp_path):
    store.put("a", b"1")
    store.put("b/c", memoryview(b"22"))
    assert store.exists("b/c")
    assert not store.exists("c")
    assert not store.exists("b")
    assert store.get("a") == b"1"
    assert store.get_many(["b/c", "a"]) == [b"22", b"1"]
    assert store.local_path("b/c", tmp_path) == folder / "b" / "c"


def test_put_replaces_an_object(store):
    store.put("a", b"1")
    store.put("a", b"2")
    assert store.get("a") == b"2"
    assert store.list_names() == ["a"]


def test_create_leaves_an_existing_object_alone(store):
    assert store.create("a/b", b"1")
    assert not store.create("a/b", b"2")
    assert store.get("a/b") == b"1"


def test_objects_are_private(store, folder):
    store.put("a/b", b"1")
    assert stat.S_IMODE((folder / "a" / "b").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o700


def test_names_are_sorted_and_filtered(store):
    for name in ("b/2", "a", "b/1", "c", "b/3"):
        store.put(name, b"")
    assert store.list_names() == ["a", "b/1", "b/2", "b/3", "c"]
    assert store.list_names("b/") == ["b/1", "b/2", "b/3"]
    assert store.list_names("b/", after="b/1") == ["b/2", "b/3"]
    assert store.list_names(after="b/2") == ["b/3", "c"]
    assert store.list_names("missing/") == []


def test_delete_ignores_missing_objects(store):
    store.put("a", b"1")
    store.put("b", b"1")
    store.delete(["a", "missing"])
    assert store.list_names() == ["b"]


def test_big_object_is_written_in_parts(store, monkeypatch):
    monkeypatch.setattr(_store, "_PART_BYTES", 10)
    store.put("a", bytes(range(256)))
    assert store.get("a") == bytes(range(256))


def test_interrupted_write_keeps_the_old_object_and_leaves_no_file(store, folder, monkeypatch):
    store.put("a", b"old")

    def write_some_then_stop(path, data):
        path.write_bytes(b"ne")
        raise KeyboardInterrupt

    monkeypatch.setattr(_store, "_write_file", write_some_then_stop)
    with pytest.raises(KeyboardInterrupt):
        store.put("a", b"new")
    assert store.get("a") == b"old"
    assert [path.name for path in folder.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/tmp/a", ".."])
def test_name_that_leaves_the_folder_is_rejected(name, store, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for use in (
        lambda: store.put(name, b"1"),
        lambda: store.get(name),
        lambda: store.exists(name),
        lambda: store.local_path(name, tmp_path),
        lambda: store.delete([name]),
    ):
        with pytest.raises(StoreError, match="it points outside"):
            use()
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_object_is_a_store_error(store, folder):
    message = rf"{folder} cannot be read: .*No such file.* Check that it exists and that you have"
    with pytest.raises(StoreError, match=message):
        store.get("a")


def test_folder_that_is_a_file_is_a_store_error(store, folder):
    folder.touch()
    with pytest.raises(StoreError, match=rf"{folder} cannot be written to: "):
        store.put("a", b"1")
    with pytest.raises(StoreError, match=rf"{folder} cannot be written to: "):
        store.delete(["a"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_a_store_error_with_advice(store, monkeypatch):
    def write_to_full_disk(path, data):
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(data)

    monkeypatch.setattr(_store, "_write_file", write_to_full_disk)
    with pytest.raises(StoreError, match="The disk is full: free some space") as info:
        store.put("a", b"1")
    assert info.value.__cause__.errno == errno.ENOSPC


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "https://bucket/prefix"])
def test_wrong_s3_url_is_a_store_error(url):
    with pytest.raises(StoreError, match=r"is not a valid S3 URL. Use s3://bucket/prefix"):
        S3Store(url)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/a/b/"])
def test_open_store_chooses_by_the_url(url, tmp_path):
    assert isinstance(open_store(url), S3Store)
    assert open_store(url).url == url.rstrip("/")
    assert isinstance(open_store(str(tmp_path)), FolderStore)


class _FakeClient:
    """An S3 client with objects in memory, of the operations that a test needs."""

    def __init__(self, error=None):
        self.objects, self.error = {}, error

    def head_object(self, Bucket, Key):
        if self.error:
            raise self.error
        return {}

    def download_file(self, bucket, key, path, Config):
        Path(path).write_bytes(self.objects[bucket, key])


def client_error(status):
    exceptions = pytest.importorskip("botocore.exceptions")
    response = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "HeadObject")


def s3_store(client):
    store = S3Store("s3://bucket/prefix")
    store.__dict__["_client"] = client
    return store


def test_downloaded_copy_is_inside_the_folder(tmp_path):
    client = _FakeClient()
    client.objects["bucket", "prefix/../a/b"] = b"1"
    path = s3_store(client).local_path("../a/b", tmp_path)
    assert path == tmp_path / "..-a-b"
    assert path.read_bytes() == b"1"
    client.objects.clear()
    assert s3_store(client).local_path("../a/b", tmp_path) == path  # downloaded once


def test_missing_s3_object_does_not_exist():
    assert not s3_store(_FakeClient(client_error(404))).exists("a")


def test_refused_s3_request_is_a_store_error():
    message = r"s3://bucket/prefix cannot be read: .*403.*Check that the bucket exists"
    with pytest.raises(StoreError, match=message):
        s3_store(_FakeClient(client_error(403))).exists("a")


def test_buffer_reader_reads_seeks_and_fills_buffers():
    reader = _store._BufferReader(memoryview(bytes(range(10))))
    assert reader.read(3) == bytes([0, 1, 2])
    assert reader.tell() == 3
    assert reader.seek(-2, 2) == 8
    assert reader.read() == bytes([8, 9])
    assert reader.read() == b""
    reader.seek(4)
    target = bytearray(4)
    assert reader.readinto(target) == 4
    assert target == bytes([4, 5, 6, 7])


class _ConditionalClient:
    """Client of S3 whose conditional requests are answered from a list of errors."""

    def __init__(self, *errors, stored=b""):
        self.errors, self.stored = list(errors), stored

    def put_object(self, Bucket, Key, Body, IfNoneMatch):
        assert (Key, IfNoneMatch) == ("prefix/a", "*")
        if self.errors:
            raise self.errors.pop(0)
        self.stored = Body

    def get_object(self, Bucket, Key):
        return {"Body": io.BytesIO(self.stored)}


def conditional_error(status, repetitions=0):
    error = client_error(status)
    error.response["ResponseMetadata"]["RetryAttempts"] = repetitions
    return error


def test_existing_s3_object_is_not_created():
    assert not s3_store(_ConditionalClient(conditional_error(412), stored=b"me")).create("a", b"me")


def test_conflict_with_another_writer_is_asked_again():
    client = _ConditionalClient(conditional_error(409), conditional_error(409))
    assert s3_store(client).create("a", b"me")
    assert client.stored == b"me"


@pytest.mark.parametrize(("stored", "created"), [(b"me", True), (b"other", False)])
def test_repeated_request_to_create_an_s3_object_looks_who_was_first(stored, created):
    """The first answer was lost: the object that is there may be our own."""
    client = _ConditionalClient(conditional_error(412, repetitions=1), stored=stored)
    assert s3_store(client).create("a", b"me") is created


def test_boto3_without_conditional_requests_is_a_store_error():
    from botocore.exceptions import ParamValidationError

    error = ParamValidationError(report='Unknown parameter in input: "IfNoneMatch"')
    with pytest.raises(StoreError, match=r"pip install .boto3>=1\.35"):
        s3_store(_ConditionalClient(error)).create("a", b"me")
