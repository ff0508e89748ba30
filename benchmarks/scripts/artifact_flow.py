"""Write ``X.npy`` of this folder as a Metaflow artifact, and read it: ``artifact_flow.py run``."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from metaflow import FlowSpec, step
from metaflow.datastore.task_datastore import TaskDataStore

from benchmarks.own_usage import timed

COSTS = Path("costs.jsonl")
persist = TaskDataStore.persist


def append_cost(name, cost):
    with COSTS.open("a") as file:
        file.write(json.dumps([name, cost]) + "\n")


def persist_and_time(*args):
    cost, _ = timed(lambda: persist(*args))
    append_cost("artifact: write", cost)


TaskDataStore.persist = persist_and_time


class ArtifactFlow(FlowSpec):
    """One artifact, written in one step and read in the next."""

    @step
    def start(self):
        """Write X."""
        self.X = np.load("X.npy")
        self.next(self.end)

    @step
    def end(self):
        """Read X."""
        cost, _ = timed(lambda: self.X)
        append_cost("artifact: read", cost)


def run_and_report():
    """Run the flow in a process of its own; print the largest cost of each kind."""
    command = [sys.executable, __file__, "--quiet", "--no-pylint", "run"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    costs = {}
    for line in COSTS.read_text().splitlines():
        name, cost = json.loads(line)
        # Metaflow writes the parameters of the run too, before X
        if name not in costs or costs[name]["wall_s"] < cost["wall_s"]:
            costs[name] = cost
    print(json.dumps(costs))


if __name__ == "__main__":
    if sys.argv[1:] == ["run"]:
        run_and_report()
    else:
        ArtifactFlow()
