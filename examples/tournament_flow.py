"""The tournament as a Metaflow flow: fits are its tasks, and the results are in the run.

    python tournament_flow.py run                             # the small configuration
    python tournament_flow.py run --config randomized --max-workers 2
    python tournament_flow.py run --with batch:cpu=2,memory=8000

The step *judge* makes what tournament.py writes. A task's own disk goes with the task, so all of
it is kept as artifacts, and what there is to see is the step's card:

    python tournament_flow.py card view judge
    metaflow.Flow("TournamentFlow").latest_run.data.final     # the model

Needs ``pip install "skdistsearch[tournament]"``, in the tasks' image too.
"""

import tempfile
from pathlib import Path

import tournament
from metaflow import FlowSpec, Parameter, card, current, step
from metaflow.cards import Image, Markdown, Table

from skdistsearch import MetaflowBackend
from skdistsearch.report import leaderboard


class TournamentFlow(FlowSpec):
    """Model families against each other; the winner on rows that nothing has seen."""

    config = Parameter("config", default="test_randomized", help="a file of the folder configs")
    ensemble = Parameter("ensemble", default=False, help="a model of the models, too")
    fits_per_task = Parameter("fits_per_task", default=5)

    @step
    def start(self):
        """Make the fits, and run none."""
        config = tournament.configuration(self.config)
        self.X, self.y = tournament.mock_data(config)
        X_train, _, y_train, _ = tournament.parts(config, self.X, self.y)
        self.search = tournament.contest(
            *(config, self.X),
            keep="predictions" if self.ensemble else (),
            backend=MetaflowBackend(fits_per_task=self.fits_per_task),
        )
        self.plan = self.search.plan(X_train, y_train)
        self.chunks = list(range(len(self.plan)))
        self.next(self.fit, foreach="chunks")

    @step
    def fit(self):
        """Run one chunk."""
        self.outcomes = self.plan.run(self.input)
        self.next(self.judge)

    @card(type="blank")
    @step
    def judge(self, inputs):
        """Rank all, test the winner, fit the final model, and keep what there is to see."""
        self.merge_artifacts(inputs, include=["X", "y", "plan", "search"])
        self.search = self.search.assemble(self.plan, [task.outcomes for task in inputs])
        config = tournament.configuration(self.config)
        found = tournament.judged(self.search, config, self.X, self.y, self.ensemble)
        self.final, self.together, self.score = found.final, found.ensemble, found.score
        self.leaderboard = leaderboard(self.search)
        with tempfile.TemporaryDirectory() as folder:
            about = tournament.settings(config, config=self.config)
            tournament.write(found, Path(folder), f"Tournament {self.config}", about)
            self.files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
        self.show(tournament.told(found))
        self.next(self.end)

    def show(self, said):
        """The card."""
        rows = [
            [row.rank, row.contender, row.parameters, f"{row.mean_score:.4f} ± {row.std_error:.4f}"]
            for row in self.leaderboard.head(30).itertuples()
        ]
        current.card.append(Markdown(f"# Tournament {self.config}\n\n{said}"))
        current.card.append(Table(rows, headers=["rank", "contender", "parameters", "mean score"]))
        for name in ("scores", "parameters", "timeline", "predictions"):
            if f"{name}.png" in self.files:
                current.card.append(Image(self.files[f"{name}.png"], label=name))

    @step
    def end(self):
        """Say where to look."""
        print(self.files["summary.txt"].decode())


if __name__ == "__main__":
    TournamentFlow()
