"""The structure of the package: imports between packages, public names, examples."""

import ast
import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skdistsearch
from skdistsearch import (
    adaptive,
    backends,
    checkpoints,
    early_stopping,
    exceptions,
    jobs,
    report,
    testing,
)

ROOT = Path(skdistsearch.__file__).parent

# Lowest first: a package imports only packages of earlier lines.
LAYERS = [
    {"root"},
    {"storage", "scheduling", "early_stopping", "ensemble", "model_paths", "budgets"},
    {"report"},
    {"execution"},
    {"backends"},
    {"checkpoints", "model_outputs", "joblib_backend"},
    {"model_selection"},
    {"contenders", "adaptive", "jobs"},
    {""},
    {"testing"},
]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_name(module):
    """Return the package of a module: "root" for modules that are in no package."""
    first = module.split(".")[0]
    if first == "__main__":
        return ""
    if first and not (ROOT / first).is_dir():
        return "root"
    return first


def iter_imports(path):
    """Yield the name of each imported module, and the names imported from it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, []


def iter_own_imports(module):
    """Yield the modules of this project that a module imports."""
    for name, members in iter_imports(MODULES[module]):
        if name.split(".")[0] == "skdistsearch":
            inner = name.removeprefix("skdistsearch").removeprefix(".")
            targets = {f"{inner}.{member}".strip(".") for member in members} & set(MODULES)
            yield from targets or {inner}


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}
PACKAGES = {package_name(module) for module in MODULES}


def test_every_package_has_a_layer():
    assert set().union(*LAYERS) == PACKAGES


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_are_from_lower_layers(module):
    package = package_name(module)
    below = set().union(*LAYERS[: next(n for n, row in enumerate(LAYERS) if package in row)])
    for target in iter_own_imports(module):
        assert package_name(target) in below | {package}, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_other_packages_are_imported_through_their_init(module):
    for target in iter_own_imports(module):
        is_other = package_name(target) not in {package_name(module), "root"}
        assert not (is_other and "._" in target), f"{module} imports {target}"


def test_imports_have_no_cycle():
    imports = {module: set(iter_own_imports(module)) - {module} for module in MODULES}
    while imports:
        leaves = {module for module, targets in imports.items() if not targets & imports.keys()}
        assert leaves, f"a cycle among {sorted(imports)}"
        imports = {m: targets for m, targets in imports.items() if m not in leaves}


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/**/__init__.py")), ids=lambda p: p.parent.name)
def test_docstring_of_a_package_lists_its_modules(path):
    named = set(re.findall(r"`(\w+)`", ast.get_docstring(ast.parse(path.read_text()))))
    modules = {file.stem for file in path.parent.glob("*.py")} - {"__init__"}
    packages = {file.parent.name for file in path.parent.glob("*/__init__.py")}
    assert modules | packages <= named
    assert {name for name in named if name.startswith("_")} <= modules


def test_folders_have_at_most_twelve_modules():
    for folder in {path.parent for path in MODULES.values()}:
        modules = [path for path in folder.glob("*.py") if not path.stem.startswith("__")]
        assert len(modules) <= 12, folder


@pytest.mark.parametrize(
    "module",
    sorted(set(MODULES) - {"model_selection._joblib_capture", "execution._split_data"}),
)
def test_only_two_modules_use_private_names_of_scikit_learn_and_joblib(module):
    allowed = {"BaseSearchCV"}  # the class that users of scikit-learn derive searches from
    for name, members in iter_imports(MODULES[module]):
        if name.split(".")[0] in {"sklearn", "joblib"}:
            private = [m for m in members if m.startswith("_")] or "._" in name
            assert not private or set(members) <= allowed, f"{module} imports {members} of {name}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"backends.metaflow.flow.search_flow"}))
def test_examples_in_docstrings_run(module, monkeypatch):
    monkeypatch.setattr("skdistsearch.early_stopping._registry._REGISTERED", [])
    monkeypatch.setattr("skdistsearch.model_paths._registry._REGISTERED", [])
    if module.startswith("report."):
        pytest.importorskip("matplotlib", reason="draws the pictures")
        pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")
    optional = {"report._mlflow": "mlflow", "storage._skops": "skops"}
    if module in optional:
        pytest.importorskip(optional[module], reason="the example needs it")
    results = doctest.testmod(importlib.import_module(f"skdistsearch.{module}".strip(".")))
    assert results.failed == 0


def test_import_loads_no_optional_or_slow_dependency():
    code = "import sys, skdistsearch; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"metaflow", "boto3", "matplotlib", "tensorflow", "lightgbm", "pytest"} & set(loaded)


@pytest.mark.parametrize(
    "module",
    [
        skdistsearch,
        adaptive,
        backends,
        checkpoints,
        early_stopping,
        exceptions,
        jobs,
        report,
        testing,
    ],
)
def test_all_is_sorted_and_its_names_exist(module):
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
