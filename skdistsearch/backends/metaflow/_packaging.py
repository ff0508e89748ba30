"""The code that a task needs where nothing of ours or the user's is installed."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cloudpickle

_PACKAGE = Path(__file__).parents[2]
FLOW_FILE = _PACKAGE / "backends/metaflow/flow/search_flow.py"


def stage(folder: Path) -> Path:
    """Copy the flow and all that its tasks import into ``folder``, which Metaflow packages whole.

    That is this package, cloudpickle (pure Python, and of the version that pickled) and the
    modules of the user's own that are imported here. What is installed elsewhere is the image's.
    """
    folder.mkdir(mode=0o700)
    for source in (_PACKAGE / "__init__.py", Path(cloudpickle.__file__)):
        _copy(source, folder)
    for source in users_modules().values():
        _copy(source, folder)
    return Path(shutil.copy(FLOW_FILE, folder))


def _copy(source: Path, folder: Path) -> None:
    if source.name != "__init__.py":
        shutil.copy(source, folder)
        return
    shutil.copytree(
        source.parent,
        folder / source.parent.name,
        ignore=lambda path, names: [name for name in names if not _is_code(Path(path, name))],
        dirs_exist_ok=True,
    )


def _is_code(path: Path) -> bool:
    hidden = path.name.startswith(".") or path.name == "__pycache__"
    return not hidden and (path.is_dir() or path.suffix == ".py")


def users_modules() -> dict[str, Path]:
    """Top-level modules that are imported here and installed nowhere: name and file."""
    installed = _installed_places()
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or name in ("__main__", "skdistsearch") or not file:
            continue
        path = Path(file).resolve()
        if path.suffix == ".py" and not any(path.is_relative_to(place) for place in installed):
            found[name] = path
    return found


def _installed_places() -> set[Path]:
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages()]
    paths += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return {Path(path).resolve() for path in paths if path}


def requirements(modules: Iterable[str]) -> dict[str, Any]:
    """What a task's environment must have: versions of distributions, and modules.

    ``modules`` are the names of those that the batch's pickle refers to.
    """
    tops = {name.partition(".")[0] for name in modules} | {"sklearn", "numpy"}
    tops -= {"__main__", "skdistsearch", "cloudpickle", *sys.stdlib_module_names}
    distributions = importlib.metadata.packages_distributions()
    return {
        "versions": {"python": platform.python_version(), **dict(_versions(tops, distributions))},
        "modules": sorted(filter(_has_a_place, tops - distributions.keys())),
    }


def _has_a_place(module: str) -> bool:
    """Whether it was imported from somewhere: those that Cython's native code makes were not."""
    return getattr(sys.modules.get(module), "__spec__", None) is not None


def _versions(
    modules: Iterable[str], distributions: Mapping[str, list[str]]
) -> Iterator[tuple[str, str]]:
    for module in sorted(modules):
        for name in distributions.get(module, [])[:1]:
            yield name, importlib.metadata.version(name)
