"""A tournament on mock data: LightGBM against Keras, a held-out test and a final model.

Both model families compete with random settings in one search, in which every fit stops early. The
winner is scored once on held-out rows, then refitted on all rows for the mean of its best iteration
counts. ``results/<run-id>`` gets a summary, the leaderboard, pictures, a report with all of them,
and the final model (to load it, have this folder on the path).

    python tournament.py                              # 50 fits: some minutes
    python tournament.py --config small_randomized    # within a minute
    python tournament.py --backend metaflow           # the same fits as tasks of a Metaflow run

Needs ``pip install "skdistsearch[all]"``. The folder ``configs`` has the configurations.
"""

import argparse
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import joblib
from configs import NAMES, load_config
from configs.models import best_iteration
from mock_data import hold_out, make_data
from plots import draw_predictions
from sklearn.compose import make_column_transformer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdistsearch import DistributedSearchCV, contenders_from_spec
from skdistsearch.early_stopping import replace_early_stopping
from skdistsearch.report import CVScoresDisplay, TimelineDisplay, html_report, leaderboard

SEED = 0
COLUMNS = ["rank", "contender", "parameters", "mean_score", "std_error", "mean_n_iter"]

# %% The search


def make_search(config, X, **params):
    """Return the search over all contenders."""
    preprocessing = make_column_transformer(
        (StandardScaler(), [name for name in X if name != "category"]),
        (OneHotEncoder(sparse_output=False), ["category"]),
    )
    spec = config["contenders_spec"]
    model, grid = contenders_from_spec(spec, preprocessing=preprocessing, random_state=SEED)
    splitter = StratifiedKFold if config["task"] == "classification" else KFold
    return DistributedSearchCV(
        model,
        grid,
        scoring=config["scoring"],
        cv=splitter(config["n_splits"], shuffle=True, random_state=SEED),
        extract={"n_iter": best_iteration},
        random_state=SEED,
        **params,
    )


# %% The results


def write_results(search, config, X, y, folder):
    """Test the winner, refit it on all rows and write the files; return the final model."""
    _, X_test, _, y_test = hold_out(config, X, y)
    n_iter, table = round(search.best_n_iter_), leaderboard(search)
    best, metric = table.iloc[0], config["scoring"]
    conclusion = f"""\
Winner: {best["contender"]} ({best["parameters"] or "its only candidate"}).
{metric}: {best["mean_score"]:.4f} ± {best["std_error"]:.4f} in cross-validation, the best of \
{len(table)}; {search.score(X_test, y_test):.4f} on {len(X_test):,} held-out rows.
Final model: fitted on all rows for {n_iter} iterations.
"""
    figures = {
        "scores": CVScoresDisplay.from_search(search).figure_,
        "timeline": TimelineDisplay.from_search(search).figure_,
        "predictions": draw_predictions(y_test, search.predict(X_test)),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=100)
    sections = [("Test", conclusion), ("Predictions of held-out rows", figures["predictions"])]
    html_report(search, folder / "report.html", title="Tournament", sections=sections)
    formats = {"mean_n_iter": "{:.0f}".format}
    ranking = table[COLUMNS].to_string(index=False, formatters=formats, float_format="%.4f")
    (folder / "summary.txt").write_text(f"{ranking}\n\n{conclusion}", encoding="utf-8")
    table.to_csv(folder / "leaderboard.csv")
    final = replace_early_stopping(search.best_estimator_, n_iter).fit(X, y)
    joblib.dump(final, folder / "model.joblib")
    return final


# %% Run it


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", choices=NAMES, default="randomized")
    parser.add_argument("--backend", choices=["local", "metaflow", "batch"], default="local")
    parser.add_argument("--n-jobs", type=int, default=-1, help="workers; default: all cores")
    args = parser.parse_args()
    logging.basicConfig(format="%(asctime)s  %(message).56s", datefmt="%H:%M:%S")
    logging.getLogger("skdistsearch").setLevel(logging.INFO)

    config = load_config(args.config)
    X, y = make_data(config)
    X_train, _, y_train, _ = hold_out(config, X, y)
    search = make_search(config, X, backend=args.backend, n_jobs=args.n_jobs).fit(X_train, y_train)
    is_local = args.backend == "local"
    run_id = time.strftime("%Y-%m-%dT%H-%M-%S") if is_local else Path(search.runs_[-1]).name
    folder = Path("results", run_id)
    folder.mkdir(parents=True)
    write_results(search, config, X, y, folder)
    print((folder / "summary.txt").read_text(encoding="utf-8"))
    print(f"In {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


if __name__ == "__main__":
    main()
