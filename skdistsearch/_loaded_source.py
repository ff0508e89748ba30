"""The source of the user's modules as this process has loaded it, even if it was edited since.

A checkpoint must name the code that runs. A module that was edited after its import runs its old
code until it is reloaded.

- The trick: a finder in front of `sys.meta_path` finds what the other finders find, and reads the
  source of each module that is about to be loaded, unless it is installed. `importlib.reload` asks
  the finders too. Modules that are older than the import of this package are read at that moment.
- Why nothing simpler works: a module does not remember when it was loaded, and ``.pyc`` files
  belong to whichever process wrote them last. Digests of its functions would miss its constants.
- IPython's ``%autoreload`` patches modules without a reload. If a function of a module has code
  that only the file on disk has, the file is what is loaded. If a file has changed and no function
  tells, it is not known what is loaded: `LoadedSource.edited`.
- It breaks for an edit between the import of a module and that of this package, and for a finder
  that another package puts in front of ours: such modules are read when they are first asked for.
- tests/test_loaded_source.py watches it, and tests/backends/test_changed_code.py in searches.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import types
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from importlib.machinery import ModuleSpec
from typing import Any, NamedTuple

_INSTALLED = {"site-packages", "dist-packages"}
_LIBRARY = sysconfig.get_path("stdlib") + os.sep


class LoadedSource(NamedTuple):
    """Source of a module, as this process has loaded it."""

    path: str
    """The file."""
    signature: tuple[int, int, int]
    """Time of change, size and inode of the file."""
    content: bytes
    """Content of the file when the module was loaded."""
    edited: bytes | None = None
    """Content of the file now, if it differs and either may be loaded."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content. If the file was edited, no other process has this digest."""
        if self.edited is None:
            return sha256(self.content).hexdigest()
        return sha256(_TOKEN + self.content + self.edited).hexdigest()


_TOKEN = os.urandom(16)
_sources: dict[str, LoadedSource] = {}  # by path
_counted: dict[str, str] = {}  # digests by name of the module
_n_changes = 0


def loaded_sources() -> dict[str, LoadedSource]:
    """Return the sources of the loaded modules that are not installed, by name of the module."""
    sources = {}
    for name, module in list(sys.modules.items()):
        if path := _own_file(getattr(module, "__file__", None)):
            with suppress(OSError):  # a deleted file: what was loaded still runs
                _update(module, path)
            if path in _sources:
                sources[name] = _sources[path]
    return sources


def n_source_changes() -> int:
    """Return how often this function has found a module with another source than before."""
    global _n_changes
    for name, source in loaded_sources().items():
        digest = source.digest
        _n_changes += _counted.setdefault(name, digest) != digest
        _counted[name] = digest
    return _n_changes


def is_own_file(path: str) -> bool:
    """Return whether a file is neither installed nor part of the standard library."""
    if not _INSTALLED.isdisjoint(path.split(os.sep)):
        return False
    return not path.startswith(_LIBRARY)


def _own_file(path: object) -> str | None:
    if isinstance(path, str) and path.endswith(".py") and is_own_file(path):
        return os.path.abspath(path)
    return None


def _signature(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: str) -> LoadedSource:
    signature = _signature(path)
    with open(path, "rb") as file:
        return LoadedSource(path, signature, file.read())


def _update(module: types.ModuleType, path: str) -> None:
    """Look for a change of the file of a module since it was loaded."""
    known = _sources.get(path)
    if known is not None and known.signature == _signature(path):
        return
    now = _read(path)
    if known is not None and not _is_loaded(module, known, now):
        now = now._replace(content=known.content, edited=now.content)
    _sources[path] = now


def _is_loaded(module: types.ModuleType, known: LoadedSource, now: LoadedSource) -> bool:
    """Return whether a module has the code on disk, although it was not reloaded."""
    if known.content == now.content:
        return True
    try:
        before, after = (
            _codes(compile(source.content, source.path, "exec")) for source in (known, now)
        )
    except (SyntaxError, ValueError):
        return False
    return before == after or any(
        _key(function.__code__) in after - before for function in _iter_functions(module)
    )


def _codes(code: types.CodeType) -> set[object]:
    """Return a key of a code object, and of each one that is nested in it."""
    nested = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return {_key(code)}.union(*map(_codes, nested))


def _key(code: types.CodeType) -> object:
    """Return everything about a code object but its location."""
    constants = tuple(
        _key(part) if isinstance(part, types.CodeType) else (type(part), repr(part))
        for part in code.co_consts
    )
    return code.co_name, code.co_code, code.co_names, code.co_varnames, constants


def _iter_functions(module: types.ModuleType) -> Iterator[types.FunctionType]:
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [cls for cls in classes if cls.__module__ == module.__name__]
    for value in [value for owner in (module, *own) for value in vars(owner).values()]:
        function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        if isinstance(function, types.FunctionType):
            yield function


class _SourceRecorder:
    """Finder that finds what the finders behind it find, and records the source."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find a module that is about to be loaded."""
        for finder in sys.meta_path[sys.meta_path.index(cls) + 1 :]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                if file := _own_file(spec.origin):
                    with suppress(OSError):
                        _sources[file] = _read(file)
                return spec
        return None


def record_sources() -> None:
    """Record the sources of loaded modules, and of all that are loaded from now on."""
    if _SourceRecorder not in sys.meta_path:
        sys.meta_path.insert(0, _SourceRecorder)
        loaded_sources()
