"""The shape of the package: who may import whom, and what an import loads."""

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import skdistsearch
from skdistsearch import backends, exceptions, report, testing

ROOT = Path(skdistsearch.__file__).parent

# From the ground up: a module imports only what stands on lines above its own.
LAYERS = [
    {"exceptions", "report.card"},
    {"_fit", "_store", "_digest", "_versions", "_signals", "_pieces"},
    {"_bytes", "_events", "_kept", "_memo"},
    {"_fold_models", "_record", "_chunks", "_shared", "_slices"},
    {"_courier", "_keep", "_sizes", "_runner", "_lanes", "_common"},
    {"_gather"},
    {"backends.remote", "backends.remote.worker", "backends.remote.keeper"},
    {"backends._base", "backends._environment", "backends.remote.flow.search_flow"},
    {"backends._code", "backends._compute", "backends._jobs"},
    {"backends._place"},
    {"backends._local", "backends._metaflow"},
    {"backends"},
    {"families._base"},
    {"families._catboost", "families._hist", "families._keras"},
    {"families._lightgbm", "families._xgboost"},
    {"families"},
    {"_validation_part", "_delegating", "_predicted"},
    {"report._scores", "report._base", "report._page"},
    {"report._standings", "report._one_standard_error"},
    {"report._scores_display", "report._parameters_display"},
    {"report._timeline_display", "report._progress_display"},
    {"report._html"},
    {"report"},
    {"_candidates", "_capture", "_plan", "_checkpoint", "_early_stopping", "_baseline", "_blend"},
    {"_search", "checkpoints", "_fit_params", "_ensemble"},
    {"_spec"},
    {"_siblings"},
    {""},
    {"testing._estimators", "testing._aws_server"},
    {"testing._aws", "testing._suite"},
    {"testing"},
]
# Backends by name are imported when they are named, families when one is looked for.
LATER = {("backends._base", "backends._local"), ("backends._base", "backends._metaflow")} | {
    ("families._base", f"families.{name}")
    for name in ("_catboost", "_hist", "_keras", "_lightgbm", "_xgboost")
}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, []


MODULES = {module_of(path): path for path in ROOT.rglob("*.py")}


def test_every_module_has_its_layer():
    assert set().union(*LAYERS) == set(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module):
    below = set().union(*LAYERS[: next(n for n, row in enumerate(LAYERS) if module in row)])
    for name, members in imports_of(MODULES[module]):
        if name.split(".")[0] != "skdistsearch":
            continue
        inner = name.removeprefix("skdistsearch").removeprefix(".")
        targets = {f"{inner}.{member}".strip(".") for member in members} & set(MODULES)
        for target in targets or {inner}:
            assert target in below or (module, target) in LATER, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"_capture", "_slices"}))
def test_private_names_of_scikit_learn_and_joblib_stay_in_two_modules(module):
    allowed = {"BaseSearchCV"}  # the class that users of scikit-learn derive searches from
    for name, members in imports_of(MODULES[module]):
        if name.split(".")[0] in {"sklearn", "joblib"}:
            private = [m for m in members if m.startswith("_")] or "._" in name
            assert not private or set(members) <= allowed, f"{module} imports {members} of {name}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"backends.remote.flow.search_flow"}))
def test_examples_in_docstrings_are_true(module):
    found = doctest.testmod(importlib.import_module(f"skdistsearch.{module}".strip(".")))
    assert found.failed == 0


def test_import_loads_nothing_that_is_not_needed_yet():
    code = "import sys, skdistsearch; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"metaflow", "boto3", "matplotlib", "tensorflow", "lightgbm", "pytest"} & set(loaded)


@pytest.mark.parametrize("module", [skdistsearch, backends, exceptions, report, testing])
def test_all_is_sorted_and_true(module):
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
