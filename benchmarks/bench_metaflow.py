"""What does a Metaflow run cost over worker processes of this machine?

50 and 1,000 fits of Ridge on diabetes, each search in a process of its own, because that is how
both start: with two fresh workers that import scikit-learn. Last answer (2 cores, medians of 7):
1.8 s more for 50 fits, 2.2 s for 1,000: six starts of an interpreter that imports Metaflow (0.3 to
0.6 s each: scheduler, start, fit, join, its card, end), and little that grows with the number of
fits.

    python -m benchmarks.bench_metaflow
"""

import statistics
import subprocess
import sys
import time

SCRIPT = """
import sys
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from skdistsearch import DistributedSearchCV
X, y = load_diabetes(return_X_y=True)
grid = {"alpha": np.logspace(-3, 3, int(sys.argv[2]) // 5)}
DistributedSearchCV(Ridge(), grid, cv=5, backend=sys.argv[1], n_jobs=2).fit(X, y)
"""


def wall_s(backend, n_fits):
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", SCRIPT, backend, str(n_fits)], check=True)
    return time.perf_counter() - begin


def main(runs=7):
    print(f"{'fits':>6}{'local s':>10}{'metaflow s':>12}{'over s':>9}   medians of {runs} pairs")
    for n_fits in (50, 1000):
        pairs = [(wall_s("local", n_fits), wall_s("metaflow", n_fits)) for _ in range(runs)]
        over = [metaflow - local for local, metaflow in pairs]
        columns = [*zip(*pairs, strict=True), over]
        local, metaflow, over = (statistics.median(column) for column in columns)
        print(f"{n_fits:>6}{local:>10.2f}{metaflow:>12.2f}{over:>9.2f}")


if __name__ == "__main__":
    main()
