"""Parts of the tournament that `tournament.py` and `tournament_flow.py` share."""

import textwrap

import joblib
from plots import draw_predictions
from sklearn.compose import make_column_transformer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdistsearch import contenders_from_spec
from skdistsearch.report import CVScoresDisplay, TimelineDisplay, html_report, leaderboard

SEED = 0


def make_contenders(config, X):
    """Return the pipeline of all contenders, and the grid with their parameters."""
    preprocessing = make_column_transformer(
        (StandardScaler(), [name for name in X if name != "category"]),
        (OneHotEncoder(sparse_output=False), ["category"]),
    )
    spec = config["contenders_spec"]
    return contenders_from_spec(spec, preprocessing=preprocessing, random_state=SEED)


def make_splitter(config):
    """Return the splitter: of equal shares of the classes, if there are any."""
    splitter = StratifiedKFold if config["task"] == "classification" else KFold
    return splitter(config["n_splits"], shuffle=True, random_state=SEED)


def rank(search, width=None):
    """Return the ranked candidates as text, with lines of at most ``width`` characters."""
    lines = [f"rank   score     ±    n_iter  {'contender':16}parameters"]
    for row in leaderboard(search).itertuples():
        scores = f"{row.mean_score:8.4f}  {row.std_error:.4f}  {row.mean_n_iter:5.0f}"
        lines.append(f"{row.rank:4}{scores}  {row.contender:16}{row.parameters}")
    return "\n".join(shorten(line, width) for line in lines)


def shorten(line, width):
    """Return the line, with an ellipsis in place of what is too long."""
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"


def conclude(search, X_test, y_test):
    """Return the conclusion as text: the winner, its scores and its number of iterations."""
    table = leaderboard(search)
    best = table.iloc[0]
    winner = f"Winner: {best['contender']} ({best['parameters'] or 'its only candidate'})."
    return f"""\
{textwrap.fill(winner, 79)}
Its {search.scoring} is {best["mean_score"]:.4f} ± {best["std_error"]:.4f} in cross-validation, \
the best of {len(table)},
and {search.score(X_test, y_test):.4f} on {len(X_test):,} held-out rows.
Final model: fitted on all rows for {round(search.best_n_iter_)} iterations.
"""


def draw(search, X_test, y_test):
    """Return the pictures by name."""
    return {
        "scores": CVScoresDisplay.from_search(search).figure_,
        "timeline": TimelineDisplay.from_search(search).figure_,
        "predictions": draw_predictions(y_test, search.predict(X_test)),
    }


def write_files(folder, search, conclusion, figures, final, model_format="joblib"):
    """Write the summary, the leaderboard, the pictures, the report and the final model."""
    summary = f"{rank(search)}\n\n{conclusion}"
    (folder / "summary.txt").write_text(summary, encoding="utf-8")
    leaderboard(search).to_csv(folder / "leaderboard.csv")
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=100)
    sections = [("Test", conclusion), ("Predictions of held-out rows", figures["predictions"])]
    html_report(search, folder / "report.html", title="Tournament", sections=sections)
    save_model(final, folder, model_format)


def save_model(final, folder, model_format):
    """Write the final model as a pickle, or without pickle, which Keras' nets do not allow."""
    if model_format == "joblib":
        joblib.dump(final, folder / "model.joblib")
        return
    import skops.io

    try:
        skops.io.dump(final, folder / "model.skops")
    except Exception as error:  # of any type: a RecursionError for a net
        name = type(final["model"]).__name__
        print(f"{name} cannot be saved without pickle ({type(error).__name__}).")
