"""Run scikit-learn's functions on workers that stay; print how each went, as JSON.

The argument is the backend: ``metaflow`` or ``batch``.
"""

import json
import sys
import time
import warnings
from dataclasses import dataclass, field

import joblib

import skdistsearch
from benchmarks.scikit_learn_functions import FUNCTIONS, assert_equal, run_here
from skdistsearch import MetaflowBackend


@dataclass(frozen=True)
class CountingBackend(MetaflowBackend):
    """Notes the outcomes of each batch."""

    waves: list = field(default_factory=list, compare=False)

    def run(self, batch):
        self.waves.append([])
        for outcome in super().run(batch):
            self.waves[-1].append(outcome)
            yield outcome


def describe(name, backend):
    """Return how a function went on workers that wait, compared with this process."""
    begin = time.perf_counter()
    expected = run_here(name)
    here_s = time.perf_counter() - begin
    backend.waves.clear()
    begin = time.perf_counter()
    found = FUNCTIONS[name]()
    wall_s = time.perf_counter() - begin
    outcomes = [outcome for wave in backend.waves for outcome in wave]
    try:
        assert_equal(found, expected)
        difference = ""
    except AssertionError as exc:
        difference = str(exc)
    return {
        "difference": difference,
        "waves": len(backend.waves),
        "calls": len(outcomes),
        "runs": sorted({outcome.task_pathspec.split("/")[1] for outcome in outcomes}),
        "objects": sum(is_object(outcome) for outcome in outcomes),
        "s": round(wall_s, 2),
        "here_s": round(here_s, 2),
    }


def is_object(outcome):
    return "object" in {*outcome.artifacts, *(outcome.result or {})}


def main(compute):
    warnings.filterwarnings("ignore", ".*lbfgs failed to converge")
    image = "any" if compute == "batch" else None
    backend = CountingBackend(compute=compute, image=image, max_workers=2)
    with skdistsearch.parallel(backend, n_jobs=2, min_remote_s=0, keep_alive_s=60):
        joblib.Parallel()(joblib.delayed(len)("a") for _ in range(8))  # starts the workers
        cases = {name: describe(name, backend) for name in FUNCTIONS}
    print(json.dumps(cases))


main("local" if sys.argv[1] == "metaflow" else "batch")
