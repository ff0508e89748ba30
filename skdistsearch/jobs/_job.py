"""Job: a search that runs apart from this process."""

from __future__ import annotations

import hashlib
import logging
import pickle
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from skdistsearch._outcome import Raised
from skdistsearch.exceptions import CorruptDataError, JobError
from skdistsearch.jobs import _local_driver
from skdistsearch.jobs._files import CANCELLED, ERROR, LOGS, MODEL, RESULT, About, JobFiles
from skdistsearch.storage import decode

_ENDS = ("done", "failed", "cancelled")
_POLL_S = {"local": 0.1, "batch": 2.0}

_log = logging.getLogger("skdistsearch")


@dataclass(frozen=True)
class Progress:
    """Fits of a job, as its driver has last reported them. ``print`` shows it as one line.

    Examples
    --------
    >>> from skdistsearch.jobs import Progress
    >>> print(Progress(done=6, total=15, lost=1))
    6 of 15 fits, 1 lost
    """

    done: int = 0
    """Number of finished fits, over all rounds so far."""
    total: int = 0
    """Number of fits of all rounds so far. 0 until the first round begins."""
    failed: int = 0
    """Number of finished fits that raised an exception."""
    lost: int = 0
    """Number of fits whose worker died each time."""
    best_score: float | None = None
    """Best mean score so far. None if there is no score yet."""
    best_candidate: str = ""
    """Number and parameters of the best candidate so far."""
    attempt: int = 0
    """Number of the driver's attempt, from 1. 0 if none has begun."""
    updated_at: datetime | None = None
    """Time of the report."""

    def __str__(self) -> str:
        text = f"{self.done} of {self.total} fits" if self.total else "no fits yet"
        text += "".join(
            f", {count} {name}"
            for name, count in (("failed", self.failed), ("lost", self.lost))
            if count
        )
        if self.best_score is not None:
            text += f"; best {self.best_score:.6g}: {self.best_candidate}"
        return text + (f"; attempt {self.attempt}" if self.attempt > 1 else "")


@dataclass(frozen=True)
class Job:
    """A search that runs apart from this process, and outlives it.

    `submit` and `attach` return it. Each attribute and method reads the files of the job, so a job
    has no state in this process. It can be pickled and compared.

    See Also
    --------
    skdistsearch.jobs.submit : Start a search as a job.
    skdistsearch.jobs.attach : Return a job by its name.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, jobs
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=5)
    >>> job = jobs.submit(search, X, y, name="friday")
    >>> job.wait(timeout_s=300)
    'done'
    >>> print(job.progress)
    10 of 10 fits; best 0.479882: candidate 0 (alpha=0.1)
    >>> job.result().best_params_
    {'alpha': 0.1}
    >>> jobs.delete("friday")
    """

    name: str
    """Its name."""
    url: str
    """Its files: a folder, or ``s3://bucket/prefix``."""

    @property
    def status(self) -> str:
        """State of the job.

        ``"submitted"``, ``"waiting"`` (for a machine of AWS Batch), ``"running"``, ``"done"``,
        ``"failed"`` or ``"cancelled"``.
        """
        return self._state()[0]

    @property
    def reason(self) -> str:
        """Reason why the job failed or waits. Empty if there is none."""
        return self._state()[1]

    @property
    def progress(self) -> Progress:
        """Fits that are done, and the best candidate so far."""
        fields = self._files.last_attempt()
        if not fields:
            return Progress()
        updated_at = datetime.fromtimestamp(fields["updated_at"]).astimezone()
        own = {name: fields[name] for name in Progress.__annotations__ if name in fields}
        return Progress(**{**own, "updated_at": updated_at})

    @property
    def checkpoint(self) -> str:
        """Location of its checkpoint.

        ``search.set_params(checkpoint=job.checkpoint).fit(X, y)`` in any process makes the fitted
        search of the finished fits, and unpickles nothing.
        """
        return self._files.about().checkpoint

    def wait(self, timeout_s: float | None = None) -> str:
        """Wait until the job ends. Ctrl-C ends only the waiting.

        Parameters
        ----------
        timeout_s : float or None, default=None
            Longest time to wait, in seconds. None: no limit.

        Returns
        -------
        status : {"done", "failed", "cancelled"}
            Its status.

        Raises
        ------
        TimeoutError
            The job has not ended in time. It goes on.
        JobError
            The job has been deleted.
        """
        poll_s = _POLL_S[self._files.about().driver]
        end = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        try:
            while (status := self.status) not in _ENDS:
                if time.monotonic() >= end:
                    raise TimeoutError(
                        f"Job {self.name!r} is {status} after {timeout_s} s, and goes on."
                    )
                time.sleep(poll_s)
        except KeyboardInterrupt:
            _log.warning("Job %r goes on; jobs.attach(%r).cancel() ends it.", self.name, self.name)
            raise
        return status

    def results(self) -> dict[str, Any]:
        """Return the results as data. Nothing is unpickled.

        Returns
        -------
        results : dict of str to object
            Attributes of the fitted search by name: ``"cv_results_"``, ``"best_params_"``,
            ``"best_score_"`` and others. Values that are not data, such as estimators among the
            parameters, are text.

        Raises
        ------
        JobError
            The job is not done, or failed.
        Exception
            The search raised it; its type is the original one if this process has imported it.
        CorruptDataError
            The results have changed since they were written.
        """
        results: dict[str, Any] = self._read_result()["results"]
        return results

    def result(self) -> Any:
        """Return the fitted search. It is unpickled, which can run code.

        Everyone who can write to `url` can run code through it, because the checksum that is
        verified first is stored there too. `results` and `checkpoint` are ways without that.

        Returns
        -------
        search : estimator
            The fitted search.

        Raises
        ------
        JobError
            The job is not done or failed, or this process lacks a module of the search.
        Exception
            The search raised it; its type is the original one if this process has imported it.
        CorruptDataError
            The result has changed since it was written.
        """
        sha256 = self._read_result()["sha256"]
        if not sha256:
            raise JobError(
                f"The fitted search of job {self.name!r} could not be pickled. Use job.results(), "
                "or fit the search again with checkpoint=job.checkpoint, which repeats no fit."
            )
        pickled = self._files.store.get(MODEL)
        if hashlib.sha256(pickled).hexdigest() != sha256:
            raise CorruptDataError(f"{self.url}/{MODEL} is corrupt. None of it was loaded.")
        try:
            return pickle.loads(pickled)
        except (ImportError, AttributeError) as exc:
            raise JobError(
                f"The fitted search of job {self.name!r} needs a module that this process lacks: "
                f"{exc}. job.results() needs none."
            ) from exc

    def cancel(self) -> None:
        """End the job: its driver, and everything that the driver has started.

        Returns when all of it has ended. Finished fits stay in the checkpoint. Does nothing if the
        job has ended.

        Raises
        ------
        JobError
            The driver does not end, or the job has been deleted.
        """
        about = self._files.about()
        if self.status in _ENDS:
            return
        self._files.write(CANCELLED, {"at": time.time()})
        self._driver(about).stop(self._files, about)

    def log(self) -> str:
        """Return the log of the driver, of all its attempts.

        Returns
        -------
        text : str
            Progress, warnings and errors. On AWS Batch without what fits print, which is in the
            log of the Batch job.
        """
        self._files.about()
        store = self._files.store
        return "".join(
            data.decode(errors="replace") for data in store.get_many(store.list_names(LOGS))
        )

    @cached_property
    def _files(self) -> JobFiles:
        return JobFiles(self.url)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "url": self.url}

    def _state(self) -> tuple[str, str]:
        """Return status and reason. Files decide, because Batch forgets jobs after a week."""
        about = self._files.about()
        if ended := self._recorded_end():
            return ended
        state, reason = self._driver(about).state(self._files, about)
        if state == "submitted" and self._files.exists(CANCELLED):  # so it will not begin
            return "cancelled", ""
        if state != "ended":
            return state, reason
        if ended := self._recorded_end():  # since the last look
            return ended
        return ("cancelled", "") if self._files.exists(CANCELLED) else ("failed", reason)

    def _recorded_end(self) -> tuple[str, str] | None:
        if self._files.exists(RESULT):
            return "done", ""
        if self._files.exists(ERROR):
            raised = self._raised()
            return "failed", f"{raised.types[0].partition(':')[2]}: {raised.message}"
        return None

    def _raised(self) -> Raised:
        return Raised.from_fields(self._files.read(ERROR))

    def _read_result(self) -> dict[str, Any]:
        status, reason = self._state()
        if status == "done":
            content: dict[str, Any] = decode(self._files.store.get(RESULT))
            return content
        if self._files.exists(ERROR):
            raise self._raised().to_exception()
        raise JobError(f"Job {self.name!r} is {status}. {reason}".strip())

    @staticmethod
    def _driver(about: About) -> Any:
        """Return the module with the functions for the job's driver."""
        if about.driver == "local":
            return _local_driver
        from skdistsearch.jobs import _batch_driver

        return _batch_driver
