"""The source of a module as it was loaded, also after its file has changed."""

import importlib
import os
import sys
from pathlib import Path

import pytest

from skdistsearch._loaded_source import loaded_sources, n_source_changes

SOURCE = """
CONSTANT = 1

def function():
    return 10

class Model:
    def method(self):
        return 100
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's, and a function that edits its file."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "edited_module.py"
    path.write_text(SOURCE)
    yield importlib.import_module("edited_module")
    del sys.modules["edited_module"]


def edit(module, old, new):
    path = Path(module.__file__)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    later = os.stat(path).st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


def source():
    return loaded_sources()["edited_module"]


def test_loaded_module_has_the_source_on_disk(module):
    assert source().content == SOURCE.encode()
    assert source().edited is None


@pytest.mark.parametrize("old", ["CONSTANT = 1", "return 100"])
def test_source_edited_before_any_search_is_not_taken_for_the_loaded_one(module, old):
    edit(module, old, f"{old}0")
    assert source().content == SOURCE.encode()
    assert source().edited is not None


def test_edited_source_has_another_digest_until_it_is_reloaded(module):
    before, n_changes = source().digest, n_source_changes()
    edit(module, "return 10", "return 20")
    stale = source().digest
    assert n_source_changes() == n_changes + 1
    importlib.reload(module)
    assert len({before, stale, source().digest}) == 3
    assert n_source_changes() == n_changes + 2
    edit(module, "return 20", "return 10")
    importlib.reload(module)
    assert source().digest == before


def test_edit_that_is_undone_leaves_the_loaded_source(module):
    before = source().digest
    edit(module, "return 10", "return 20")
    assert source().digest != before
    edit(module, "return 20", "return 10")
    assert source().digest == before


@pytest.mark.parametrize("name", ["function", "Model.method"])
def test_patched_module_has_the_source_on_disk(name, module):
    """IPython's autoreload gives new code to old functions."""
    owner, _, attribute = name.rpartition(".")
    old = "return 100" if owner else "return 10\n"
    edit(module, old, old.replace("10", "20"))
    scope = {}
    exec(compile(Path(module.__file__).read_text(), module.__file__, "exec"), scope)
    new = getattr(scope[owner], attribute) if owner else scope[attribute]
    target = getattr(module.Model, attribute) if owner else module.function
    target.__code__ = new.__code__
    assert source().edited is None
    assert source().content == Path(module.__file__).read_bytes()


def test_installed_modules_have_no_source():
    names = {name.partition(".")[0] for name in loaded_sources()}
    assert not {"sklearn", "numpy", "os", "json"} & names
