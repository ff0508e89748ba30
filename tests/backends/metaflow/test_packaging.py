"""Packaging of the code for remote tasks, and the requirements of their environment."""

import sys
import types
from pathlib import Path

import helpers

from skdistsearch.backends.metaflow._packaging import local_modules, requirements, stage


def test_modules_created_by_native_code_are_not_required(monkeypatch):
    """Pickles of scikit-learn's loss functions refer to Cython's ``_cython_3_3_1``."""
    monkeypatch.setitem(sys.modules, "_made_by_cython", types.ModuleType("_made_by_cython"))
    required = requirements(["_made_by_cython", "helpers.subprocesses", "sklearn._loss._loss"])
    assert required["modules"] == ["helpers"]
    assert {"python", "scikit-learn", "numpy"} <= required["versions"].keys()


def test_only_modules_that_are_not_installed_are_local():
    modules = local_modules()
    assert modules["helpers"] == Path(helpers.__file__)
    assert not {"skdistsearch", "sklearn", "pytest", "json"} & modules.keys()


def test_staged_folder_has_flow_package_and_local_modules(tmp_path):
    folder = tmp_path / "code"
    assert stage(folder) == folder / "search_flow.py"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {
        "search_flow.py",
        "skdistsearch/backends/_worker.py",
        "cloudpickle/__init__.py",
        "helpers/subprocesses.py",
    } <= files
    assert all(name.endswith(".py") for name in files)
