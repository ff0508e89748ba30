"""Mapped files: the file whose content some memory is, and mappings that no one has written to.

Two questions are answered by lists that the kernel keeps for each process. Systems other than Linux
have none, and there the answer is the one that is always right: memory is copied, or a file mapped
once more.

- *Which file is it?* The attributes of `numpy.memmap` do not suffice: an array may be a part of
  one, a file may have been replaced under its name, and memory that is mapped copy-on-write may
  differ from the file.
- *Has it been written to?* A page of a copy-on-write mapping belongs to the file until it is
  written to. To map a file again costs a tenth of a fit of `Ridge`, and to look at its pages a
  seventh of that.

Code that keeps the address of an array, but not the array, and writes to it later would break the
second answer. ``tests/storage/test_mapped_memory.py`` watches each of these cases.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import BinaryIO, NamedTuple

import numpy as np

_MAPS = "/proc/self/maps"
_PAGES = "/proc/self/pagemap"
_PRESENT, _SWAPPED, _OF_FILE = (np.uint64(1 << bit) for bit in (63, 62, 61))  # of an entry
_ENTRY = 8  # bytes


class FilePart(NamedTuple):
    """A part of a file."""

    path: str
    """Path of the file."""
    start: int
    """Position of its first byte."""


def find_mapped_file(memory: memoryview) -> FilePart | None:
    """Return the part of a file that some memory shares its content with, if there is one."""
    address = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
    try:
        with open(_MAPS) as file:
            return next(filter(None, (_match(line, address, memory.nbytes) for line in file)), None)
    except OSError:
        return None


def _match(line: str, address: int, n_bytes: int) -> FilePart | None:
    """Return the part of the file of a mapping that has the memory at ``address``."""
    span, flags, offset, device, inode, *path = line.rstrip("\n").split(maxsplit=5)
    first, last = (int(number, 16) for number in span.split("-"))
    if not (first <= address and address + n_bytes <= last and flags[3] == "s" and path):
        return None
    try:
        status = os.stat(path[0])
    except OSError:  # deleted, or no file
        return None
    numbers = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}", status.st_ino
    if numbers != (device, int(inode)):
        return None
    return FilePart(path[0], int(offset, 16) + address - first)


class PrivateMapping:
    """A file that is mapped copy-on-write for one user after the other.

    Each user gets memory as if it were the only one. It is mapped again unless the last user has
    neither kept it nor written to it.

    Parameters
    ----------
    file : file object
        The file, which must stay open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._map = self._new_map()
        self._n_references = sys.getrefcount(self._map)

    def share(self) -> memoryview:
        """Return the memory for the next user."""
        is_kept = sys.getrefcount(self._map) > self._n_references
        if is_kept or may_have_private_pages(memoryview(self._map)):
            self._map = self._new_map()
        # joblib takes an array whose base is a mmap for a memmap, and asks for its file name
        return memoryview(self._map)

    def _new_map(self) -> mmap.mmap:
        return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY)


def may_have_private_pages(memory: memoryview) -> bool:
    """Return False if no page of a copy-on-write mapping has been written to."""
    address = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
    first, last = address // mmap.PAGESIZE, (address + memory.nbytes - 1) // mmap.PAGESIZE
    n_bytes = (last - first + 1) * _ENTRY
    try:
        with open(_PAGES, "rb", buffering=0) as file:
            entries = os.pread(file.fileno(), n_bytes, first * _ENTRY)
    except OSError:
        return True
    if len(entries) < n_bytes:
        return True
    pages = np.frombuffer(entries, np.uint64)
    is_private = ((pages & _PRESENT) > 0) & ((pages & _OF_FILE) == 0)
    return bool(np.any(is_private | ((pages & _SWAPPED) > 0)))
