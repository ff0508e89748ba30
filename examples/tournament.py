"""
LightGBM against Keras
======================

A tournament with a held-out test and a final model: both model families compete in one search,
in which every fit stops early. Run the script as it is, or with options::

    python tournament.py                              # 50 fits
    python tournament.py --config small_randomized    # a quick look
    python tournament.py --backend metaflow           # the same fits as tasks of a Metaflow run

It needs ``pip install "skdistsearch[all]"``. The folder ``configs`` has the configurations, and
``tournament_parts.py`` the functions that this script shares with ``tournament_flow.py``.
"""

import argparse
import os
import shutil
import textwrap
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from configs import NAMES, load_config
from configs.models import best_iteration
from mock_data import hold_out, make_data
from plots import draw_predictions
from tournament_parts import SEED, conclude, make_contenders, make_splitter, rank, write_files

from skdistsearch import DistributedSearchCV
from skdistsearch.early_stopping import replace_early_stopping
from skdistsearch.report import CVScoresDisplay, TimelineDisplay

parser = argparse.ArgumentParser(description="A tournament of LightGBM against Keras.")
parser.add_argument("--config", choices=NAMES, default="randomized")
parser.add_argument("--backend", choices=["local", "metaflow", "batch"], default="local")
parser.add_argument("--n-jobs", type=int, default=-1, help="workers; default: all cores")
parser.add_argument("--model", choices=["joblib", "skops"], default="joblib", help="file format")
parser.add_argument("--results", type=Path, default=Path("results"), help="folder for the files")
args = parser.parse_args()
config = load_config(args.config)
print(f"LightGBM against Keras: {config['title']}")

# %%
# The data
# --------
#
# The rows belong to categories, and in each of them the target depends on other features. A fifth
# of the rows is held out: nothing sees it before the winner is known.

X, y = make_data(config)
X_train, X_test, y_train, y_test = hold_out(config, X, y)

# %%
# The search
# ----------
#
# Each contender has its own parameters, and takes part with several candidates. Every fit stops
# early, on validation data from its own training rows, and ``extract`` keeps the number of
# iterations at which it did. ``verbose=1`` shows one line of progress.

model, grid = make_contenders(config, X)
search = DistributedSearchCV(
    model,
    grid,
    scoring=config["scoring"],
    cv=make_splitter(config),
    extract={"n_iter": best_iteration},
    random_state=SEED,
    backend=args.backend,
    n_jobs=args.n_jobs,
    verbose=1,
).fit(X_train, y_train)

# %%
# The ranking
# -----------
#
# Candidates by their mean score over the splits, with its standard error and the mean number of
# iterations.

print("", rank(search, width=shutil.get_terminal_size().columns), "", sep="\n")
scores = CVScoresDisplay.from_search(search)

# %%
# The fits of each worker over time:

timeline = TimelineDisplay.from_search(search)

# %%
# The test
# --------
#
# The winner is scored once on the held-out rows. Its score in cross-validation is optimistic,
# because it is the best of all candidates.

conclusion = conclude(search, X_test, y_test)
print(conclusion)
predictions = draw_predictions(y_test, search.predict(X_test))

# %%
# The final model
# ---------------
#
# The winner is fitted on all rows, for the mean of its best iteration counts. It needs no
# validation data any more.

final = replace_early_stopping(search.best_estimator_, round(search.best_n_iter_)).fit(X, y)

# %%
# Everything goes into one folder. To load the model, have the folder of this script on the path.
# With ``--model skops``, the file contains no pickle; LightGBM can be saved so, a net cannot.

is_local = args.backend == "local"
run_id = time.strftime("%Y-%m-%dT%H-%M-%S") if is_local else Path(search.runs_[-1]).name
folder = args.results / run_id
folder.mkdir(parents=True)
figures = {"scores": scores.figure_, "timeline": timeline.figure_, "predictions": predictions}
write_files(folder, search, conclusion, figures, final, args.model)
names = ", ".join(sorted(path.name for path in folder.iterdir()))
print(textwrap.fill(f"In {folder}: {names}", 79, break_on_hyphens=False))
