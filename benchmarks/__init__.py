"""Benchmarks: one question in each file ``bench_<name>.py``.

- `__main__`: runs benchmarks, judges their targets and writes ``results/<date>-<commit>.json``.
- `tables`: Markdown tables from these files, for the documentation.
- `competitors`: the same search by this package, scikit-learn and peers; `measure`: their cost.
- `subprocesses`: programs of ``scripts/`` in processes of their own.

A benchmark is a module with a docstring whose first line is the question, and a function
``measure(options)`` that returns a `benchmarks.results.Measurement`. ``TARGETS``, if it is there,
maps names of its ratios to limits.
"""
