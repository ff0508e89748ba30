"""What stands behind a module's name: a version, or the source itself."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from skdistsearch.exceptions import NotPicklableError


def versions(modules: Iterable[str]) -> dict[str, str]:
    """What stands behind top-level modules: a version, or a digest of a user's own source.

    Included is what the modules themselves rest on: the imports of own source (an absent module
    is ``"missing"``), the requirements of an installed distribution. The standard library is not:
    that is Python's version.
    """
    found: dict[str, str] = {}
    todo, seen = sorted(modules), set()
    while todo:
        if (top := todo.pop()) in seen:
            continue
        seen.add(top)
        places = _places(top)
        if not places:
            found[top] = "missing"
        elif any(_is_standard(place) for place in places):
            continue
        elif not (_is_installed(places[0]) and _add_distributions(top, found)):
            files = [(place, path) for place in places for path in _files(place)]
            found[top] = _digest_of_files(files)
            todo += {name for _, path in files if path.suffix == ".py" for name in _imports(path)}
    return found


def _places(top: str) -> list[Path]:
    """The files and folders that a top-level module is imported from; none if it is absent."""
    module = sys.modules.get(top)
    spec = importlib.util.find_spec(top) if module is None else getattr(module, "__spec__", None)
    if module is None and spec is None:
        return []
    inner = getattr(spec, "submodule_search_locations", None)
    places = inner or [getattr(spec, "origin", None) or getattr(module, "__file__", None) or ""]
    if absent := [place for place in places if not (place in _IN_PYTHON or os.path.exists(place))]:
        raise NotPicklableError(f"The source of module {top!r} cannot be read at {absent[0]!r}.")
    return [Path(place) for place in places]


_IN_PYTHON = {"built-in", "frozen"}


def _is_standard(place: Path) -> bool:
    library = Path(os.__file__).parent.resolve()
    return str(place) in _IN_PYTHON or (
        library in place.resolve().parents and not _is_installed(place)
    )


def _is_installed(place: Path) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(place.parts)


def _add_distributions(top: str, found: dict[str, str]) -> bool:
    """Add the versions of the distributions that a module came with; tell if there are any."""
    owners = [name for name, owned in _owned().items() if top in owned]
    for owner in owners:
        _add_distribution(owner, found)
    return bool(owners)


@cache
def _owned() -> dict[str, set[str]]:
    """The top-level modules of each installed distribution, by its own list of files.

    Python 3.10's `importlib.metadata.packages_distributions` misses most of them.
    """
    owned: dict[str, set[str]] = {}
    for dist in metadata.distributions():
        lines = (dist.read_text("RECORD") or "").splitlines()
        owned[dist.metadata["Name"]] = {re.split("[/.,]", line, maxsplit=1)[0] for line in lines}
    return owned


def _add_distribution(name: str, found: dict[str, str]) -> None:
    try:
        dist = metadata.distribution(name)
    except metadata.PackageNotFoundError:  # for another system or Python
        return
    if dist.metadata["Name"] in found:
        return
    found[dist.metadata["Name"]] = dist.version
    for requirement in dist.requires or ():
        if "extra" not in requirement.partition(";")[2]:
            _add_distribution(re.split(r"[^\w.-]", requirement, maxsplit=1)[0], found)


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    paths = (path for path in place.rglob("*") if path.suffix in {".py", ".so", ".pyd"})
    return sorted(path for path in paths if "/." not in path.relative_to(place.parent).as_posix())


def _digest_of_files(files: Iterable[tuple[Path, Path]]) -> str:
    found = sha256()
    for place, path in files:
        name = path.relative_to(place.parent).as_posix().encode()
        found.update(b"s%d:%b" % (len(name), name) + sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _imports(path: Path) -> set[str]:
    """Top-level modules that a file of Python imports, anywhere in it."""
    try:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
    except SyntaxError:
        return set()
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) and not n.level]
    return {name.partition(".")[0] for name in names}
