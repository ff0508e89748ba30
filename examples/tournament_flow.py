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

import tempfile
from pathlib import Path

from configs import load_config
from metaflow import FlowSpec, Parameter, card, current, step
from metaflow.cards import Image, Markdown, Table
from mock_data import hold_out, make_data
from tournament import make_search, write_results

from skdistsearch import MetaflowBackend
from skdistsearch.report import leaderboard


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
        self.search = make_search(config, self.X, backend=backend)
        self.plan = self.search.plan(X_train, y_train)
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
        self.merge_artifacts(inputs, include=["X", "y", "plan", "search"])
        self.search = self.search.assemble(self.plan, [task.outcomes for task in inputs])
        self.leaderboard = leaderboard(self.search)
        with tempfile.TemporaryDirectory() as name:
            folder, config = Path(name), load_config(self.config)
            self.final = write_results(self.search, config, self.X, self.y, folder)
            self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.fill_card()
        self.next(self.end)

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
