"""A tournament from a file: contenders as a spec of dicts, in one search.

    python from_spec.py                 # configs/test_grid.py: a look within half a minute
    python from_spec.py randomized      # 2 x 5 candidates x 5 splits, up to 10,000 iterations

Models whose fit asks for early stopping get it from `EarlyStopping`, on rows of their own training
part. Needs ``pip install "skdistsearch[tournament]"``.
"""

# %%

import argparse
import os
import runpy
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_regression
from sklearn.model_selection import KFold
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdistsearch import DistributedSearchCV, contenders_from_spec

CONFIGS = Path(__file__).parent / "configs"
sys.path.insert(0, str(CONFIGS))  # the configurations import the net from there

# %% The configuration: a Python file, as it stands


def mock_data(config):
    """In each category the target depends on the numbers in another way."""
    parts = []
    for seed in range(config["n_categorical_features"]):
        X, y = make_regression(
            config["n_rows_per_category"],
            n_features=config["n_numeric_features"],
            n_informative=config["n_informative_numeric_features"],
            noise=100,
            random_state=seed,
        )
        parts.append(pd.DataFrame(X).add_prefix("x").assign(category=f"type_{seed}", target=y))
    data = pd.concat(parts, ignore_index=True)
    return data.drop(columns="target"), data["target"]


def tournament(config, backend, n_jobs):
    X, y = mock_data(config)
    numbers = [name for name in X if name != "category"]
    estimator, param_grid = contenders_from_spec(
        config["contenders_spec"],
        preprocessing=make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(sparse_output=False), ["category"])
        ),
        random_state=0,
    )
    cv = KFold(config["n_splits"], shuffle=True, random_state=0)
    search = DistributedSearchCV(
        estimator, param_grid, cv=cv, random_state=0, backend=backend, n_jobs=n_jobs
    )
    return search.fit(X, y)


def ranking(search):
    results = search.cv_results_
    for index in np.argsort(results["rank_test_score"], kind="stable"):
        shown = ", ".join(
            f"{name.rpartition('__')[2]}={value:.2g}"
            if isinstance(value, float)
            else f"{name.rpartition('__')[2]}={value}"
            for name, value in results["params"][index].items()
            if name.endswith(("learning_rate", "max_depth", "widths", "l1_factor", "l2_factor"))
        )
        yield results["rank_test_score"][index], results["mean_test_score"][index], shown


# %%

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", default="test_grid", help="a file in configs/")
    parser.add_argument("--backend", choices=["local", "metaflow"], default="local")
    parser.add_argument("--n-jobs", type=int, default=None, help="workers; -1, all cores")
    args = parser.parse_args()
    config = runpy.run_path(str(CONFIGS / f"{args.config}.py"))
    search = tournament(config, args.backend, args.n_jobs)
    for rank, score, shown in ranking(search):
        print(f"{rank:>3}  R² {score:.4f}  {shown}")
    print("Best iteration of the winner:", search.best_estimator_["model"].best_iteration_)
