"""Start, find and delete jobs."""

from __future__ import annotations

import builtins
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias

from skdistsearch._validation import did_you_mean, is_integer
from skdistsearch.backends import Backend, MetaflowBackend, get_backend
from skdistsearch.checkpoints import checkpoint_url
from skdistsearch.exceptions import BackendConfigError, JobError, StoreError
from skdistsearch.jobs import _local_driver
from skdistsearch.jobs._files import ABOUT, About, JobFiles
from skdistsearch.jobs._job import _ENDS, Job
from skdistsearch.model_selection import DistributedSearchMixin
from skdistsearch.storage import default_data_dir, dump_objects, open_store

_Where: TypeAlias = Literal["local"] | MetaflowBackend
"""A driver on this machine, or the settings of one on AWS Batch."""
_NAME = r"[A-Za-z0-9][\w.-]{0,99}"
_MAX_ATTEMPTS = 10  # of AWS Batch
_KUBERNETES = 'Jobs do not run on Kubernetes yet. Use backend="batch", or call fit.'


def submit(
    search: Any,
    X: Any,
    y: Any = None,
    *,
    name: str,
    driver: str | Backend | None = None,
    attempts: int = 5,
    **fit_params: Any,
) -> Job:
    """Start a search that outlives this process, and return at once.

    A *driver* calls ``search.fit(X, y)`` with a checkpoint: a process of this machine, or a job of
    AWS Batch. If it is killed, its next attempt runs only the missing fits.

    Parameters
    ----------
    search : estimator
        A search of this package. It stays unfitted.
    X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
        Training vectors, as for ``fit``.
    y : array-like of shape (n_samples, n_outputs) or (n_samples,), default=None
        Targets; None for unsupervised learning.
    name : str
        Name of the job: letters, digits, ``.``, ``-`` and ``_``. Also that of its checkpoint,
        unless the search has one.
    driver : {"local", "batch"}, MetaflowBackend or None, default=None
        Where the driver runs. ``"local"``: a process of this machine. ``"batch"``, or
        ``MetaflowBackend(compute="batch", cpu=16)`` for its resources: a job of AWS Batch. With
        ``backend="local"``, fits run in the driver, on all CPUs of its container unless ``n_jobs``
        is set. None: a job of AWS Batch if the search's backend is, else a process of this machine.
    attempts : int, default=5
        How often the driver is started at most, from 1 to 10.
    **fit_params
        More parameters of ``fit``.

    Returns
    -------
    job : Job
        `attach` returns it in other processes.

    Raises
    ------
    JobError
        The name is taken or not valid.
    BackendConfigError
        Backend or driver are not valid, or not configured. The message names everything missing.
    NotPicklableError
        A part of the search cannot be pickled. The message names it.
    StoreError
        The files of the job cannot be written.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, jobs
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=5)
    >>> job = jobs.submit(search, X, y, name="tuesday")
    >>> job.wait(timeout_s=300)
    'done'
    >>> job.results()["best_params_"]
    {'alpha': 0.1}
    >>> jobs.delete("tuesday")
    """
    _check_arguments(search, name, attempts)
    backend = get_backend(search.backend)
    where = _find_driver(driver, backend)
    backend.check()
    search._validate_params()
    search._check_candidates()
    files = JobFiles(f"{_root(where)}/{name}")
    if files.exists(ABOUT):
        raise _taken(name, files.url)
    checkpoint = _find_checkpoint(search, name, where)
    # Not `clone`, which copies what is pickled anyway, and cannot copy everything
    search = type(search)(**search.get_params(deep=False) | {"checkpoint": checkpoint})
    objects = {"search": search, "X": X, "y": y, "fit_params": fit_params}
    return _start(files, objects, name, where, backend, attempts)


def _start(
    files: JobFiles,
    objects: dict[str, Any],
    name: str,
    where: _Where,
    backend: Backend,
    attempts: int,
) -> Job:
    is_local = isinstance(where, str)
    url = f"{files.url}/payload" if is_local else f"{_root(where).rpartition('/')[0]}/data"
    payload = dump_objects(objects, open_store(url))
    about = About(
        id=secrets.token_hex(16),
        name=name,
        driver="local" if is_local else "batch",
        search=type(objects["search"]).__name__,
        store=url,
        checkpoint=objects["search"].checkpoint,
        submitted_at=time.time(),
        queues=_queues(where, backend),
        requirements={} if is_local else _requirements(payload.modules),
    )
    if not files.claim(about):
        raise _taken(name, files.url)
    try:
        if isinstance(where, str):
            _local_driver.start(files, about, payload.manifest, attempts)
        else:
            from skdistsearch.jobs import _batch_driver

            _batch_driver.start(files, about, payload.manifest, attempts, where)
    except Exception:
        with suppress(StoreError):  # which would hide the error
            files.delete()
        raise
    return Job(name, files.url)


def attach(name: str, driver: str | None = None) -> Job:
    """Return a job by its name, in any process and on any machine that can read its files.

    Parameters
    ----------
    name : str
        The name of the job.
    driver : {"local", "batch"} or None, default=None
        Where its driver runs. None: look on this machine, then in the configured datastore in S3.

    Returns
    -------
    job : Job
        The job.

    Raises
    ------
    JobError
        There is no such job. The message has the known names.

    Examples
    --------
    >>> from skdistsearch import jobs
    >>> from skdistsearch.exceptions import JobError
    >>> try:
    ...     jobs.attach("mondai")
    ... except JobError as error:
    ...     print(str(error).partition(".")[0])
    There is no job 'mondai'
    """
    roots = _roots(driver)
    for root in roots:
        if re.fullmatch(_NAME, name, re.ASCII) and JobFiles(f"{root}/{name}").exists(ABOUT):
            return Job(name, f"{root}/{name}")
    known = [job.name for job in list(driver)]
    raise JobError(
        f"There is no job {name!r}. Known: {', '.join(known) or 'none'} (in {', '.join(roots)})."
        + did_you_mean(name, known)
    )


def list(driver: str | None = None) -> builtins.list[Job]:  # noqa: A001 # jobs.list
    """List all jobs, the last one submitted first.

    Parameters
    ----------
    driver : {"local", "batch"} or None, default=None
        List only jobs with this driver. None: those of this machine, and those in the datastore in
        S3 if one is configured.

    Returns
    -------
    jobs : list of Job
        ``job.status`` and ``job.progress`` say more about each.

    Examples
    --------
    >>> from skdistsearch import jobs
    >>> [job.name for job in jobs.list("local")]
    []
    """
    found = []
    for root in _roots(driver):
        paths = (path.split("/") for path in open_store(root).list_names())
        for name in {path[0] for path in paths if path[1:] == [ABOUT]}:
            files = JobFiles(f"{root}/{name}")
            found.append((files.about().submitted_at, Job(name, files.url)))
    return [job for _, job in sorted(found, key=lambda item: item[0], reverse=True)]


def delete(name: str, driver: str | None = None) -> None:
    """Delete a job that has ended, with its results. Its checkpoint stays.

    A job that is submitted with the same name afterwards finds the finished fits in the checkpoint.
    `skdistsearch.checkpoints.delete` deletes that.

    Parameters
    ----------
    name : str
        The name of the job.
    driver : {"local", "batch"} or None, default=None
        As for `attach`.

    Raises
    ------
    JobError
        There is no such job, or it has not ended. Nothing is deleted.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, jobs
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=5)
    >>> job = jobs.submit(search, X, y, name="sunday")
    >>> job.cancel()
    >>> jobs.delete("sunday")
    >>> jobs.list("local")
    []
    """
    job = attach(name, driver)
    if (status := job.status) not in _ENDS:
        raise JobError(f"Job {name!r} is {status}: cancel it first, with job.cancel().")
    files = JobFiles(job.url)
    if (about := files.about()).driver == "local":
        _local_driver.stop(files, about)  # it may still write
    files.delete()


def _check_arguments(search: Any, name: str, attempts: int) -> None:
    if not isinstance(search, DistributedSearchMixin):
        raise TypeError(f"{type(search).__name__} is not a search of this package.")
    if not isinstance(name, str) or not re.fullmatch(_NAME, name, re.ASCII):
        raise JobError(
            f"name={name!r} is not valid. Use up to 100 letters, digits, '.', '-' and '_'."
        )
    if not is_integer(attempts, 1) or attempts > _MAX_ATTEMPTS:
        raise ValueError(f"attempts={attempts!r} is not valid. Use 1 to {_MAX_ATTEMPTS}.")


def _find_driver(driver: str | Backend | None, backend: Backend) -> _Where:
    """Return "local", or the backend whose settings a driver on AWS Batch has."""
    compute = getattr(backend, "compute", "local")
    if driver == "local" or (driver is None and compute == "local"):
        if compute == "kubernetes":
            raise BackendConfigError(_KUBERNETES)
        return "local"
    found = backend if driver is None else get_backend(driver)
    if "kubernetes" in (compute, getattr(found, "compute", "")):
        raise BackendConfigError(_KUBERNETES)
    if not isinstance(found, MetaflowBackend) or found.compute != "batch":
        raise BackendConfigError(
            f"driver={driver!r} is not a driver. Use 'local', 'batch', or "
            "MetaflowBackend(compute='batch', ...)."
        )
    if driver == "batch" and compute == "batch":
        return _find_driver(None, backend)  # image, queue and variables of the fits
    found.check()
    return found


def _find_checkpoint(search: Any, name: str, where: _Where) -> str:
    root = where.checkpoint_root() if isinstance(where, Backend) else ""
    url = checkpoint_url(name if search.checkpoint is None else search.checkpoint, root)
    if where != "local" and not url.startswith("s3://"):
        raise JobError(
            f"checkpoint={search.checkpoint!r} is on this machine, which a driver on AWS Batch "
            "does not see. Leave it out, or use 's3://bucket/prefix'."
        )
    return url


def _queues(where: _Where, backend: Backend) -> tuple[str, ...]:
    """Return the queues of AWS Batch that may have jobs of this one."""
    backends = [each for each in (where, backend) if getattr(each, "compute", "") == "batch"]
    if not backends:
        return ()
    from skdistsearch.backends.metaflow import metaflow_setting

    default = metaflow_setting("BATCH_JOB_QUEUE", None)
    return tuple(sorted({getattr(each, "queue", None) or default for each in backends}))


def _requirements(modules: frozenset[str]) -> Any:
    from skdistsearch.backends.metaflow import requirements

    return requirements(modules)


def _taken(name: str, url: str) -> JobError:
    return JobError(
        f"The name {name!r} is taken by the job in {url}. Use another one, or see "
        f"jobs.attach({name!r}) and jobs.delete({name!r})."
    )


def _root(where: object) -> str:
    if where == "local":
        return str(default_data_dir().absolute() / "jobs")
    from skdistsearch.backends.metaflow import s3_root

    return f"{s3_root()}/jobs"


def _roots(driver: str | None) -> Sequence[str]:
    """Return where the jobs with a driver are, or where any can be."""
    if driver not in (None, "local", "batch"):
        raise JobError(f"driver={driver!r} is not valid. Use 'local', 'batch' or None.")
    if driver is not None:
        return [_root(driver)]
    from skdistsearch.backends.metaflow import metaflow_setting

    has_s3 = metaflow_setting("DEFAULT_DATASTORE", "local") == "s3"
    return [_root("local"), *([_root("batch")] if has_s3 else [])]
