"""Time and memory to move data to S3 and back, on loopback.

At most 256,000 rows (256 MB): what fits into memory together with the copies of the local server.
"""

from benchmarks.large_data import choose_n_rows, data_folder
from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script
from skdistsearch.testing import LocalAWS


def measure(options):
    with data_folder(min(choose_n_rows(options), 256_000)) as folder, LocalAWS() as aws:
        output = run_script("s3_transfer.py", aws.bucket, folder=folder, **aws.environment()).output
        n_requests = aws.requests().total()
    gb = output["bytes"] / 1e9
    rows = [
        {
            "": name,
            "wall s per GB": round(output[name]["wall_s"] / gb, 1),
            "CPU s per GB": round(output[name]["cpu_s"] / gb, 1),
            "client grows by MB": round(output[name]["grown_mb"]),
            "MB moved": round(1e3 * gb),
            "requests of both": n_requests,
        }
        for name in ("upload", "download")
    ]
    return Measurement(rows)
