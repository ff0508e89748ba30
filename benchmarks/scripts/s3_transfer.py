"""Upload ``X.npy`` of this folder to S3 and download it: ``s3_transfer.py BUCKET``."""

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.own_usage import memory_mb, peak_memory_mb, reset_peak_memory, timed
from skdistsearch.storage import S3Store

data = memoryview(np.load("X.npy")).cast("B")  # in memory before it is measured
store = S3Store(f"s3://{sys.argv[1]}/benchmark")
store.put("small", b"opens the connection")


def transfer(call):
    reset_peak_memory()
    before_mb = memory_mb()
    cost, _ = timed(call)
    return {**cost, "grown_mb": peak_memory_mb() - before_mb}


output = {
    "bytes": data.nbytes,
    "upload": transfer(lambda: store.put("X", data)),
    "download": transfer(lambda: store.local_path("X", Path())),
}
print(json.dumps(output))
