"""The tournament as a flow by hand: a Metaflow task for each fold of each contender.

Each task takes the rows of the fold, fits the preprocessing and the model, and lets the model stop
by its own mechanism: trees on the very fold that scores them, nets on a fifth of their training
rows.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from metaflow import FlowSpec, Parameter, step


class TournamentFlow(FlowSpec):
    """Contenders, within them folds, and two joins."""

    workload = Parameter("workload", help="pickled models, data and splits", required=True)

    @step
    def start(self):
        """Fan out over contenders."""
        import cloudpickle

        with open(self.workload, "rb") as file:
            workload = cloudpickle.load(file)
        self.X, self.y, self.splits = workload["X"], workload["y"], workload["splits"]
        self.models = [cloudpickle.dumps(model) for model in workload["models"]]
        self.next(self.contender, foreach="models")

    @step
    def contender(self):
        """Fan out over folds."""
        self.model = self.input
        self.folds = list(range(len(self.splits)))
        self.next(self.fold, foreach="folds")

    @step
    def fold(self):
        """Fit and score one fold."""
        import cloudpickle

        from benchmarks.bench_tournament import fit_and_score_by_own_means

        train, test = self.splits[self.input]
        pipeline = cloudpickle.loads(self.model)
        self.score = fit_and_score_by_own_means(pipeline, self.X, self.y, train, test)
        self.next(self.join_folds)

    @step
    def join_folds(self, inputs):
        """Collect the scores of a contender."""
        self.scores = [task.score for task in inputs]
        self.next(self.join_contenders)

    @step
    def join_contenders(self, inputs):
        """Collect the scores of all contenders."""
        self.scores = [task.scores for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        """Write the scores to a file next to the workload."""
        import json

        with open(f"{self.workload}.json", "w") as file:
            json.dump(self.scores, file)


if __name__ == "__main__":
    TournamentFlow()
