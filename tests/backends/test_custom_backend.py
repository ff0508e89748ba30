"""The backend that the documentation writes passes the suite for backends."""

import subprocess
import sys
from pathlib import Path

import pytest

from skdistsearch.testing import BackendSuite

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "custom_backend.py"


@pytest.fixture(scope="module", autouse=True)
def importable_example():
    """Make the example a module, as it is for a user who runs or imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE.parent)
        yield
    sys.modules.pop("custom_backend", None)


@pytest.mark.slow
class TestExecutorBackend(BackendSuite):
    @property
    def backend(self):
        from custom_backend import ExecutorBackend

        return ExecutorBackend()


def test_documentation_shows_the_example():
    source = EXAMPLE.read_text()
    backend = source[source.index("import multiprocessing") : source.index("# %% A search")].strip()
    assert f"```python\n{backend}\n```" in (ROOT / "docs" / "custom_backend.md").read_text()


@pytest.mark.slow
def test_example_runs():
    command = [sys.executable, str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "The best of 4 candidates: {'alpha': 0.01}\n"
