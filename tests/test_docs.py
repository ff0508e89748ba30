"""The documentation names files that exist; README fits one screen; the glossary is in order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skdistsearch"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


@pytest.mark.parametrize(
    "name",
    sorted(set(re.findall(r"(?:\w+/)*\w+\.py\b", ARCHITECTURE))),
)
def test_architecture_names_files_that_exist(name):
    places = [PACKAGE, PACKAGE / "backends" / "metaflow", ROOT]
    assert any((place / name).exists() for place in places)


def test_architecture_names_all_packages():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(re.findall(r"`(\w+)`", ARCHITECTURE))


def test_glossary_is_sorted_and_short():
    terms = re.findall(r"^\*\*(.+)\*\*$", (ROOT / "docs" / "glossary.md").read_text(), re.M)
    assert terms == sorted(terms)
    assert len(terms) <= 25


def test_readme_stays_short():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 130
    assert len(readme.split()) <= 900
    assert max(map(len, readme.splitlines())) <= 120


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_to_files_of_the_project_exist(page):
    links = re.findall(r"\]\((?!\w+:)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []
