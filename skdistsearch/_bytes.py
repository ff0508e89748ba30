"""A batch as one file: written once, memory-mapped by every worker.

The file holds a line of JSON (format number, sizes), the pickle, then the arrays' buffers, each
on a 64-byte boundary. Workers map it copy-on-write: they share the pages, may write to their
arrays as scikit-learn's code sometimes does, and never change the file.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import cloudpickle

from skdistsearch._fit import Batch
from skdistsearch.exceptions import NotPicklableError, RecordError

FORMAT = 1
_NAME = "batch"
_ALIGN = 64  # bytes: numpy's and a cache line's


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder that only this user can enter, gone afterwards.

    joblib's ``JOBLIB_TEMP_FOLDER`` says where, else Python's own temporary folder.
    """
    parent = os.environ.get("JOBLIB_TEMP_FOLDER") or None
    with tempfile.TemporaryDirectory(
        prefix="skdistsearch-", dir=parent, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def dump(batch: Batch, folder: Path) -> str:
    """Write ``batch`` into ``folder``; return the file's SHA-256 as hex."""
    head, buffers = _pickled(batch)
    sizes = [buffer.nbytes for buffer in buffers]
    digest = hashlib.sha256()
    with open(folder / _NAME, "xb") as file:

        def write(data: Any) -> None:
            digest.update(data)
            file.write(data)

        def pad() -> None:
            write(b"\0" * (-file.tell() % _ALIGN))

        write(json.dumps({"format": FORMAT, "head": len(head), "buffers": sizes}).encode() + b"\n")
        write(head)
        for buffer in buffers:
            pad()
            write(buffer)
    return digest.hexdigest()


def load(folder: Path, digest: str | None = None) -> Batch:
    """Read the batch in ``folder``, without copying its arrays.

    With ``digest``, the bytes must have it before anything of them is unpickled; otherwise
    `RecordError` is raised.
    """
    return _load(str(folder), digest)


@lru_cache(maxsize=1)  # a worker runs many chunks of one batch
def _load(folder: str, digest: str | None) -> Batch:
    with open(Path(folder, _NAME), "rb") as file:
        if digest is not None:
            _check(file, digest)
        line = file.readline()
        start = file.tell()
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    header = json.loads(line)
    if header["format"] != FORMAT:
        raise RecordError(f"A batch of format {header['format']}; this version reads {FORMAT}.")
    end = start + header["head"]
    head, buffers = data[start:end], []
    for size in header["buffers"]:
        begin = end + -end % _ALIGN
        end = begin + size
        buffers.append(data[begin:end])
    batch = pickle.loads(head, buffers=buffers)
    assert isinstance(batch, Batch)
    return batch


def _check(file: BinaryIO, digest: str) -> None:
    found = hashlib.sha256()
    while data := file.read(1 << 20):
        found.update(data)
    file.seek(0)
    if found.hexdigest() != digest:
        raise RecordError(
            f"{getattr(file, 'name', 'The batch')} is not what the search wrote: its SHA-256 is "
            f"{found.hexdigest()}, not {digest}. Nothing of it was loaded."
        )


def _pickled(batch: Batch) -> tuple[bytes, list[memoryview]]:
    buffers: list[pickle.PickleBuffer] = []
    try:
        head = _dumps(batch, buffers.append)
    except Exception as exc:
        raise NotPicklableError(_who_is_to_blame(batch, exc)) from exc
    return head, [buffer.raw() for buffer in buffers]


def _dumps(value: Any, callback: Callable[[pickle.PickleBuffer], Any] | None = None) -> bytes:
    data: bytes = cloudpickle.dumps(value, protocol=5, buffer_callback=callback)
    return data


def _who_is_to_blame(batch: Batch, error: Exception) -> str:
    """Name the smallest parts of ``batch`` that cannot be pickled."""
    names = ["estimator", "X", "y"]
    parts = dict(zip(names, batch.arguments, strict=False)) | dict(batch.shared)
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
        _dumps(value)
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
