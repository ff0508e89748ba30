"""How much longer does ``import skdistsearch`` take than ``import sklearn.model_selection``?

python -m benchmarks.bench_import
"""

import statistics
import subprocess
import sys
import time

SIDES = ("import sklearn.model_selection", "import skdistsearch")


def wall_s(code):
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def main(runs=15):
    pairs = [[wall_s(code) for code in SIDES] for _ in range(runs)]
    for name, walls in zip(SIDES, zip(*pairs, strict=True), strict=True):
        print(f"{name:<34}{statistics.median(walls) * 1e3:8.0f} ms")
    over = statistics.median(ours - theirs for theirs, ours in pairs)
    print(f"{'difference, median over pairs':<34}{over * 1e3:8.0f} ms")


if __name__ == "__main__":
    main()
