"""The driver of a job as a job of AWS Batch, which Batch starts again if it dies."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from skdistsearch.backends import MetaflowBackend
from skdistsearch.backends.metaflow import default_user, metaflow_setting, user_attributes
from skdistsearch.jobs import _batch_jobs
from skdistsearch.jobs._archive import store_code
from skdistsearch.jobs._files import DRIVER, JOB_VARIABLE, About, JobFiles
from skdistsearch.storage import S3Store

_MEMORY_MB = 4096  # as Metaflow's
_WATCHED_MB = 100  # of the process that watches a remote task
# Settings of Metaflow that the driver needs to reach the datastore and to start runs
_SETTINGS = (
    "DEFAULT_DATASTORE",
    "DEFAULT_METADATA",
    "DATASTORE_SYSROOT_S3",
    "S3_ENDPOINT_URL",
    "SERVICE_URL",
    "BATCH_JOB_QUEUE",
    "BATCH_CONTAINER_IMAGE",
    "BATCH_CONTAINER_REGISTRY",
    "ECS_S3_ACCESS_IAM_ROLE",
    "ECS_FARGATE_EXECUTION_ROLE",
)
# Metaflow, too, installs boto3 in its containers unless this variable is set
_INSTALL = (
    'python -c "import boto3, requests" 2>/dev/null || '
    '[ -n "$METAFLOW_SKIP_INSTALL_DEPENDENCIES" ] || python -m pip install -qqq boto3 requests'
)
_FETCH = """
import boto3, hashlib, io, os, sys, zipfile
url = os.environ.get("METAFLOW_S3_ENDPOINT_URL") or None
s3 = boto3.client("s3", endpoint_url=url)
for name in sys.argv[3:]:
    data = s3.get_object(Bucket=sys.argv[1], Key=sys.argv[2] + name)["Body"].read()
    if hashlib.sha256(data).hexdigest() != name:
        sys.exit("The code of the job has changed since it was submitted.")
    zipfile.ZipFile(io.BytesIO(data)).extractall()
"""


def start(
    files: JobFiles, about: About, payload: str, attempts: int, backend: MetaflowBackend
) -> None:
    """Submit the driver to AWS Batch."""
    archives = store_code(S3Store(about.store))
    name = re.sub(r"[^\w-]", "-", f"skdistsearch-{about.name}", flags=re.ASCII)
    command = ["bash", "-c", _script(files, about, payload, archives)]
    variables = {**dict(_variables(backend)), JOB_VARIABLE: about.id}
    job = _batch_jobs.submit(name, _container(backend), command, variables, attempts)
    files.write(DRIVER, {"job": job})


def state(files: JobFiles, about: About) -> tuple[str, str]:
    """Return the status of the driver, or "ended", and the reason that Batch gives."""
    job = files.read(DRIVER).get("job") or files.last_attempt().get("job")
    if not job:
        return "submitted", "It has not reached AWS Batch. If that lasts, cancel and delete it."
    found = _batch_jobs.describe([job])
    if not found:
        return "ended", f"AWS Batch does not know its driver, job {job}, any more."
    status, reason = found[0]["status"], _reason(found[0])
    if status in ("SUCCEEDED", "FAILED"):
        return "ended", f"Its driver, job {job}, ended as {status} on AWS Batch. {reason}".strip()
    return ("running" if status == "RUNNING" else "waiting"), reason


def stop(files: JobFiles, about: About) -> None:
    """End the driver, then what it has started."""
    if job := files.read(DRIVER).get("job") or files.last_attempt().get("job"):
        _batch_jobs.terminate(job, "Cancelled by the user.")
    _batch_jobs.terminate_marked(about.id, about.queues, "Cancelled by the user.")


def _reason(job: dict[str, Any]) -> str:
    attempts = job.get("attempts", [])
    container = job.get("container", {})
    last = attempts[-1]["container"] if attempts else {}
    reasons = [job.get("statusReason"), container.get("reason") or last.get("reason")]
    return ". ".join(dict.fromkeys(filter(None, reasons)))


def _script(files: JobFiles, about: About, payload: str, archives: Sequence[str]) -> str:
    """Return what the container runs. It names all code and data by their SHA-256."""
    bucket, _, prefix = about.store.removeprefix("s3://").partition("/")
    fetch = shlex.join(["python", "-c", _FETCH, bucket, f"{prefix}/", *archives])
    driver = shlex.join(["python", "-u", "-m", "skdistsearch.jobs._driver", files.url, payload])
    return "\n".join(
        [
            "set -e",
            "mkdir -p skdistsearch-job",
            "cd skdistsearch-job",
            _INSTALL,
            fetch,
            'export PYTHONPATH="$PWD:$PWD/site-packages"',
            f'exec {driver} "$AWS_BATCH_JOB_ATTEMPT"',  # exec: SIGTERM must reach it
        ]
    )


def _container(backend: MetaflowBackend) -> _batch_jobs.Container:
    attributes = user_attributes(backend, "batch")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    image = backend.image or metaflow_setting("BATCH_CONTAINER_IMAGE", None) or f"python:{version}"
    return _batch_jobs.Container(
        image=image,
        queue=backend.queue or metaflow_setting("BATCH_JOB_QUEUE", None),
        job_role=attributes.get("iam_role") or metaflow_setting("ECS_S3_ACCESS_IAM_ROLE", None),
        execution_role=attributes.get("execution_role")
        or metaflow_setting("ECS_FARGATE_EXECUTION_ROLE", None),
        cpu=backend.cpu or 1,
        memory_mb=backend.memory_mb or _MEMORY_MB + _WATCHED_MB * (backend.max_workers or 0),
        gpu=backend.gpu,
    )


def _variables(backend: MetaflowBackend) -> Iterator[tuple[str, str]]:
    """Yield the environment variables of the driver. Its credentials come from its role."""
    for name in _SETTINGS:
        if value := metaflow_setting(name, None):
            yield f"METAFLOW_{name}", str(value)
    yield "METAFLOW_USER", metaflow_setting("USER", None) or default_user(os.environ)
    if region := os.environ.get("AWS_DEFAULT_REGION"):
        yield "AWS_DEFAULT_REGION", region
    # A container sees all cores of its host: n_jobs=-1 means those of the container
    yield "LOKY_MAX_CPU_COUNT", str(math.ceil(backend.cpu or 1))
    yield from ((name, str(value)) for name, value in (backend.env_vars or {}).items())
