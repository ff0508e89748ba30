"""A batch as bytes: written once, memory-mapped by every worker.

Its head holds a line of JSON (format number, sizes, names), the pickle, then the small buffers of
arrays; each big one is an object of its own. Workers map them copy-on-write: they share the
pages, may write to their arrays as scikit-learn's code sometimes does, and never change a file.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import pickle
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cloudpickle

from skdistsearch._batch import Batch
from skdistsearch.exceptions import NotPicklableError, RecordError
from skdistsearch.storage._store import Buffer, Store, open_store

FORMAT = 2
_ALIGN = 64  # bytes: numpy's and a cache line's
_APART = 1 << 20  # bytes: a buffer of this size is an object of its own
_SHA256_CHARS = 64


@dataclass(frozen=True)
class Dumped:
    """A batch in a store."""

    head: str
    """Name of the object that `load` begins with."""
    modules: frozenset[str]
    """Modules that its pickle refers to."""


def dump(batch: Batch, store: Store, *, addressed: bool) -> Dumped:
    """Write ``batch`` into ``store``.

    ``addressed``: names are the SHA-256 of the content, so that what is there already is not
    written again, and what is read is checked.
    """
    head, buffers, modules = _pickled(batch)
    inline = bytearray()
    table: list[dict[str, Any]] = []
    for number, buffer in enumerate(buffers):
        if buffer.nbytes < _APART:
            inline += bytes(-len(inline) % _ALIGN)
            table.append({"at": len(inline), "size": buffer.nbytes})
            inline += buffer
        else:
            table.append({"name": _put(store, buffer, None if addressed else f"buffer-{number}")})
    header = {"format": FORMAT, "pickle": len(head), "inline": len(inline), "buffers": table}
    line = json.dumps(header).encode() + b"\n"
    padding = bytes(-(len(line) + len(head)) % _ALIGN)
    data = b"".join([line, head, padding, inline])
    return Dumped(_put(store, data, None if addressed else "head"), modules)


def dump_json(value: Any, store: Store) -> str:
    """Write plain data into ``store``; return its name, the SHA-256."""
    return _put(store, json.dumps(value).encode(), None)


def load_json(url: str, name: str) -> Any:
    """What `dump_json` has written under ``name`` into the store at ``url``."""
    store = open_store(url)
    data = store.get(name)
    _check(store, name, data)
    return json.loads(data)


def _put(store: Store, data: Buffer, name: str | None) -> str:
    if name is None:
        name = hashlib.sha256(data).hexdigest()
        if store.has(name):
            return name
    store.put(name, data)
    return name


@lru_cache(maxsize=1)  # a worker runs many chunks of one batch
def load(url: str, name: str, folder: Path | None = None) -> Batch:
    """The batch whose head is called ``name`` in the store at ``url``, its arrays not copied.

    Objects of a store that is far away are fetched into ``folder``, once. What is named by its
    SHA-256 must have it before a byte is unpickled; otherwise `RecordError` is raised.
    """
    store, folder = open_store(url), folder or Path()
    data = _mapped(store, name, folder)
    header, begin = _header(data)
    head = data[begin : begin + header["pickle"]]
    inline = data[len(data) - header["inline"] :]
    buffers = [
        _mapped(store, row["name"], folder)
        if "name" in row
        else inline[row["at"] : row["at"] + row["size"]]
        for row in header["buffers"]
    ]
    batch = pickle.loads(head, buffers=buffers)
    assert isinstance(batch, Batch)
    return batch


def _header(data: memoryview) -> tuple[dict[str, Any], int]:
    """The first line, and where the pickle begins."""
    size = 1 << 12
    while b"\n" not in (line := bytes(data[:size])) and size < len(data):
        size *= 2
    line = line.partition(b"\n")[0]
    try:
        header: dict[str, Any] = json.loads(line)
        found = header["format"]
    except (ValueError, TypeError, KeyError) as exc:
        raise RecordError(f"No batch of fits: it begins with {line[:40]!r}.") from exc
    if found != FORMAT:
        raise RecordError(f"A batch of format {found}; this version reads {FORMAT}.")
    return header, len(line) + 1


def _mapped(store: Store, name: str, folder: Path) -> memoryview:
    path = store.file(name, folder)
    with open(path, "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    _check(store, name, data)
    return data


def _check(store: Store, name: str, data: Buffer) -> None:
    if len(name) == _SHA256_CHARS and (found := hashlib.sha256(data).hexdigest()) != name:
        raise RecordError(
            f"{store.url}/{name} is not what the search wrote: its SHA-256 is {found}. Nothing of "
            "it was loaded. Delete it; the next search writes it again."
        )


def _pickled(batch: Batch) -> tuple[bytes, list[memoryview], frozenset[str]]:
    head, buffers = io.BytesIO(), []
    pickler = _Pickler(head, protocol=5, buffer_callback=lambda found: buffers.append(found.raw()))
    try:
        pickler.dump(batch)
    except Exception as exc:
        raise NotPicklableError(_who_is_to_blame(batch, exc)) from exc
    return head.getvalue(), buffers, frozenset(pickler.modules)


class _Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """Notes which modules the classes and functions come from that it pickles."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.modules: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        """Called by pickle for whatever is not plain data."""
        for named in (obj, type(obj)):
            if isinstance(module := getattr(named, "__module__", None), str):
                self.modules.add(module)
        return super().reducer_override(obj)


def _who_is_to_blame(batch: Batch, error: Exception) -> str:
    """Name the smallest parts of ``batch`` that cannot be pickled."""
    names = ["estimator", "X", "y"]
    parts = dict(zip(names, batch.arguments, strict=False)) | dict(batch.common_keywords)
    parts |= {} if batch.context.extractor is None else vars(batch.context.extractor)
    for fit in batch.fits:
        parts |= {f"candidate parameter {key}": value for key, value in fit.parameters.items()}
    found = [culprit for name, value in parts.items() for culprit in _culprits(name, value)]
    return (
        "The fits cannot be sent to another process: "
        + ("; ".join(found) or f"{type(error).__name__}: {error}")
        + ". Give the search something that can be pickled there, or run the fits in this "
        'process: backend="local" with n_jobs=1.'
    )


def _culprits(name: str, value: Any) -> list[str]:
    try:
        cloudpickle.dumps(value, protocol=5)
    except Exception as exc:
        inner = [
            culprit
            for key, part in _parts(value).items()
            for culprit in _culprits(f"{name}.{key}", part)
        ]
        return inner or [f"{name} ({type(value).__name__}): {exc}"]
    return []


def _parts(value: Any) -> dict[str, Any]:
    """What a value is made of, where a user would know the parts by name."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return dict(value.get_params(deep=False))
    if isinstance(value, dict):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, list | tuple):
        return {str(number): part for number, part in enumerate(value)}
    return {}
