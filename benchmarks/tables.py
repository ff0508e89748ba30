"""Make Markdown tables from results: ``python -m benchmarks.tables [FILE.json ...]``.

Without files, the newest result of each benchmark counts. A document holds a table between the
lines ``<!-- results:NAME -->`` and ``<!-- /results -->``. NAME is a benchmark, ``ratios`` (ratios
and targets of all) or ``summary`` (wall times relative to GridSearchCV). ``--check DOCUMENT`` fails
if a table differs from the results; ``--update DOCUMENT`` rewrites the tables.
"""

import argparse
import difflib
import re
import sys
from pathlib import Path

from benchmarks.results import RESULTS, read_results

_WALL = "wall / GridSearchCV"
SUMMARY = {  # by benchmark and ratio
    ("text", _WALL): "a grid over a text pipeline",
    ("halving", _WALL): "successive halving over a pipeline",
    ("paths", f"LightGBM, one thread: {_WALL}"): "LightGBM, four numbers of trees",
    ("lightgbm", f"one thread: {_WALL}"): "LightGBM behind shared preprocessing",
    ("trivial", _WALL): "1,000 trivial fits",
    ("tournament", _WALL): "the tournament",
    ("large", _WALL): "a million rows",
    ("large", f"Ridge: {_WALL}"): "a million rows",
    ("keras", _WALL): "Keras models: little to share",
}
_BLOCK = re.compile(r"(?<=<!-- results:)(\S+)( -->\n)(.*?)(?=<!-- /results -->)", re.DOTALL)


def main(arguments=None):
    """Print the tables, or check or update those of a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=main.__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="default: all of benchmarks/results")
    parser.add_argument("--check", type=Path, metavar="DOCUMENT")
    parser.add_argument("--update", type=Path, metavar="DOCUMENT")
    args = parser.parse_args(arguments)
    blocks = make_blocks(newest_results(args.files or sorted(RESULTS.glob("*.json"))))
    if args.check:
        return _check(args.check, blocks)
    if args.update:
        args.update.write_text(fill_blocks(args.update.read_text("utf-8"), blocks), "utf-8")
        return 0
    for name, text in blocks.items():
        print(f"<!-- results:{name} -->\n{text}<!-- /results -->\n")
    return 0


def newest_results(paths):
    """Return the newest result of each benchmark, by name, with what its file says of all.

    A result has the date, commit, machine and note of its file, unless it has its own.
    """
    results = {}
    for path in paths:
        content = read_results(path)
        shared = {key: content.get(key) for key in ("date", "commit", "machine", "note")}
        for result in content["benchmarks"]:
            result = {**shared, **result}
            earlier = results.get(result["name"])
            if earlier is None or earlier["date"] <= result["date"]:
                results[result["name"]] = result
    return dict(sorted(results.items()))


def make_blocks(results):
    """Return the Markdown of each benchmark, of ``ratios`` and of ``summary``, by name."""
    blocks = {name: _make_block(result) for name, result in results.items()}
    tables = {"ratios": ratio_table(results.values()), "summary": summary_table(results)}
    return {name: f"{table}\n" for name, table in tables.items()} | blocks


def _make_block(result):
    notes = "\n".join(f"- {note}" for note in result.get("notes", []))
    parts = [result["question"], markdown_table(result["rows"]), notes, _describe_origin(result)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _describe_origin(result):
    n_runs = result.get("n_runs", 1)
    runs = result.get("runs", f"medians of {n_runs} runs" if n_runs > 1 else "one run")
    versions = [f"{name} {number}" for name, number in result["machine"]["versions"].items()]
    cores = f"{result['machine']['cores']} cores"
    parts = [result["date"], f"commit {result['commit']}", cores, *versions, runs, result["note"]]
    return f"*{', '.join(filter(None, parts))}.*"


def ratio_table(results):
    """Return a table of all ratios of the results, and whether their targets are met."""
    rows = []
    for result in results:
        for name in {**result["ratios"], **result["targets"]}:
            target = result["targets"].get(name, {})
            rows.append(
                {
                    "benchmark": result["name"],
                    "ratio": name,
                    "measured": result["ratios"].get(name),
                    "limit": target.get("limit"),
                    "target": _verdict(target),
                }
            )
    return markdown_table(rows)


def summary_table(results):
    """Return a table of the wall times relative to GridSearchCV, of the results in `SUMMARY`."""
    rows = [
        {"search": search, "wall / GridSearchCV": results[name]["ratios"][ratio]}
        for (name, ratio), search in SUMMARY.items()
        if ratio in results.get(name, {"ratios": {}})["ratios"]
    ]
    return markdown_table(rows)


def _verdict(target):
    if not target:
        return None
    return {True: "met", False: "not met", None: "not measured"}[target["met"]]


def markdown_table(rows):
    """Return rows as a Markdown table with a column for each key; numbers are right-aligned."""
    headings = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_format(row.get(heading)) for heading in headings] for row in rows]
    rules = [
        "---:" if all(not isinstance(row.get(heading), str) for row in rows) else "---"
        for heading in headings
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, rules, *cells])


def _format(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:,}"


def fill_blocks(document, blocks):
    """Return a document with the text between its markers replaced by the blocks."""
    if document.count("<!-- results:") != len(_BLOCK.findall(document)):
        raise SystemExit('A marker "<!-- results:NAME -->" has no "<!-- /results -->".')
    return _BLOCK.sub(lambda match: match[1] + match[2] + _find_block(match[1], blocks), document)


def _find_block(name, blocks):
    if name not in blocks:
        raise SystemExit(f"No results for {name!r}. Known: {', '.join(blocks)}.")
    return blocks[name]


def _check(path, blocks):
    document = path.read_text("utf-8")
    expected = fill_blocks(document, blocks)
    if document == expected:
        return 0
    lines = document.splitlines(), expected.splitlines()
    print("\n".join(difflib.unified_diff(*lines, str(path), "results", lineterm="")))
    print(f"\nTo rewrite its tables: python -m benchmarks.tables --update {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
