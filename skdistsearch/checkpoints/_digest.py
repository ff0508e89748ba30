"""Digests of Python objects, equal in every process exactly when the values are equal.

A value is split into parts much as pickle would do it (`_decompose_values`, `_decompose_code`), and
its digest is the SHA-256 of the digests of its parts. Values that refer to each other in a cycle
are digested together. Nothing simpler works: pickles of equal values differ with the parts that
are the same object, the order of sets and attributes, and the caches of pandas and scipy.
`joblib.hash` depends on object identity too, and ignores the code of functions.
Importable code is represented by its name, the bytecode of its own functions, which may have been
replaced, and the version of its package (`_versions`); code of a script or a notebook is digested
as a whole. The order of a dict, the memory order of an array (BLAS adds up
differently) and the type of a number count. Memory maps, strides, annotations, comments and line
numbers do not. If a release of Python or numpy changes what ``__reduce_ex__`` or a code object
holds, digests change, which costs new fits but never gives wrong results. Watched by
tests/checkpoints/test_digest.py, which digests values of all kinds in two processes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256  # the fastest in the standard library: 1.5 GB/s, BLAKE2b has 0.7
from typing import Any

from skdistsearch.checkpoints._decompose_values import decompose
from skdistsearch.checkpoints._decomposition import Decomposition, Position
from skdistsearch.exceptions import NotPicklableError

_CACHED_MIN_BYTES = 1 << 16  # less is hashed again in under 50 µs


class Digester:
    """Computes digests of values that do not change while it is in use, such as in one search.

    Digests of big arrays, tables and lists are cached. The cache keeps their values alive.
    """

    def __init__(self) -> None:
        self.modules: set[str] = set()
        """Top-level modules that the digested values depend on, for `find_versions`."""
        self.code: dict[str, str] = {}
        """Digests of the importable classes and functions among them, by ``module:qualname``."""
        self._cache: dict[int, _Node] = {}

    def digest(self, value: object, name: str = "value") -> str:
        """Return the SHA-256 of a value as hexadecimal text.

        Raises `NotPicklableError` if a part has no digest. The message has the path of the part,
        which starts with ``name``.
        """
        root = _Node("", Decomposition("root", [(name, value)]))
        path = [root]
        try:
            self._walk(path)
        except Exception as exc:
            location = "".join(_format_position(node.position) for node in path)
            kind = type(path[-1].value).__name__
            raise NotPicklableError(
                f"{location} ({kind}) cannot be recognized later: {exc}"
            ) from exc
        return root.digest[1:].hex()

    def _walk(self, path: list[_Node]) -> None:
        """Digest the values below ``path[0]``, with Tarjan's algorithm for cycles.

        A loop instead of a recursion, so that values can be nested to any depth. ``path`` leads to
        the current value.
        """
        visited: dict[int, _Node] = {}
        stack: list[_Node] = []
        self._enter(path[0], visited, stack)
        while path:
            node = path[-1]
            if (child := self._next_child(node, visited)) is not None:
                path.append(child)
                self._enter(child, visited, stack)
                continue
            if node.lowlink == node.index:  # no value of this cycle is above it
                self._finish(stack[node.index :])
                del stack[node.index :]
            path.pop()
            if path:
                path[-1].add(node)

    def _next_child(self, node: _Node, visited: dict[int, _Node]) -> _Node | None:
        """Add parts to a node up to the first that has to be digested, and return this part."""
        for position, part in node.remaining:
            if encode := _ENCODERS.get(type(part)):
                node.parts.append(encode(part))
            elif known := visited.get(id(part)) or self._cache.get(id(part)):
                node.add(known)
            else:
                return _Node(position, part)
        return None

    def _enter(self, node: _Node, visited: dict[int, _Node], stack: list[_Node]) -> None:
        node.enter(decompose(node.value), len(stack))
        if node.content.module:
            self.modules.add(node.content.module.partition(".")[0])
        if not isinstance(node.value, Decomposition):
            visited[id(node.value)] = node  # keeps the value alive, so that its id stays its own
        stack.append(node)

    def _finish(self, nodes: list[_Node]) -> None:
        """Digest the nodes of a cycle, or a single node."""
        if len(nodes) == 1 and all(isinstance(part, bytes) for part in nodes[0].parts):
            nodes[0].digest = nodes[0].hash_parts({})
        else:
            _digest_cycle(nodes)
        for node in nodes:
            if node.content.name:
                self.code[node.content.name] = node.digest.hex()
            node.n_bytes += 32 * len(node.parts)
            is_value = not isinstance(node.value, Decomposition)
            if node.n_bytes >= _CACHED_MIN_BYTES and node.is_cacheable and is_value:
                self._cache[id(node.value)] = node
            del node.content, node.remaining, node.parts  # they may hold copies of data


@dataclass(slots=True, eq=False)
class _Node:
    """A value that is being digested."""

    position: Position
    """Position within the value that contains it."""
    value: object
    """The value."""
    content: Decomposition = field(init=False)
    """The value's parts."""
    remaining: Iterator[tuple[Position, object]] = field(init=False)
    """Parts that have not been added yet."""
    parts: list[bytes | _Node] = field(init=False)
    """Added parts: digests, or nodes whose digests are not known yet."""
    index: int = 0
    """Position on the stack of Tarjan's algorithm."""
    lowlink: int = 0
    """Lowest index of a value in the same cycle, as far as known."""
    n_bytes: int = 0
    """Number of bytes that were hashed for the digest."""
    is_cacheable: bool = False
    """Whether the digest may be cached."""
    digest: bytes = b""
    """The digest, once it is known."""

    def enter(self, content: Decomposition, index: int) -> None:
        """Start to collect the digests of the parts."""
        self.content, self.remaining, self.parts = content, iter(content.parts), []
        self.index = self.lowlink = index
        self.n_bytes, self.is_cacheable = content.n_bytes, content.is_cacheable is not False

    def add(self, part: _Node) -> None:
        """Add a part: its digest, or the node itself if it may be in a cycle with this one."""
        self.n_bytes += part.n_bytes
        if self.content.is_cacheable is None:
            self.is_cacheable &= part.is_cacheable
        self.parts.append(part.digest or part)
        if not part.digest:
            self.lowlink = min(self.lowlink, part.lowlink)

    def hash_parts(self, digests: dict[_Node, bytes]) -> bytes:
        """Return the hash of the parts, with ``digests`` for parts that are nodes."""
        parts = [part if isinstance(part, bytes) else digests[part] for part in self.parts]
        return _hash(self.content.tag, parts if self.content.is_ordered else sorted(parts))


def _digest_cycle(nodes: list[_Node]) -> None:
    """Digest values that refer to each other, independently of the order in which they were met.

    Each round hashes every value with the hashes of the last round, and so looks one reference
    further. Rounds end when the number of distinct hashes does not grow any more. The set of all
    hashes is part of each digest: cycles with an equal digest are equal throughout.
    """
    digests, n_distinct = dict.fromkeys(nodes, b""), 1
    while True:
        digests = {node: node.hash_parts(digests) for node in nodes}
        if len(distinct := set(digests.values())) == n_distinct:
            break
        n_distinct = len(distinct)
    for node in nodes:
        node.digest = _hash("cycle", [digests[node], *sorted(distinct)])


def _hash(tag: str, parts: Iterable[bytes]) -> bytes:
    return b"#" + sha256(tag.encode() + b"\0" + b"".join(parts)).digest()


def _format_position(position: Position) -> str:
    if isinstance(position, str):
        return position
    return f"[{position[0] if type(position) is tuple else position!r}]"


def _encode_sized(tag: bytes, data: bytes) -> bytes:
    if len(data) > 64:
        return tag.upper() + sha256(data).digest()
    return b"%b%d:%b" % (tag, len(data), data)


def _encode_float(value: float) -> bytes:
    return b"f" + struct.pack("<d", value) if value == value else b"n"  # all NaNs are equal


# Values without parts. No encoding is the beginning of another.
_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    str: lambda value: _encode_sized(b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _encode_sized(b"b", value),
    int: lambda value: b"i%x;" % value,
    float: _encode_float,
    complex: lambda value: b"c" + _encode_float(value.real) + _encode_float(value.imag),
    bool: lambda value: b"t" if value else b"u",
    type(None): lambda value: b"z",
}
