"""Run the search of a job: one attempt of its driver. Runs as a script or with ``python -m``.

Exit status 0 says that no other attempt is needed: the search is fitted, has raised an exception,
or was cancelled. A store that cannot be reached, and anything that kills the process, leave another
status, and the next attempt finds all finished fits in the checkpoint.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if sys.path[0] == str(Path(__file__).parent):  # of a script; its modules are private
    del sys.path[0]

from skdistsearch._outcome import Raised
from skdistsearch.exceptions import BackendError, StoreError
from skdistsearch.jobs._files import (
    ATTEMPTS,
    CANCELLED,
    ERROR,
    JOB_VARIABLE,
    LOGS,
    MODEL,
    RESULT,
    About,
    JobFiles,
    attempt_name,
)

if TYPE_CHECKING:
    from skdistsearch.model_selection import Progress

_BEAT_S = {"local": 0.5, "batch": 5.0}  # requests to S3 for ten hours cost 8 cents
_TERMINATED = 128 + signal.SIGTERM

_log = logging.getLogger("skdistsearch")


def main(url: str, payload: str, attempt: int) -> int:
    """Run one attempt, and return the exit status.

    ``payload`` is the SHA-256 of search and data. It comes from the command line, and not from a
    file that others may have changed.
    """
    # The first process of a container ignores SIGTERM unless it has a handler
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(_TERMINATED))
    files = JobFiles(url)
    if files.is_over:
        return 0
    about = files.about()
    os.environ[JOB_VARIABLE] = about.id
    with _reported(files, about, attempt) as reporter:
        if attempt > 1:
            _end_jobs_left_behind(about)
        try:
            _fit_and_save(files, about, payload, reporter)
        except StoreError:
            _log.exception("Attempt %d failed", attempt)
            return 1
        except Exception as exc:  # of the user's search: another attempt would raise it too
            _log.exception("The search failed")
            files.write(ERROR, vars(Raised.from_exception(exc)))
    return 0


def _fit_and_save(files: JobFiles, about: About, payload: str, reporter: _Reporter) -> None:
    if about.driver == "batch":
        _check_environment(about)
    from skdistsearch.model_selection import observe_progress
    from skdistsearch.storage import load_objects, temporary_folder

    with temporary_folder() as folder:
        objects = load_objects(about.store, payload, folder)
        search = objects["search"]
        n_jobs = search.n_jobs
        if about.driver == "batch" and n_jobs is None and _fits_here(search):
            search.n_jobs = -1  # the container has nothing else to do
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # `fit` has a handler that unwinds it
        with observe_progress(reporter.observe):
            search.fit(objects["X"], objects["y"], **objects["fit_params"])
        search.n_jobs = n_jobs
        reporter.write()  # a job that is done has its last progress
        _save_result(files, search)


def _fits_here(search: Any) -> bool:
    from skdistsearch.backends import LocalBackend, get_backend

    return isinstance(get_backend(search.backend), LocalBackend)


def _check_environment(about: About) -> None:
    from skdistsearch.backends.metaflow import check_environment

    try:
        check_environment(about.requirements, "")
    except RuntimeError as exc:
        raise BackendError(
            f"{exc}. Use an image (image=...) that has the same versions as the machine that "
            "submits the job."
        ) from exc


def _end_jobs_left_behind(about: About) -> None:
    """End what an earlier attempt, which was killed, has left on AWS Batch."""
    if about.queues:
        from skdistsearch.jobs._batch_jobs import terminate_marked

        for name in terminate_marked(about.id, about.queues, "Its driver was killed."):
            _log.warning("Ended a job that the last attempt had left behind: %s", name)


def _save_result(files: JobFiles, search: Any) -> None:
    """Write the fitted search, then its results as data."""
    import cloudpickle

    from skdistsearch.jobs._results import data_of
    from skdistsearch.storage import encode

    try:
        pickled = cloudpickle.dumps(search)
    except Exception as exc:
        _log.warning("The fitted search cannot be pickled, only its results are saved: %s", exc)
        pickled = b""
    files.store.put(MODEL, pickled)
    sha256 = hashlib.sha256(pickled).hexdigest() if pickled else ""
    files.store.put(RESULT, encode({"sha256": sha256, "results": data_of(search)}))


class _Reporter:
    """Writes progress and log of one attempt, again and again."""

    def __init__(self, files: JobFiles, about: About, attempt: int) -> None:
        self._files, self._attempt = files, attempt
        self._is_remote = about.driver == "batch"
        self._rounds: dict[int, Progress] = {}
        self.log = io.StringIO()
        self._written: tuple[dict[str, Any], str] | None = None
        self._started_at = time.time()

    def observe(self, progress: Progress) -> None:
        """Take the progress of a round."""
        self._rounds.setdefault(id(progress), progress)  # alive, so that no other has its id

    def write(self) -> None:
        """Write what is new."""
        rounds = [progress.to_fields() for progress in list(self._rounds.values())]
        fields = rounds[-1] if rounds else {}
        for name in ("done", "total", "failed", "lost"):
            fields[name] = sum(each[name] for each in rounds)
        content = fields | {"attempt": self._attempt, "started_at": self._started_at}
        if self._written != (state := (content, self.log.getvalue())):
            where = {"host": socket.gethostname(), "pid": os.getpid(), "updated_at": time.time()}
            where["job"] = os.environ.get("AWS_BATCH_JOB_ID", "")
            self._files.write(attempt_name(ATTEMPTS, self._attempt, ".json"), content | where)
            if self._is_remote:
                name = attempt_name(LOGS, self._attempt, ".txt")
                self._files.store.put(name, self.log.getvalue().encode())
            self._written = state

    def end_if_cancelled(self) -> None:
        """End this process if the user has cancelled the job, perhaps on another machine."""
        if self._files.exists(CANCELLED):
            os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _reported(files: JobFiles, about: About, attempt: int) -> Iterator[_Reporter]:
    """Provide a reporter, and a thread that calls it until the end of the block."""
    reporter, is_over = _Reporter(files, about, attempt), threading.Event()

    def report() -> None:
        while not is_over.wait(_BEAT_S[about.driver]):
            with _ignored_store_errors():
                reporter.write()
                reporter.end_if_cancelled()

    _start_logging(reporter.log)
    _log.info("Attempt %d of job %s begins", attempt, about.name)
    reporter.write()
    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield reporter
    finally:
        is_over.set()
        thread.join()
        with _ignored_store_errors():
            reporter.write()


@contextmanager
def _ignored_store_errors() -> Iterator[None]:
    """Go on if the progress cannot be written: the next one may be."""
    try:
        yield
    except StoreError as exc:
        sys.stderr.write(f"The progress could not be written: {exc}\n")


def _start_logging(copy: io.StringIO) -> None:
    for stream in (sys.stderr, copy):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        _log.addHandler(handler)
    _log.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
