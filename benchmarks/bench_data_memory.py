"""Memory of the processes of a Metaflow run whose X has 1 GB.

For each kind of process the largest one, compared with what it would need without this package:
the driver with a process that only holds X and y, the task that fits with `GridSearchCV` over the
same data in one process, all others with the same run on 1,000 rows.
"""

from benchmarks.large_data import choose_n_rows, data_folder
from benchmarks.results import Measurement
from benchmarks.subprocesses import DRIVER, run_script

FIT = "task: fit"


def measure(options):
    with data_folder(1000) as folder:
        baselines = run_script("search_large.py", "metaflow", folder=folder).largest_by_kind()
    with data_folder(choose_n_rows(options)) as folder:
        baselines[DRIVER] = run_script("hold_large.py", folder=folder).largest_by_kind()[DRIVER]
        alone = run_script("search_large.py", "none", folder=folder).largest_by_kind()
        baselines[FIT] = alone[DRIVER]
        measured = run_script("search_large.py", "metaflow", folder=folder).largest_by_kind()
    rows = [
        {
            "process": kind,
            "RSS MB": round(usage.rss_mb),
            "PSS MB": round(usage.pss_mb),
            "without it, RSS MB": round(baselines[kind].rss_mb),
            "ratio": round(usage.rss_mb / baselines[kind].rss_mb, 2),
        }
        for kind, usage in measured.items()
        if kind in baselines
    ]
    return Measurement(rows, {f"{row['process']}: RSS": row["ratio"] for row in rows})
