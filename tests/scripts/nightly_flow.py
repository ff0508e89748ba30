"""A flow for Step Functions, one of whose machines dies in the middle of a chunk."""

import json
import os
import signal
import sys
import time

from metaflow import FlowSpec, Parameter, current, retry, schedule, step
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import skdistsearch
from skdistsearch import DistributedSearchCV, MetaflowBackend


class MortalRidge(Ridge):
    """Kills its process in the first attempt of a job, when alpha is ``kills_at``."""

    def __init__(self, alpha=1.0, kills_at=None):
        super().__init__(alpha=alpha)
        self.kills_at = kills_at

    def fit(self, X, y):
        if self.alpha == self.kills_at and os.environ.get("AWS_BATCH_JOB_ATTEMPT") == "1":
            time.sleep(2)  # until the fits before are saved
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@schedule(cron="0 3 * * ? *")
class NightlyFlow(FlowSpec):
    """Search for the best alpha."""

    kills_at = Parameter("kills_at", type=float, default=None)

    @step
    def start(self):
        """Plan the fits."""
        X, y = load_diabetes(return_X_y=True)
        self.search = DistributedSearchCV(
            MortalRidge(kills_at=self.kills_at),
            {"alpha": [0.1, 1.0, 10.0]},
            cv=4,
            backend=MetaflowBackend(fits_per_task=6),
        )
        self.plan = self.search.plan(X, y)
        self.chunks = list(range(len(self.plan)))
        self.next(self.fit, foreach="chunks")

    @retry(times=2, minutes_between_retries=0)
    @step
    def fit(self):
        """Run one chunk of fits."""
        self.outcomes = self.plan.run(self.input, checkpoint=f"nightly-{current.run_id}")
        self.next(self.join)

    @retry(times=2, minutes_between_retries=0)
    @step
    def join(self, inputs):
        """Assemble the fitted search from all outcomes."""
        search, plan = inputs[0].search, inputs[0].plan
        self.search = search.assemble(plan, [task.outcomes for task in inputs])
        self.next(self.end)

    @step
    def end(self):
        """Print the scores."""
        results = self.search.cv_results_
        scores = [results[f"split{split}_test_score"].tolist() for split in range(4)]
        result = {"file": skdistsearch.__file__, "scores": scores}
        sys.stdout.write(f"Result: {json.dumps(result)}\n")


if __name__ == "__main__":
    NightlyFlow()
