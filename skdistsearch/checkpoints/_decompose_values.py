"""Parts of values that count for their digests: containers, arrays, tables, other objects."""

from __future__ import annotations

import copyreg
import functools
import types
from collections.abc import Callable, Mapping, Set
from hashlib import sha256
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skdistsearch.checkpoints._decompose_code import (
    decompose_cell,
    decompose_class,
    decompose_code,
    decompose_function,
    decompose_module,
    decompose_named,
    decompose_ufunc,
)
from skdistsearch.checkpoints._decomposition import (
    Decomposition,
    Position,
    decompose_attributes,
    decompose_members,
    decompose_sequence,
)

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from scipy import sparse


def decompose(value: object) -> Decomposition:
    """Return the parts of a value that count for its digest."""
    kind = type(value)
    if isinstance(value, Decomposition):
        return value
    if kind in _BY_TYPE:
        return _BY_TYPE[kind](value)
    if isinstance(value, np.generic):
        return Decomposition("scalar", [("", np.asarray(value))])
    if isinstance(value, np.dtype) and value.kind in "?biufcmMOSUV":
        return _decompose_dtype(value)
    if isinstance(value, type):
        return decompose_class(value)
    for base in kind.__mro__[:-1]:
        module = str(base.__module__)  # not a string for Cython's functions, on Python 3.10
        if function := _BY_NAME.get((module.partition(".")[0], base.__name__)):
            return function(value)
    return _decompose_object(value)


def _decompose_dict(values: Mapping[object, object]) -> Decomposition:
    parts = (((key,), part) for key in values for part in (key, values[key]))
    return Decomposition("dict", parts, is_cacheable=None)


def _decompose_set(values: Set[object]) -> Decomposition:
    tag = type(values).__name__
    return Decomposition(tag, enumerate(values), is_ordered=False, is_cacheable=None)


def _decompose_array(array: NDArray[Any]) -> Decomposition:
    is_fortran = array.flags.fnc
    parts: list[tuple[Position, object]] = [("", array.dtype), ("", array.shape), ("", is_fortran)]
    if array.dtype.names:  # field by field: the padding between them is random
        parts += [(f"[{name!r}]", array[name]) for name in array.dtype.names]
    elif array.dtype.hasobject:
        parts.append(("", decompose_sequence(array.ravel().tolist())))
        return Decomposition("array", parts, is_cacheable=None)
    else:
        parts.append(("", _digest_buffer(np.asarray(array.T if is_fortran else array))))
    return Decomposition("array", parts, is_cacheable=True, n_bytes=array.nbytes)


def _digest_buffer(array: NDArray[Any]) -> bytes:
    """Return the SHA-256 of the elements in C order."""
    digest = sha256()
    if array.nbytes and array.flags.c_contiguous:
        digest.update(array.reshape(-1).view(np.uint8).data)
    elif array.nbytes:
        iterate: Any = np.nditer  # its stubs misspell "contig"
        options = {"flags": ["external_loop", "buffered"], "op_flags": [["readonly", "contig"]]}
        for block in iterate(array, order="C", buffersize=1 << 16, **options):
            digest.update(block.view(np.uint8))
    return digest.digest()


def _decompose_dtype(dtype: np.dtype[Any]) -> Decomposition:
    if dtype.subdtype:
        return decompose_sequence(dtype.subdtype, "subdtype")
    fields = [(name, *dtype.fields[name][:2]) for name in dtype.names or () if dtype.fields]
    foreign = dtype.type if dtype.isbuiltin == 2 else None  # registered by another package
    parts = [dtype.str, dtype.itemsize, dtype.isalignedstruct, foreign, *fields]
    return decompose_sequence(parts, "dtype")


def _decompose_sparse(matrix: sparse.spmatrix | sparse.sparray) -> Decomposition:
    """Return the data of a sparse matrix, without the properties that scipy has cached."""
    names = ("data", "indices", "indptr", "coords", "row", "col", "offsets", "rows")
    source = matrix.tocoo() if matrix.format == "dok" else matrix
    members = [(f".{name}", getattr(source, name, None)) for name in ("shape", *names)]
    return Decomposition("sparse", [("", type(matrix)), *members], is_cacheable=True)


def _decompose_pandas(table: pd.DataFrame | pd.Series) -> Decomposition:
    """Return the columns of a table, however pandas groups them into blocks."""
    columns: list[tuple[Position, Any]] = [("", table)]
    names = table.name if table.ndim == 1 else table.columns
    if table.ndim == 2:
        columns = [((name,), table.iloc[:, n]) for n, name in enumerate(names)]
    extra = {name: getattr(table, name, None) for name in table._metadata}  # of derived classes
    about = (("", part) for part in (type(table), table.index, names, table.attrs, extra))
    values = ((position, _column_values(column)) for position, column in columns)  # may be copies
    return Decomposition("pandas", chain(about, values), is_cacheable=True)


def _column_values(column: pd.Series) -> object:
    is_numpy = isinstance(column.dtype, np.dtype)
    return _decompose_array(column.to_numpy()) if is_numpy else column.array


def _decompose_extension_array(array: pd.api.extensions.ExtensionArray) -> Decomposition:
    """Return the values of an array. The memory behind missing values is random."""
    if hasattr(array, "categories"):
        parts = [array.ordered, array.categories, array.codes]
    elif hasattr(array, "asi8"):  # dates, times and periods
        parts = [str(array.dtype), getattr(array, "freqstr", None), _decompose_array(array.asi8)]
    else:
        values = np.asarray(array, dtype=object).tolist()
        parts = [str(array.dtype), decompose_sequence(values)]
    return Decomposition("pandas", enumerate([type(array), *parts]))


def _decompose_polars(table: pl.DataFrame) -> Decomposition:
    parts = enumerate([type(table), *table.get_columns()])
    return Decomposition("polars", parts, is_cacheable=True)


def _decompose_polars_series(series: pl.Series) -> Decomposition:
    plain = series.to_physical() if series.dtype.is_temporal() else series
    is_numpy = str(plain.dtype) in _NUMPY_DTYPES and not plain.null_count()
    values = _decompose_array(plain.to_numpy()) if is_numpy else decompose_sequence(plain.to_list())
    parts = enumerate([type(series), series.name, str(series.dtype), values])
    return Decomposition("polars", parts, is_cacheable=True)


_NUMPY_DTYPES = {f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)}
_NUMPY_DTYPES |= {"Float32", "Float64"}


def _decompose_object(value: object) -> Decomposition:
    """Return the parts that pickle would rebuild an object from."""
    reduce = copyreg.dispatch_table.get(type(value))
    reduced: Any = reduce(value) if reduce else value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return decompose_named(value, reduced)
    names = ("function", "arguments", "state", "items", "pairs", "setter")
    parts = dict(zip_longest(names, reduced))
    parts["state"] = _decompose_state(parts["state"])
    parts["items"] = decompose_sequence(parts["items"] or ())
    parts["pairs"] = decompose_sequence(parts["pairs"] or ())
    return Decomposition("object", [("", part) for part in parts.values()])


def _decompose_state(state: object) -> object:
    if type(state) is dict and all(type(name) is str for name in state):
        return decompose_attributes(state)
    if type(state) is tuple and len(state) == 2 and type(state[1]) is dict:  # with __slots__
        return Decomposition("state", enumerate(map(_decompose_state, state)))
    return state


def _decompose_random_state(value: np.random.RandomState) -> Decomposition:
    """Return the state of a generator, unless it is numpy's global one."""
    if value is check_random_state(None):
        return Decomposition("global RandomState", [])
    return _decompose_object(value)


def _members_of(*names: str) -> Callable[[object], Decomposition]:
    return lambda value: decompose_members(value, *names)


_BY_TYPE: dict[type, Callable[[Any], Decomposition]] = {
    list: functools.partial(decompose_sequence, tag="list"),
    tuple: functools.partial(decompose_sequence, tag="tuple"),
    dict: _decompose_dict,
    types.MappingProxyType: _decompose_dict,
    set: _decompose_set,
    frozenset: _decompose_set,
    np.ndarray: _decompose_array,
    np.memmap: _decompose_array,
    np.ma.MaskedArray: _members_of("data", "mask", "fill_value"),
    np.random.RandomState: _decompose_random_state,
    np.ufunc: decompose_ufunc,
    types.ModuleType: decompose_module,
    types.FunctionType: decompose_function,
    types.CodeType: decompose_code,
    types.CellType: decompose_cell,
    types.MethodType: _members_of("__func__", "__self__"),
    staticmethod: _members_of("__func__"),
    classmethod: _members_of("__func__"),
    property: _members_of("fget", "fset", "fdel"),
    functools.cached_property: _members_of("func", "attrname"),
}
# By top-level module and class name, so that digests import no package
_BY_NAME: dict[tuple[str, str], Callable[[Any], Decomposition]] = {
    ("pandas", "DataFrame"): _decompose_pandas,
    ("pandas", "Series"): _decompose_pandas,
    ("pandas", "ExtensionArray"): _decompose_extension_array,
    ("polars", "DataFrame"): _decompose_polars,
    ("polars", "Series"): _decompose_polars_series,
    ("scipy", "sparray"): _decompose_sparse,
    ("scipy", "spmatrix"): _decompose_sparse,
}
