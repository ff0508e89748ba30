"""The shape of the package: which packages import which, and what an import loads."""

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import skdistsearch
from skdistsearch import backends, checkpoints, early_stopping, exceptions, report, testing

ROOT = Path(skdistsearch.__file__).parent

# From the ground up: a package imports only packages on the lines above its own.
LAYERS = [
    {"root"},
    {"storage", "scheduling", "report", "early_stopping", "ensemble"},
    {"execution"},
    {"backends"},
    {"checkpoints", "model_outputs"},
    {"model_selection"},
    {"contenders"},
    {""},
    {"testing"},
]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module):
    """Return the package of a module; those beside the packages are the package "root"."""
    first = module.split(".")[0]
    if first and not (ROOT / first).is_dir():
        return "root"
    return first


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, []


def inner_imports_of(module):
    """Yield the modules of this project that a module imports."""
    for name, members in imports_of(MODULES[module]):
        if name.split(".")[0] == "skdistsearch":
            inner = name.removeprefix("skdistsearch").removeprefix(".")
            targets = {f"{inner}.{member}".strip(".") for member in members} & set(MODULES)
            yield from targets or {inner}


MODULES = {module_of(path): path for path in ROOT.rglob("*.py")}
PACKAGES = {package_of(module) for module in MODULES}


def test_every_package_has_its_layer():
    assert set().union(*LAYERS) == PACKAGES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module):
    package = package_of(module)
    below = set().union(*LAYERS[: next(n for n, row in enumerate(LAYERS) if package in row)])
    for target in inner_imports_of(module):
        assert package_of(target) in below | {package}, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_other_packages_are_imported_through_their_init(module):
    for target in inner_imports_of(module):
        is_other = package_of(target) not in {package_of(module), "root"}
        assert not (is_other and "._" in target), f"{module} imports {target}"


def test_modules_import_each_other_in_no_circle():
    imports = {module: set(inner_imports_of(module)) - {module} for module in MODULES}
    while imports:
        leaves = {module for module, targets in imports.items() if not targets & imports.keys()}
        assert leaves, f"a circle among {sorted(imports)}"
        imports = {module: found for module, found in imports.items() if module not in leaves}


def test_folders_have_at_most_twelve_modules():
    for folder in {path.parent for path in MODULES.values()}:
        assert len([path for path in folder.glob("*.py") if path.stem != "__init__"]) <= 12, folder


@pytest.mark.parametrize(
    "module",
    sorted(set(MODULES) - {"model_selection._joblib_capture", "execution._split_data"}),
)
def test_private_names_of_scikit_learn_and_joblib_stay_in_two_modules(module):
    allowed = {"BaseSearchCV"}  # the class that users of scikit-learn derive searches from
    for name, members in imports_of(MODULES[module]):
        if name.split(".")[0] in {"sklearn", "joblib"}:
            private = [m for m in members if m.startswith("_")] or "._" in name
            assert not private or set(members) <= allowed, f"{module} imports {members} of {name}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"backends.metaflow.flow.search_flow"}))
def test_examples_in_docstrings_are_true(module):
    found = doctest.testmod(importlib.import_module(f"skdistsearch.{module}".strip(".")))
    assert found.failed == 0


def test_import_loads_nothing_that_is_not_needed_yet():
    code = "import sys, skdistsearch; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"metaflow", "boto3", "matplotlib", "tensorflow", "lightgbm", "pytest"} & set(loaded)


@pytest.mark.parametrize(
    "module",
    [skdistsearch, backends, checkpoints, early_stopping, exceptions, report, testing],
)
def test_all_is_sorted_and_true(module):
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
