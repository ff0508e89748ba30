"""Files for other programs: GitHub's workflow and issue forms, and the citation."""

from pathlib import Path

import pytest

import skdistsearch

ROOT = Path(__file__).parents[1]
yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")


def load(name):
    return yaml.safe_load((ROOT / name).read_text())


def test_workflow_runs_all_checks():
    steps = load(".github/workflows/ci.yml")["jobs"]["checks"]["steps"]
    assert ".ci/run" in [step.get("run") for step in steps]


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_issue_form_has_what_github_requires(name):
    form = load(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(set(ids)) == len(ids)


def test_citation_has_the_version_of_the_package():
    assert load("CITATION.cff")["version"] == skdistsearch.__version__
