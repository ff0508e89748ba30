"""Submit a job, and die at once: tests look at what is left.

The arguments are the job's name, a folder in which each fit leaves a file, and options as JSON.
"""

import json
import os
import signal
import sys

from shop import Markup
from sklearn.datasets import make_regression
from sklearn.pipeline import make_pipeline

from skdistsearch import DistributedSearchCV, MetaflowBackend, jobs
from skdistsearch.testing import FaultyRegressor

X, y = make_regression(60, 4, random_state=0)


class Mine(FaultyRegressor):
    """A class of the script, which is pickled by value."""


def make_search(folder=None, duration_s=0.0, **options):
    model = make_pipeline(Markup(), Mine(folder=folder, duration_s=duration_s))
    grid = {"markup__rate": [0.5, 1.0, 2.0], "mine__factor": [1.0, 1.5]}
    return DistributedSearchCV(model, grid, cv=2, **options)


if __name__ == "__main__":
    name, folder, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    for key in ("backend", "driver"):
        if isinstance(options.get(key), dict):
            options[key] = MetaflowBackend(**options[key])
    driver = {"driver": options.pop("driver")} if "driver" in options else {}
    jobs.submit(make_search(folder, **options), X, y, name=name, **driver)
    os.kill(os.getpid(), signal.SIGKILL)
