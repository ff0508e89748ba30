"""The check of a task's environment in the flow of the backend."""

import importlib.metadata
import json
import platform

import pytest

from skdistsearch.backends.metaflow._environment import import_metaflow


@pytest.fixture
def check_environment():
    import_metaflow()  # ignores its warnings
    from skdistsearch.backends.metaflow.flow.search_flow import check_environment

    return check_environment


def requirements(modules=(), **versions):
    names = ("scikit-learn", "numpy", "joblib")
    installed = {name: importlib.metadata.version(name) for name in names}
    return {
        "versions": {"python": platform.python_version()} | installed | versions,
        "modules": list(modules),
    }


def test_same_environment_is_silent(check_environment, capsys):
    check_environment(requirements(["json"]), "prefix ")
    assert capsys.readouterr().out == ""


def test_harmless_difference_is_a_warning(check_environment, capsys):
    check_environment(requirements(joblib="0.1"), "prefix ")
    output = capsys.readouterr().out
    assert json.loads(output.removeprefix("prefix ")) == {
        "warns": [f"joblib is {importlib.metadata.version('joblib')}, not 0.1"]
    }


@pytest.mark.parametrize(
    ("required", "error"),
    [
        (requirements(python="2.7.18"), "python is .*, not 2.7.18"),
        (requirements(numpy="0.1"), "numpy is .*, not 0.1"),
        (requirements(**{"no-such-package": "1.0"}), "no-such-package is not installed, not 1.0"),
        (requirements(["no_such_module"]), "the module no_such_module is missing"),
    ],
)
def test_incompatible_environment_is_an_error(required, error, check_environment, capsys):
    with pytest.raises(RuntimeError, match=f"This environment cannot run the search: {error}$"):
        check_environment(required, "prefix ")
    assert "refuses" in json.loads(capsys.readouterr().out.removeprefix("prefix "))
