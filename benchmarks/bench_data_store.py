"""Time to write 1 GB of data for the tasks of a run, compared with a Metaflow artifact."""

from benchmarks.large_data import choose_n_rows, data_folder
from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script


def measure(options):
    n_rows = choose_n_rows(options)
    with data_folder(n_rows) as folder:
        costs = run_script("write_store.py", folder=folder).output
        costs |= run_script("artifact_flow.py", "run", folder=folder).output
        gb = (folder / "X.npy").stat().st_size / 1e9
    rows = [
        {
            "": name,
            "wall s per GB": round(cost["wall_s"] / gb, 2),
            "CPU s per GB": round(cost["cpu_s"] / gb, 2),
            "MB written": round(cost["written_mb"], 1),
        }
        for name, cost in costs.items()
    ]
    write, first = costs["artifact: write"], costs["store: first time"]
    ratios = {
        f"{label}: store / artifact": round(first[key] / write[key], 3)
        for label, key in (("wall", "wall_s"), ("CPU", "cpu_s"))
    }
    return Measurement(rows, ratios)
