"""Data of 1 GB in files, for benchmarks of what a Metaflow run does with it."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np

N_FEATURES = 125
N_ROWS = 1_000_000
"""Rows of X with 1 GB of float64."""


def choose_n_rows(options):
    """Return the number of rows of a benchmark."""
    return 20_000 if options.quick else N_ROWS


@contextlib.contextmanager
def data_folder(n_rows):
    """Yield a new folder with ``X.npy`` and ``y.npy``, which this process never holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        shape = (n_rows, N_FEATURES)
        X = np.lib.format.open_memmap(folder / "X.npy", "w+", float, shape)
        for first in range(0, n_rows, 10_000):
            X[first : first + 10_000] = rng.standard_normal(X[first : first + 10_000].shape)
        X.flush()
        np.save(folder / "y.npy", rng.standard_normal(n_rows))
        yield folder
