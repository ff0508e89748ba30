"""Fixtures of all tests: nothing of the user's own Metaflow is read or written."""

import os

import pytest
from loky import get_reusable_executor


@pytest.fixture(autouse=True, scope="session")
def own_metaflow(tmp_path_factory):
    """A Metaflow that nobody has configured, with a place of its own for its runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("METAFLOW_")]:
            patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session", autouse=True)
def workers_end_with_the_tests():
    """Idle workers would outlive the temporary folders."""
    yield
    get_reusable_executor().shutdown(kill_workers=True)
