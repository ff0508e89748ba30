"""What does 1 GB of float64 cost on its way through ``backend="metaflow"``?

python -m benchmarks.bench_data [--small]

Last answer, on two cores: the driver takes 1.05 times what it needs to hold X and y (1,202 MB), the
task that fits 1.00 times what its fit needs without us (2,188 MB), all others 11 to 51 MB, at most
1.23 times what they take without data. Writing X for the tasks takes 1.1 s per GB, the same again
1.0 s (its hash), as a Metaflow artifact 39.5 s: 37 times as long. A second search writes nothing of
X. S3 on loopback takes 8.2 s per GB up and 1.9 s down, in which the client grows by 200 and 110 MB.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Watch
from skdistsearch.testing import LocalAWS

FEATURES = 125
HEAD = """
import json, os, sys, time
from pathlib import Path
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from skdistsearch import DistributedSearchCV
from skdistsearch.storage._serialization import dump_batch, load_batch
from skdistsearch._batch import Batch
from skdistsearch.storage._store import FolderStore, S3Store

folder = Path(sys.argv[1])

def memory_mb(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1e3

def written_mb():
    with open("/proc/self/io") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("wchar")) / 1e6

def timed(call):
    wall, cpu, before_mb = time.perf_counter(), time.process_time(), written_mb()
    result = call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_s": wall, "cpu_s": cpu, "written_mb": written_mb() - before_mb}, result
"""
OPTIONS = 'Ridge(solver="cholesky", copy_X=False), {"alpha": [1.0]}, cv=KFold(5), refit=False'
HOLDS = "X, y = np.load(folder / 'X.npy'), np.load(folder / 'y.npy')\n"
MAPS = "X, y = np.load(folder / 'X.npy', mmap_mode='r'), np.load(folder / 'y.npy')\n"
ALONE = f"{MAPS}GridSearchCV({OPTIONS}, n_jobs=1).fit(X, y)\n"
SEARCH = f"""{HOLDS}
wall = time.perf_counter()
DistributedSearchCV({OPTIONS}, n_jobs=2, backend="metaflow").fit(X, y)
print(json.dumps({{"wall_s": time.perf_counter() - wall}}))
"""
STORE = f"""{HOLDS}
batch = Batch("key", print, (Ridge(), X, y), {{}}, [])
store = FolderStore(folder / "store")
first, dumped = timed(lambda: dump_batch(batch, store, content_addressed=True))
second, _ = timed(lambda: dump_batch(batch, store, content_addressed=True))
read, _ = timed(lambda: load_batch(store.url, dumped.manifest))
print(json.dumps({{"first": first, "second": second, "read": read}}))
"""
FLOW = """
from metaflow import FlowSpec, step
from metaflow.datastore.task_datastore import TaskDataStore

persist = TaskDataStore.persist

def timed_persist(*arguments):
    said, _ = timed(lambda: persist(*arguments))
    print("SAID", json.dumps({"write": said}), flush=True)

TaskDataStore.persist = timed_persist

class Artifact(FlowSpec):
    @step
    def start(self):
        self.X = np.load(Path(os.environ["BENCH"]) / "X.npy")
        self.next(self.end)

    @step
    def end(self):
        said, _ = timed(lambda: self.X)
        print("SAID", json.dumps({"read": said}), flush=True)

if __name__ == "__main__":
    Artifact()
"""
CLOUD = f"""{MAPS}
data = memoryview(np.array(X[:asked])).cast("B")  # resident before it is measured
store = S3Store(f"s3://{{sys.argv[2]}}/bench")
store.put("small", b"connects")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # forget the high-water mark
before_mb = memory_mb("VmRSS")
up, _ = timed(lambda: store.put("X", data))
up_mb = memory_mb("VmHWM") - before_mb
before_mb = memory_mb("VmRSS")
down, _ = timed(lambda: store.local_path("X", folder))
(folder / "X").unlink()
down_mb = memory_mb("VmHWM") - before_mb
print(json.dumps({{"up": up, "down": down, "mb": data.nbytes / 1e6, "up_mb": up_mb,
                  "down_mb": down_mb}}))
"""
KINDS = {
    "keeper.py": "keeper",
    " run --data": "scheduler",
    " step fit": "task: fit",
    " step join": "task: join",
    " step ": "task: start, end",
}


def environment(folder):
    """Nothing of the user's is read or written."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "METAFLOW_"))}
    places = dict.fromkeys(("XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME", "BENCH"), str(folder))
    return kept | places | {"USER": "bench"}


def ran(script, folder, *arguments, **variables):
    """What a script says, and the `Peaks` of its processes by kind: of each kind the greatest."""
    command = [sys.executable, "-c", HEAD + script, str(folder), *arguments]
    env = environment(folder) | variables
    with (
        subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE) as process,
        Watch(process.pid, every_s=0.2) as watch,
    ):
        said = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"This failed:\n{script}")
    kinds = {}
    for pid, peaks in watch.processes.items():
        named = (kind for word, kind in KINDS.items() if word in peaks.command)
        kind = "driver" if pid == process.pid else next(named, "helpers")
        if kind not in kinds or kinds[kind].rss_mb < peaks.rss_mb:
            kinds[kind] = peaks
    written_mb = sum(peaks.written_mb for peaks in watch.processes.values())
    return (json.loads(said) if said else {}), kinds, written_mb


def made(folder, rows):
    """X and y in files: this process never holds them."""
    random = np.random.default_rng(0)
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", float, (rows, FEATURES))
    for first in range(0, rows, 10_000):
        X[first : first + 10_000] = random.standard_normal(X[first : first + 10_000].shape)
    X.flush()
    np.save(folder / "y.npy", random.standard_normal(rows))


def memory(folder, tiny):
    """(a) and (c): two searches on the same data, and what their processes would need alone."""
    _, alone, _ = ran(ALONE, folder)
    _, holds, _ = ran(HOLDS, folder)
    _, without, _ = ran(SEARCH, tiny)
    said, kinds, written_mb = ran(SEARCH, folder)
    files = sizes(folder)
    again, _, again_mb = ran(SEARCH, folder)
    print(
        f"\n{'(a) greatest of its kind':<26}{'RSS MB':>9}{'PSS MB':>9}{'alone MB':>10}{'ratio':>8}"
    )
    for kind, peaks in kinds.items():
        base = {"driver": holds["driver"], "task: fit": alone["driver"]}.get(kind)
        base = base or without.get(kind, peaks)
        ratio = peaks.rss_mb / base.rss_mb
        numbers = f"{peaks.rss_mb:>9.0f}{peaks.pss_mb:>9.0f}{base.rss_mb:>10.0f}{ratio:>8.2f}"
        print(f"{kind:<26}{numbers}")
    print(
        f"\n{'(c) searches':<26}{'wall s':>9}{'all processes wrote MB':>24}{'to the store MB':>17}"
    )
    new_mb = sum(files.values()) / 1e6
    print(f"{'first':<26}{said['wall_s']:>9.1f}{written_mb:>24.1f}{new_mb:>17.1f}")
    changed = {name: size for name, size in sizes(folder).items() if name not in files}
    more_mb = sum(changed.values()) / 1e6
    print(f"{'second, on the same X':<26}{again['wall_s']:>9.1f}{again_mb:>24.1f}{more_mb:>17.1f}")


def sizes(folder):
    """Files of the store: who writes one again makes another inode of it."""
    paths = (folder / "skdistsearch" / "data").iterdir()
    return {(path.name, path.stat().st_ino): path.stat().st_size for path in paths}


def seconds(folder):
    """(b): our store beside an artifact of Metaflow's."""
    ours, _, _ = ran(STORE, folder)
    script = folder / "flow.py"
    script.write_text(HEAD.replace("sys.argv[1]", "'.'") + FLOW)
    out = subprocess.run(
        [sys.executable, str(script), "--quiet", "--no-pylint", "run"],
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    lines = [json.loads(line.partition("SAID ")[2]) for line in out.splitlines() if "SAID" in line]
    # The run's parameters are written first, X then
    write = max((line["write"] for line in lines if "write" in line), key=lambda row: row["wall_s"])
    read = next(line["read"] for line in lines if "read" in line)
    gb = (folder / "X.npy").stat().st_size / 1e9
    print(f"\n{'(b) per GB':<40}{'wall s':>9}{'CPU s':>9}{'MB written':>12}")
    rows = {"store: first time": ours["first"], "store: the same again": ours["second"]}
    rows |= {"store: read, checked": ours["read"], "artifact: write": write, "artifact: read": read}
    for name, row in rows.items():
        numbers = f"{row['wall_s'] / gb:>9.2f}{row['cpu_s'] / gb:>9.2f}{row['written_mb']:>12.1f}"
        print(f"{name:<40}{numbers}")
    for kind in ("wall_s", "cpu_s"):
        print(f"ratio of writes, {kind}: {write[kind] / ours['first'][kind]:.1f}")


def cloud(folder, rows):
    """(d): S3 on loopback, with what fits beside its server's own copies."""
    with LocalAWS() as aws:
        script = CLOUD.replace("asked", str(rows))
        found, _, _ = ran(script, folder, aws.bucket, **aws.environment())
        requests = dict(aws.requests())
    gb = found["mb"] / 1e3
    print(f"\n{'(d) S3, per GB':<26}{'wall s':>9}{'CPU s':>9}{'client grows, MB':>18}")
    for name, key in (("upload", "up"), ("download", "down")):
        times = f"{found[key]['wall_s'] / gb:>9.1f}{found[key]['cpu_s'] / gb:>9.1f}"
        print(f"{name:<26}{times}{found[key + '_mb']:>18.0f}")
    print(f"measured with {found['mb']:.0f} MB: {requests}")


def main(rows):
    with tempfile.TemporaryDirectory() as name:
        folder, tiny = Path(name, "big"), Path(name, "tiny")
        for place, n_rows in ((folder, rows), (tiny, 1000)):
            place.mkdir()
            made(place, n_rows)
        memory(folder, tiny)
        seconds(folder)
        cloud(folder, min(rows, 256_000))


if __name__ == "__main__":
    main(100_000 if "--small" in sys.argv else 1_000_000)
