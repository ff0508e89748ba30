"""The documentation names files that exist and all public names; README fits one screen."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import skdistsearch
from skdistsearch import (
    adaptive,
    backends,
    checkpoints,
    early_stopping,
    exceptions,
    jobs,
    report,
    testing,
)

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skdistsearch"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PUBLIC_MODULES = [
    skdistsearch,
    adaptive,
    backends,
    checkpoints,
    early_stopping,
    jobs,
    report,
    testing,
]


def documented_objects():
    """Return the objects in the tables of the API reference, by name."""
    objects = {}
    for line in (ROOT / "docs" / "api" / "index.rst").read_text().splitlines():
        if match := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = importlib.import_module(match[1])
        elif match := re.fullmatch(r"   (\w+)", line):
            objects[f"{module.__name__}.{match[1]}"] = getattr(module, match[1])
    return objects


DOCUMENTED = documented_objects()


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
    assert len(terms) <= 30


def test_readme_stays_short():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 130
    assert len(readme.split()) <= 900
    assert max(map(len, readme.splitlines())) <= 120


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_to_files_of_the_project_exist(page):
    links = re.findall(r"\]\((?!\w+:)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda module: module.__name__)
def test_api_reference_lists_every_public_name(module):
    listed = {id(value) for value in DOCUMENTED.values()}
    public = {name: getattr(module, name) for name in module.__all__}
    objects = {name: value for name, value in public.items() if not inspect.ismodule(value)}
    assert [name for name, value in objects.items() if id(value) not in listed] == []


def test_tree_of_exceptions_is_complete():
    tree = re.findall(r"^ *[│├└─ ]*(\w+Error)\b", exceptions.__doc__, re.M)
    assert sorted(tree) == exceptions.__all__


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_documented_name_has_examples(name):
    assert re.search(r"^ *Examples\n *--------\n", DOCUMENTED[name].__doc__, re.M)
