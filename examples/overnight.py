"""A search that can be stopped at any time and continued later.

    python examples/overnight.py                     # worker processes on this machine
    python examples/overnight.py --backend metaflow  # tasks of a Metaflow run on this machine
    python examples/overnight.py --backend batch     # containers on AWS Batch: see the README

Press Ctrl-C after some fits, or kill the process, and start it again: finished fits are not
repeated. With ``--widen``, only the new candidates run.
"""

# %% Settings

import argparse
import logging

from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdistsearch import DistributedSearchCV, checkpoints

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--backend", default="local", choices=["local", "metaflow", "batch"])
parser.add_argument("--checkpoint", default="overnight", help="a name, a folder or s3://...")
parser.add_argument("--widen", action="store_true", help="two more values of C")
options = parser.parse_args()

# %% Log the progress and the best candidate every ten seconds

logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
logging.getLogger("skdistsearch").setLevel(logging.INFO)

# %% The search

X, y = load_digits(return_X_y=True)
model = make_pipeline(StandardScaler(), SVC())
grid = {
    "svc__C": [0.1, 1, 10, 100] + [1000, 10_000] * options.widen,
    "svc__gamma": [0.0003, 0.001, 0.003, 0.01, 0.03],
}
search = DistributedSearchCV(
    model, grid, cv=5, n_jobs=2, backend=options.backend, checkpoint=options.checkpoint
).fit(X, y)
print(f"Best mean accuracy {search.best_score_:.4f} with {search.best_params_}")

# %% The checkpoint

print(checkpoints.inspect(options.checkpoint, backend=options.backend))
print("To delete it: skdistsearch.checkpoints.delete(...)")
