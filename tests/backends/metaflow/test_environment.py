"""Metaflow's configuration without importing Metaflow."""

import ast
import sys
from pathlib import Path

import pytest

from skdistsearch.backends import metaflow as package
from skdistsearch.backends.metaflow import _environment
from skdistsearch.backends.metaflow._environment import (
    checkpoint_root_of_flow,
    import_metaflow,
    metaflow_setting,
)


@pytest.fixture
def unconfigured(monkeypatch, tmp_path):
    """No configuration of Metaflow, and a process that has not imported it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "metaflow"]:
        monkeypatch.delitem(sys.modules, name)


def defaults_passed_by_callers():
    """Yield the name and the default of each call of `metaflow_setting` in the package."""
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "metaflow_setting":
                name, default = node.args
                if isinstance(name, ast.Constant):
                    yield name.value, default.value


@pytest.mark.parametrize(
    ("name", "default"),
    sorted(
        {
            *defaults_passed_by_callers(),
            ("BATCH_CONTAINER_IMAGE", None),
            ("KUBERNETES_CONTAINER_IMAGE", None),
        },
        key=str,
    ),
)
def test_assumed_default_is_that_of_metaflow(name, default):
    assert getattr(import_metaflow().metaflow_config, name) == default


@pytest.mark.usefixtures("unconfigured")
def test_metaflow_is_not_imported_without_configuration():
    assert metaflow_setting("DEFAULT_DATASTORE", "local") == "local"
    assert "metaflow" not in sys.modules


def set_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("METAFLOW_DEFAULT_DATASTORE", "s3")


def add_configuration_folder(monkeypatch, tmp_path):
    (tmp_path / ".metaflowconfig").mkdir()


def add_local_folder(monkeypatch, tmp_path):
    (tmp_path / ".metaflow").mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")


def install_extension(monkeypatch, tmp_path):
    (tmp_path / "metaflow_extensions").mkdir()
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("unconfigured")
@pytest.mark.parametrize(
    "configure", [set_variable, add_configuration_folder, add_local_folder, install_extension]
)
def test_every_source_of_configuration_is_noticed(configure, monkeypatch, tmp_path):
    assert not _environment._may_be_configured()
    configure(monkeypatch, tmp_path)
    assert _environment._may_be_configured()


@pytest.fixture
def configured(monkeypatch):
    """Metaflow in a process that has imported it, configured for S3."""
    metaflow = import_metaflow()
    monkeypatch.setattr(metaflow.metaflow_config, "DEFAULT_DATASTORE", "s3")
    monkeypatch.setattr(metaflow.metaflow_config, "DATASTORE_SYSROOT_S3", "s3://bucket/flows/")
    monkeypatch.setattr(metaflow.current, "_is_running", True)
    return metaflow


@pytest.mark.usefixtures("configured")
def test_named_checkpoint_of_a_flow_is_in_its_datastore():
    assert checkpoint_root_of_flow() == "s3://bucket/flows/skdistsearch/checkpoints"


def test_named_checkpoint_of_a_flow_is_local_if_its_datastore_is(configured, monkeypatch):
    monkeypatch.setattr(configured.metaflow_config, "DEFAULT_DATASTORE", "local")
    assert checkpoint_root_of_flow() == ""


def test_named_checkpoint_outside_of_a_flow_is_local(configured, monkeypatch):
    monkeypatch.setattr(configured.current, "_is_running", False)
    assert checkpoint_root_of_flow() == ""
