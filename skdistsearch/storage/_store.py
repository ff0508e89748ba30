"""Stores of named objects: a folder, or a prefix of an S3 bucket.

Objects are written as a whole or not at all, and never changed. Objects whose name is the SHA-256
of their content are written once: later searches with the same data find them there.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from skdistsearch.exceptions import CorruptDataError, StoreError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PART_BYTES = 16 << 20  # size of one part of an upload, and of one write to a file
_S3_THREADS = 8  # concurrent requests: more gain little, and each holds one part in memory
_CONFLICT_S = 0.1  # between two requests to create the same object
_DELETE_MAX = 1000  # keys in one DeleteObjects request, a limit of S3

Buffer = bytes | memoryview


class Store(Protocol):
    """Interface of `FolderStore` and `S3Store`. Object names may contain slashes."""

    url: str
    """Path of the folder, or ``s3://bucket/prefix``."""

    def exists(self, name: str) -> bool:
        """Return whether the store has an object."""
        ...

    def put(self, name: str, data: Buffer) -> None:
        """Write an object, as a whole or not at all."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write an object, unless there is one. Of several writers, exactly one gets True."""
        ...

    def get(self, name: str, n_bytes_max: int | None = None) -> bytes:
        """Return the content of an object. Raise `CorruptDataError` if it is larger."""
        ...

    def get_many(self, names: Sequence[str], n_bytes_max: int | None = None) -> list[bytes]:
        """Return the contents of several objects, in the order of ``names``."""
        ...

    def local_path(self, name: str, folder: Path) -> Path:
        """Return a file with the content of an object: its own file, or a copy in ``folder``."""
        ...

    def list_names(self, prefix: str = "", after: str = "") -> list[str]:
        """Return the sorted names that start with ``prefix`` and are greater than ``after``."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects. Missing objects are ignored."""
        ...


def open_store(url: str) -> Store:
    """Return the store at a URL or at the path of a folder."""
    return S3Store(url) if url.startswith("s3://") else FolderStore(url)


class FolderStore:
    """Store whose objects are files that only the current user can read."""

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        self._root = Path(url)

    def exists(self, name: str) -> bool:
        """Return whether the store has an object."""
        return self._path(name).is_file()

    def put(self, name: str, data: Buffer) -> None:
        """Write an object under a temporary name, then rename it."""
        path = self._path(name)
        hidden = path.with_name(f".{secrets.token_hex(8)}")
        with self._translate_errors("written to"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write_file(hidden, memoryview(data))
                hidden.replace(path)
            except BaseException:
                hidden.unlink(missing_ok=True)
                raise

    def create(self, name: str, data: bytes) -> bool:
        """Write a file, unless it exists. Others may see it empty for a moment."""
        path = self._path(name)
        with self._translate_errors("written to"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write_file(path, memoryview(data))
            except FileExistsError:
                return False
        return True

    def get(self, name: str, n_bytes_max: int | None = None) -> bytes:
        """Return the content of an object. Raise `CorruptDataError` if it is larger."""
        with self._translate_errors("read"), open(self._path(name), "rb") as file:
            return _read(file, f"{self.url}/{name}", n_bytes_max)

    def get_many(self, names: Sequence[str], n_bytes_max: int | None = None) -> list[bytes]:
        """Return the contents of several objects, in the order of ``names``."""
        return [self.get(name, n_bytes_max) for name in names]

    def local_path(self, name: str, folder: Path) -> Path:
        """Return the file of an object."""
        return self._path(name)

    def list_names(self, prefix: str = "", after: str = "") -> list[str]:
        """Return the sorted names that start with ``prefix`` and are greater than ``after``."""
        with self._translate_errors("read"):
            folder = self._root / prefix.rpartition("/")[0]
            files = (path for path in folder.rglob("*") if path.is_file())
            names = (path.relative_to(self._root).as_posix() for path in files)
            return sorted(name for name in names if name.startswith(prefix) and name > after)

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects. Missing objects are ignored."""
        with self._translate_errors("written to"):
            for name in names:
                self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts:
            raise StoreError(f"{name!r} is not a valid object name: it points outside {self.url}.")
        return self._root / name

    @contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            advice = (
                "The disk is full: free some space or use another folder."
                if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
                else "Check that it exists and that you have access."
            )
            raise StoreError(f"{self.url} cannot be {action}: {exc}. {advice}") from exc


def _write_file(path: Path, data: memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb", buffering=0) as file:
        view = data.cast("B")
        for start in range(0, len(view), _PART_BYTES):  # in parts, so that Ctrl-C takes effect
            part = view[start : start + _PART_BYTES]
            while part:  # a disk that fills up accepts some bytes, then raises
                part = part[file.write(part) :]


def _read(file: Any, url: str, n_bytes_max: int | None) -> bytes:
    """Return the content of a file that has at most ``n_bytes_max`` bytes."""
    data: bytes = file.read() if n_bytes_max is None else file.read(n_bytes_max + 1)
    if n_bytes_max is not None and len(data) > n_bytes_max:
        raise CorruptDataError(
            f"{url} is corrupt: it has more than {n_bytes_max} bytes. Delete it."
        )
    return data


class S3Store:
    """Store whose objects are under a prefix of an S3 bucket.

    It uses Metaflow's S3 client, and so the endpoint, role and retries of Metaflow's configuration.
    """

    def __init__(self, url: str) -> None:
        match = re.fullmatch(r"s3://([^/]+)/*(.*?)/*", url)
        if not match:
            raise StoreError(f"{url!r} is not a valid S3 URL. Use s3://bucket/prefix.")
        self.url = url.rstrip("/")
        self._bucket, prefix = match.groups()
        self._prefix = f"{prefix}/" if prefix else ""

    @cached_property
    def _client(self) -> Any:
        return s3_client()

    def exists(self, name: str) -> bool:
        """Return whether the store has an object."""
        with self._translate_errors("read"):
            try:
                self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)
            except Exception as exc:
                if _http_status(exc) == 404:
                    return False
                raise
        return True

    def put(self, name: str, data: Buffer) -> None:
        """Write an object. Upload a big one in parts, with a few parts in memory at a time."""
        key = self._prefix + name
        with self._translate_errors("written to"):
            if len(data) <= _PART_BYTES:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=bytes(data))
            else:
                reader = _BufferReader(memoryview(data))
                self._client.upload_fileobj(reader, self._bucket, key, Config=_transfer_config())

    def create(self, name: str, data: bytes) -> bool:
        """Write an object, unless there is one, with a conditional request.

        ``data`` must be different for each writer: if an answer is lost, the client repeats the
        request, and the second answer does not say whose object is there.
        """
        while True:
            with self._translate_errors("written to"):
                try:
                    self._client.put_object(
                        Bucket=self._bucket, Key=self._prefix + name, Body=data, IfNoneMatch="*"
                    )
                except Exception as exc:
                    if _is_unknown_parameter(exc):
                        raise StoreError(_OLD_BOTO3) from exc
                    status = _http_status(exc)
                    if status == 412:
                        return _n_repetitions(exc) > 0 and self.get(name) == data
                    if status != 409:
                        raise
                else:
                    return True
            time.sleep(_CONFLICT_S)  # another writer is at work: ask again

    def get(self, name: str, n_bytes_max: int | None = None) -> bytes:
        """Return the content of an object. Raise `CorruptDataError` if it is larger."""
        with self._translate_errors("read"):
            response = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            return _read(response["Body"], f"{self.url}/{name}", n_bytes_max)

    def get_many(self, names: Sequence[str], n_bytes_max: int | None = None) -> list[bytes]:
        """Return the contents of several objects, in the order of ``names``."""
        if len(names) < 2:  # threads would cost more than they gain
            return [self.get(name, n_bytes_max) for name in names]
        with ThreadPoolExecutor(_S3_THREADS) as pool:
            return list(pool.map(partial(self.get, n_bytes_max=n_bytes_max), names))

    def local_path(self, name: str, folder: Path) -> Path:
        """Download an object into ``folder``, unless it is there, and return the file."""
        path = folder / name.replace("/", "-")
        if not path.exists():
            key, config = self._prefix + name, _transfer_config()
            with self._translate_errors("read"):
                self._client.download_file(self._bucket, key, str(path), Config=config)
        return path

    def list_names(self, prefix: str = "", after: str = "") -> list[str]:
        """Return the sorted names that start with ``prefix`` and are greater than ``after``."""
        names: list[str] = []
        position: dict[str, str] = {"StartAfter": self._prefix + after} if after else {}
        with self._translate_errors("read"):
            while True:
                page = self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=self._prefix + prefix, **position
                )
                names += [item["Key"][len(self._prefix) :] for item in page.get("Contents", ())]
                if not page["IsTruncated"]:
                    return names
                position = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects. Missing objects are ignored."""
        keys = [{"Key": self._prefix + name} for name in names]
        with self._translate_errors("written to"):
            for start in range(0, len(keys), _DELETE_MAX):
                self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": keys[start : start + _DELETE_MAX], "Quiet": True},
                )

    @contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except aws_errors() as exc:
            raise StoreError(f"{self.url} cannot be {action}: {exc}. {_S3_ADVICE}") from exc


_S3_ADVICE = (
    "Check that the bucket exists, that this machine can reach it, and that your credentials "
    "allow you to list, read, write and delete its objects."
)


_OLD_BOTO3 = (
    "This version of boto3 cannot create objects exclusively, as keep_alive_s requires: "
    'pip install "boto3>=1.35"'
)


def s3_client() -> Any:
    """Return Metaflow's S3 client: one for all threads of this process and all stores."""
    return _s3_client(os.getpid(), *sorted(i for i in os.environ.items() if i[0].startswith("AWS")))


@lru_cache(maxsize=4)
def _s3_client(*configuration: object) -> Any:
    """Make a client, which takes a tenth of a second. A fork has its own."""
    from metaflow.plugins.datatools.s3.s3util import get_s3_client

    client, _ = get_s3_client()
    return client


def aws_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that boto3 raises if a service refuses a request or is unreachable."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError, Boto3Error


def _http_status(exc: Exception) -> int | None:
    response = getattr(exc, "response", {})
    status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _n_repetitions(exc: Exception) -> int:
    response = getattr(exc, "response", {})
    return int(response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _is_unknown_parameter(exc: Exception) -> bool:
    return type(exc).__name__ == "ParamValidationError" and "IfNoneMatch" in str(exc)


def _transfer_config() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(
        multipart_threshold=_PART_BYTES,
        multipart_chunksize=_PART_BYTES,
        max_concurrency=_S3_THREADS,
    )


class _BufferReader(io.RawIOBase):
    """File over a buffer that copies only the bytes of each read."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._position = data.cast("B"), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._data)}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        part = self._data[self._position : self._position + len(target)]
        target[: len(part)] = part
        self._position += len(part)
        return len(part)

    def read(self, size: int | None = -1) -> bytes:
        end = len(self._data) if size is None or size < 0 else self._position + size
        part = bytes(self._data[self._position : end])
        self._position += len(part)
        return part
