"""A Metaflow flow of your own that contains a search: plan, fit in a foreach, assemble.

    python own_flow.py run

Each task of the step *fit* runs one chunk of five fits. The other steps are quick, except for
*join*, which refits the best candidate on all data. Metaflow keeps the run:
``metaflow.Flow("OwnFlow").latest_run.data.search`` is the fitted search.
"""

from metaflow import FlowSpec, step
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

from skdistsearch import DistributedSearchCV, MetaflowBackend


class OwnFlow(FlowSpec):
    """Search for the best forest."""

    @step
    def start(self):
        """Plan the fits."""
        X, y = load_diabetes(return_X_y=True)
        self.search = DistributedSearchCV(
            RandomForestRegressor(n_estimators=30, random_state=0),
            {"max_depth": [2, 4, 8]},
            cv=5,
            backend=MetaflowBackend(fits_per_task=5),
        )
        self.plan = self.search.plan(X, y)
        self.chunks = list(range(len(self.plan)))
        self.next(self.fit, foreach="chunks")

    # To run the fits, and only them, on AWS Batch: @batch(cpu=1, memory=4000)
    @step
    def fit(self):
        """Run one chunk of fits."""
        self.outcomes = self.plan.run(self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        """Assemble the fitted search from all outcomes."""
        search, plan = inputs[0].search, inputs[0].plan
        self.search = search.assemble(plan, [task.outcomes for task in inputs])
        self.next(self.end)

    @step
    def end(self):
        """Print the winner."""
        print(f"Best score: {self.search.best_score_:.4f}")
        print(f"Best parameters: {self.search.best_params_}")


if __name__ == "__main__":
    OwnFlow()
