"""The wrappers around a backend, in their order.

Each wrapper takes a `Run` and returns one: a function that is given a batch and yields an outcome
for each of its fits. A batch passes the wrappers from the outermost to the backend, and outcomes
pass them on the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from skdistsearch._batch import Batch, Run
from skdistsearch._outcome import Outcome
from skdistsearch.backends import Backend
from skdistsearch.checkpoints import checkpoint_url, resume_from_checkpoint
from skdistsearch.execution import share_work
from skdistsearch.model_outputs import OutputCollector
from skdistsearch.model_selection._progress_log import is_logged, is_observed, show_progress


def build_pipeline(
    backend: Backend,
    *,
    checkpoint: object = None,
    cache_mb: float | None = None,
    collector: OutputCollector | None = None,
    budget: Callable[[Run], Run] | None = None,
    verbose: int = 0,
    has_rounds: bool = False,
) -> Run:
    """Wrap the ``run`` of a backend.

    Parameters
    ----------
    backend : Backend
        Runs the fits.
    checkpoint : str, path or None
        Where to find and save finished fits.
    cache_mb : float or None
        Memory for shared work, in MB; 0 shares nothing.
    collector : OutputCollector or None
        Collects what ``extract=`` and ``keep=`` ask for.
    budget : callable or None
        Wraps a run so that it skips some of the fits.
    verbose : int
        Show the progress, unless it is 0.
    has_rounds : bool
        The search has several rounds: it shows the number of each, and the backend may keep its
        workers for the next one.
    """
    run: Run = backend.run
    if has_rounds or budget is not None:  # which calls ``run`` several times
        run = announce_rounds(run)
    if checkpoint is not None:
        url = checkpoint_url(checkpoint, backend.checkpoint_root())
        run = resume_from_checkpoint(run, url)
    run = share_work(run, cache_mb)  # equal fits become one before the checkpoint sees them
    if budget is not None:
        run = budget(run)
    if verbose or is_logged() or is_observed():
        run = show_progress(
            run, verbose, has_rounds=has_rounds
        )  # counts every fit, also those that were saved or are equal
    if collector is not None:  # outermost: what is extracted is part of the key of a fit
        run = collector.collect_outputs(run)
    return run


def announce_rounds(run: Run) -> Run:
    """Wrap ``run`` so that the backend knows that another batch may follow soon."""

    def run_one_of_several(batch: Batch) -> Iterator[Outcome]:
        return run(replace(batch, local=replace(batch.local, has_rounds=True)))

    return run_one_of_several
