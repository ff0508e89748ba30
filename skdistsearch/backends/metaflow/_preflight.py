"""is the cloud configured?."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from skdistsearch.backends.metaflow._decorators import _attributes
from skdistsearch.backends.metaflow._environment import _config, _metaflow, _user
from skdistsearch.backends.metaflow._settings import ENVIRONMENTS, MetaflowSettings
from skdistsearch.exceptions import BackendConfigError


def check_configured(settings: MetaflowSettings) -> None:
    """Raise `BackendConfigError` unless tasks can be sent where ``settings`` say.

    Nothing is sent yet, and the message has all that is missing. Only the search for credentials
    may use the network: two seconds, on a machine without any.
    """
    if settings.compute == "local":
        return
    found = _missing_on_batch if settings.compute == "batch" else _missing_on_kubernetes
    missing = [*_missing_store(), *found(settings), *_missing_image(settings)]
    missing += [*_missing_credentials(settings), *_unknown_attributes(settings)]
    if missing:
        raise BackendConfigError(f'compute="{settings.compute}" cannot start:{_lines(missing)}')


def check_store(settings: MetaflowSettings) -> None:
    """Raise `BackendConfigError` unless the datastore, all a checkpoint needs, can be reached."""
    if missing := [*_missing_store(), *_missing_credentials(settings)]:
        raise BackendConfigError(f"The datastore cannot be reached:{_lines(missing)}")


def _lines(missing: Iterable[str]) -> str:
    return "".join(f"\n  - {line}" for line in missing)


def _missing_store() -> Iterator[str]:
    store = _config("DEFAULT_DATASTORE", "local")
    if store != "s3":
        yield (
            f'the datastore is "{store}", and only Amazon S3 is supported for tasks that run '
            "elsewhere: METAFLOW_DEFAULT_DATASTORE=s3"
        )
    if not str(_config("DATASTORE_SYSROOT_S3", None)).startswith("s3://"):
        yield "no place in S3: METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix"


def _missing_on_batch(settings: MetaflowSettings) -> Iterator[str]:
    if not (settings.queue or _config("BATCH_JOB_QUEUE", None)):
        # Metaflow would take any queue of the account (Batch.launch_job).
        yield "no job queue: queue=... or METAFLOW_BATCH_JOB_QUEUE=..."
    if not (
        _attributes(settings, "batch").get("iam_role") or _config("ECS_S3_ACCESS_IAM_ROLE", None)
    ):
        yield (
            "no role that lets the tasks use S3: "
            "METAFLOW_ECS_S3_ACCESS_IAM_ROLE=arn:aws:iam::ACCOUNT:role/NAME"
        )
    user = _config("USER", None) or _user(dict(os.environ))
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", user, re.ASCII):
        # It is part of a job's name: https://github.com/Netflix/metaflow/issues/1432
        valid = re.sub(r"[^\w-]+", "-", user, flags=re.ASCII).strip("-_") or "me"
        yield f"AWS Batch does not accept the user name {user!r}: METAFLOW_USER={valid}"


def _missing_on_kubernetes(settings: MetaflowSettings) -> Iterator[str]:
    if not _installed("kubernetes"):
        yield "no client of Kubernetes: pip install kubernetes"
    files = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    if "KUBERNETES_SERVICE_HOST" not in os.environ and not any(
        file and Path(file).expanduser().is_file() for file in files
    ):
        yield (
            f"no cluster: none of {', '.join(files)} exists; KUBECONFIG=... or, for Amazon EKS, "
            "aws eks update-kubeconfig --name CLUSTER"
        )


def _missing_image(settings: MetaflowSettings) -> Iterator[str]:
    variable = f"{settings.compute.upper()}_CONTAINER_IMAGE"
    if settings.image or settings.environment in ENVIRONMENTS or _config(variable, None):
        return
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    yield (
        f"no image: Metaflow would take python:{version}, which lacks scikit-learn: image=... of "
        f"one with Python {version} and what the estimators import, or METAFLOW_{variable}=..., or "
        'environment="pypi"'
    )


def _missing_credentials(settings: MetaflowSettings) -> Iterator[str]:
    if not _installed("boto3"):
        yield "no boto3: pip install boto3"
        return
    # An extension of Metaflow, or its sandbox, may have its own way to get them.
    if _config("AWS_SANDBOX_ENABLED", False):
        return
    if _config("DEFAULT_AWS_CLIENT_PROVIDER", "boto3") != "boto3":
        return
    error = importlib.import_module("botocore.exceptions").BotoCoreError
    session = importlib.import_module("botocore.session").Session()
    # On EC2 they come from the machine; anywhere else nobody answers: one second for each of the
    # two questions, once, whatever the user's profile says.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    try:
        if session.get_credentials() is None:
            yield "no AWS credentials: aws configure, or AWS_PROFILE=..."
        region = session.get_config_variable("region")
    except error as exc:  # its text may quote what a credential process wrote
        yield (
            f"AWS credentials cannot be read ({type(exc).__name__}): AWS_PROFILE=... of a profile "
            "for which aws sts get-caller-identity works"
        )
        return
    if settings.compute == "batch" and not region:
        yield "no AWS region: AWS_DEFAULT_REGION=... (boto3 does not read AWS_REGION)"


def _unknown_attributes(settings: MetaflowSettings) -> Iterator[str]:
    """Attributes that the user gives to a decorator of ours: Metaflow does not check these."""
    given = _attributes(settings, settings.compute)
    if not given:
        return
    _metaflow()
    known = next(
        decorator.defaults
        for decorator in importlib.import_module("metaflow.plugins").STEP_DECORATORS
        if decorator.name == settings.compute
    )
    for name in given.keys() - known.keys():
        yield f'decorators: "{settings.compute}" of this Metaflow has no attribute {name}'


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
