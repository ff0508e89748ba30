"""Versions of modules: those of installed distributions, or digests of the user's own source.

The user's source counts as it was loaded, even if its file has changed since.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from skdistsearch._loaded_source import LoadedSource, loaded_sources
from skdistsearch.exceptions import NotPicklableError


def find_versions(modules: Iterable[str]) -> dict[str, str]:
    """Return the version of everything that some top-level modules depend on.

    For an installed module: the names of its distribution and of all requirements of the
    distribution, their versions, and digests of their files. For the user's own source: a digest of
    the module's files, and the versions of the modules that it imports; an absent module has the
    version ``"missing"``. The standard library is left out, because it has Python's version.
    """
    versions: dict[str, str] = {}
    loaded = {source.path: source for source in loaded_sources().values()}
    pending, seen = sorted(modules), set()
    while pending:
        if (module := pending.pop()) in seen:
            continue
        seen.add(module)
        locations = _find_locations(module)
        if not locations:
            versions[module] = "missing"
        elif any(_is_standard_library(location) for location in locations):
            continue
        elif not (_is_installed(locations[0]) and _add_distributions(module, versions)):
            files = [(location, path) for location in locations for path in _list_files(location)]
            versions[module] = _digest_files(files, loaded)
            sources = [path for _, path in files if path.suffix == ".py"]
            pending += {name for path in sources for name in _parse_imports(path)}
    return versions


def _find_locations(module: str) -> list[Path]:
    """Return the files and folders of a top-level module. The list is empty if it is absent."""
    loaded = sys.modules.get(module)
    spec = importlib.util.find_spec(module) if loaded is None else getattr(loaded, "__spec__", None)
    if loaded is None and spec is None:
        return []
    folders = getattr(spec, "submodule_search_locations", None)
    origin = getattr(spec, "origin", None) or getattr(loaded, "__file__", None) or ""
    locations = folders or [origin]
    for location in locations:
        if not (location in _IN_INTERPRETER or os.path.exists(location)):
            raise NotPicklableError(
                f"The source of module {module!r} cannot be read: {location!r} does not exist."
            )
    return [Path(location) for location in locations]


_IN_INTERPRETER = {"built-in", "frozen"}


def _is_standard_library(location: Path) -> bool:
    library = Path(os.__file__).parent.resolve()
    return str(location) in _IN_INTERPRETER or (
        library in location.resolve().parents and not _is_installed(location)
    )


def _is_installed(location: Path) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(location.parts)


def _add_distributions(module: str, versions: dict[str, str]) -> bool:
    """Add the versions of the distributions of a module. Return whether there are any."""
    owners = [name for name, owned in _modules_by_distribution().items() if module in owned]
    for owner in owners:
        _add_distribution(owner, versions)
    return bool(owners)


@cache
def _modules_by_distribution() -> dict[str, set[str]]:
    """Return the top-level modules of each installed distribution, from its list of files.

    Python 3.10's `importlib.metadata.packages_distributions` misses most of them.
    """
    modules: dict[str, set[str]] = {}
    for dist in metadata.distributions():
        lines = (dist.read_text("RECORD") or "").splitlines()
        modules[dist.metadata["Name"]] = {re.split("[/.,]", line, maxsplit=1)[0] for line in lines}
    return modules


def _add_distribution(name: str, versions: dict[str, str]) -> None:
    """Add the versions of a distribution and of its requirements."""
    try:
        dist = metadata.distribution(name)
    except metadata.PackageNotFoundError:  # required on another platform or Python version
        return
    if dist.metadata["Name"] in versions:
        return
    versions[dist.metadata["Name"]] = f"{dist.version}{_digest_record(dist)}"
    for requirement in dist.requires or ():
        if "extra" not in requirement.partition(";")[2]:
            _add_distribution(re.split(r"[^\w.-]", requirement, maxsplit=1)[0], versions)


def _digest_record(dist: metadata.Distribution) -> str:
    """Return a digest of the code of an installed distribution, from the hashes of its files.

    A version can be built and installed again. Empty if the installer has left no hashes.
    """
    lines = (dist.read_text("RECORD") or "").splitlines()
    code = sorted(line for line in lines if re.search(r"\.(py|so|pyd),[^,]", line))
    return f" ({sha256(chr(10).join(code).encode()).hexdigest()[:8]})" if code else ""


def _list_files(location: Path) -> list[Path]:
    """Return the Python files and extension modules of a module, except hidden ones."""
    if not location.is_dir():
        return [location]
    paths = (path for path in location.rglob("*") if path.suffix in {".py", ".so", ".pyd"})
    return sorted(
        path for path in paths if "/." not in path.relative_to(location.parent).as_posix()
    )


def _digest_files(files: Iterable[tuple[Path, Path]], loaded: Mapping[str, LoadedSource]) -> str:
    """Return the SHA-256 of the names, relative to their location, and contents of files."""
    digest = sha256()
    for location, path in files:
        name = path.relative_to(location.parent).as_posix().encode()
        source = loaded.get(os.path.abspath(path))
        content = sha256(path.read_bytes()).hexdigest() if source is None else source.digest
        digest.update(b"s%d:%b" % (len(name), name) + bytes.fromhex(content))
    return digest.hexdigest()


def _parse_imports(path: Path) -> set[str]:
    """Return the top-level modules that a Python file imports, anywhere in it."""
    try:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
    except SyntaxError:
        return set()
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) and not n.level]
    return {name.partition(".")[0] for name in names}
