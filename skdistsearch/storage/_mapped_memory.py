"""Find the file whose content some memory is, so that other processes can map it too.

The kernel lists all mappings of a process. The attributes of `numpy.memmap` do not suffice: an
array may be a part of one, a file may have been replaced under its name, and memory that is mapped
copy-on-write may differ from the file. Systems other than Linux have no such list, and memory is
copied there. ``tests/storage/test_mapped_memory.py`` watches each of these cases.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

_MAPS = "/proc/self/maps"


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
