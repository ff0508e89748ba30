"""Parts of functions, classes and modules that count for their digests.

Code in a module on disk is represented by its name, by the bytecode of its own functions and by
plain attributes of its classes: they may have been replaced at run time. Other code, of a script, a
notebook or a lambda, is represented by its bytecode and by the values it refers to.
"""

from __future__ import annotations

import dis
import re
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from itertools import chain

import numpy as np

from skdistsearch.checkpoints._decomposition import (
    Decomposition,
    Position,
    decompose_attributes,
    decompose_members,
    decompose_sequence,
)


def decompose_named(value: object, qualname: str) -> Decomposition:
    """Represent an object by its name, as pickle does."""
    if by_name := _find_importable(value, qualname):
        return by_name
    if hasattr(value, "__wrapped__"):  # functools.lru_cache
        return decompose_members(value, "__wrapped__")
    if type(value).__module__ == "typing":
        return Decomposition("typing", [("", type(value)), ("", qualname)])
    raise TypeError(f"{qualname!r} is only a name, and no installed module has it")


def _find_importable(value: object, qualname: str) -> Decomposition | None:
    """Represent an object by its name, if a module on disk has it under that name."""
    module = getattr(value, "__module__", None) or "builtins"
    candidate: object = sys.modules.get(module) if _is_on_disk(module) else None
    for part in qualname.split("."):
        candidate = getattr(candidate, part, None)
    return _import_name(module, qualname) if candidate is value else None


def _import_name(module: str, qualname: str = "") -> Decomposition:
    parts: list[tuple[Position, object]] = [("", module), ("", qualname)]
    return Decomposition("global", parts, is_cacheable=True, module=module)


def _is_on_disk(module: str) -> bool:
    top = module.partition(".")[0]
    loaded = sys.modules.get(top)
    has_location = getattr(loaded, "__file__", None) or getattr(loaded, "__path__", None)
    return top in sys.stdlib_module_names or (top not in _SCRIPTS and bool(has_location))


_SCRIPTS = {"__main__", "__mp_main__"}


def decompose_module(module: types.ModuleType) -> Decomposition:
    """Represent a module by its name."""
    if not _is_on_disk(module.__name__):
        raise TypeError(f"module {module.__name__!r} has no file to import it from")
    return _import_name(module.__name__)


def decompose_function(function: types.FunctionType) -> Decomposition:
    """Represent a function by its name, or by its code and the values that the code uses."""
    by_name = _find_importable(function, function.__qualname__)
    if by_name and _is_on_disk(function.__globals__.get("__name__", "__main__")):
        return _with_content(by_name, [_own_code(function)])
    return _decompose_function_content(function)


def _decompose_function_content(function: types.FunctionType) -> Decomposition:
    """Represent a function by its code and the values that the code uses."""
    instructions = list(_iter_instructions(function.__code__))
    read = {step.argval for step in instructions if step.opname in _READS_GLOBAL}
    used = {name: value for name, value in function.__globals__.items() if name in read}
    home = function.__globals__.get("__name__", "__main__")
    if _is_on_disk(home):  # the version of the module covers its globals
        used = {"": _import_name(home)}
    imported = {s.argval for s in instructions if s.opname == "IMPORT_NAME" and s.argval}
    names = ("__name__", "__code__", "__defaults__", "__kwdefaults__", "__closure__")
    members = decompose_members(function, *names)
    attributes = [decompose_attributes(vars(function)), decompose_attributes(used)]
    others = [*attributes, *map(_import_name, sorted(imported))]
    return Decomposition("function", [*members.parts, *(("", other) for other in others)])


_READS_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}


def _iter_instructions(code: types.CodeType) -> Iterator[dis.Instruction]:
    """Yield the instructions of a code object and of all functions defined in it."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _iter_instructions(constant)


def decompose_code(code: types.CodeType) -> Decomposition:
    """Represent a code object by its instructions, constants and names."""
    return decompose_members(code, *(f"co_{name}" for name in _CODE_MEMBERS))


_CODE_MEMBERS = (
    *("argcount", "posonlyargcount", "kwonlyargcount", "flags", "code"),
    *("consts", "names", "varnames", "freevars", "cellvars", "exceptiontable"),
)


def decompose_cell(cell: types.CellType) -> Decomposition:
    """Represent a variable of a closure by its value."""
    try:
        return Decomposition("cell", [("", cell.cell_contents)])
    except ValueError:
        return Decomposition("empty cell", [])


def decompose_class(cls: type) -> Decomposition:
    """Represent a class by its name, or by its content if it is not on disk."""
    if by_name := _find_importable(cls, cls.__qualname__):
        is_plain = not cls.__flags__ & _HEAP_TYPE
        return by_name if is_plain else _with_content(by_name, _own_content(cls))
    if not cls.__flags__ & _HEAP_TYPE:  # written in C, and not accessible from Python
        return _import_name(cls.__module__, cls.__qualname__)
    content = {
        name: value for name, value in vars(cls).items() if not _IGNORED_MEMBERS.fullmatch(name)
    }
    parts = (cls.__qualname__, type(cls), cls.__bases__, decompose_attributes(content))
    return Decomposition("class", [("", part) for part in parts])


_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
# Python's own bookkeeping: location, derived classes, annotations
_IGNORED_MEMBERS = re.compile(
    "_abc_impl|__(dict|weakref|slotnames|module|doc|firstlineno|static_attributes|annotations|annotate|"
    "annotate_func|annotations_cache|conditional_annotations)__"
)


def _with_content(by_name: Decomposition, content: Iterable[object]) -> Decomposition:
    """Represent a class or function by its name and by content that can change at run time."""
    (_, module), (_, qualname), *_ = by_name.parts
    parts = [("", module), ("", qualname), *(("", part) for part in content)]
    return replace(by_name, parts=parts, is_cacheable=False, name=f"{module}:{qualname}")


def _own_content(cls: type) -> Iterator[object]:
    """Yield the bases of a class, and its functions and plain attributes."""
    yield from cls.__bases__
    for name in sorted(vars(cls)):
        value = vars(cls)[name]
        functions = [value, *(getattr(value, part, None) for part in _FUNCTION_PARTS)]
        if isinstance(name, str) and _IGNORED_MEMBERS.fullmatch(name):
            continue
        for function in functions:
            if isinstance(function, types.FunctionType):
                yield from (name, _own_code(function))
        if _is_plain(value):
            yield from (name, value)


_FUNCTION_PARTS = ("__func__", "fget", "fset", "fdel", "func")  # of methods and properties


def _own_code(function: types.FunctionType) -> object:
    """Return the code of a function and of those that it wraps, or itself if it is not on disk."""
    codes: list[object] = []
    pending: list[object] = [function]
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if not isinstance(value, types.FunctionType) or id(value) in seen:
            continue
        seen.add(id(value))
        if not _is_on_disk(value.__globals__.get("__name__", "__main__")):
            codes.append(_decompose_function_content(value))
            continue
        defaults = [value.__defaults__, value.__kwdefaults__]
        codes += [_hash_code(value.__code__), *filter(_is_plain, defaults)]
        pending.append(getattr(value, "__wrapped__", None))
        pending += map(_cell_contents, value.__closure__ or ())
    return decompose_sequence(codes, "code")


def _cell_contents(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _is_plain(value: object) -> bool:
    """Return whether a value is a number, a text or None, or contains nothing else."""
    if isinstance(value, dict):
        return type(value) is dict and all(map(_is_plain, chain(value, value.values())))
    if type(value) in (tuple, list, set, frozenset):
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    return type(value) in (bool, int, float, complex, str, bytes, type(None))


@lru_cache(maxsize=10_000)
def _hash_code(code: types.CodeType) -> bytes:
    """Return the SHA-256 of the bytecode, constants and names of a function."""
    members = [getattr(code, f"co_{name}", None) for name in _CODE_MEMBERS if name != "consts"]
    constants = [
        _hash_code(part)
        if isinstance(part, types.CodeType)
        else sorted(map(repr, part))
        if isinstance(part, frozenset)
        else repr(part)
        for part in code.co_consts
    ]
    return sha256(repr([members, constants]).encode("utf-8", "surrogatepass")).digest()


def decompose_ufunc(ufunc: np.ufunc) -> Decomposition:
    """Represent a universal function of numpy or scipy by its name."""
    name = ufunc.__name__
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), name, None) is ufunc:
            return _import_name(module, name)
    raise TypeError(f"{ufunc!r} is not a function of numpy or scipy.special")
