"""A batch as bytes: written once, memory-mapped by every worker.

The manifest of a batch holds a line of JSON (format number, sizes, names), the pickle, and the
small buffers of arrays. Each big buffer is an object of its own. Workers map the objects
copy-on-write: they share memory pages, can write to their arrays, as some code in scikit-learn
does, and never change a file.

A buffer that is a mapped file of the user (`numpy.memmap`) is not copied for the workers of the
same machine. The manifest names the file, and they map it too.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from skdistsearch._batch import Batch
from skdistsearch.exceptions import CorruptDataError, NotPicklableError
from skdistsearch.storage._mapped_memory import find_mapped_file
from skdistsearch.storage._store import Buffer, Store, open_store

FORMAT = 2
_ALIGNMENT = 64  # bytes: alignment of numpy's arrays, and size of a cache line
_EXTERNAL_BUFFER_MIN = 1 << 20  # bytes: a buffer of this size is an object of its own
_SHA256_CHARS = 64


@dataclass(frozen=True)
class StoredBatch:
    """A batch in a store."""

    manifest: str
    """Name of the object to pass to `load_batch`."""
    modules: frozenset[str]
    """Names of the modules that the pickle refers to."""


def dump_batch(batch: Batch, store: Store, *, content_addressed: bool) -> StoredBatch:
    """Write ``batch`` into ``store``.

    With ``content_addressed``, each object is named by the SHA-256 of its content: objects that
    the store has are not written again, and readers verify what they read.
    """
    pickled, buffers, modules = _pickle(batch, partial(_describe_unpicklable_batch, batch))
    name = _write(pickled, buffers, store, content_addressed=content_addressed)
    return StoredBatch(name, modules | batch.context.modules)


def dump_objects(objects: Mapping[str, Any], store: Store) -> StoredBatch:
    """Write objects by name into ``store``, each under the SHA-256 of its content.

    The manifest names the arrays, so its name identifies all of the content.
    """
    pickled, buffers, modules = _pickle(dict(objects), partial(_describe_unpicklable, objects))
    return StoredBatch(_write(pickled, buffers, store, content_addressed=True), modules)


def _write(
    pickled: bytes, buffers: list[memoryview], store: Store, *, content_addressed: bool
) -> str:
    """Write a pickle with its buffers, and return the name of the manifest."""
    inline = bytearray()
    table: list[dict[str, Any]] = []
    for number, buffer in enumerate(buffers):
        if buffer.nbytes < _EXTERNAL_BUFFER_MIN:
            inline += bytes(-len(inline) % _ALIGNMENT)
            table.append({"at": len(inline), "size": buffer.nbytes})
            inline += buffer
        elif not content_addressed and (part := find_mapped_file(buffer)):
            table.append({"file": part.path, "at": part.start, "size": buffer.nbytes})
        else:
            name = None if content_addressed else f"buffer-{number}"
            table.append({"name": _put(store, buffer, name)})
    header = {"format": FORMAT, "pickle": len(pickled), "inline": len(inline), "buffers": table}
    line = json.dumps(header).encode() + b"\n"
    padding = bytes(-(len(line) + len(pickled)) % _ALIGNMENT)
    data = b"".join([line, pickled, padding, inline])
    return _put(store, data, None if content_addressed else "manifest")


def dump_json(value: object, store: Store) -> str:
    """Write plain data into ``store`` and return its name, the SHA-256 of the content."""
    return _put(store, json.dumps(value).encode(), None)


def load_json(url: str, name: str) -> Any:
    """Return the data that `dump_json` wrote under ``name`` into the store at ``url``."""
    store = open_store(url)
    data = store.get(name)
    _verify_sha256(store, name, data)
    return json.loads(data)


def _put(store: Store, data: Buffer, name: str | None) -> str:
    """Write an object and return its name: by default, the SHA-256 of the content."""
    if name is None:
        name = hashlib.sha256(data).hexdigest()
        if store.exists(name):
            return name
    store.put(name, data)
    return name


@lru_cache(maxsize=1)  # a worker runs many chunks of one batch
def load_batch(url: str, name: str, folder: Path | None = None) -> Batch:
    """Return the batch with the manifest ``name`` in the store at ``url``, its arrays mapped.

    Objects of a remote store are downloaded into ``folder`` once. The content of an object that is
    named by its SHA-256 is verified before any of it is unpickled; `CorruptDataError` is raised if
    it differs.
    """
    batch = _read(open_store(url), name, folder or Path())
    assert isinstance(batch, Batch)
    return batch


def load_objects(url: str, name: str, folder: Path) -> dict[str, Any]:
    """Return what `dump_objects` wrote. Everything is verified before any of it is unpickled."""
    objects = _read(open_store(url), name, folder)
    assert isinstance(objects, dict)
    return objects


def _read(store: Store, name: str, folder: Path) -> Any:
    """Verify the content that has a name, and unpickle it."""
    data = _map_object(store, name, folder, mmap.mmap)
    header, start = _parse_header(data)
    pickled = data[start : start + header["pickle"]]
    inline = data[len(data) - header["inline"] :]
    buffers = [
        _map_object(store, row["name"], folder)
        if "name" in row
        else (_map_file(row["file"]) if "file" in row else inline)[
            row["at"] : row["at"] + row["size"]
        ]
        for row in header["buffers"]
    ]
    return pickle.loads(pickled, buffers=buffers)


def release_pages(array: Any) -> None:
    """Free the memory of an array that `load_batch` has mapped, until it is read again.

    The array must be as it was loaded: what was written to it is lost. Does nothing to others.
    """
    base = array
    while (
        owner := getattr(base, "obj" if isinstance(base, memoryview) else "base", None)
    ) is not None:
        base = owner
    if isinstance(base, _BufferMap) and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)


class _BufferMap(mmap.mmap):
    """A mapped file with the buffer of an array, and with nothing else."""


def _parse_header(data: memoryview) -> tuple[dict[str, Any], int]:
    """Return the header, and the position at which the pickle starts."""
    size = 1 << 12
    while b"\n" not in (line := bytes(data[:size])) and size < len(data):
        size *= 2
    line = line.partition(b"\n")[0]
    try:
        header: dict[str, Any] = json.loads(line)
        version = header["format"]
    except (ValueError, TypeError, KeyError) as exc:
        raise CorruptDataError(f"Not a batch of fits: it starts with {line[:40]!r}.") from exc
    if version != FORMAT:
        raise CorruptDataError(
            f"The batch has format {version}, but this version of skdistsearch reads {FORMAT}."
        )
    return header, len(line) + 1


def _map_object(
    store: Store, name: str, folder: Path, kind: type[mmap.mmap] | None = None
) -> memoryview:
    data = _map_file(store.local_path(name, folder), kind)
    _verify_sha256(store, name, data)
    return data


def _map_file(path: str | Path, kind: type[mmap.mmap] | None = None) -> memoryview:
    with open(path, "rb") as file:
        return memoryview((kind or _BufferMap)(file.fileno(), 0, access=mmap.ACCESS_COPY))


def _verify_sha256(store: Store, name: str, data: Buffer) -> None:
    if len(name) == _SHA256_CHARS and (digest := hashlib.sha256(data).hexdigest()) != name:
        raise CorruptDataError(
            f"{store.url}/{name} is corrupt: its SHA-256 is {digest}. None of it was loaded. "
            "Delete it; the next search writes it again."
        )


def _pickle(
    value: Any, describe: Callable[[Exception], str]
) -> tuple[bytes, list[memoryview], frozenset[str]]:
    """Return the pickle of a value, its out-of-band buffers, and the modules it refers to.

    ``describe`` returns what cannot be pickled, for an error message.
    """
    file = io.BytesIO()
    buffers: list[memoryview] = []
    pickler = ModulePickler(file, protocol=5, buffer_callback=lambda out: buffers.append(out.raw()))
    try:
        pickler.dump(value)
    except Exception as exc:
        raise NotPicklableError(describe(exc)) from exc
    return file.getvalue(), buffers, frozenset(pickler.modules)


class ModulePickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """Pickler that collects the modules of the classes and functions it meets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.modules: set[str] = set()

    def reducer_override(self, obj: object) -> Any:
        """Add the module of an object. pickle calls this for everything but plain data."""
        if type(obj) is np.memmap:  # numpy pickles it with a copy of its memory
            return np.asarray(obj).__reduce_ex__(5)
        for owner in (obj, type(obj)):
            if isinstance(module := getattr(owner, "__module__", None), str):
                self.modules.add(module)
        return super().reducer_override(obj)


def _describe_unpicklable_batch(batch: Batch, error: Exception) -> str:
    reasons = _unpicklable(dict(_named_parts(batch)), error)
    return (
        f"The fits cannot be sent to another process: {reasons}. Use objects that can be pickled, "
        'or run the fits in this process: backend="local" with n_jobs=1.'
    )


def _describe_unpicklable(parts: Mapping[str, Any], error: Exception) -> str:
    reasons = _unpicklable(parts, error)
    return f"Objects cannot be sent to another process: {reasons}. Use some that can be pickled."


def _unpicklable(parts: Mapping[str, Any], error: Exception) -> str:
    """Return the names of the smallest parts that cannot be pickled, each with its error."""
    reasons = [reason for name, part in parts.items() for reason in _unpicklable_parts(name, part)]
    return "; ".join(reasons) or f"{type(error).__name__}: {error}"


def _named_parts(batch: Batch) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a batch under the names that users know."""
    if batch.estimator is not None:
        yield from zip(["estimator", "X", "y"], batch.arguments, strict=False)
    yield from batch.common_keywords.items()
    if batch.context.extractor is not None:
        yield from vars(batch.context.extractor).items()
    for fit in batch.fits:
        for name, value in fit.parameters.items():
            yield f"candidate parameter {name}", value


def _unpicklable_parts(name: str, value: Any) -> list[str]:
    """Return the path and the error of each smallest part that cannot be pickled."""
    try:
        cloudpickle.dumps(value, protocol=5)
    except Exception as exc:
        reasons = [
            reason
            for key, part in _children(value).items()
            for reason in _unpicklable_parts(f"{name}.{key}", part)
        ]
        return reasons or [f"{name} ({type(value).__name__}): {exc}"]
    return []


def _children(value: Any) -> dict[str, Any]:
    """Return the parameters of an estimator or the items of a container, by name or number."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return dict(value.get_params(deep=False))
    if isinstance(value, dict):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, list | tuple):
        return {str(number): part for number, part in enumerate(value)}
    return {}
