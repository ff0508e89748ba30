"""A search every night on AWS Step Functions, without any machine of yours.

    python production_flow.py run                                 # try it here
    python production_flow.py step-functions create --max-workers 50
    python production_flow.py step-functions trigger --n_candidates 200

After ``create`` it starts every night at midnight, UTC. Each step is a job on AWS Batch. To use
Argo Workflows on Kubernetes, replace ``step-functions`` by ``argo-workflows``.
"""

from metaflow import FlowSpec, Parameter, current, resources, retry, schedule, step
from scipy.stats import randint, uniform
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

from skdistsearch import DistributedRandomizedSearchCV, MetaflowBackend


@schedule(daily=True)
class ProductionFlow(FlowSpec):
    """Search for the best forest for the data of the day."""

    n_candidates = Parameter("n_candidates", help="number of candidates", default=8)
    fits_per_task = Parameter("fits_per_task", help="number of fits in a task", default=10)

    @step
    def start(self):
        """Load the data, and plan the fits."""
        X, y = load_diabetes(return_X_y=True)
        self.search = DistributedRandomizedSearchCV(
            RandomForestRegressor(n_estimators=30, random_state=0),
            {"max_depth": randint(2, 12), "max_features": uniform(0.1, 0.9)},
            n_iter=self.n_candidates,
            cv=5,
            random_state=0,
            backend=MetaflowBackend(fits_per_task=self.fits_per_task),
        )
        self.plan = self.search.plan(X, y)
        self.chunks = list(range(len(self.plan)))
        self.next(self.fit, foreach="chunks")

    @retry(times=3, minutes_between_retries=0)  # the second attempt finds the fits of the first
    @resources(cpu=1, memory=4000)
    @step
    def fit(self):
        """Run one chunk of fits."""
        self.outcomes = self.plan.run(self.input, checkpoint=f"nightly-{current.run_id}")
        self.next(self.join)

    @retry(times=3, minutes_between_retries=0)
    @resources(cpu=1, memory=4000)
    @step
    def join(self, inputs):
        """Assemble the fitted search, which refits the best candidate on all data."""
        search, plan = inputs[0].search, inputs[0].plan
        self.search = search.assemble(plan, [task.outcomes for task in inputs])
        self.next(self.end)

    @step
    def end(self):
        """Print the winner."""
        print("Best score:", self.search.best_score_)
        print("Best parameters:", self.search.best_params_)


if __name__ == "__main__":
    ProductionFlow()
