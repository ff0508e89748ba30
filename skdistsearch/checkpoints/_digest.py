"""The same digest for the same value, in every process; another one for any other value.

A value is taken apart as pickle would, each part is hashed, and a value's digest is the hash of
its parts' digests. Unlike in a pickle, it does not matter which parts are one object and which
are merely equal. Code that can be imported is known by its name, and `_versions` says what stands
behind the name; code that cannot (a notebook, a script, a lambda) is digested itself.

What counts: the order of a dict, C or Fortran order of an array (it decides how BLAS adds up),
``1`` or ``1.0`` or ``np.float64(1)``. What does not: the order in which attributes were set,
caches of pandas and scipy, a memory map or not, strides beyond C and Fortran order (no pickle
keeps them), annotations, comments, line numbers.
"""

from __future__ import annotations

import copyreg
import dis
import functools
import re
import struct
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256  # the fastest sound hash of the standard library: 1.5 GB/s, BLAKE2b .7
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skdistsearch.exceptions import NotPicklableError

_REMEMBERED = 1 << 16  # bytes: less is hashed again in under 50 µs


class Digester:
    """Digests values, for as long as nobody changes them: one search.

    Big arrays, tables and lists are remembered, and kept alive: asked for again, they cost nothing.
    """

    def __init__(self) -> None:
        self.modules: set[str] = set()
        """Top-level modules that the digested values rest on, see `_versions`."""
        self._remembered: dict[int, _Node] = {}

    def digest(self, value: Any, name: str = "value") -> str:
        """SHA-256 of ``value`` as hex; `NotPicklableError` says which part of it has none."""
        root = _Node("", _Form("root", [(name, value)]))
        trail = [root]
        try:
            self._walk(trail)
        except Exception as exc:
            path = "".join(_place(node.where) for node in trail)
            kind = type(trail[-1].value).__name__
            raise NotPicklableError(f"{path} ({kind}) cannot be recognized later: {exc}") from exc
        return root.digest[1:].hex()

    def _walk(self, trail: list[_Node]) -> None:
        """Tarjan's search for values that reach each other; a loop, so at any depth."""
        met: dict[int, _Node] = {}
        unfinished: list[_Node] = []
        self._enter(trail[0], met, unfinished)
        while trail:
            node = trail[-1]
            for where, part in node.rest:
                if encode := _ATOMS.get(type(part)):
                    node.parts.append(encode(part))
                elif known := met.get(id(part)) or self._remembered.get(id(part)):
                    node.add(known)
                else:
                    trail.append(_Node(where, part))
                    self._enter(trail[-1], met, unfinished)
                    break
            else:
                if node.low == node.index:
                    self._finish(unfinished[node.index :])
                    del unfinished[node.index :]
                trail.pop()
                if trail:
                    trail[-1].add(node)

    def _enter(self, node: _Node, met: dict[int, _Node], unfinished: list[_Node]) -> None:
        node.enter(_form(node.value), len(unfinished))
        if node.form.module:
            self.modules.add(node.form.module.partition(".")[0])
        if not isinstance(node.value, _Form):
            met[id(node.value)] = node  # which keeps the value alive: no other has its id
        unfinished.append(node)

    def _finish(self, nodes: list[_Node]) -> None:
        if len(nodes) == 1 and all(isinstance(part, bytes) for part in nodes[0].parts):
            nodes[0].digest = nodes[0].hashed({})
        else:
            _finish_cycle(nodes)
        for node in nodes:
            node.weight += 32 * len(node.parts)
            if node.weight >= _REMEMBERED and node.is_data and not isinstance(node.value, _Form):
                self._remembered[id(node.value)] = node
            del node.form, node.rest, node.parts  # they may hold copies


@dataclass(slots=True)
class _Form:
    """What of a value is digested."""

    tag: str
    parts: Iterable[tuple[Any, Any]]
    """Each part, after its place in the value: as the path in a message has it, or a number, or a
    key as a tuple of one."""
    ordered: bool = True
    """Whether the order of the parts counts."""
    data: bool | None = False
    """Whether the digest may be remembered; None: if those of all parts may."""
    module: str = ""
    """The module that the value is imported from."""
    weight: int = 0
    """Bytes that were hashed to make this."""


@dataclass(slots=True, eq=False)
class _Node:
    """A value on its way to its digest."""

    where: Any
    value: Any
    form: _Form = field(init=False)
    rest: Iterator[tuple[Any, Any]] = field(init=False)
    parts: list[bytes | _Node] = field(init=False)
    index: int = 0
    low: int = 0
    """The least index of a value that this one reaches and that reaches this one."""
    weight: int = 0
    is_data: bool = False
    digest: bytes = b""

    def enter(self, form: _Form, index: int) -> None:
        """Begin with the parts."""
        self.form, self.rest, self.parts = form, iter(form.parts), []
        self.index = self.low = index
        self.weight, self.is_data = form.weight, form.data is not False

    def add(self, part: _Node) -> None:
        """Take a part in: its digest, or itself if it is in a cycle with this value."""
        self.weight += part.weight
        if self.form.data is None:
            self.is_data &= part.is_data
        self.parts.append(part.digest or part)
        if not part.digest:
            self.low = min(self.low, part.low)

    def hashed(self, digests: dict[_Node, bytes]) -> bytes:
        """The hash of the parts, given the digests of those that have none yet."""
        parts = [part if isinstance(part, bytes) else digests[part] for part in self.parts]
        return _hashed(self.form.tag, parts if self.form.ordered else sorted(parts))


def _finish_cycle(nodes: list[_Node]) -> None:
    """Digest values that reach each other, whichever of them was met first.

    Each round looks one step further; once a round tells no more of them apart than the last,
    none will. All that were told apart count: so two cycles with one digest are alike throughout.
    """
    digests, classes = dict.fromkeys(nodes, b""), 1
    while True:
        digests = {node: node.hashed(digests) for node in nodes}
        if len(different := set(digests.values())) == classes:
            break
        classes = len(different)
    for node in nodes:
        node.digest = _hashed("cycle", [digests[node], *sorted(different)])


def _hashed(tag: str, parts: Iterable[bytes]) -> bytes:
    return b"#" + sha256(tag.encode() + b"\0" + b"".join(parts)).digest()


def _place(where: Any) -> str:
    return where if isinstance(where, str) else f"[{where[0] if type(where) is tuple else where!r}]"


# --- Values without parts: each encoding says where it ends. ---


def _sized(tag: bytes, data: bytes) -> bytes:
    if len(data) > 64:
        return tag.upper() + sha256(data).digest()
    return b"%b%d:%b" % (tag, len(data), data)


def _float(value: float) -> bytes:
    return b"f" + struct.pack("<d", value) if value == value else b"n"  # there is but one nan


_ATOMS: dict[type, Callable[[Any], bytes]] = {
    str: lambda value: _sized(b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _sized(b"b", value),
    int: lambda value: b"i%x;" % value,
    float: _float,
    complex: lambda value: b"c" + _float(value.real) + _float(value.imag),
    bool: lambda value: b"t" if value else b"u",
    type(None): lambda value: b"z",
}


# --- Values with parts. ---


def _form(value: Any) -> _Form:
    kind = type(value)
    if kind is _Form:
        return value  # type: ignore[no-any-return]
    if kind in _FORMS:
        return _FORMS[kind](value)
    if isinstance(value, np.generic):
        return _Form("scalar", [("", np.asarray(value))])
    if isinstance(value, np.dtype) and value.kind in "?biufcmMOSUV":
        return _dtype(value)
    if isinstance(value, type):
        return _class(value)
    for base in kind.__mro__[:-1]:
        if form := _TABLES.get((base.__module__.partition(".")[0], base.__name__)):
            return form(value)
    return _reduced(value)


def _sequence(value: Iterable[Any], tag: str = "sequence") -> _Form:
    return _Form(tag, enumerate(value), data=None)


def _dict(value: Any) -> _Form:
    return _Form("dict", (((key,), part) for key in value for part in (key, value[key])), data=None)


def _set(value: Iterable[Any]) -> _Form:
    return _Form(type(value).__name__, enumerate(value), ordered=False, data=None)


def _members(value: Any, *names: str) -> _Form:
    parts = [(f".{name}", getattr(value, name, None)) for name in names]
    return _Form(type(value).__name__, parts)


def _attributes(values: Any) -> _Form:
    """Values by name, where nothing depends on the order of the names."""
    parts = [part for name in sorted(values) for part in (("", name), (f".{name}", values[name]))]
    return _Form("attributes", parts)


def _array(array: Any) -> _Form:
    fortran = array.flags.fnc
    head = [("", array.dtype), ("", array.shape), ("", fortran)]
    if array.dtype.names:  # field by field: what lies between them is random
        parts: Iterable[Any] = [(f"[{name!r}]", array[name]) for name in array.dtype.names]
    elif array.dtype.hasobject:
        return _Form("array", [*head, ("", _sequence(array.ravel().tolist()))], data=None)
    else:
        parts = [("", _digest_of_buffer(np.asarray(array.T if fortran else array)))]
    return _Form("array", [*head, *parts], data=True, weight=array.nbytes)


def _digest_of_buffer(array: Any) -> bytes:
    found = sha256()
    if array.nbytes and array.flags.c_contiguous:
        found.update(array.reshape(-1).view(np.uint8))
    elif array.nbytes:
        each: Any = np.nditer  # whose stubs misspell "contig"
        how = {"flags": ["external_loop", "buffered"], "op_flags": [["readonly", "contig"]]}
        blocks = each(array, order="C", buffersize=1 << 16, **how)
        for block in blocks:
            found.update(block.view(np.uint8))
    return found.digest()


def _dtype(dtype: Any) -> _Form:
    if dtype.subdtype:
        return _sequence(dtype.subdtype, "subdtype")
    fields = [(name, *dtype.fields[name][:2]) for name in dtype.names or ()]
    extra = dtype.type if dtype.isbuiltin == 2 else None  # not numpy's own
    return _sequence([dtype.str, dtype.itemsize, dtype.isalignedstruct, extra, *fields], "dtype")


def _sparse(matrix: Any) -> _Form:
    """A sparse matrix without what scipy has found out about it."""
    names = ("data", "indices", "indptr", "coords", "row", "col", "offsets", "rows")
    form = matrix.tocoo() if matrix.format == "dok" else matrix
    parts = [(f".{name}", getattr(form, name, None)) for name in ("shape", *names)]
    return _Form("sparse", [("", type(matrix)), *parts], data=True)


def _pandas(table: Any) -> _Form:
    """A DataFrame by its columns, however it holds them together; a Series as one column."""
    columns: list[tuple[Any, Any]] = [("", table)]
    names = table.name if table.ndim == 1 else table.columns
    if table.ndim == 2:
        columns = [((name,), table.iloc[:, n]) for n, name in enumerate(names)]
    extra = {name: getattr(table, name, None) for name in table._metadata}  # of derived classes
    about = [("", part) for part in (type(table), table.index, names, table.attrs, extra)]
    parts = ((where, _pandas_column(column)) for where, column in columns)
    return _Form("pandas", chain(about, parts), data=True)


def _pandas_column(series: Any) -> Any:
    return _array(series.to_numpy()) if isinstance(series.dtype, np.dtype) else series.array


def _pandas_array(array: Any) -> _Form:
    """An extension array by its values: what lies under a missing one is random."""
    if hasattr(array, "categories"):
        parts = [array.ordered, array.categories, array.codes]
    elif hasattr(array, "asi8"):  # points in time
        parts = [str(array.dtype), getattr(array, "freqstr", None), _array(array.asi8)]
    else:
        parts = [str(array.dtype), _sequence(np.asarray(array, dtype=object).tolist())]
    return _Form("pandas", enumerate([type(array), *parts]))


def _polars(table: Any) -> _Form:
    return _Form("polars", enumerate([type(table), *table.get_columns()]), data=True)


def _polars_series(series: Any) -> _Form:
    plain = series.to_physical() if series.dtype.is_temporal() else series
    known = str(plain.dtype) in _NUMPY_DTYPES and not plain.null_count()
    values = _array(plain.to_numpy()) if known else _sequence(plain.to_list())
    about = [type(series), series.name, str(series.dtype), values]
    return _Form("polars", enumerate(about), data=True)


_NUMPY_DTYPES = {f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)}
_NUMPY_DTYPES |= {"Float32", "Float64"}


def _reduced(value: Any) -> _Form:
    """Any other object, by what pickle would rebuild it from."""
    reduce = copyreg.dispatch_table.get(type(value))
    made: Any = reduce(value) if reduce else value.__reduce_ex__(4)
    if isinstance(made, str):
        return _known_by_name(value, made)
    names = ("function", "arguments", "state", "items", "pairs", "setter")
    parts = dict(zip_longest(names, made))
    parts["state"] = _state(parts["state"])
    parts["items"] = _sequence(parts["items"] or ())
    parts["pairs"] = _sequence(parts["pairs"] or ())
    return _Form("object", [("", part) for part in parts.values()])


def _state(state: Any) -> Any:
    if type(state) is dict and all(type(name) is str for name in state):
        return _attributes(state)
    if type(state) is tuple and len(state) == 2 and type(state[1]) is dict:  # with __slots__
        return _Form("state", enumerate(map(_state, state)))
    return state


def _random_state(value: Any) -> _Form:
    """The state of numpy's global generator is nothing that an object rests on."""
    if value is check_random_state(None):
        return _Form("global RandomState", [])
    return _reduced(value)


# --- Code. ---


def _known_by_name(value: Any, qualname: str) -> _Form:
    if form := _importable(value, qualname):
        return form
    if hasattr(value, "__wrapped__"):  # functools.lru_cache
        return _members(value, "__wrapped__")
    if type(value).__module__ == "typing":
        return _Form("typing", [("", type(value)), ("", qualname)])
    raise TypeError(f"{qualname!r} is only a name, and no installed module has it")


def _importable(value: Any, qualname: str) -> _Form | None:
    """A value by its name, if a module that is on disk has it under that name."""
    module = getattr(value, "__module__", None) or "builtins"
    found: Any = sys.modules.get(module) if _is_on_disk(module) else None
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return _global(module, qualname) if found is value else None


def _global(module: str, qualname: str = "") -> _Form:
    return _Form("global", [("", module), ("", qualname)], data=True, module=module)


def _is_on_disk(module: str) -> bool:
    top = module.partition(".")[0]
    found = sys.modules.get(top)
    has_place = getattr(found, "__file__", None) or getattr(found, "__path__", None)
    return top in sys.stdlib_module_names or (top not in _SCRIPTS and bool(has_place))


_SCRIPTS = {"__main__", "__mp_main__"}


def _module(module: types.ModuleType) -> _Form:
    if not _is_on_disk(module.__name__):
        raise TypeError(f"module {module.__name__!r} has no file to import it from")
    return _global(module.__name__)


def _function(function: Any) -> _Form:
    """A function by its name, or by its code and what that refers to."""
    if form := _importable(function, function.__qualname__):
        return form
    steps = list(_steps(function.__code__))
    read = {step.argval for step in steps if step.opname in _READS} & set(function.__globals__)
    used = {name: function.__globals__[name] for name in read}
    home = function.__globals__.get("__name__", "__main__")
    if _is_on_disk(home):  # the module's version says what its globals are
        used = {"": _global(home)}
    imported = {step.argval for step in steps if step.opname == "IMPORT_NAME" and step.argval}
    names = ("__name__", "__code__", "__defaults__", "__kwdefaults__", "__closure__")
    about = [_attributes(vars(function)), _attributes(used), *map(_global, sorted(imported))]
    form = _members(function, *names)
    return _Form("function", [*form.parts, *(("", part) for part in about)])


_READS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}


def _steps(code: types.CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _steps(constant)


def _cell(cell: Any) -> _Form:
    try:
        return _Form("cell", [("", cell.cell_contents)])
    except ValueError:
        return _Form("empty cell", [])


def _class(cls: Any) -> _Form:
    """A class by its name, or by its content if that is nowhere on disk."""
    if form := _importable(cls, cls.__qualname__):
        return form
    if not cls.__flags__ & 1 << 9:  # written in C, known to C alone
        return _global(cls.__module__, cls.__qualname__)
    content = {name: value for name, value in vars(cls).items() if not _NO_CONTENT.fullmatch(name)}
    about = [("", cls.__qualname__), ("", type(cls)), ("", cls.__bases__)]
    return _Form("class", [*about, ("", _attributes(content))])


# Python's own notes on a class: where it stands, what is derived from it, its annotations.
_NO_CONTENT = re.compile(
    "_abc_impl|__(dict|weakref|module|doc|firstlineno|static_attributes|annotations|annotate|"
    "annotate_func|annotations_cache|conditional_annotations)__"
)


def _ufunc(ufunc: Any) -> _Form:
    name = ufunc.__name__
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), name, None) is ufunc:
            return _global(module, name)
    raise TypeError(f"{ufunc!r} is neither numpy's nor scipy.special's")


_CODE: tuple[str, ...] = ("argcount", "posonlyargcount", "kwonlyargcount", "flags", "code")
_CODE += ("consts", "names", "varnames", "freevars", "cellvars", "exceptiontable")
_FORMS: dict[type, Callable[[Any], _Form]] = {
    list: lambda value: _sequence(value, "list"),
    tuple: lambda value: _sequence(value, "tuple"),
    dict: _dict,
    types.MappingProxyType: _dict,
    set: _set,
    frozenset: _set,
    np.ndarray: _array,
    np.memmap: _array,
    np.ma.MaskedArray: lambda value: _members(value, "data", "mask", "fill_value"),
    np.random.RandomState: _random_state,
    np.ufunc: _ufunc,
    types.ModuleType: _module,
    types.FunctionType: _function,
    types.CodeType: lambda value: _members(value, *(f"co_{name}" for name in _CODE)),
    types.CellType: _cell,
    types.MethodType: lambda value: _members(value, "__func__", "__self__"),
    staticmethod: lambda value: _members(value, "__func__"),
    classmethod: lambda value: _members(value, "__func__"),
    property: lambda value: _members(value, "fget", "fset", "fdel"),
    functools.cached_property: lambda value: _members(value, "func", "attrname"),
}
# By top-level module and name, so that nothing is imported that the user has not.
_TABLES: dict[tuple[str, str], Callable[[Any], _Form]] = {
    ("pandas", "DataFrame"): _pandas,
    ("pandas", "Series"): _pandas,
    ("pandas", "ExtensionArray"): _pandas_array,
    ("polars", "DataFrame"): _polars,
    ("polars", "Series"): _polars_series,
    ("scipy", "sparray"): _sparse,
    ("scipy", "spmatrix"): _sparse,
}
