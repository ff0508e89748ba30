"""Slices of large data in files, made once for all processes of a machine.

The processes that need a slice write its file together. Each of them maps the file copy-on-write,
and again for the next fit if one has kept or changed its slice (`PrivateMapping`). So an estimator
may write to its input: it gets copies of the pages that it writes to, and no other fit sees them.

The trick is the mapping. Slices that each process makes for itself take their size once per
process. And because fits share those they are read-only, so that an estimator that wants to write
makes another copy. The files are in shared memory while that has room, and otherwise on disk. They
are written by calls, and not through a mapping, because a disk that is full is then an error and
not a signal that kills the process. A file that was deleted is not made again in the same search,
so that nothing is written to a slice that is in use.

Code that asks whether an array owns its memory would break it: ``X.resize`` raises an error, and
the fit runs again on data of its own. ``tests/execution/test_slice_files.py`` compares slices with
those of scikit-learn, and ``tests/model_selection/test_leftover_files.py`` looks for files that a
killed search has left.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skdistsearch._batch import Batch
from skdistsearch._typing import ArrayLike, Indices
from skdistsearch.execution._state_summary import is_pandas
from skdistsearch.execution._transformer_slots import size_mb
from skdistsearch.storage import (
    HAS_LOCKS,
    PrivateMapping,
    SharedSteps,
    free_memory_mb,
    memory_folder,
    release_pages,
    temporary_folder,
)

_log = logging.getLogger("skdistsearch")

_FILE_MIN_MB = 1.0  # a smaller array is sliced for each fit
_PART = 64 << 20  # bytes that a process writes while others write other parts
_BLOCK = 1 << 20  # bytes that stay in the processor's cache between gathering and writing
_ALIGNMENT = 64  # bytes
_N_SPLITS = 2  # slices of two splits exist for a moment: of the last one and of the next
_CREATE, _FIRST_PART = 0, 1  # steps
_USE = 0  # step of the file for all slices of a split
_DATA = ".data"


@dataclass(frozen=True)
class SliceFolders:
    """Folders for the slices of a search, which all of its processes on this machine see."""

    steps: str
    """Folder of files that say what has been done."""
    data: tuple[str, ...]
    """Folders of the slices, the preferred one first."""


@contextmanager
def open_slice_folders(batch: Batch, folder: Path | None = None) -> Iterator[SliceFolders | None]:
    """Create folders for slices, and remove them afterwards. Yields None if data is not large.

    ``folder``: private folder of the search, which another process removes if this one is killed.
    """
    work = batch.context.shared_work
    if work is None or not work.has_large_data or not HAS_LOCKS:
        yield None
        return
    with temporary_folder(str(folder) if folder else None) as disk, memory_folder() as memory:
        has_memory = memory is not None and _has_room(memory, batch)
        yield SliceFolders(str(disk), (str(memory), str(disk)) if has_memory else (str(disk),))


def _has_room(folder: Path, batch: Batch) -> bool:
    """Return True if a folder in memory has room for slices. Otherwise log that it has not."""
    size = size_mb(batch.arguments[1]) * _N_SPLITS
    status = os.statvfs(folder)
    room = min(status.f_bavail * status.f_frsize / 1e6, free_memory_mb())
    if size > room:
        _log.info(
            "Slices of the data are on disk: they need %.0f MB, and %s has room for %.0f MB.",
            size,
            folder.parent,
            room,
        )
    return size <= room


def is_sliced_in_files(value: ArrayLike) -> bool:
    """Return True if slices of a value can be mapped: its memory consists of plain numbers."""
    if is_pandas(value):
        dtypes = [*value.dtypes] if value.ndim == 2 else [value.dtype]
        return all(map(_is_plain, [*dtypes, value.index.dtype]))
    if sparse.issparse(value):
        return type(value).__module__.partition(".")[0] == "scipy" and _is_plain(value.dtype)
    return type(value) in (np.ndarray, np.memmap) and _is_plain(value.dtype)


def _is_plain(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and not dtype.hasobject


def open_slice_files(folders: SliceFolders | None, split: int) -> SliceFiles | None:
    """Return the slices of a split, or None without folders, or if they cannot be used."""
    try:
        return SliceFiles(folders, split) if folders else None
    except OSError:  # such as a file system without locks
        _log.debug("Slices of split %d are in no files", split, exc_info=True)
        return None


class SliceFiles:
    """Slices of the data of one split, in files that all processes of this machine map.

    Parameters
    ----------
    folders : SliceFolders
        The folders.
    split : int
        Number of the split.
    """

    def __init__(self, folders: SliceFolders, split: int) -> None:
        self._folders, self._split = folders, split
        self._files: list[BinaryIO] = []
        self._loaders: dict[str, Callable[[], ArrayLike] | None] = {}
        self._users = SharedSteps(self._path("users"))
        try:
            self._users.join(_USE)
        except OSError:
            self._users.close()
            raise

    def close(self) -> None:
        """Stop using the slices. The last process that does so deletes the files."""
        self._loaders.clear()
        for file in self._files:
            file.close()
        with suppress(OSError), self._users:
            self._users.leave(_USE, self._delete)

    def load(
        self, name: str, array: ArrayLike, rows: Indices, make_slice: Callable[[], ArrayLike]
    ) -> ArrayLike | None:
        """Return rows of an array in memory of the caller's own, or None if they are in no file.

        Parameters
        ----------
        name : str
            The same in all processes for the same array and rows.
        array : array-like
            The array.
        rows : array of int or bool
            The rows.
        make_slice : callable
            Returns the slice as scikit-learn makes it.
        """
        if name not in self._loaders:
            self._loaders[name] = self._open(name, array, rows, make_slice)
        load = self._loaders[name]
        return None if load is None else load()

    def _open(
        self, name: str, array: ArrayLike, rows: Indices, make_slice: Callable[[], ArrayLike]
    ) -> Callable[[], ArrayLike] | None:
        if not is_sliced_in_files(array) or size_mb(array) < _FILE_MIN_MB or not len(rows):
            return None
        try:
            with SharedSteps(self._path(f"{name}.steps")) as steps:
                if isinstance(array, np.ndarray):
                    return self._open_array(steps, name, array, np.asarray(rows))
                return self._open_table(steps, name, make_slice)
        except OSError:
            _log.debug("Slice %s of split %d is in no file", name, self._split, exc_info=True)
            return None

    def _open_array(
        self, steps: SharedSteps, name: str, array: Any, rows: NDArray[Any]
    ) -> Callable[[], ArrayLike] | None:
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        if not array[rows[:1]].flags.c_contiguous:
            return None
        writer = _ArrayWriter(array, rows)
        steps.do(_CREATE, lambda: self._create(name, writer.n_bytes).close())
        file = self._open_file(name)
        if file is None:
            return None
        steps.do_all(range(_FIRST_PART, _FIRST_PART + writer.n_parts), partial(writer.write, file))
        release_pages(array)
        return partial(_map_array, PrivateMapping(file), array.dtype, writer.shape)

    def _open_table(
        self, steps: SharedSteps, name: str, make_slice: Callable[[], ArrayLike]
    ) -> Callable[[], ArrayLike] | None:
        steps.do(_CREATE, partial(self._write_table, name, make_slice))
        file = self._open_file(name)
        if file is None:
            return None
        pickled, spans = pickle.loads(self._path(f"{name}.pickle").read_bytes())
        return partial(_map_table, PrivateMapping(file), pickled, spans)

    def _write_table(self, name: str, make_slice: Callable[[], ArrayLike]) -> None:
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(make_slice(), 5, buffer_callback=buffers.append)
        memory = [buffer.raw() for buffer in buffers]
        starts = [0, *accumulate(-(-data.nbytes // _ALIGNMENT) * _ALIGNMENT for data in memory)]
        with self._create(name, max(starts[-1], 1)) as file:
            for start, data in zip(starts, memory, strict=False):
                _write(file, data, start)
        spans = [(start, start + data.nbytes) for start, data in zip(starts, memory, strict=False)]
        self._path(f"{name}.pickle").write_bytes(pickle.dumps((pickled, spans)))

    def _create(self, name: str, n_bytes: int) -> BinaryIO:
        """Create a file of a given size in the first folder that has room for it."""
        for folder in self._folders.data:
            path = self._path(name, folder)
            file = open(path, "wb", buffering=0)  # noqa: SIM115  # it is returned
            try:
                _allocate(file, n_bytes)
                return file
            except OSError as exc:
                file.close()
                path.unlink()
                if folder == self._folders.data[-1]:
                    raise
                _log.warning("%s. Slices of the data are on disk, not in %s.", exc, folder)
        raise AssertionError

    def _open_file(self, name: str) -> BinaryIO | None:
        """Open the file of a slice. Returns None if it has been deleted."""
        for folder in self._folders.data:
            with suppress(FileNotFoundError):
                file = open(self._path(name, folder), "r+b", buffering=0)  # noqa: SIM115
                self._files.append(file)
                return file
        return None

    def _delete(self) -> None:
        for folder in self._folders.data:
            for path in Path(folder).glob(f"{self._split}-*{_DATA}"):
                path.unlink(missing_ok=True)

    def _path(self, name: str, folder: str = "") -> Path:
        """Return the path of a slice in one of the folders for them, or that of a file about it."""
        if folder:
            return Path(folder, f"{self._split}-{name}{_DATA}")
        return Path(self._folders.steps, f"{self._split}-{name}")


class _ArrayWriter:
    """Writes rows of an array to a file, in parts that are independent of each other."""

    def __init__(self, array: Any, rows: NDArray[Any]) -> None:
        self._array, self._rows = array, rows
        self.shape = len(rows), *array.shape[1:]
        """Shape of the slice."""
        self._row_bytes = max(1, array.dtype.itemsize * math.prod(array.shape[1:]))
        self.n_bytes = len(rows) * self._row_bytes
        """Size of the slice."""
        self._part_rows = max(1, _PART // self._row_bytes)
        self.n_parts = -(-len(rows) // self._part_rows)
        """Number of parts."""
        self._is_sorted = bool(np.all(rows[1:] >= rows[:-1]))

    def write(self, file: BinaryIO, step: int) -> None:
        """Write the part of a step."""
        first = (step - _FIRST_PART) * self._part_rows
        last = min(first + self._part_rows, len(self._rows))
        block_rows = max(1, _BLOCK // self._row_bytes)
        for start in range(first, last, block_rows):
            rows = self._rows[start : min(start + block_rows, last)]
            block = np.ascontiguousarray(self._array[rows])
            _write(file, block.reshape(-1).view(np.uint8).data, start * self._row_bytes)
        if self._is_sorted:  # no other part needs the same pages
            release_pages(self._array)


def _allocate(file: BinaryIO, n_bytes: int) -> None:
    """Give a file its size, and its room where the system can reserve it."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, n_bytes)
    else:
        file.truncate(n_bytes)


def _write(file: BinaryIO, data: memoryview, start: int) -> None:
    while data.nbytes:
        n_bytes = os.pwrite(file.fileno(), data, start)
        data, start = data[n_bytes:], start + n_bytes


def _map_array(
    mapping: PrivateMapping, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    return np.frombuffer(mapping.share(), dtype).reshape(shape)


def _map_table(mapping: PrivateMapping, pickled: bytes, spans: list[tuple[int, int]]) -> ArrayLike:
    memory = mapping.share()
    return pickle.loads(pickled, buffers=[memory[start:end] for start, end in spans])
