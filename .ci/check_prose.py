"""Check that the prose of the project is plain English.

Usage: python .ci/check_prose.py [file ...]

Reads docstrings, comments and function names of Python files, string literals outside the tests,
and Markdown files. Reports each phrase of the word list below, and each docstring that begins with
a question word.
A line that has to keep a phrase ends with the comment "prose: ok", or stands in ALLOWED.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

PHRASES = [
    r"told",
    r"nobody",
    r"whoever",
    r"whatever",
    r"anew",
    r"for want of",
    r"as ever",
    r"(?<!there )is none",
    r"(?<!there )is no(?! longer)",
    r"(?<!there )are none",
    r"nothing that",
    r"spoilt",
    r"had of",
    r"so many",
    r"so much as",
    r"to the bit",
    r"on cue",
    r"of its own accord",
    r"beside its",
    r"hears? of",
    r"tells? of",
    r"say so",
    r"says so",
    r"lies elsewhere",
    r"on the other side",
    r"flatters?",
    r"vouch(?:es)? for",
    r"in the hands of",
    r"leaves? word",
    r"takes? note of",
    r"\bwho has\b",
    r"\bmeanwhile\b",
    r"bettered",
    r"is to be\b",
    r"are to be\b",
]
FIRST_WORDS = ("What", "Which", "Who", "Whether", "Where", "How", "Of", "As", "On", "Whoever")
# Phrases of other people: quotations, titles and identifiers.
ALLOWED = {
    ("CHANGELOG.md", "told"),  # the table of old and new names
}
_PHRASE = re.compile(r"\b(" + "|".join(PHRASES) + r")\b", re.IGNORECASE)
_OK = "prose: ok"


def main(names: list[str]) -> int:
    """Print what is found in the named files, or in all files of the project."""
    found = [problem for path in map(Path, names or _tracked()) for problem in problems(path)]
    print("\n".join(found))
    return bool(found)


def problems(path: Path) -> Iterator[str]:
    """Yield what is wrong with the prose of a file, as ``path:line: text``."""
    if path.suffix == ".md":
        yield from _phrases(path, enumerate(path.read_text().splitlines(), 1))
    elif path.suffix == ".py":
        source = path.read_text()
        lines = source.splitlines()
        tree = ast.parse(source)
        texts = [*_comments(source), *_strings(tree, path), *_function_names(tree)]
        marked = {number for number, line in enumerate(lines, 1) if _OK in line}
        yield from _phrases(path, ((n, text) for n, text in texts if n not in marked))
        yield from _first_words(path, tree)


def _phrases(path: Path, texts: Iterable[tuple[int, str]]) -> Iterator[str]:
    for number, text in texts:
        for match in _PHRASE.finditer(text):
            if (path.name, match[1].lower()) not in ALLOWED and _OK not in text:
                yield f"{path}:{number}: {match[1]!r} in {text.strip()[:80]!r}"


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _strings(tree: ast.AST, path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of docstrings, and of all strings outside the tests."""
    in_tests = "tests" in path.parts
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if in_tests and isinstance(body, list):
            nodes = [one.value for one in body if isinstance(one, ast.Expr)]
        else:
            nodes = [node] if not in_tests else []
        for one in nodes:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                for offset, line in enumerate(one.value.splitlines()):
                    yield one.lineno + offset, line


def _function_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.lineno, node.name.replace("_", " ")


def _first_words(path: Path, tree: ast.AST) -> Iterator[str]:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        if text and re.match(rf"({'|'.join(FIRST_WORDS)})\b", text):
            line = node.body[0].lineno  # type: ignore[union-attr]
            yield f"{path}:{line}: a docstring begins with {text.split()[0]!r}"


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md"], capture_output=True, text=True, check=True
    )
    names = (Path(name) for name in listed.stdout.splitlines())
    return [str(path) for path in names if path.exists() and path != Path(".ci/check_prose.py")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
