"""Parts of functions, classes and modules that count for their digests.

Code in a module on disk is represented by its name. Other code, of a script, a notebook or a
lambda, is represented by its bytecode and by the values it refers to.
"""

from __future__ import annotations

import dis
import re
import sys
import types
from collections.abc import Iterator

import numpy as np

from skdistsearch.checkpoints._decomposition import (
    Decomposition,
    Position,
    decompose_attributes,
    decompose_members,
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
    if by_name := _find_importable(function, function.__qualname__):
        return by_name
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
        return by_name
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
    "_abc_impl|__(dict|weakref|module|doc|firstlineno|static_attributes|annotations|annotate|"
    "annotate_func|annotations_cache|conditional_annotations)__"
)


def decompose_ufunc(ufunc: np.ufunc) -> Decomposition:
    """Represent a universal function of numpy or scipy by its name."""
    name = ufunc.__name__
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), name, None) is ufunc:
            return _import_name(module, name)
    raise TypeError(f"{ufunc!r} is not a function of numpy or scipy.special")
