"""Results and cost of scikit-learn's functions on workers that stay.

Each function runs in one process, on a Metaflow run of this machine, and on AWS Batch as `LocalAWS`
simulates it, with two workers that wait for the first call and stay until the last one. Compared
are all numbers that the functions return, bit for bit.
"""

import tempfile
from pathlib import Path

from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script
from skdistsearch.testing import LocalAWS

DIFFERENT, RUNS = "functions with other results", "Metaflow runs for all functions"
TARGETS = {DIFFERENT: 0, RUNS: 1}
SCRIPT = "parallel_functions.py"


def measure(options):
    with tempfile.TemporaryDirectory() as name, LocalAWS(slots=2) as aws:
        here = run_script(SCRIPT, "metaflow", folder=Path(name)).output
        batch = run_script(SCRIPT, "batch", folder=Path(name), **aws.environment()).output
    rows = [make_row(case, here[case], batch[case]) for case in here]
    backends = [list(cases.values()) for cases in (here, batch)]
    ratios = {
        DIFFERENT: sum(bool(case["difference"]) for cases in backends for case in cases),
        RUNS: max(len({run for case in cases for run in case["runs"]}) for cases in backends),
    }
    return Measurement(rows, ratios)


def make_row(name, here, batch):
    """Return what both backends did for a function."""
    same = [describe_results(case) for case in (here, batch)]
    return {
        "function": name,
        "results": same[0] if same[0] == same[1] else "; ".join(same),
        "waves": here["waves"],
        "calls": here["calls"],
        "calls that return objects": here["objects"],
        "one process s": here["here_s"],
        "Metaflow s": here["s"],
        "LocalAWS s": batch["s"],
    }


def describe_results(case):
    return case["difference"].strip().splitlines()[0] if case["difference"] else "equal"
