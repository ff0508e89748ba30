"""A flow of the user's that runs a search within a step."""

import sys

from metaflow import FlowSpec, step
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV


class Mine(Ridge):
    """A class of the script, which is pickled by value."""


class OuterFlow(FlowSpec):
    @step
    def start(self):
        X, y = load_diabetes(return_X_y=True)
        grid = {"alpha": [0.1, 1.0]}
        expected = GridSearchCV(Mine(), grid, cv=2).fit(X, y).cv_results_["mean_test_score"]
        search = DistributedSearchCV(Mine(), grid, cv=2, backend="metaflow", n_jobs=1).fit(X, y)
        assert list(search.cv_results_["mean_test_score"]) == list(expected)
        self.runs = search.runs_
        self.next(self.end)

    @step
    def end(self):
        sys.stdout.write(f"runs {self.runs}\n")


if __name__ == "__main__":
    OuterFlow()
