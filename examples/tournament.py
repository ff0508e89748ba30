"""A tournament on mock data: who wins, what the winner is worth, and the model to keep.

LightGBM meets Keras with random settings in one `DistributedSearchCV`. Every fit stops early, on
rows of its own training part. The winner is scored once on rows that nothing has seen, and then
fitted on all rows, for as many iterations as its fits found best on average.

    python tournament.py                             # 2 x 5 settings x 5 splits: some minutes
    python tournament.py --config test_randomized    # a look at it, within a minute
    python tournament.py --config classification --ensemble
    python tournament.py --backend metaflow          # the same fits as tasks of a Metaflow run

Needs ``pip install "skdistsearch[tournament]"``. ``--config`` is a file of the folder configs:
``randomized`` (two categories of 5,000 rows), ``grid`` (one of 1,000), ``classification``,
``multilabel``, and two small ones. The ranking goes to the screen, and a summary, a table,
pictures, a report that has all of it (``report.html``) and the final model (``model.joblib``; to
load it, have ``configs`` on the path) into a folder of its own in ``results``. For a tournament
that is a Metaflow run as a whole, results too, see tournament_flow.py.
"""

import argparse
import logging
import os
import platform
import runpy
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import joblib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import (
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PredictionErrorDisplay,
    confusion_matrix,
    multilabel_confusion_matrix,
)
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdistsearch import DistributedSearchCV, EarlyStopping, Ensemble, contenders_from_spec
from skdistsearch.early_stopping import find_family
from skdistsearch.report import (
    CVScoresDisplay,
    ParameterScoresDisplay,
    TimelineDisplay,
    html_report,
    leaderboard,
)

SEED = 0
CONFIGS = Path(__file__).parent / "configs"
CONFIG_NAMES = sorted(path.stem for path in CONFIGS.glob("*.py") if path.stem != "models")
PACKAGES = ["skdistsearch", "scikit-learn", "metaflow", "lightgbm", "scikeras", "tensorflow"]

sys.path.insert(0, str(CONFIGS))  # the configurations import their models from there


class Tournament(NamedTuple):
    """What came of it."""

    search: DistributedSearchCV
    score: float  # of the winner, on the held-out rows
    truth: Any  # of the held-out rows
    predicted: Any  # by the winner
    final: Any  # the winner, fitted on all rows
    ensemble: Any = None
    ensemble_score: float = np.nan


# %% The tournament


def tournament(config, X, y, ensemble=False, **options):
    """Search on one part of the rows, score the winner on the other, and fit it on all."""
    X_train, _, y_train, _ = parts(config, X, y)
    search = contest(config, X, keep="predictions" if ensemble else (), **options)
    return judged(search.fit(X_train, y_train), config, X, y, ensemble)


def parts(config, X, y):
    """X and y of the training part and of the held-out part, as `train_test_split` gives them."""
    return train_test_split(
        *(X, y),
        test_size=config["test_size"],
        random_state=SEED,
        stratify=y if config["task"] == "classification" else None,
    )


def contest(config, X, **options):
    """The search, not fitted."""
    estimator, param_grid = contenders_from_spec(
        config["contenders_spec"], preprocessing=preprocessing(X), random_state=SEED
    )
    splitter = StratifiedKFold if config["task"] == "classification" else KFold
    return DistributedSearchCV(
        estimator,
        [without_constants(contender) for contender in param_grid],
        scoring=config["score_path"].rpartition(".")[2].removesuffix("_score"),
        cv=splitter(config["n_splits"], shuffle=True, random_state=SEED),
        extract={"n_iter": n_iter},
        random_state=SEED,
        **options,
    )


def judged(search, config, X, y, ensemble=False):
    """What a search, fitted on the training part, is worth on the other; and the model to keep."""
    X_train, X_test, y_train, y_test = parts(config, X, y)
    found = Tournament(
        search=search,  # its best_estimator_ is the winner, fitted on the training part
        score=search.score(X_test, y_test),  # of rows that nothing has seen
        truth=y_test,
        predicted=search.predict(X_test),
        final=for_so_many(round(search.best_n_iter_), search.best_estimator_).fit(X, y),
    )
    if not ensemble:
        return found
    together = Ensemble.from_search(search, X_train, y_train, n_jobs=search.n_jobs)
    score = search.scorer_(together, X_test, y_test)
    return found._replace(ensemble=together, ensemble_score=score)


def preprocessing(X):
    numbers = [name for name in X if name != "category"]
    return make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(sparse_output=False), ["category"])
    )


def without_constants(contender):
    """The same dict, with what has one value set on the models: tables show what differs."""
    fixed = {
        name: values[0]
        for name, values in contender.items()
        if name.startswith("model__") and isinstance(values, list) and len(values) == 1
    }
    own = {name.removeprefix("model__"): value for name, value in fixed.items()}
    models = [clone(model).set_params(**own) for model in contender["model"]]
    rest = {name: values for name, values in contender.items() if name not in fixed}
    return {**rest, "model": models}


def n_iter(pipeline):
    """How many iterations were best; where each label has a model, the mean."""
    model = pipeline["model"]
    return np.mean([each.best_iteration_ for each in getattr(model, "estimators_", [model])])


def for_so_many(iterations, pipeline):
    """A pipeline whose model trains for so many iterations, and watches nothing."""
    pipeline = clone(pipeline)
    for name, part in pipeline.get_params().items():
        if isinstance(part, EarlyStopping):
            find_family(part.estimator).set_iterations(part.estimator, iterations)
            pipeline.set_params(**{name: part.estimator})
    return pipeline


# %% Data: in each category the target depends on other numbers, and in another way


def mock_data(config):
    makers = {"regression": numbers, "classification": classes, "multilabel": labels}
    frames, targets = [], []
    for category in range(config["n_categorical_features"]):
        X, y = makers[config["task"]](config, random_state=SEED + category)
        frames.append(pd.DataFrame(X).add_prefix("x").assign(category=f"type_{category}"))
        targets.append(y)
    return pd.concat(frames, ignore_index=True), np.concatenate(targets)


def numbers(config, random_state):
    X, y = make_regression(
        config["n_rows_per_category"],
        config["n_numeric_features"],
        n_informative=config["n_informative_numeric_features"],
        noise=100,
        random_state=random_state,
    )
    return X, y / 100  # in units of the noise, as nets soonest learn what is about as large as 1


def classes(config, random_state):
    return make_classification(
        config["n_rows_per_category"],
        config["n_numeric_features"],
        n_informative=config["n_informative_numeric_features"],
        n_redundant=0,
        n_classes=config["n_classes"],
        flip_y=0.1,
        random_state=random_state,
    )


def labels(config, random_state):
    return make_multilabel_classification(
        config["n_rows_per_category"],
        config["n_numeric_features"],
        n_classes=config["n_classes"],
        n_labels=config["n_labels"],
        random_state=random_state,
    )


def configuration(name):
    return {"task": "regression", **runpy.run_path(str(CONFIGS / f"{name}.py"))}


# %% Results


def as_text(table, score):
    columns = {
        "mean_score": f"mean {score}",
        "std_error": "std. error",
        "difference": "to the first",
        "mean_n_iter": "iterations",
        "fit_time_s": "fit time (s)",
    }
    shown = table[["rank", "contender", "parameters", *columns]].rename(columns=columns)
    for name in ("contender", "parameters"):  # to the left, headings too
        width = shown[name].str.len().max()
        shown[name] = shown[name].str.ljust(width)
        shown = shown.rename(columns={name: name.ljust(width)})
    formats = {"fit time (s)": "{:.1f}".format, "iterations": "{:.0f}".format}
    return shown.to_string(index=False, formatters=formats, float_format="{:.4f}".format)


def told(found):
    """What the tournament says, in sentences."""
    table, score = leaderboard(found.search), score_name(found.search)
    best = table.iloc[0]
    unseen = f"{found.score:.4f} on {len(found.truth):,} rows that nothing has seen"
    lines = [
        f"Winner: {best['contender']} ({best['parameters'] or 'the only one'}).",
        f"{score}: {best['mean_score']:.4f} ± {best['std_error']:.4f} in cross-validation, where "
        f"it is the best of {len(table)}; {unseen}.",
        f"Final model: fitted on all rows for {round(found.search.best_n_iter_)} iterations.",
    ]
    if found.ensemble is not None:
        lines.append(
            f"Ensemble of {len(found.ensemble.members_)} candidates: {found.ensemble_score:.4f} on "
            f"the same unseen rows; {found.ensemble.nested_score_:.4f} in nested selection, where "
            f"the best candidate has {found.ensemble.best_candidate_nested_score_:.4f}."
        )
    return "\n".join(lines)


def score_name(search):
    return {"r2": "R²"}.get(search.scoring, search.scoring)


def settings(config, /, **more):
    """A line of what was asked for, and one of versions."""
    values = {name: value for name, value in config.items() if isinstance(value, int | float | str)}
    values = {name: value for name, value in values.items() if not name.startswith("__")}
    values |= {"seed": SEED, **more}
    return f"""\
Settings: {", ".join(f"{name}={value}" for name, value in values.items())}
Versions: Python {platform.python_version()}, {", ".join(f"{n} {version(n)}" for n in PACKAGES)}
"""


def pictures(found):
    """Figures, by the names of their files."""
    search = found.search
    candidates, varied = search.cv_results_["params"], varied_parameters(search)
    drawn = {"scores": axes(10, 2 + 0.35 * min(len(candidates), 30))}
    CVScoresDisplay.from_search(search, ax=drawn["scores"][0])
    if varied:
        drawn["parameters"] = axes(5 * min(len(varied), 2), 4 * -(-len(varied) // 2), len(varied))
        for name, ax in zip(varied, drawn["parameters"], strict=False):
            ParameterScoresDisplay.from_search(search, name, ax=ax)
    drawn["timeline"] = axes(10, 3)
    TimelineDisplay.from_search(search, ax=drawn["timeline"][0])
    drawn["predictions"] = draw_predictions(found.truth, found.predicted)
    return {name: panels[0].figure for name, panels in drawn.items()}


def axes(width, height, count=1):
    figure = Figure(figsize=(width, height), layout="constrained")
    columns = min(count, 2)
    rows = -(-count // columns)
    return [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def varied_parameters(search):
    """Up to four parameters that have several values, but for the model itself."""
    candidates = search.cv_results_["params"]
    names = dict.fromkeys(name for setting in candidates for name in setting if name != "model")
    values = {n: {str(setting[n]) for setting in candidates if n in setting} for n in names}
    return [name for name in names if len(values[name]) > 1][:4]


def draw_predictions(truth, predicted):
    """Predicted against true: points, or a confusion matrix of all classes, or one a label."""
    if truth.ndim == 1 and truth.dtype.kind == "f":
        panels = axes(5, 5)
        PredictionErrorDisplay.from_predictions(
            *(truth, predicted),
            kind="actual_vs_predicted",
            subsample=1000,
            random_state=SEED,
            ax=panels[0],
            scatter_kwargs={"alpha": 0.4, "s": 12},
        )
        return panels
    if truth.ndim == 1:
        matrices = [confusion_matrix(truth, predicted)]
    else:
        matrices = multilabel_confusion_matrix(truth, predicted)
    panels = axes(4 * min(len(matrices), 2), 3.6 * -(-len(matrices) // 2), len(matrices))
    for label, (matrix, ax) in enumerate(zip(matrices, panels, strict=True)):
        ConfusionMatrixDisplay(matrix).plot(ax=ax, colorbar=False, cmap="Blues")
        if len(matrices) > 1:
            ax.set_title(f"label {label}")
    return panels


def write(found, folder, title, about):
    """Write all files of the tournament into a folder; the summary."""
    table = leaderboard(found.search)
    table.to_csv(folder / "leaderboard.csv")
    drawn = pictures(found)
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=100)
    said = told(found)
    html_report(
        *(found.search, folder / "report.html"),
        title=title,
        sections=[("Test", said), ("Predictions of unseen rows", drawn["predictions"])],
    )
    joblib.dump(found.final, folder / "model.joblib")
    text = f"{as_text(table, score_name(found.search))}\n\n{said}\n"
    (folder / "summary.txt").write_text(f"{text}\n{about}", "utf-8")
    return text


def new_folder(results, search):
    """Of this tournament alone, named as its Metaflow run if it has one."""
    runs = getattr(search, "runs_", [])  # as flow/run
    run_id = runs[-1].rpartition("/")[2] if runs else f"{datetime.now():%Y-%m-%dT%H-%M-%S}"
    folder = results / run_id
    folder.mkdir(parents=True)
    return folder


# %%


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", choices=CONFIG_NAMES, default="randomized")
    parser.add_argument("--backend", choices=["local", "metaflow", "batch"], default="local")
    parser.add_argument("--ensemble", action="store_true", help="a model of the models, too")
    parser.add_argument("--n-jobs", type=int, default=-1, help="workers; -1, all cores")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder to write to")
    return parser.parse_args()


class Short(logging.Formatter):
    """Lines without the parameters of the best candidate so far."""

    def format(self, record):
        """Up to the parameters."""
        return super().format(record).partition(": candidate")[0]


def tell_of_progress():
    handler = logging.StreamHandler()
    handler.setFormatter(Short("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("skdistsearch")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def main():
    args = arguments()
    tell_of_progress()
    config = configuration(args.config)
    X, y = mock_data(config)
    start = time.perf_counter()
    options = {"backend": args.backend, "n_jobs": args.n_jobs}
    found = tournament(config, X, y, args.ensemble, **options)
    wall_s = time.perf_counter() - start
    about = settings(config, config=args.config, **options, wall_s=round(wall_s, 1))
    folder = new_folder(args.results, found.search)
    print(write(found, folder, f"Tournament {args.config}", about))
    names = ", ".join(sorted(path.name for path in folder.iterdir()))
    print(f"{wall_s:.0f} s. In {folder}: {names}")


if __name__ == "__main__":
    main()
