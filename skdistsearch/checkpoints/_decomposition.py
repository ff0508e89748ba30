"""The parts of a value that count for its digest, and the simplest ways to get them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Position: TypeAlias = str | int | tuple[object]
"""Position of a part within a value: a piece of text such as ``".alpha"`` or ``"['X']"``, a
number, or a key in a tuple of one."""


@dataclass(slots=True)
class Decomposition:
    """The parts of a value that count for its digest."""

    tag: str
    """Kind of value. It is part of the digest."""
    parts: Iterable[tuple[Position, object]]
    """Position and value of each part."""
    is_ordered: bool = True
    """Whether the order of the parts counts."""
    is_cacheable: bool | None = False
    """Whether the digest may be cached. None: if the digests of all parts may be cached."""
    module: str = ""
    """Module that the value is imported from."""
    name: str = ""
    """Name to import a class or function by, ``module:qualname``."""
    n_bytes: int = 0
    """Number of bytes that were hashed to get the parts."""


def decompose_sequence(values: Iterable[object], tag: str = "sequence") -> Decomposition:
    """Return the values in their order."""
    return Decomposition(tag, enumerate(values), is_cacheable=None)


def decompose_members(value: object, *names: str) -> Decomposition:
    """Return some attributes of a value. Use None for missing ones."""
    parts: list[tuple[Position, object]] = [
        (f".{name}", getattr(value, name, None)) for name in names
    ]
    return Decomposition(type(value).__name__, parts)


def decompose_attributes(values: Mapping[str, object]) -> Decomposition:
    """Return values by name, if nothing depends on the order of the names."""
    parts: list[tuple[Position, object]] = []
    for name in sorted(values):
        parts += [("", name), (f".{name}", values[name])]
    return Decomposition("attributes", parts)
