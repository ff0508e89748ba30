"""Cost of 10,000 fits on AWS Batch for the machine that runs the search.

`LocalAWS` runs two containers at a time. The same search with `GridSearchCV` in one process, with
1,000 fits in 4 tasks, 10,000 in 40 and in 20, and in 20 with a checkpoint. From three of these
follows the cost of each fit, of each task and of the search itself, and so an estimate for 1,000
tasks.
"""

import json
import statistics
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script
from skdistsearch.testing import LocalAWS

N_SLOTS = 2
"""Containers that run at the same time: one per core."""
N_WORKERS = 4
"""Tasks at the same time, so that the next containers are ready."""
CLIENT = "client"
CLIENT_URL = {"AWS_SDK_UA_APP_ID": CLIENT}
"""Marks the requests of the machine that runs the search: containers do not inherit it."""
OUR_OBJECTS = "/skdistsearch/"
COLUMNS = {
    "driver before MB": lambda costs: costs["before_mb"],
    "driver peak MB": lambda costs: costs["peak_mb"],
    "driver growth MB": lambda costs: costs["peak_mb"] - costs["before_mb"],
    "driver CPU s": lambda costs: costs["own_cpu_s"],
    "Metaflow CPU s": lambda costs: costs["metaflow_cpu_s"],
    "wall s": lambda costs: costs["wall_s"],
    "fits, sum of s": lambda costs: costs["fits_s"],
    "wall s outside fits": lambda costs: costs["wall_s"] - costs["fits_s"] / N_SLOTS,
    "containers, sum of s": lambda costs: costs["containers_s"],
    "S3 lists, own, client": lambda costs: costs["own client"]["s3.ListObjectsV2"],
    "S3 others, own, client": lambda costs: (
        count_s3(costs["own client"]) - costs["own client"]["s3.ListObjectsV2"]
    ),
    "S3 own, tasks": lambda costs: count_s3(costs["own"]) - count_s3(costs["own client"]),
    "S3 Metaflow, client": lambda costs: count_s3(costs["client"]) - count_s3(costs["own client"]),
    "S3 Metaflow, tasks": lambda costs: (
        count_s3(costs["all"])
        - count_s3(costs["client"])
        - count_s3(costs["own"])
        + count_s3(costs["own client"])
    ),
    "Batch requests": lambda costs: sum(
        n for name, n in costs["all"].items() if name.startswith("batch.")
    ),
    "all processes PSS MB": lambda costs: costs["total_pss_mb"],
    "clients of Batch jobs, RSS MB of each": lambda costs: costs["batch_client_mb"],
    "clients of Batch jobs, sum of s": lambda costs: costs["batch_clients_s"],
}
ESTIMATED = [
    name for name in COLUMNS if name.startswith(("driver g", "driver C", "Meta", "S3", "B"))
]


@dataclass(frozen=True)
class Case:
    """A search; without tasks it is run by `GridSearchCV`."""

    fits: int
    tasks: int
    checkpoint: bool = False


def measure(options):
    scale = 20 if options.quick else 1
    n_tasks = (1, 4, 2) if options.quick else (4, 40, 20)
    few, many, other = (
        Case(n_fits // scale, n) for n_fits, n in zip((1000, 10_000, 10_000), n_tasks, strict=True)
    )
    cases = [replace(many, tasks=0), few, many, other, replace(other, checkpoint=True)]
    with tempfile.TemporaryDirectory() as name, LocalAWS(slots=N_SLOTS) as aws:
        costs = {case: run_case(case, Path(name), aws) for case in cases}
    wanted = replace(many, tasks=1000 // scale)
    estimates = estimate(few, many, other, costs, wanted)
    rows = [make_row(column, costs, estimates) for column in COLUMNS]
    ratios = {
        "S3 requests per fit": round(count_s3(costs[many]["all"]) / many.fits, 2),
        "S3 requests per fit, own": round(count_s3(costs[many]["own"]) / many.fits, 2),
    }
    return Measurement(rows, ratios)


def run_case(case, folder, aws):
    """Return what a search cost: measured by its process, by the server and from outside."""
    aws.reset()
    env = {**aws.environment(), **CLIENT_URL} if case.tasks else {}
    settings = json.dumps({**asdict(case), "workers": N_WORKERS})
    run = run_script("cloud_search.py", settings, folder=folder, every_s=0.5, **env)
    clients = run.by_kind().get("client of a Batch job", [])
    agent = f"app/{CLIENT}"
    return run.output | {
        "all": aws.requests(),
        "own": own_requests(aws),
        "client": aws.requests(user_agent=agent),
        "own client": own_requests(aws, user_agent=agent),
        "containers_s": sum(job.wall_s for job in aws.jobs()),
        "total_pss_mb": run.monitor.total_pss_mb,
        "batch_client_mb": statistics.median([client.rss_mb for client in clients] or [0.0]),
        "batch_clients_s": sum(client.age_s for client in clients),
    }


def own_requests(aws, **filters):
    """Count the requests of this package: those for its objects, and all deletions of many."""
    own = aws.requests(url=OUR_OBJECTS, **filters)
    deletions = Counter({"s3.DeleteObjects": aws.requests(**filters)["s3.DeleteObjects"]})
    return own | deletions


def count_s3(requests):
    return sum(n for name, n in requests.items() if name.startswith("s3."))


def make_row(column, costs, estimates):
    """Return a quantity for each case, and its estimate."""
    values = {describe(case): _round(COLUMNS[column](costs[case])) for case in costs}
    return {"": column, **values, "1,000 tasks (estimate)": _round(estimates.get(column))}


def describe(case):
    if not case.tasks:
        return "GridSearchCV"
    return f"{case.fits:,} fits, {case.tasks} tasks" + ", checkpoint" * case.checkpoint


def estimate(few, many, other, costs, wanted):
    """Estimate the costs of another number of tasks from those per fit, per task and per search."""
    estimates = {}
    for name in ESTIMATED:
        a, b, c = (COLUMNS[name](costs[case]) for case in (few, many, other))
        per_task = (b - c) / (many.tasks - other.tasks)
        per_fit = (c - a - per_task * (other.tasks - few.tasks)) / (other.fits - few.fits)
        per_search = a - per_fit * few.fits - per_task * few.tasks
        estimates[name] = per_fit * wanted.fits + per_task * wanted.tasks + per_search
    return estimates


def _round(value):
    return round(value, 1) if isinstance(value, float) else value
