"""Write ``X.npy`` of this folder into a store twice and read it, as a Metaflow run does."""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

from benchmarks.own_usage import timed
from skdistsearch.backends import Batch
from skdistsearch.storage import FolderStore, dump_batch, load_batch

X, y = np.load("X.npy"), np.load("y.npy")
batch = Batch("key", print, (Ridge(), X, y), {}, [])
store = FolderStore(Path("store").absolute())
first, stored = timed(lambda: dump_batch(batch, store, content_addressed=True))
second, _ = timed(lambda: dump_batch(batch, store, content_addressed=True))
read, _ = timed(lambda: load_batch(store.url, stored.manifest))
costs = {
    "store: first time": first,
    "store: the same again": second,
    "store: read and check": read,
}
print(json.dumps(costs))
