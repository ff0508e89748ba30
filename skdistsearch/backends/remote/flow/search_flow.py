"""The flow behind ``backend="metaflow"``. Metaflow packages this file's folder: it is alone."""

import json
from pathlib import Path
from typing import Any

from metaflow import FlowSpec, Parameter, catch, current, step


class DistributedSearch(FlowSpec):  # type: ignore[misc]
    """Fits of a scikit-learn search: each task of the step *fit* runs one chunk of them."""

    folder = Parameter("folder", help="where the batch of fits lies", required=True)
    digest = Parameter("digest", help="SHA-256 of the batch", required=True)

    @step
    def start(self) -> None:
        """Count the chunks."""
        self.chunks = list(range(len(json.loads(Path(self.folder, "chunks.json").read_text()))))
        self.next(self.fit, foreach="chunks")

    @catch(var="failure", print_exception=True)  # a task that dies costs its own fits only
    @step
    def fit(self) -> None:
        """Run one chunk of fits."""
        # here only: the other processes of a run, one a step, need not import scikit-learn
        from skdistsearch.backends.remote.worker import run_task

        chunks = json.loads(Path(self.folder, "chunks.json").read_text())
        self.outcomes = [
            json.loads(outcome.to_json())
            for outcome in run_task(self.folder, self.digest, chunks[self.index], current.pathspec)
        ]
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        """Gather what became of each fit, as plain data."""
        outcomes = [outcome for task in inputs for outcome in getattr(task, "outcomes", [])]
        self.outcomes = sorted(outcomes, key=lambda outcome: outcome["fit"])
        self.next(self.end)

    @step
    def end(self) -> None:
        """Nothing is left to do: the caller has read the outcomes as they came."""


if __name__ == "__main__":
    DistributedSearch()
