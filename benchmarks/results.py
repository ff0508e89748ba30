"""Results of benchmarks as data: judged against targets, written as JSON and read back."""

import ast
import datetime
import importlib
import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
FORMAT = 1
PACKAGES = (
    "scikit-learn",
    "numpy",
    "joblib",
    "metaflow",
    "lightgbm",
    "tensorflow",
    "dask-ml",
    "distributed",
    "ray",
)


@dataclass(frozen=True)
class Options:
    """Settings of a run, passed to ``measure`` of each benchmark."""

    n_runs: int | None = None
    """Number of runs, over which medians are taken; None is the default of the benchmark."""
    warm_up: bool = True
    """Do one more run first, which does not count."""
    quick: bool = False
    """Use the smallest sizes, to check that the benchmark works."""
    competitors: tuple[str, ...] = ()
    """Names of the competitors to run; all if empty."""

    def runs(self, default):
        """Return the number of runs of a benchmark that has this default."""
        return self.n_runs or (1 if self.quick else default)


@dataclass
class Measurement:
    """The result of one benchmark."""

    rows: list[dict]
    """Rows of a table: text or rounded numbers by heading."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Named ratios, which targets refer to."""
    n_runs: int = 1
    """Number of runs, over which medians were taken."""


def benchmark_names():
    """Return the names of all benchmarks, sorted: ``trivial`` for ``bench_trivial.py``."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def load_benchmark(name):
    """Import a benchmark: a module with a function ``measure`` and, optionally, ``TARGETS``."""
    return importlib.import_module(f"benchmarks.bench_{name.removeprefix('bench_')}")


def read_question(name):
    """Return the question of a benchmark without importing it."""
    source = (FOLDER / f"bench_{name}.py").read_text(encoding="utf-8")
    return _first_line(ast.get_docstring(ast.parse(source)))


def _first_line(docstring):
    return docstring.strip().splitlines()[0]


def run_benchmark(name, benchmark, options):
    """Run a benchmark; return its result as plain data.

    Parameters
    ----------
    name : str
        Name in the result.
    benchmark : module
        ``measure(options)`` returns a `Measurement`. ``TARGETS`` maps names of its ratios to the
        largest acceptable values.
    options : Options
        Settings of the run.
    """
    measured = benchmark.measure(options)
    return {
        "name": name,
        "question": _first_line(benchmark.__doc__),
        "n_runs": measured.n_runs,
        "rows": measured.rows,
        "ratios": measured.ratios,
        "targets": judge(measured.ratios, getattr(benchmark, "TARGETS", {})),
    }


def judge(ratios, targets):
    """Return ``{name: {"limit": ..., "met": ...}}``; a ratio that was not measured gives None."""
    return {
        name: {"limit": limit, "met": ratios[name] <= limit if name in ratios else None}
        for name, limit in targets.items()
    }


def describe_machine():
    """Return the number of cores, the memory, and the versions of Python and of packages."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0))
    return {"cores": cores, "memory_gb": round(memory_gb, 1), "versions": versions}


def write_results(results, folder=RESULTS, *, quick=False):
    """Write results to ``<date>-<commit>.json`` in a folder; return the path.

    Results of other benchmarks in an existing file are kept.
    """
    commit = current_commit()
    date = f"{datetime.date.today():%Y-%m-%d}"
    path = folder / f"{date}-{commit}{'-quick' if quick else ''}.json"
    names = {result["name"] for result in results}
    earlier = read_results(path)["benchmarks"] if path.exists() else []
    content = {
        "format": FORMAT,
        "date": date,
        "commit": commit,
        "quick": quick,
        "machine": describe_machine(),
        "benchmarks": [one for one in earlier if one["name"] not in names] + results,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_results(path):
    """Read a file of results."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"{path} has format {content['format']}. Known: {FORMAT}.")
    return content


def current_commit():
    """Return the short hash of the checked-out commit, or "unknown" outside a git clone."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(git, cwd=FOLDER, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
