"""A search that may be stopped at any moment, and goes on where it was.

    python examples/overnight.py                     # worker processes of this machine
    python examples/overnight.py --backend metaflow  # tasks of a Metaflow run on this machine
    python examples/overnight.py --backend batch     # containers of AWS Batch: see the README

Press Ctrl-C when some fits are done, or kill it, and start it again: what was finished is not
run again. A third time it takes no time at all. With ``--widen`` only the new candidates run.
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

# %% What is done, and the best so far, on the screen every ten seconds

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

# %% What is kept

print(checkpoints.inspect(options.checkpoint, backend=options.backend))
print("To forget it: skdistsearch.checkpoints.delete(...)")
