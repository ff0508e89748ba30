"""The code that remote tasks need, and the requirements that their environment must meet.

METAFLOW_PACKAGE_POLICY puts this package into the code package of a user's own flow. Metaflow ships
the folder of a flow to its remote tasks, and the modules imported by then that have an attribute of
this name with the value "include".

- The trick: ``skdistsearch`` gets the attribute when Metaflow asks for it, with another value where
  Metaflow's packaging would fail or double the package.
- Why nothing simpler works: Metaflow raises an error, for every flow that imports the package, if
  the package is installed but imported from elsewhere: from a copy, or through a symbolic link.
- It breaks if Metaflow renames the attribute. Then the image of the tasks must have the package.
- ``tests/backends/metaflow/test_packaging.py`` watches it, and ``test_production_flow.py`` runs a
  flow in containers without the package.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import site
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import cloudpickle

_PACKAGE = Path(__file__).parents[2]
FLOW_FILE = _PACKAGE / "backends/metaflow/flow/search_flow.py"


class Requirements(TypedDict):
    """Requirements that the environment of a task must meet."""

    versions: dict[str, str]
    """Distributions, and the versions installed here; also ``"python"``."""
    modules: list[str]
    """Names of modules that must be importable."""


def stage(folder: Path) -> Path:
    """Copy the flow and the code that its tasks import into a folder; return the flow's path.

    Metaflow packages the whole folder. It gets this package, cloudpickle (pure Python; it must be
    the version that pickled) and the user's own modules that are imported in this process.
    Installed packages are not copied: they must be in the image.
    """
    folder.mkdir(mode=0o700)
    for source in (_PACKAGE / "__init__.py", Path(cloudpickle.__file__)):
        copy_code(source, folder)
    for source in local_modules().values():
        copy_code(source, folder)
    return Path(shutil.copy(FLOW_FILE, folder))


def local_modules() -> dict[str, Path]:
    """Return the names and files of imported top-level modules that are not installed."""
    installed = _installed_locations()
    modules = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or name in ("__main__", "skdistsearch") or not file:
            continue
        path = Path(file).resolve()
        if path.suffix == ".py" and not any(map(path.is_relative_to, installed)):
            modules[name] = path
    return modules


def requirements(modules: Iterable[str]) -> Requirements:
    """Return what the environment of a task must contain to unpickle and run the batch.

    ``modules`` are the names of the modules that the pickled batch refers to.
    """
    top_level = {name.partition(".")[0] for name in modules} | {"sklearn", "numpy"}
    top_level -= {"__main__", "skdistsearch", "cloudpickle", *sys.stdlib_module_names}
    return _requirements(frozenset(top_level))


@lru_cache(maxsize=16)  # the list of all distributions takes a third of a second
def _requirements(top_level: frozenset[str]) -> Requirements:
    distributions = _distributions_by_module()
    versions = _installed_versions(top_level, distributions)
    return {
        "versions": {"python": platform.python_version(), **dict(versions)},
        "modules": sorted(filter(_has_spec, top_level - distributions.keys())),
    }


def _distributions_by_module() -> Mapping[str, list[str]]:
    """Return the distributions of each installed top-level module."""
    if sys.version_info >= (3, 11):
        return importlib.metadata.packages_distributions()
    names = defaultdict(list)  # 3.10 misses distributions without a top_level.txt, such as numpy
    for dist in importlib.metadata.distributions():
        lines = (dist.read_text("RECORD") or "").splitlines()
        for module in {re.split("[/.,]", line, maxsplit=1)[0] for line in lines}:
            names[module].append(dist.metadata["Name"])
    return names


def copy_code(source: Path, folder: Path) -> None:
    """Copy a module, or the package whose ``__init__.py`` is ``source``."""
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
    is_hidden = path.name.startswith(".") or path.name == "__pycache__"
    return not is_hidden and (path.is_dir() or path.suffix == ".py")


def _installed_locations() -> set[Path]:
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages()]
    paths += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return {Path(path).resolve() for path in paths if path}


def _has_spec(module: str) -> bool:
    """Return False for modules created by native code, such as Cython's: no task can import one."""
    return getattr(sys.modules.get(module), "__spec__", None) is not None


def _installed_versions(
    modules: Iterable[str], distributions: Mapping[str, list[str]]
) -> Iterator[tuple[str, str]]:
    for module in sorted(modules):
        for name in distributions.get(module, [])[:1]:
            yield name, importlib.metadata.version(name)


def choose_package_policy(package: Path, flow_folder: Path | None, installed: list[Path]) -> str:
    """Return ``"include"``, or ``"exclude"`` where Metaflow must not package ``package``.

    Parameters
    ----------
    package : Path
        The folder that the package was imported from.
    flow_folder : Path or None
        The folder of the script that runs.
    installed : list of Path
        The folders that the package is installed in.
    """
    folder = package.resolve()
    if flow_folder is not None and folder.parent == flow_folder.resolve():
        return "exclude"  # Metaflow packages it with the flow
    return "include" if all(path == folder for path in installed) else "exclude"


def _flow_folder() -> Path | None:
    file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(file).parent if file else None


def _installed_folders() -> Iterator[Path]:
    for distribution in importlib.metadata.distributions(name="skdistsearch"):
        if any(file.parts[0] == "skdistsearch" for file in distribution.files or ()):
            yield Path(str(distribution.locate_file("skdistsearch")))


METAFLOW_PACKAGE_POLICY = choose_package_policy(
    _PACKAGE, _flow_folder(), list(_installed_folders())
)
