"""A tournament: LightGBM against Keras on mock data, every fit cross-validated.

Each contender enters with random settings, all in one `DistributedSearchCV`: in the list
`param_grid` a dict with the key ``"__n_iter"`` is sampled that many times. All candidates meet
the same splits, behind the same preprocessing.

    python tournament.py                      # 2 x 5 settings x 5 splits: minutes on two cores
    python tournament.py --backend metaflow   # the same fits as tasks of a Metaflow run
    python tournament.py --small              # a look at it, within a minute

Needs ``pip install "skdistsearch[tournament]"``. The ranking goes to the screen, and with the
settings, the versions, a table and a box plot into a folder of its own under ``results``.

What is not here yet: early stopping (the numbers of trees and of epochs are fixed, and the same
for all settings of a contender) and a held-out test set. So the winner's score is the best of
several and flatters it a little, and a setting that learns slowly is cut off, not waited for.
The standard error is that of the splits' scores, as if splits did not share training rows.
"""

import argparse
import os
import platform
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

# Before TensorFlow is imported, and inherited by the worker processes, each of which has a core.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import pandas as pd
from lightgbm import LGBMRegressor
from matplotlib.figure import Figure
from scikeras.wrappers import KerasRegressor
from scipy.stats import loguniform
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdistsearch import DistributedSearchCV
from skdistsearch.report import ScoresDisplay, standings

SEED = 0
SETTINGS = {  # of the whole tournament, and of --small
    False: SimpleNamespace(rows=5000, n_iter=5, splits=5, trees=1000, epochs=30, batch_size=128),
    True: SimpleNamespace(rows=500, n_iter=2, splits=3, trees=100, epochs=20, batch_size=128),
}
PACKAGES = ["skdistsearch", "scikit-learn", "metaflow", "lightgbm", "scikeras", "tensorflow"]

# %% Data: in each category the target depends on the numbers in another way


def mock_data(rows):
    parts = []
    for seed, category in enumerate(["apples", "pears"], start=SEED):
        X, y = make_regression(rows, n_features=10, n_informative=5, noise=100, random_state=seed)
        part = pd.DataFrame(X, columns=[f"x{number}" for number in range(10)])
        parts.append(part.assign(category=category, target=y))
    data = pd.concat(parts, ignore_index=True)
    return data.drop(columns="target"), data["target"]


# %% Contenders: one pipeline, into which each candidate puts its regressor


def pipeline():
    prepare = ColumnTransformer(
        [
            ("category", OneHotEncoder(sparse_output=False), ["category"]),
            ("numbers", StandardScaler(), [f"x{number}" for number in range(10)]),
        ]
    )
    prepare.set_output(transform="pandas")  # LightGBM keeps the columns' names, and asks for them
    # nets want a target of about unit size; trees do not mind
    model = TransformedTargetRegressor(transformer=StandardScaler())
    return Pipeline([("prepare", prepare), ("model", model)])


def net(meta, hidden, l1, l2):
    """The Keras model. A function of the script travels to the workers by value."""
    from keras import Input, Sequential, layers, regularizers

    penalty = regularizers.L1L2(l1, l2)
    model = Sequential([Input((meta["n_features_in_"],))])
    for width in hidden:
        model.add(layers.Dense(width, activation="relu", kernel_regularizer=penalty))
    model.add(layers.Dense(1, kernel_regularizer=penalty))
    return model


def contenders(settings):
    trees = LGBMRegressor(
        n_estimators=settings.trees, n_jobs=1, random_state=SEED, deterministic=True, verbose=-1
    )
    nets = KerasRegressor(
        net,
        hidden=(),
        l1=0.0,
        l2=0.0,
        loss="mse",
        optimizer="adam",
        optimizer__learning_rate=0.01,
        epochs=settings.epochs,
        fit__batch_size=settings.batch_size,
        random_state=SEED,
        verbose=0,
    )
    return [
        {
            "__n_iter": settings.n_iter,
            "model__regressor": [trees],
            "model__regressor__learning_rate": loguniform(1e-2, 1e-1),
            "model__regressor__max_depth": [1, 2, 3],
        },
        {
            "__n_iter": settings.n_iter,
            "model__regressor": [nets],
            "model__regressor__hidden": [(), (15,), (15, 15), (225,)],
            "model__regressor__l1": loguniform(1e-8, 1e-2),
            "model__regressor__l2": loguniform(1e-8, 1e-2),
        },
    ]


# %% Results


COLUMNS = {
    "mean_score": "mean R²",
    "std_error": "std. error",
    "difference": "to the first",
    "fit_time_s": "fit time (s)",
}


def as_text(table):
    shown = table[["rank", "contender", "parameters", *COLUMNS]].rename(columns=COLUMNS)
    for name in ("contender", "parameters"):  # to the left, headings too
        width = shown[name].str.len().max()
        shown[name] = shown[name].str.ljust(width)
        shown = shown.rename(columns={name: name.ljust(width)})
    formats = {"fit time (s)": "{:.2f}".format}
    return shown.to_string(index=False, formatters=formats, float_format="{:.4f}".format)


def summary(text, args, settings, wall_s):
    told = vars(settings) | {"seed": SEED, "backend": args.backend, "n_jobs": args.n_jobs}
    return f"""{text}

Settings: {", ".join(f"{name}={value}" for name, value in told.items())}
Versions: Python {platform.python_version()}, {", ".join(f"{n} {version(n)}" for n in PACKAGES)}
Wall time of the search: {wall_s:.1f} s
"""


# %% The tournament


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", choices=["local", "metaflow"], default="local")
    parser.add_argument("--small", action="store_true", help="few rows, settings and splits")
    parser.add_argument("--n-jobs", type=int, default=-1, help="workers; -1, all cores")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder to write to")
    return parser.parse_args()


def main():
    args = arguments()
    settings = SETTINGS[args.small]
    search = DistributedSearchCV(
        pipeline(),
        contenders(settings),
        scoring="r2",
        cv=KFold(settings.splits, shuffle=True, random_state=SEED),
        refit=False,
        random_state=SEED,
        n_jobs=args.n_jobs,
        backend=args.backend,
    )
    start = time.perf_counter()
    search.fit(*mock_data(settings.rows))
    wall_s = time.perf_counter() - start

    table = standings(search)
    print(as_text(table))
    runs = getattr(search, "runs_", [])  # Metaflow's, as flow/run
    run_id = runs[-1].rpartition("/")[2] if runs else f"{datetime.now():%Y-%m-%dT%H-%M-%S}"
    folder = args.results / run_id
    folder.mkdir(parents=True)
    text = summary(as_text(table), args, settings, wall_s)
    (folder / "summary.txt").write_text(text, encoding="utf-8")
    table.to_csv(folder / "standings.csv")
    figure = Figure(figsize=(10, 2 + 0.4 * min(len(table), 30)), layout="constrained")
    ScoresDisplay.from_search(search, ax=figure.subplots())
    figure.savefig(folder / "scores.png", dpi=150)
    written = ", ".join(str(folder / n) for n in ("summary.txt", "standings.csv", "scores.png"))
    print(f"{wall_s:.1f} s. Written: {written}")


if __name__ == "__main__":
    main()
