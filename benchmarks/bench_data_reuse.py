"""Bytes that a second search on the same 1 GB of data writes for its Metaflow tasks."""

from benchmarks.large_data import choose_n_rows, data_folder
from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script


def measure(options):
    rows, known_files = [], {}
    with data_folder(choose_n_rows(options)) as folder:
        for name in ("first", "second, on the same X"):
            run = run_script("search_large.py", "metaflow", folder=folder)
            files = list_stored_files(folder)
            new_bytes = sum(size for file, size in files.items() if file not in known_files)
            written_mb = sum(usage.written_mb for usage in run.monitor.processes.values())
            known_files = files
            rows.append(
                {
                    "search": name,
                    "wall s": round(run.output["wall_s"], 1),
                    "written by all processes MB": round(written_mb, 1),
                    "written to the store MB": round(new_bytes / 1e6, 1),
                }
            )
    first, second = (row["written to the store MB"] for row in rows)
    return Measurement(rows, {"written to the store: second / first": round(second / first, 3)})


def list_stored_files(folder):
    """Return sizes by name and inode: a file that is written again gets another inode."""
    paths = (folder / "skdistsearch" / "data").iterdir()
    return {(path.name, path.stat().st_ino): path.stat().st_size for path in paths}
