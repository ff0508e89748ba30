"""A backend of your own: fits in the processes of a `concurrent.futures` executor."""

# %% The backend
import multiprocessing
import tempfile
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial

from skdistsearch.backends import (
    AttemptFailure,
    Backend,
    Batch,
    ChunkRunner,
    Outcome,
    PendingFits,
    WorkerDeath,
    make_chunks,
    run_until_done,
    store_batch,
)


@dataclass(frozen=True)
class ExecutorBackend(Backend):
    """Runs fits in the processes of a `concurrent.futures.ProcessPoolExecutor`."""

    max_workers: int = 2
    """Number of processes."""

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of ``batch``; see `Backend.run`."""
        with tempfile.TemporaryDirectory() as folder:
            run_fits = store_batch(batch, folder, n_processes=self.max_workers)
            yield from run_until_done(batch, partial(self._attempt, batch, run_fits))

    def _attempt(
        self, batch: Batch, run_fits: ChunkRunner, pending: PendingFits
    ) -> Generator[Outcome, None, AttemptFailure | None]:
        """Run the pending fits, or a suspect alone. Yield outcomes; return which workers died."""
        fits = pending.untried or pending.suspects[:1]
        chunks = make_chunks(batch, fits, 4 * self.max_workers)
        pool = ProcessPoolExecutor(self.max_workers, multiprocessing.get_context("spawn"))
        deaths = []
        try:
            futures = {pool.submit(run_fits, chunk): chunk for chunk in chunks}
            for future in as_completed(futures):
                try:
                    yield from future.result()
                except BrokenProcessPool as exc:
                    deaths += [WorkerDeath(fit, f"{exc}") for fit in futures[future]]
        finally:
            pool.shutdown(cancel_futures=True)
        return AttemptFailure(deaths, deaths[0].reason) if deaths else None


# %% A search on it
if __name__ == "__main__":  # new processes import this file
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge

    from skdistsearch import DistributedSearchCV

    X, y = load_diabetes(return_X_y=True)
    grid = {"alpha": [0.01, 0.1, 1.0, 10.0]}
    search = DistributedSearchCV(Ridge(), grid, cv=5, backend=ExecutorBackend()).fit(X, y)
    print(f"The best of {len(search.cv_results_['params'])} candidates: {search.best_params_}")
