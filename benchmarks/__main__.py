"""Run benchmarks: ``python -m benchmarks [NAME ...]``.

Prints the rows of each benchmark, then one table that says which targets are met, and writes
``benchmarks/results/<date>-<commit>.json``. `benchmarks.tables` makes the tables of the
documentation from such files.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.results import (
    RESULTS,
    Options,
    benchmark_names,
    load_benchmark,
    read_question,
    run_benchmark,
    write_results,
)
from benchmarks.tables import markdown_table, ratio_table


def main(arguments=None):
    """Run the benchmarks that are named on the command line, or all."""
    args = _parse(arguments)
    if args.list:
        _print_list()
        return
    options = Options(
        n_runs=args.runs,
        warm_up=not (args.cold or args.quick),
        quick=args.quick,
        competitors=tuple(args.competitors),
    )
    folder = args.out or (None if args.quick else RESULTS)
    results = []
    for name in args.names or benchmark_names():
        print(name, file=sys.stderr)
        results.append(run_benchmark(name, load_benchmark(name), options))
        print(f"\n{results[-1]['question']}\n\n{markdown_table(results[-1]['rows'])}", flush=True)
        if folder:  # after each, so that none is lost when a later one fails
            path = write_results(results, folder, quick=args.quick)
    print(f"\n{ratio_table(results)}")
    if folder:
        print(f"\nWritten to {path}")


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as trivial; default: all")
    parser.add_argument("--list", action="store_true", help="list names and questions, run none")
    parser.add_argument("--quick", action="store_true", help="smallest sizes, to see that it works")
    parser.add_argument("--runs", type=int, help="number of runs; each benchmark has a default")
    parser.add_argument("--cold", action="store_true", help="leave out the run that warms up")
    parser.add_argument("--competitors", nargs="*", default=(), help="run these only")
    parser.add_argument("--out", type=Path, help="folder for the results; default: results/")
    args = parser.parse_args(arguments)
    args.names = [name.removeprefix("bench_") for name in args.names]
    unknown = sorted(set(args.names) - set(benchmark_names()))
    if unknown:
        known = ", ".join(benchmark_names())
        parser.error(f"no such benchmark: {', '.join(unknown)}. Known: {known}.")
    return args


def _print_list():
    width = max(map(len, benchmark_names()))
    for name in benchmark_names():
        print(f"{name:<{width}}  {read_question(name)}")


if __name__ == "__main__":
    main()
