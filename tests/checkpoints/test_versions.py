"""Versions of installed modules and of the user's own source."""

import sys
import types

import numpy as np
import pytest
import scipy
import sklearn

from skdistsearch.checkpoints._digest import Digester
from skdistsearch.checkpoints._versions import _modules_by_distribution, find_versions
from skdistsearch.exceptions import NotPicklableError


def test_installed_module_has_the_versions_of_all_requirements():
    versions = find_versions({"sklearn", "os", "builtins"})
    assert versions["scikit-learn"].split()[0] == sklearn.__version__
    assert versions["numpy"].split()[0] == np.__version__
    assert versions["scipy"].split()[0] == scipy.__version__
    assert not {"os", "builtins", "sklearn", "pytest", "matplotlib"} & set(versions)


@pytest.fixture
def own_source(tmp_path, monkeypatch):
    """The user's own modules: two files and a package."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_module.py").write_text("def f():\n    import own_package.part, numpy, absent")
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("from . import part")
    (tmp_path / "own_package" / "part.py").write_text("import json\nfrom own_third import x")
    (tmp_path / "own_third.py").write_text("x = 1")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def test_own_source_has_the_versions_of_its_imports(own_source):
    versions = find_versions({"own_module"})
    assert set(versions) == {"own_module", "own_package", "own_third", "numpy", "absent"}
    assert versions["absent"] == "missing"
    assert versions["numpy"].split()[0] == np.__version__


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("own_module.py", "own_module"),
        ("own_package/part.py", "own_package"),
        ("own_package/new/other.py", "own_package"),
        ("own_third.py", "own_third"),
    ],
)
def test_changed_source_has_another_version(own_source, path, name):
    before = find_versions({"own_module"})
    (own_source / path).parent.mkdir(exist_ok=True)
    with open(own_source / path, "a") as file:
        file.write("\n# changed")
    after = find_versions({"own_module"})
    assert {key for key in after if after[key] != before[key]} == {name}


def test_version_that_is_installed_again_with_other_files_is_another_one(tmp_path, monkeypatch):
    versions = []
    for number in "12":
        folder = tmp_path / number / "site-packages"
        info = folder / "own_installed-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "own_installed.py").touch()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-installed\nVersion: 1.0")
        (info / "RECORD").write_text(f"own_installed.py,sha256={number},9\nlicense,sha256=1,9\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            _modules_by_distribution.cache_clear()
            versions.append(find_versions({"own_installed"})["own-installed"])
    _modules_by_distribution.cache_clear()
    assert versions[0].startswith("1.0 (")
    assert versions[0] != versions[1]


def test_unreadable_source_is_an_error(monkeypatch):
    module = types.ModuleType("own_zipped")
    module.__file__ = "/nowhere/app.zip/own_zipped.py"
    monkeypatch.setitem(sys.modules, "own_zipped", module)
    with pytest.raises(NotPicklableError, match=r"module 'own_zipped' cannot be read: '/nowhere"):
        find_versions({"own_zipped"})


def test_function_in_a_module_has_the_version_of_the_module(own_source):
    import own_third

    exec("def f(): return 1", own_third.__dict__)
    digester = Digester()
    digester.digest(own_third.f)
    assert digester.modules == {"own_third"}
    assert find_versions(digester.modules) == find_versions({"own_third"})
