"""Runs the Python code of the documentation's pages, each page from top to bottom."""

import pytest
from helpers.environment import stop_workers, unconfigured_metaflow  # noqa: F401
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser


@pytest.fixture(scope="module", autouse=True)
def folder(unconfigured_metaflow, tmp_path_factory):  # noqa: F811
    """Working directory of a page, so that its files do not stay in the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        patch.setenv("USER", "reader")  # read when it is needed, unlike METAFLOW_USER
        patch.setenv("MPLBACKEND", "agg")
        yield


def pytest_itemcollected(item):
    """Keep the blocks of a page in one process, in their order."""
    item.add_marker(pytest.mark.xdist_group(item.path.stem))


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()], patterns=["*.md"], fixtures=["folder"]
).pytest()
