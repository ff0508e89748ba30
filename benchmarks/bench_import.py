"""How much longer does ``import skdistsearch`` take than ``import sklearn.model_selection``?

In each fresh process the one is imported after the other: what is left is what ours adds. (Two
processes side by side differ by more than that from one pair to the next.) Last answer: 33 ms.

    python -m benchmarks.bench_import
"""

import statistics
import subprocess
import sys

CODE = """
from time import perf_counter
begin = perf_counter()
import sklearn.model_selection
between = perf_counter()
import skdistsearch
print(between - begin, perf_counter() - between)
"""


def main(runs=15):
    outputs = [
        subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
        for _ in range(runs)
    ]
    pairs = [[float(word) for word in output.stdout.split()] for output in outputs]
    for name, seconds in zip(
        ("import sklearn.model_selection", "then import skdistsearch"),
        zip(*pairs, strict=True),
        strict=True,
    ):
        print(f"{name:<32}{statistics.median(seconds) * 1e3:8.0f} ms")


if __name__ == "__main__":
    main()
