"""Packaging of the code for remote tasks, and the requirements of their environment."""

import subprocess
import sys
import types
from pathlib import Path

import helpers
import pytest

from skdistsearch.backends.metaflow._packaging import (
    choose_package_policy,
    local_modules,
    requirements,
    stage,
)

PACKAGE = Path(__file__).parents[3] / "skdistsearch"


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


# Flows of the user's own -------------------------------------------------------------------------


def test_metaflow_finds_the_policy_without_a_search():
    code = "import skdistsearch; print(skdistsearch.METAFLOW_PACKAGE_POLICY)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("include", "exclude")


def test_package_is_included_from_where_it_is_installed(tmp_path):
    assert choose_package_policy(PACKAGE, tmp_path, [PACKAGE]) == "include"


def test_package_is_included_from_a_checkout(tmp_path):
    assert choose_package_policy(PACKAGE, tmp_path, []) == "include"
    assert choose_package_policy(PACKAGE, None, []) == "include"


def test_package_in_the_folder_of_the_flow_is_packaged_once():
    assert choose_package_policy(PACKAGE, PACKAGE.parent, []) == "exclude"


def test_package_that_shadows_an_installed_one_is_left_out(tmp_path):
    assert choose_package_policy(PACKAGE, None, [tmp_path / "skdistsearch"]) == "exclude"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_package_behind_a_link_is_left_out(tmp_path):
    link = tmp_path / "site-packages"
    link.symlink_to(PACKAGE.parent)
    assert choose_package_policy(link / "skdistsearch", None, [link / "skdistsearch"]) == "exclude"
