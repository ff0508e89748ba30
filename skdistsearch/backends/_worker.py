"""The entry points of workers: load the batch, run fits, write each outcome to the journal."""

from __future__ import annotations

import io
import multiprocessing.util
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skdistsearch._batch import Batch
from skdistsearch._native_logs import hide_native_logs
from skdistsearch._outcome import Outcome
from skdistsearch.backends._recording import (
    FitRecorder,
    open_journal,
    run_capturing_stdout,
    scratch_root,
)
from skdistsearch.execution import Runner, SliceFolders, divide_cache, open_slice_folders, run_chunk
from skdistsearch.scheduling import Chunk, UnitGroups, all_fits, claim_units, split_stages
from skdistsearch.storage import (
    FolderStore,
    JournalReader,
    JournalWriter,
    dump_batch,
    journal_prefix,
    load_batch,
    load_json,
    temporary_folder,
)

_MAX_DEATHS = 2  # of workers, for one fit within one run
_STATM = "/proc/self/statm"
_GROWTH_MAX_MB = 400  # a hundred models; a new process takes four seconds to import TensorFlow


@dataclass(frozen=True)
class ChunkRunner:
    """Runs fits of a batch that `store_batch` has written to a folder.

    For backends whose workers see that folder. It can be pickled, and is called in a worker.

    Examples
    --------
    >>> import pickle, tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.backends import store_batch
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run_fits = pickle.loads(pickle.dumps(store_batch(batch, folder)))
    ...     outcomes = run_fits([2, 3])
    >>> [outcome.fit for outcome in outcomes]
    [2, 3]
    """

    folder: str
    """Folder of the batch."""
    manifest: str
    """Name of the batch in the folder."""

    def __call__(self, fits: Iterable[int]) -> list[Outcome]:
        """Run fits in this process. Exceptions and printed text become part of the outcomes.

        Parameters
        ----------
        fits : iterable of int
            Numbers of the fits.

        Returns
        -------
        outcomes : list of Outcome
            One for each fit, in their order.
        """
        batch, chunk = load_batch(self.folder, self.manifest), list(fits)
        batch.check_code()
        runner = Runner(batch, chunk)
        return [run_capturing_stdout(batch, runner, fit, io.StringIO()) for fit in chunk]


def store_batch(
    batch: Batch, folder: str | os.PathLike[str], *, n_processes: int = 1
) -> ChunkRunner:
    """Write a batch to a folder, for processes of this machine that run its fits.

    Parameters
    ----------
    batch : Batch
        The batch. Large arrays are memory-mapped by the processes.
    folder : str or path
        An empty folder. It must exist until all fits have run.
    n_processes : int, default=1
        Number of processes that run fits at the same time. They divide the memory for shared work.

    Returns
    -------
    run_fits : ChunkRunner
        Can be pickled. Called in a worker with numbers of fits, it returns their outcomes.

    Raises
    ------
    NotPicklableError
        A part of the batch cannot be pickled. The message names it.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.backends import store_batch
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
    ...     run_fits = store_batch(batch, folder, n_processes=2)
    ...     outcomes = [*pool.map(run_fits, [(0, 1), (2, 3)])]
    >>> [outcome.status for chunk in outcomes for outcome in chunk]
    ['ok', 'ok', 'ok', 'ok']
    """
    portable = divide_cache(batch, n_processes).portable(same_machine=True)
    stored = dump_batch(portable, FolderStore(Path(folder)), content_addressed=False)
    return ChunkRunner(os.fspath(folder), stored.manifest)


def exit_with_parent(parent: int, n_source_changes: int) -> None:
    """Make this worker process end within a second of its parent, however the parent ends.

    Otherwise an idle worker of loky's waits five minutes for work that cannot come any more. loky
    does not keep a worker for a search with another ``n_source_changes``.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def kill_children_at_exit() -> None:
    """Make this process not wait at its end for processes that fits have left behind."""
    # After the finalizers of pools (15) and managers (0), before Python joins what is left
    multiprocessing.util.Finalize(None, _kill_children, exitpriority=0)


def _kill_children() -> None:
    for child in multiprocessing.active_children():
        child.kill()


def run_local_worker(
    folder: str,
    manifest: str,
    groups: UnitGroups,
    claims: str,
    journal: str,
    slices: SliceFolders | None,
) -> bool:
    """Claim and run fits in a worker process on the caller's machine, until none is left.

    Returns True if it stopped early because this process has grown and should be replaced.
    """
    with hide_native_logs():  # once per worker, and the caller's terminal has them all
        batch = load_batch(folder, manifest)
        batch.check_code()
    with (
        closing(Runner(batch, all_fits(groups), slices)) as runner,
        JournalWriter(Path(journal), batch) as writer,
    ):
        stages = split_stages(batch, groups)
        for unit in claim_units(groups, Path(claims), runner.mark_done, stages=stages):
            for fit in unit:
                writer.write_start(fit)
                writer.write_outcome(run_capturing_stdout(batch, runner, fit, io.StringIO()))
                if _memory_growth.exceeds_limit():
                    return True
    load_batch.cache_clear()  # a worker that waits for the next search needs no data
    return False


def run_checked_chunk(batch: Batch, fits: Chunk) -> list[Outcome]:
    """Run fits in a worker of joblib's."""
    batch.check_code()
    return run_chunk(batch, fits)


class MemoryGrowth:
    """Growth of this process since its first TensorFlow model.

    TensorFlow never returns 3 to 4 MB of native memory for each model. Neither a garbage
    collection nor ``keras.utils.clear_session`` frees them, and the latter changes settings of the
    user (benchmarks/bench_keras_memory.py).
    """

    def __init__(self) -> None:
        self._first_mb = 0.0

    def exceeds_limit(self) -> bool:
        """Return True if this process has grown by more than the limit."""
        if "tensorflow" not in sys.modules or not os.path.exists(_STATM):
            return False
        now_mb = int(Path(_STATM).read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        self._first_mb = self._first_mb or now_mb
        return now_mb - self._first_mb > _GROWTH_MAX_MB


_memory_growth = MemoryGrowth()  # over all searches of this process


def has_grown_too_much() -> bool:
    """Return True if this process should be replaced, because its memory has grown."""
    return _memory_growth.exceeds_limit()


def run_task(
    store: str,
    manifest: str,
    task_manifest: str,
    task: int,
    *,
    journal: str,
    task_pathspec: str,
    retry: int = 0,
    timeout_s: float = 0,
) -> None:
    """Run the fits of a Metaflow task, and write their outcomes to its journal.

    A task that is tried again runs the fits that have no outcome: last the fit that an earlier try
    died in, and not one that two tries died in.

    Parameters
    ----------
    store, journal : str
        Folders or S3 URLs: of the batch and the task manifest, and of the journal.
    manifest, task_manifest : str
        Names in the store. The task manifest has a chunk for each task, or groups of units that
        the tasks of this machine claim as in `run_local_worker`; and the number of deaths in
        earlier runs.
    task : int
        Number of this task.
    task_pathspec : str
        Metaflow's pathspec of this task.
    retry : int, default=0
        Number of earlier tries.
    timeout_s : float, default=0
        Limit of each fit in seconds; 0 for none.
    """
    with (
        temporary_folder(scratch_root()) as scratch,
        open_journal(journal, scratch, task_pathspec, retry) as folders,
    ):
        batch, tasks = load_batch(store, manifest, scratch), load_json(store, task_manifest)
        batch.check_code()
        earlier = JournalReader(
            folders.earlier, batch.key, len(batch), task=journal_prefix(task_pathspec)
        )
        done = {outcome.fit for outcome in earlier.read_new()} if retry else set()
        deaths = Counter({int(fit): n_deaths for fit, n_deaths in tasks["deaths"].items()})
        deaths.update(death.fit for death in earlier.pop_interrupted())
        todo = _FitsToRun(done, deaths)
        with (
            _open_runner(batch, tasks, todo, task, scratch) as runner,
            FitRecorder(
                batch, folders, task_pathspec, timeout_s=timeout_s, flush_starts=retry > 0
            ) as recorder,
        ):
            chunks = _assign_chunks(batch, tasks, task, task_pathspec, runner)
            for fit in (fit for chunk in chunks for fit in todo.select(chunk)):
                recorder.run(runner, fit)


@dataclass(frozen=True)
class _FitsToRun:
    """Selects the fits that a task has to run."""

    done: set[int]
    """Fits that have an outcome."""
    deaths: Mapping[int, int]
    """Number of workers that died in each fit."""

    def select(self, fits: Iterable[int]) -> list[int]:
        """Return those of ``fits`` that must run, suspects last."""
        missing = (
            fit for fit in fits if fit not in self.done and self._n_deaths(fit) < _MAX_DEATHS
        )
        return sorted(missing, key=self._n_deaths)

    def _n_deaths(self, fit: int) -> int:
        return self.deaths.get(fit, 0)


@contextmanager
def _open_runner(
    batch: Batch, tasks: Mapping[str, Any], todo: _FitsToRun, task: int, scratch: Path
) -> Iterator[Runner]:
    """Open a runner of the fits that a task may get."""
    fits = all_fits(tasks["groups"]) if tasks["groups"] else tasks["chunks"][task]
    common = tasks.get("slices")
    with (
        (
            nullcontext(SliceFolders(**common)) if common else open_slice_folders(batch, scratch)
        ) as slices,
        closing(Runner(batch, todo.select(fits), slices)) as runner,
    ):
        yield runner


def _assign_chunks(
    batch: Batch, tasks: Mapping[str, Any], task: int, task_pathspec: str, runner: Runner
) -> Iterator[Chunk]:
    """Return the chunks of a task: its own one, or units that it claims."""
    groups: UnitGroups = tasks["groups"]
    if not groups:
        return iter([tasks["chunks"][task]])
    claims, owner = Path(tasks["claims"]), journal_prefix(task_pathspec)
    stages = split_stages(batch, groups)
    return claim_units(groups, claims, runner.mark_done, owner, stages)
