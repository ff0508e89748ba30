"""The tournament as a Metaflow flow: its tasks run the fits, and its artifacts are the results.

    python tournament_flow.py run                             # the small configuration
    python tournament_flow.py run --config randomized --max-workers 2
    python tournament_flow.py run --with batch:cpu=2,memory=8000

The step *judge* writes the same files as tournament.py. The disk of a task is temporary, so the
step keeps them as artifacts, and shows the ranking and the pictures in its card:

    python tournament_flow.py card view judge
    metaflow.Flow("TournamentFlow").latest_run.data.final     # the model

Needs ``pip install "skdistsearch[all]"``, in the image of the tasks too.
"""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from configs import load_config
from configs.models import best_iteration
from metaflow import FlowSpec, Parameter, card, current, step
from metaflow.cards import Image, Markdown, Table
from mock_data import hold_out, make_data
from tournament_parts import (
    SEED,
    conclude,
    draw,
    make_contenders,
    make_splitter,
    write_files,
)

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.early_stopping import replace_early_stopping
from skdistsearch.report import leaderboard


def make_search(config, X, **params):
    """Return the search over all contenders."""
    model, grid = make_contenders(config, X)
    return DistributedSearchCV(
        model,
        grid,
        scoring=config["scoring"],
        cv=make_splitter(config),
        extract={"n_iter": best_iteration},
        random_state=SEED,
        **params,
    )


class TournamentFlow(FlowSpec):
    """LightGBM against Keras; the winner is tested on held-out rows."""

    config = Parameter("config", default="small_randomized", help="a file of the folder configs")
    fits_per_task = Parameter("fits_per_task", default=5)

    @step
    def start(self):
        """Plan the fits."""
        config = load_config(self.config)
        self.X, self.y = make_data(config)
        X_train, _, y_train, _ = hold_out(config, self.X, self.y)
        backend = MetaflowBackend(fits_per_task=self.fits_per_task)
        self.plan = make_search(config, self.X, backend=backend).plan(X_train, y_train)
        self.chunks = list(range(len(self.plan)))
        self.next(self.fit, foreach="chunks")

    @step
    def fit(self):
        """Run one chunk of fits."""
        self.outcomes = self.plan.run(self.input)
        self.next(self.judge)

    @card(type="blank")
    @step
    def judge(self, inputs):
        """Assemble the search, test the winner, refit it on all rows and keep the files."""
        self.merge_artifacts(inputs, include=["X", "y", "plan"])
        config = load_config(self.config)
        search = make_search(config, self.X)
        self.search = search.assemble(self.plan, [task.outcomes for task in inputs])
        self.leaderboard = leaderboard(search)
        n_iter = round(search.best_n_iter_)
        self.final = replace_early_stopping(search.best_estimator_, n_iter).fit(self.X, self.y)
        self.files = self.make_files(hold_out(config, self.X, self.y))
        self.fill_card()
        self.next(self.end)

    def make_files(self, parts):
        """Test the winner; return the content of each file by name."""
        _, X_test, _, y_test = parts
        conclusion, figures = (make(self.search, X_test, y_test) for make in (conclude, draw))
        with tempfile.TemporaryDirectory() as name:
            write_files(Path(name), self.search, conclusion, figures, self.final)
            return {path.name: path.read_bytes() for path in Path(name).iterdir()}

    def fill_card(self):
        """Show the conclusion, the ranking and the pictures."""
        _, _, conclusion = self.files["summary.txt"].decode().partition("\n\n")
        current.card.append(Markdown(f"# Tournament {self.config}\n\n{conclusion}"))
        rows = [
            [row.rank, row.contender, row.parameters, f"{row.mean_score:.4f} ± {row.std_error:.4f}"]
            for row in self.leaderboard.head(30).itertuples()
        ]
        current.card.append(Table(rows, headers=["rank", "contender", "parameters", "mean score"]))
        for name in ("scores.png", "timeline.png", "predictions.png"):
            current.card.append(Image(self.files[name], label=name))

    @step
    def end(self):
        """Print the summary."""
        print(self.files["summary.txt"].decode())


if __name__ == "__main__":
    TournamentFlow()
