"""What do 10,000 fits through ``backend="batch"`` cost the client?

python -m benchmarks.bench_cloud [--small]

Last answer, on two cores that had other work as well, with two containers at a time:

- In 40 tasks the driver grows by 89 MB. 61 of them are there for any search (boto3, Metaflow's
  configuration), 2.7 KB belong to each fit and none to a task.
- S3 is asked 9,914 times, which is 0.99 per fit: 0.11 by us, 0.88 by Metaflow, 187 times for each
  task more, which is half a minute, and mostly for its log. AWS Batch is asked 33 times per task.
- Wall: 373 s, in which the containers had 669 s (each starts interpreters and imports scikit-learn)
  and the fits 30 s. GridSearchCV takes 20 s for the same in one process.
- Counted from these (40 and 20 tasks, and 1,000 fits in 4) for 1,000 tasks: the same 89 MB, 198,000
  requests to S3 (20 per fit), 1,400 s of CPU in Metaflow's processes, of which each takes 102 MB.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import Watch
from skdistsearch.testing import LocalAWS, _aws

SLOTS, WORKERS = 2, 4
"""Containers at the same time; tasks, for the next container to be ready: this has 2 cores."""

DRIVER = """
import json, os, sys, time
import numpy as np
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from skdistsearch import DistributedSearchCV, MetaflowBackend

def memory_mb(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1e3

asked = json.loads(sys.argv[1])
X, y = make_regression(60, 4, random_state=0)
options = {"param_grid": {"alpha": np.logspace(-3, 3, asked["fits"] // 5)}, "cv": 5}
if asked["tasks"]:
    backend = MetaflowBackend(
        compute="batch",
        image="any",
        fits_per_task=asked["fits"] // asked["tasks"],
        max_workers=asked["workers"],
    )
    checkpoint = "bench" if asked["checkpoint"] else None
    search = DistributedSearchCV(Ridge(), backend=backend, checkpoint=checkpoint, **options)
else:
    search = GridSearchCV(Ridge(), n_jobs=1, **options)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # forget the high-water mark
before_mb, began, cpu = memory_mb("VmRSS"), time.perf_counter(), os.times()
search.fit(X, y)
ended = os.times()
times = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
print(json.dumps({
    "before_mb": before_mb,
    "peak_mb": memory_mb("VmHWM"),
    "wall_s": time.perf_counter() - began,
    "own_cpu_s": ended.user + ended.system - cpu.user - cpu.system,
    "metaflow_cpu_s": ended.children_user + ended.children_system
        - cpu.children_user - cpu.children_system,
    "fits_s": 5 * float(times.sum()),
}))
"""

# LocalAWS' server, which also tells whose requests come, and from where
SERVER = """
import json, sys
from urllib.parse import unquote
sys.path.insert(0, {folder!r})
import _aws_server

of = _aws_server.Request.of

def told_apart(environ, *rest):
    request = of(environ, *rest)
    url = environ["PATH_INFO"] + unquote(environ.get("QUERY_STRING", ""))
    ours = "/skdistsearch/" in url or request.operation == "DeleteObjects"
    here = "app/client" in environ.get("HTTP_USER_AGENT", "")
    words = ("client" if here else "task", "ours" if ours else "metaflow", request.operation)
    return _aws_server.Request(request.service, " ".join(words), request.path)

_aws_server.Request.of = told_apart
_aws_server.main(**json.loads(sys.argv[1]))
"""


@dataclass(frozen=True)
class Case:
    """A search to be measured; without tasks it is GridSearchCV's."""

    fits: int
    tasks: int
    checkpoint: bool = False


def measured(case, folder, aws=None):
    """What a search took: the driver's own word, the server's, and what was seen of processes."""
    asked = {**vars(case), "workers": WORKERS}
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "METAFLOW_"))}
    env |= {"XDG_DATA_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    if aws is not None:
        aws.reset()
        env |= {**aws.environment(), "AWS_SDK_UA_APP_ID": "client"}
    command = [sys.executable, "-c", DRIVER, json.dumps(asked)]
    with (
        subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE) as driver,
        Watch(driver.pid, every_s=0.5) as watch,
    ):
        said = driver.communicate()[0]
    if driver.returncode:
        raise SystemExit(f"{case} ended with status {driver.returncode}.")
    return json.loads(said) | {
        "requests": Counter(aws.requests()) if aws else Counter(),
        "containers_s": [job.wall_s for job in aws.jobs()] if aws else [],
        "watch": watch,
    }


def requests_of(found, prefix):
    return sum(n for name, n in found["requests"].items() if name.startswith(prefix))


COLUMNS = {
    "driver before, MB": lambda found: found["before_mb"],
    "driver peak, MB": lambda found: found["peak_mb"],
    "driver growth, MB": lambda found: found["peak_mb"] - found["before_mb"],
    "driver CPU s": lambda found: found["own_cpu_s"],
    "Metaflow CPU s, client": lambda found: found["metaflow_cpu_s"],
    "wall s": lambda found: found["wall_s"],
    "fits, sum of s": lambda found: found["fits_s"],
    "wall s outside fits": lambda found: found["wall_s"] - found["fits_s"] / SLOTS,
    "containers, sum of s": lambda found: sum(found["containers_s"]),
    "S3 ours, client: lists": lambda found: requests_of(found, "s3.client ours ListObjectsV2"),
    "S3 ours, client: others": lambda found: (
        requests_of(found, "s3.client ours") - requests_of(found, "s3.client ours ListObjectsV2")
    ),
    "S3 ours, tasks": lambda found: requests_of(found, "s3.task ours"),
    "S3 Metaflow, client": lambda found: requests_of(found, "s3.client metaflow"),
    "S3 Metaflow, tasks": lambda found: requests_of(found, "s3.task metaflow"),
    "Batch": lambda found: requests_of(found, "batch."),
    "task seconds, client": lambda found: sum(
        peaks.seen_s
        for peaks in found["watch"].processes.values()
        if "batch step fit" in peaks.command
    ),
}
SCALED = list(COLUMNS)[2:5] + list(COLUMNS)[9:-1]


def table(cases, found):
    heads = [f"{case.fits:,}/{case.tasks}{' kept' * case.checkpoint}" for case in cases]
    print(f"\n{'fits/tasks (0: GridSearchCV)':<28}" + "".join(f"{head:>15}" for head in heads))
    for name, column in COLUMNS.items():
        print(f"{name:<28}" + "".join(f"{column(found[case]):>15,.1f}" for case in cases))


def constants(few, many, other, found):
    """Of each number the part of every fit, of every task and of every search."""
    print(f"\n{'':<28}{'per 1,000 fits':>15}{'per task':>15}{'per search':>15}{'10k/1,000':>15}")
    parts = {}
    for name in SCALED:
        a, b, c = (COLUMNS[name](found[case]) for case in (few, many, other))
        task = (b - c) / (many.tasks - other.tasks)
        fit = (c - a - task * (other.tasks - few.tasks)) / (other.fits - few.fits)
        search = a - fit * few.fits - task * few.tasks
        parts[name] = fit, task, search
        at_1000 = 10_000 * fit + 1_000 * task + search
        print(f"{name:<28}{1000 * fit:>15,.2f}{task:>15,.2f}{search:>15,.2f}{at_1000:>15,.0f}")
    return parts


KINDS = {
    "keeper.py": "keeper",
    " run --data": "scheduler",
    "batch step fit": "waits for a Batch job",
    " step join": "local step: join",
    " step ": "local step: start, end",
    "asked = json": "driver",
}


def processes(found):
    """What runs on the client: how many of each kind, and what one of them takes."""
    kinds = {}
    for peaks in found["watch"].processes.values():
        kind = next((kind for word, kind in KINDS.items() if word in peaks.command), "its helpers")
        kinds.setdefault(kind, []).append(peaks)
    print(f"\n{'processes on the client':<28}" + "".join(f"{name:>10}" for name in PROCESS))
    for kind, each in kinds.items():
        medians = [statistics.median(getattr(one, at) for one in each) for at in PROCESS.values()]
        print(f"{kind:<24}{len(each):>4}" + "".join(f"{median:>10.1f}" for median in medians))
    print(f"{'all at the same time':<28}{'':>10}{found['watch'].all_pss_mb:>10.1f}")


PROCESS = {"RSS MB": "rss_mb", "PSS MB": "pss_mb", "CPU s": "cpu_s", "lives s": "seen_s"}


def main(small=False):
    scale = 20 if small else 1
    n_tasks = (1, 4, 2) if small else (4, 40, 20)
    few, many, other = (
        Case(n_fits // scale, n) for n_fits, n in zip((1000, 10_000, 10_000), n_tasks, strict=True)
    )
    kept = replace(other, checkpoint=True)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = folder / "server.py"
        server.write_text(SERVER.format(folder=str(_aws.SERVER.parent)))
        _aws.SERVER = server
        with LocalAWS(slots=SLOTS) as aws:
            for case in (Case(many.fits, 0), few, many, other, kept):
                found[case] = measured(case, folder, aws if case.tasks else None)
                table([case], found)
                processes(found[case])
                print(dict(sorted(found[case]["requests"].items())), flush=True)
    table(list(found), found)
    constants(few, many, other, found)


if __name__ == "__main__":
    main(small="--small" in sys.argv)
