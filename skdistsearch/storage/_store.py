"""Where bytes are kept: a folder, or a prefix of an S3 bucket.

Objects are written whole or not at all, and never changed. One whose name is the SHA-256 of its
content is written once and found by whoever has the same content again.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from skdistsearch.exceptions import BackendConfigError, StoreError

_BLOCK = 16 << 20  # bytes: a part of an upload, a write to a file
_THREADS = 8  # requests to S3 at the same time: more gain little, and each holds a part in memory
_DELETE_MAX = 1000  # S3's own limit of one DeleteObjects

Buffer = bytes | memoryview


class Store(Protocol):
    """What `FolderStore` and `S3Store` offer. Names may contain slashes."""

    url: str
    """A folder's path, or ``s3://bucket/prefix``."""

    def has(self, name: str) -> bool:
        """Whether an object is there."""
        ...

    def put(self, name: str, data: Buffer) -> None:
        """Write an object, whole or not at all."""
        ...

    def get(self, name: str) -> bytes:
        """The bytes of an object."""
        ...

    def get_many(self, names: Sequence[str]) -> list[bytes]:
        """The bytes of several objects, in their order."""
        ...

    def file(self, name: str, folder: Path) -> Path:
        """A file with the object's bytes: the object itself, or a copy in ``folder``."""
        ...

    def names(self, prefix: str = "", after: str = "") -> list[str]:
        """Names that begin with ``prefix`` and are greater than ``after``, sorted."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects; those that are not there are deleted already."""
        ...


def open_store(url: str) -> Store:
    """The store at ``url``."""
    return S3Store(url) if url.startswith("s3://") else FolderStore(url)


class FolderStore:
    """Objects as files, which only this user can read."""

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        self._root = Path(url)

    def has(self, name: str) -> bool:
        """Whether an object is there."""
        return (self._root / name).is_file()

    def put(self, name: str, data: Buffer) -> None:
        """Write an object under a temporary name, then rename it."""
        path = self._root / name
        hidden = path.with_name(f".{secrets.token_hex(8)}")
        with self._told("written to"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write(hidden, memoryview(data))
                hidden.replace(path)
            except BaseException:
                hidden.unlink(missing_ok=True)
                raise

    def get(self, name: str) -> bytes:
        """The bytes of an object."""
        with self._told("read"):
            return (self._root / name).read_bytes()

    def get_many(self, names: Sequence[str]) -> list[bytes]:
        """The bytes of several objects, in their order."""
        return [self.get(name) for name in names]

    def file(self, name: str, folder: Path) -> Path:
        """The object itself."""
        return self._root / name

    def names(self, prefix: str = "", after: str = "") -> list[str]:
        """Names that begin with ``prefix`` and are greater than ``after``, sorted."""
        with self._told("read"):
            folder = self._root / prefix.rpartition("/")[0]
            files = (path for path in folder.rglob("*") if path.is_file())
            names = (path.relative_to(self._root).as_posix() for path in files)
            return sorted(name for name in names if name.startswith(prefix) and name > after)

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects."""
        with self._told("written to"):
            for name in names:
                (self._root / name).unlink(missing_ok=True)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            advice = (
                "The disk is full: make room, or keep it elsewhere."
                if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
                else "Check that it exists and is yours."
            )
            raise StoreError(f"{self.url} cannot be {what}: {exc}. {advice}") from exc


def _write(path: Path, data: memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb", buffering=0) as file:
        view = data.cast("B")
        for first in range(0, len(view), _BLOCK):  # in blocks, for Ctrl-C to come through
            block = view[first : first + _BLOCK]
            while block:  # a disk that fills up takes a part, then refuses the rest
                block = block[file.write(block) :]


class S3Store:
    """Objects under a prefix of an S3 bucket, through Metaflow's own client.

    So endpoint, role and retries are those that Metaflow's configuration asks for.
    """

    def __init__(self, url: str) -> None:
        found = re.fullmatch(r"s3://([^/]+)/*(.*?)/*", url)
        if not found:
            raise BackendConfigError(f"{url!r} is no place in S3: s3://bucket/prefix is one.")
        self.url = url.rstrip("/")
        self._bucket, prefix = found.groups()
        self._prefix = f"{prefix}/" if prefix else ""

    @cached_property
    def _client(self) -> Any:
        return s3_client()

    def has(self, name: str) -> bool:
        """Whether an object is there."""
        with self._told("read"):
            try:
                self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)
            except Exception as exc:
                if _status(exc) == 404:
                    return False
                raise
        return True

    def put(self, name: str, data: Buffer) -> None:
        """Write an object; a big one in parts, of which a few are in memory at a time."""
        with self._told("written to"):
            if len(data) <= _BLOCK:
                self._client.put_object(
                    Bucket=self._bucket, Key=self._prefix + name, Body=bytes(data)
                )
            else:
                self._client.upload_fileobj(
                    _Reader(memoryview(data)), self._bucket, self._prefix + name, Config=_parts()
                )

    def get(self, name: str) -> bytes:
        """The bytes of an object."""
        with self._told("read"):
            got = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            data: bytes = got["Body"].read()
        return data

    def get_many(self, names: Sequence[str]) -> list[bytes]:
        """The bytes of several objects, in their order."""
        if len(names) < 2:  # threads cost more than they gain
            return [self.get(name) for name in names]
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(self.get, names))

    def file(self, name: str, folder: Path) -> Path:
        """A copy in ``folder``, fetched once."""
        path = folder / name.replace("/", "-")
        if not path.exists():
            with self._told("read"):
                self._client.download_file(
                    self._bucket, self._prefix + name, str(path), Config=_parts()
                )
        return path

    def names(self, prefix: str = "", after: str = "") -> list[str]:
        """Names that begin with ``prefix`` and are greater than ``after``, sorted."""
        found: list[str] = []
        more: dict[str, str] = {"StartAfter": self._prefix + after} if after else {}
        with self._told("read"):
            while True:
                page = self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=self._prefix + prefix, **more
                )
                found += [item["Key"][len(self._prefix) :] for item in page.get("Contents", ())]
                if not page["IsTruncated"]:
                    return found
                more = {"ContinuationToken": page["NextContinuationToken"]}

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects."""
        keys = [{"Key": self._prefix + name} for name in names]
        with self._told("written to"):
            for first in range(0, len(keys), _DELETE_MAX):
                self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": keys[first : first + _DELETE_MAX], "Quiet": True},
                )

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except aws_errors() as exc:
            raise StoreError(f"{self.url} cannot be {what}: {exc}. {_ADVICE}") from exc


_ADVICE = (
    "Check that the bucket exists, that your credentials may list, read, write and delete in it, "
    "and that it can be reached from here."
)


def s3_client() -> Any:
    """Metaflow's own S3 client."""
    from metaflow.plugins.datatools.s3.s3util import get_s3_client

    client, _ = get_s3_client()
    return client


def aws_errors() -> tuple[type[Exception], ...]:
    """What boto3 raises when a service refuses, or is not reached."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError, Boto3Error


def _status(exc: Exception) -> int | None:
    response = getattr(exc, "response", {})
    status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _parts() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(
        multipart_threshold=_BLOCK, multipart_chunksize=_BLOCK, max_concurrency=_THREADS
    )


class _Reader(io.RawIOBase):
    """A buffer as a file, of which only what is asked for is copied."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data.cast("B"), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, target: Any) -> int:
        block = self._data[self._at : self._at + len(target)]
        target[: len(block)] = block
        self._at += len(block)
        return len(block)

    def read(self, size: int | None = -1) -> bytes:
        end = len(self._data) if size is None or size < 0 else self._at + size
        block = bytes(self._data[self._at : end])
        self._at += len(block)
        return block
