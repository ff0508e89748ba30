"""All comparisons, in one table: ``python -m benchmarks [NAME ...] [--runs N] [--out FOLDER]``.

Sides alternate within one run; medians of wall and CPU seconds, the peak of memory that all
processes of a side have together, and wall ratios to GridSearchCV and to the limit by hand.
"""

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measure import in_turn
from benchmarks.sides import BASE, LIMIT, OURS

NAMES = (
    "bench_trivial",
    "bench_text",
    "bench_lightgbm",
    "bench_lightgbm_one_thread",
    "bench_large",
    "bench_keras",
    "bench_halving",
)
PACKAGES = ("scikit-learn", "numpy", "joblib", "lightgbm", "tensorflow", "dask-ml", "ray")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sides", nargs="*", help="only these, e.g. GridSearchCV")
    parser.add_argument("--cold", action="store_true", help="no run that does not count before")
    parser.add_argument("--out", type=Path, help="folder for results.json and results.md")
    args = parser.parse_args()
    rows = []
    for name in args.names:
        rows += measured(name, args)
        print(table(rows), flush=True)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        report = {"machine": machine(), "rows": rows}
        (args.out / "results.json").write_text(json.dumps(report, indent=1) + "\n")
        (args.out / "results.md").write_text(f"{table(rows)}\n{machine()}\n")


def measured(name, args):
    """One row a side."""
    print(name, file=sys.stderr)
    module = importlib.import_module(f"benchmarks.{name}")
    sides = {
        side: call
        for side, call in module.sides().items()
        if not args.sides or side in {*args.sides, OURS}
    }
    if not args.cold:
        in_turn(sides, 1)  # workers start, caches fill
    found = in_turn(sides, args.runs)
    return [row(name, side, found) for side in found]


def row(name, side, found):
    runs = found[side]
    medians = {
        what: statistics.median(getattr(run, what) for run in runs)
        for what in ("wall_s", "cpu_s", "pss_mb")
    }
    ratios = {
        f"to {other}": statistics.median(
            mine.wall_s / theirs.wall_s for mine, theirs in zip(runs, found[other], strict=True)
        )
        for other in (BASE, LIMIT)
        if other in found
    }
    return {"workload": name.removeprefix("bench_"), "side": side, **medians, **ratios}


def table(rows):
    lines = [
        f"| workload | side | wall s | CPU s | peak PSS MB | wall, to {BASE} | wall, to {LIMIT} |",
        "|---|---|---|---|---|---|---|",
    ]
    for found in rows:
        ratios = (found.get(f"to {other}") for other in (BASE, LIMIT))
        shown = ["-" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        lines.append(
            f"| {found['workload']} | {found['side']} | {found['wall_s']:.2f} | "
            f"{found['cpu_s']:.2f} | {found['pss_mb']:.0f} | {' | '.join(shown)} |"
        )
    return "\n".join(lines)


def machine():
    found = [f"{len(os.sched_getaffinity(0))} cores", f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


if __name__ == "__main__":
    main()
