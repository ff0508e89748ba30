"""A search that can be stopped at any time and continued later.

python overnight.py                     # worker processes on this machine
python overnight.py --backend metaflow  # tasks of a Metaflow run here
python overnight.py --backend batch     # containers on AWS Batch
"""

import argparse
import logging

from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdistsearch import DistributedSearchCV


def fit_search(C=(1, 10, 100), **options):
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVC())
    grid = {"svc__C": C, "svc__gamma": [0.0003, 0.001, 0.003, 0.01]}
    return DistributedSearchCV(model, grid, cv=5, n_jobs=2, **options).fit(X, y)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", default="overnight")
    parser.add_argument("--backend", default="local")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("skdistsearch").setLevel(logging.INFO)  # progress
    search = fit_search(**vars(options))
    print(f"Best mean accuracy: {search.best_score_:.4f}, {search.best_params_}")
