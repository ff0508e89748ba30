"""The check of the project's prose finds what it should, and the project passes it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECK = ROOT / ".ci" / "check_prose.py"


def check(*arguments):
    command = [sys.executable, str(CHECK), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("page.md", "A sentence.\nNobody was told.\n", "page.md:2: 'Nobody'"),
        ("module.py", '"""What a module has."""\n', "module.py:1: a docstring begins with 'What'"),
        ("module.py", "x = 1  # computed anew\n", "module.py:1: 'anew'"),
        ("module.py", "def what_is_told(): ...\n", "module.py:1: 'told' in 'what is told'"),
        ("module.py", "raise ValueError('x is none of these')\n", "module.py:1: 'is none'"),
    ],
)
def test_dialect_is_found(name, content, expected, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    done = check(path)
    assert done.returncode == 1
    assert expected in done.stdout


@pytest.mark.parametrize(
    "content",
    [
        "There is no server, and it is no longer needed.\n",
        "Nobody was told, says a quotation.  <!-- prose: ok -->\n",
    ],
)
def test_plain_english_and_marked_lines_pass(content, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(content)
    assert check(path).returncode == 0


def test_project_passes():
    done = check()
    assert done.returncode == 0, done.stdout
