"""The tournament as a flow by hand: a Metaflow task for each fold of each contender.

Each task makes the data's fold, fits the preprocessing and the model, and lets the model stop by
its own mechanism: trees on the very fold that scores them, nets on a fifth of their training part.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from metaflow import FlowSpec, Parameter, step


class TournamentFlow(FlowSpec):
    """Contenders, within them folds, and two joins."""

    job = Parameter("job", help="pickled candidates, data and splits", required=True)

    @step
    def start(self):
        """Fan out over contenders."""
        import cloudpickle

        with open(self.job, "rb") as file:
            job = cloudpickle.load(file)
        self.X, self.y, self.splits = job["X"], job["y"], job["splits"]
        self.contenders = [cloudpickle.dumps(contender) for contender in job["candidates"]]
        self.next(self.contender, foreach="contenders")

    @step
    def contender(self):
        """Fan out over folds."""
        self.model = self.input
        self.folds = list(range(len(self.splits)))
        self.next(self.fold, foreach="folds")

    @step
    def fold(self):
        """One fit."""
        import cloudpickle

        from benchmarks.bench_tournament import on_the_scoring_fold

        train, test = self.splits[self.input]
        pipeline = cloudpickle.loads(self.model)
        self.score = on_the_scoring_fold(pipeline, self.X, self.y, train, test)
        self.next(self.join_folds)

    @step
    def join_folds(self, inputs):
        """The scores of a contender."""
        self.scores = [each.score for each in inputs]
        self.next(self.join_contenders)

    @step
    def join_contenders(self, inputs):
        """The scores of all."""
        self.scores = [each.scores for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        """Leave the scores where the caller finds them."""
        import json

        with open(f"{self.job}.json", "w") as file:
            json.dump(self.scores, file)


if __name__ == "__main__":
    TournamentFlow()
