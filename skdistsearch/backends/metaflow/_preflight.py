"""Checks before a run that everything its remote tasks need is configured."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from skdistsearch.backends.metaflow._decorators import user_attributes
from skdistsearch.backends.metaflow._environment import (
    REMOTE_TASK,
    default_user,
    import_metaflow,
    metaflow_setting,
)
from skdistsearch.backends.metaflow._settings import ENVIRONMENTS, MetaflowSettings
from skdistsearch.exceptions import BackendConfigError


def check_configured(settings: MetaflowSettings) -> None:
    """Raise `BackendConfigError` unless tasks can be submitted to where the settings say.

    The message lists everything that is missing. Nothing is submitted, and only the search for
    credentials uses the network: it takes up to two seconds on a machine without credentials.
    """
    if settings.compute == "local":
        return
    if task := os.environ.get(REMOTE_TASK):
        raise BackendConfigError(
            f'compute="{settings.compute}" cannot be used within a fit that runs in a container '
            f'(task {task}), which would wait for other containers. Use backend="local" there: '
            "it has all CPUs of its container."
        )
    is_batch = settings.compute == "batch"
    missing = [
        *_missing_datastore(),
        *(_missing_for_batch(settings) if is_batch else _missing_for_kubernetes()),
        *_missing_image(settings),
        *_missing_credentials(settings),
        *_unknown_attributes(settings),
    ]
    if missing:
        raise BackendConfigError(
            f'compute="{settings.compute}" is not fully configured:{_as_list(missing)}'
        )


def check_store(settings: MetaflowSettings) -> None:
    """Raise `BackendConfigError` unless the datastore, which checkpoints need, is configured."""
    if missing := [*_missing_datastore(), *_missing_credentials(settings)]:
        raise BackendConfigError(f"The datastore is not fully configured:{_as_list(missing)}")


def _as_list(missing: Iterable[str]) -> str:
    return "".join(f"\n  - {line}" for line in missing)


def _missing_datastore() -> Iterator[str]:
    datastore = metaflow_setting("DEFAULT_DATASTORE", "local")
    if datastore != "s3":
        yield (
            f'the datastore is "{datastore}", but remote tasks support only Amazon S3: set '
            "METAFLOW_DEFAULT_DATASTORE=s3"
        )
    if not str(metaflow_setting("DATASTORE_SYSROOT_S3", None)).startswith("s3://"):
        yield "no location in S3: set METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix"


def _missing_for_batch(settings: MetaflowSettings) -> Iterator[str]:
    if not (settings.queue or metaflow_setting("BATCH_JOB_QUEUE", None)):
        # Without one, Metaflow would take any queue of the account (Batch.launch_job).
        yield "no job queue: set queue=... or METAFLOW_BATCH_JOB_QUEUE=..."
    role = user_attributes(settings, "batch").get("iam_role")
    if not (role or metaflow_setting("ECS_S3_ACCESS_IAM_ROLE", None)):
        yield (
            "no role that gives the tasks access to S3: set "
            "METAFLOW_ECS_S3_ACCESS_IAM_ROLE=arn:aws:iam::ACCOUNT:role/NAME"
        )
    user = metaflow_setting("USER", None) or default_user(os.environ)
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", user, re.ASCII):
        # The user is a part of job names: https://github.com/Netflix/metaflow/issues/1432
        valid = re.sub(r"[^\w-]+", "-", user, flags=re.ASCII).strip("-_") or "me"
        yield f"AWS Batch does not accept the user name {user!r}: set METAFLOW_USER={valid}"


def _missing_for_kubernetes() -> Iterator[str]:
    if not _is_installed("kubernetes"):
        yield "no Kubernetes client: pip install kubernetes"
    files = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    if "KUBERNETES_SERVICE_HOST" not in os.environ and not any(
        file and Path(file).expanduser().is_file() for file in files
    ):
        yield (
            f"no cluster, because {' and '.join(files)} cannot be found: set KUBECONFIG=... or, on "
            "Amazon EKS, run aws eks update-kubeconfig --name CLUSTER"
        )


def _missing_image(settings: MetaflowSettings) -> Iterator[str]:
    name = f"{settings.compute.upper()}_CONTAINER_IMAGE"
    if settings.image or settings.environment in ENVIRONMENTS or metaflow_setting(name, None):
        return
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    yield (
        f"no image: Metaflow would use python:{version}, which does not contain scikit-learn; set "
        f"image=... or METAFLOW_{name}=... to an image with Python {version} and everything that "
        'the estimators import, or set environment="pypi"'
    )


def _missing_credentials(settings: MetaflowSettings) -> Iterator[str]:
    if not _is_installed("boto3"):
        yield "no boto3: pip install boto3"
        return
    # Metaflow's sandbox, or an extension, may have its own source of credentials.
    if metaflow_setting("AWS_SANDBOX_ENABLED", False):
        return
    if metaflow_setting("DEFAULT_AWS_CLIENT_PROVIDER", "boto3") != "boto3":
        return
    error = importlib.import_module("botocore.exceptions").BotoCoreError
    session = importlib.import_module("botocore.session").Session()
    # On EC2, the credentials come from the metadata service of the machine. Elsewhere, two requests
    # to it time out: allow each one second and one attempt, overriding the user's profile.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    try:
        if session.get_credentials() is None:
            yield "no AWS credentials: run aws configure, or set AWS_PROFILE=..."
        region = session.get_config_variable("region")
    except error as exc:  # its text may contain the output of a credential process
        yield (
            f"AWS credentials cannot be read ({type(exc).__name__}): set AWS_PROFILE=... to a "
            "profile for which aws sts get-caller-identity works"
        )
        return
    if settings.compute == "batch" and not region:
        yield "no AWS region: set AWS_DEFAULT_REGION=... (boto3 does not read AWS_REGION)"


def _unknown_attributes(settings: MetaflowSettings) -> Iterator[str]:
    """Yield unknown attributes that the user merges into ours, which Metaflow does not check."""
    attributes = user_attributes(settings, settings.compute)
    if not attributes:
        return
    import_metaflow()
    known = next(
        decorator.defaults
        for decorator in importlib.import_module("metaflow.plugins").STEP_DECORATORS
        if decorator.name == settings.compute
    )
    for name in attributes.keys() - known.keys():
        yield (
            f'decorators: "{settings.compute}" has no attribute {name} in the installed version of '
            "Metaflow"
        )


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
