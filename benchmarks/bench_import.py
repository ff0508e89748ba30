"""Time that ``import skdistsearch`` adds to ``import sklearn.model_selection``.

In each fresh process one is imported after the other, so that only the addition is measured. (Two
processes that import one package each differ by more than that from one pair to the next.)
"""

import statistics

from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script

FIRST, SECOND = "import sklearn.model_selection", "then import skdistsearch"


def measure(options):
    n_runs = options.runs(default=15)
    # Samples of the process would slow the imports down.
    outputs = [run_script("import_times.py", every_s=60).output for _ in range(n_runs)]
    medians = {
        name: statistics.median(output[name] for output in outputs) for name in (FIRST, SECOND)
    }
    rows = [{"": name, "median ms": round(1e3 * medians[name])} for name in (FIRST, SECOND)]
    ratio = round(medians[SECOND] / medians[FIRST], 3)
    return Measurement(rows, {"skdistsearch / sklearn.model_selection": ratio}, n_runs)
