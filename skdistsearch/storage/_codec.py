"""Data as bytes: numbers, strings, arrays, sparse matrices, and containers of them. No pickle.

The first line is JSON: a format number, the value as a tree, and the sizes of the arrays that
follow in numpy's file format. Types are compared exactly: an instance of a subclass is not data,
because its class would be lost. Decoding runs no code of the sender's.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch

from skdistsearch.exceptions import CorruptDataError

FORMAT = 1
_Tree: TypeAlias = Any  # of JSON
_SAFE_INTEGER = 2**53  # above it, other readers of JSON round
_SPARSE = ("csr", "csc", "coo")


class NotDataError(TypeError):
    """A value that only pickle can represent. The message is its type."""


def encode(value: Any) -> bytes:
    """Return a value as bytes. Raise `NotDataError` if it is not data."""
    encoder = _Encoder()
    try:
        tree = encoder.tree(value)
    except RecursionError as exc:
        raise NotDataError("a container that contains itself") from exc
    header = {"format": FORMAT, "tree": tree, "arrays": [len(data) for data in encoder.arrays]}
    return b"".join([json.dumps(header, allow_nan=False).encode(), b"\n", *encoder.arrays])


def decode(data: bytes) -> Any:
    """Return the value that `encode` wrote."""
    line, _, rest = data.partition(b"\n")
    try:
        header = json.loads(line)
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']}")
        arrays, start = [], 0
        for size in header["arrays"]:
            arrays.append(np.load(io.BytesIO(rest[start : start + size]), allow_pickle=False))
            start += size
        return _Decoder(arrays).value(header["tree"])
    except (ValueError, TypeError, KeyError, IndexError, EOFError, RecursionError) as exc:
        raise CorruptDataError(f"A stored result is corrupt: {exc!r}") from exc


class _Encoder:
    """Turns values into trees of JSON. A node that is not a plain value is a dict of one item."""

    def __init__(self) -> None:
        self.arrays: list[bytes] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # alive, so that no other array gets the same id

    def tree(self, value: Any) -> _Tree:
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind in _ENCODERS:
            return _ENCODERS[kind](self, value)
        if isinstance(value, np.generic) and not value.dtype.hasobject:
            return {"scalar": self._array_number(np.asarray(value))}
        if sparse.issparse(value) and value.format in _SPARSE:
            return self._sparse(value)
        raise NotDataError(f"{kind.__module__}.{kind.__qualname__}")

    def _int(self, value: int) -> _Tree:
        return value if abs(value) <= _SAFE_INTEGER else {"int": str(value)}

    def _float(self, value: float) -> _Tree:
        return value if math.isfinite(value) else {"float": repr(value)}

    def _complex(self, value: complex) -> _Tree:
        return {"complex": [self._float(value.real), self._float(value.imag)]}

    def _bytes(self, value: bytes) -> _Tree:
        return {"bytes": self._array_number(np.frombuffer(value, np.uint8))}

    def _list(self, value: list[Any]) -> _Tree:
        return {"list": [self.tree(item) for item in value]}

    def _tuple(self, value: tuple[Any, ...]) -> _Tree:
        return {"tuple": [self.tree(item) for item in value]}

    def _dict(self, value: dict[Any, Any]) -> _Tree:
        return {"dict": [[self.tree(key), self.tree(item)] for key, item in value.items()]}

    def _bunch(self, value: Bunch) -> _Tree:
        return {"bunch": [[self.tree(key), self.tree(item)] for key, item in value.items()]}

    def _array(self, value: np.ndarray) -> _Tree:
        if value.dtype == object:
            items = [self.tree(item) for item in value.ravel()]
            return {"objects": [list(value.shape), items]}
        if value.dtype.hasobject or value.dtype.metadata:
            raise NotDataError(f"an array of {value.dtype}")
        return {"array": self._array_number(value)}

    def _masked(self, value: np.ma.MaskedArray) -> _Tree:
        if value.hardmask:
            raise NotDataError("an array with a hard mask")
        mask = None if value.mask is np.ma.nomask else self._array(np.ma.getmaskarray(value))
        return {"masked": [self._array(value.data), mask, self.tree(value.fill_value)]}

    def _sparse(self, matrix: Any) -> _Tree:
        names = ("data", "row", "col") if matrix.format == "coo" else ("data", "indices", "indptr")
        parts = [self._array_number(getattr(matrix, name)) for name in names]
        name = type(matrix).__name__
        if getattr(sparse, name, None) is not type(matrix) or len(matrix.shape) != 2:
            raise NotDataError(name)
        return {
            "sparse": [
                name,
                [int(size) for size in matrix.shape],
                dict(zip(names, parts, strict=True)),
            ]
        }

    def _array_number(self, array: np.ndarray) -> int:
        """Write an array once, wherever it occurs, and return its number."""
        if id(array) not in self._numbers:
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            self._numbers[id(array)] = len(self.arrays)
            self.arrays.append(file.getvalue())
            self._kept.append(array)
        return self._numbers[id(array)]


_ENCODERS: dict[type, Callable[[_Encoder, Any], _Tree]] = {
    int: _Encoder._int,
    float: _Encoder._float,
    complex: _Encoder._complex,
    bytes: _Encoder._bytes,
    list: _Encoder._list,
    tuple: _Encoder._tuple,
    dict: _Encoder._dict,
    Bunch: _Encoder._bunch,
    np.ndarray: _Encoder._array,
    np.memmap: _Encoder._array,
    np.ma.MaskedArray: _Encoder._masked,
}


class _Decoder:
    """Turns trees of JSON into values."""

    def __init__(self, arrays: list[Any]) -> None:
        self._arrays = arrays

    def value(self, tree: _Tree) -> Any:
        if not isinstance(tree, dict):
            return tree
        ((kind, content),) = tree.items()
        return _DECODERS[kind](self, content)

    def _values(self, trees: list[_Tree]) -> list[Any]:
        return [self.value(tree) for tree in trees]

    def _items(self, pairs: list[tuple[_Tree, _Tree]]) -> dict[Any, Any]:
        return {self.value(key): self.value(item) for key, item in pairs}

    def _array(self, number: int) -> Any:
        return self._arrays[number]

    def _objects(self, content: tuple[list[int], list[_Tree]]) -> Any:
        shape, items = content
        array = np.empty(len(items), object)
        for number, item in enumerate(items):
            array[number] = self.value(item)
        return array.reshape(shape)

    def _masked(self, content: tuple[_Tree, _Tree, _Tree]) -> Any:
        data, mask, fill_value = self._values(list(content))
        mask = np.ma.nomask if mask is None else mask
        return np.ma.MaskedArray(data, mask, fill_value=fill_value)

    def _sparse(self, content: tuple[str, list[int], dict[str, int]]) -> Any:
        name, shape, numbers = content
        if name not in {f"{kind}_{suffix}" for kind in _SPARSE for suffix in ("matrix", "array")}:
            raise ValueError(name)
        parts = {part: self._arrays[number] for part, number in numbers.items()}
        first, second = (part for part in parts if part != "data")
        indices = (parts[first], parts[second])
        make = getattr(sparse, name)
        if name.startswith("coo"):
            return make((parts["data"], indices), shape=tuple(shape))
        matrix = make((parts["data"], *indices), shape=tuple(shape))
        matrix.indices, matrix.indptr = indices  # scipy may have chosen another type of integers
        return matrix


_DECODERS: dict[str, Callable[[_Decoder, Any], Any]] = {
    "int": lambda decoder, text: int(text),
    "float": lambda decoder, text: float(text),
    "complex": lambda decoder, parts: complex(*decoder._values(parts)),
    "bytes": lambda decoder, number: decoder._array(number).tobytes(),
    "list": _Decoder._values,
    "tuple": lambda decoder, trees: tuple(decoder._values(trees)),
    "dict": _Decoder._items,
    "bunch": lambda decoder, pairs: Bunch(**decoder._items(pairs)),
    "array": _Decoder._array,
    "scalar": lambda decoder, number: decoder._array(number)[()],
    "objects": _Decoder._objects,
    "masked": _Decoder._masked,
    "sparse": _Decoder._sparse,
}
