"""Checks before a run that everything its remote tasks need is configured."""

import os
import re
import socket
import sys
import time

import pytest
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.backends.metaflow._environment import import_metaflow
from skdistsearch.backends.metaflow._preflight import check_configured
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.exceptions import BackendConfigError

BATCH = MetaflowSettings(compute="batch")
KUBERNETES = MetaflowSettings(compute="kubernetes")

SETTINGS = {
    "DEFAULT_DATASTORE": "s3",
    "DATASTORE_SYSROOT_S3": "s3://bucket/prefix",
    "BATCH_JOB_QUEUE": "queue",
    "ECS_S3_ACCESS_IAM_ROLE": "arn:aws:iam::1:role/r",
    "BATCH_CONTAINER_IMAGE": "image",
    "KUBERNETES_CONTAINER_IMAGE": "image",
    "USER": "me",
}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDHUSH",
    "AWS_SECRET_ACCESS_KEY": "hush",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.fixture
def configure(monkeypatch, tmp_path):
    """Return a function that sets the whole configuration of Metaflow, AWS and Kubernetes."""
    config = import_metaflow().metaflow_config
    for name in [name for name in os.environ if name.startswith(("AWS_", "KUBE"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def configure(settings, **env):
        for name in SETTINGS:
            monkeypatch.setattr(config, name, settings.get(name))
        for name, value in env.items():
            monkeypatch.setenv(name, value)

    return configure


@pytest.fixture
def kubeconfig(tmp_path):
    (tmp_path / "kubeconfig").touch()
    return f"{tmp_path}/none:{tmp_path}/kubeconfig"


def error_message(settings):
    with pytest.raises(BackendConfigError) as info:
        check_configured(settings)
    assert "hush" not in str(info.value).lower()
    return str(info.value)


def test_local_backend_needs_no_configuration(configure):
    configure({})
    check_configured(MetaflowSettings())


def test_batch_accepts_complete_configuration(configure):
    configure(SETTINGS, **CREDENTIALS)
    check_configured(BATCH)


def test_missing_configuration_is_reported_before_the_checkpoint_is_read(configure):
    configure(dict.fromkeys(SETTINGS), **CREDENTIALS)
    search = DistributedSearchCV(Ridge(), {"alpha": [1.0]}, backend="batch", checkpoint="mine")
    with pytest.raises(BackendConfigError, match=r"(?s)METAFLOW_DEFAULT_DATASTORE=s3.*image="):
        search.fit([[0.0]] * 10, [0.0] * 10)


def test_checkpoints_need_only_the_datastore(configure):
    configure(
        {name: SETTINGS[name] for name in ("DEFAULT_DATASTORE", "DATASTORE_SYSROOT_S3")},
        **CREDENTIALS,
    )
    assert MetaflowBackend(compute="batch").checkpoint_root().endswith("skdistsearch/checkpoints")


def test_kubernetes_accepts_complete_configuration(configure, kubeconfig, tmp_path, monkeypatch):
    configure(SETTINGS, **CREDENTIALS, KUBECONFIG=kubeconfig)
    (tmp_path / "kubernetes.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    check_configured(KUBERNETES)


def test_settings_replace_configuration(configure):
    required = ("DEFAULT_DATASTORE", "DATASTORE_SYSROOT_S3", "USER")
    configure({name: SETTINGS[name] for name in required}, **CREDENTIALS)
    role = ("batch:iam_role=arn:aws:iam::1:role/r",)
    check_configured(MetaflowSettings(compute="batch", queue="q", image="i", decorators=role))


@pytest.mark.parametrize(
    ("settings", "config", "lines"),
    [
        (
            BATCH,
            {"DEFAULT_DATASTORE": "local", "USER": "first.last"},
            [
                'compute="batch" is not fully configured:',
                'the datastore is "local", but .* S3: set METAFLOW_DEFAULT_DATASTORE=s3',
                "METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix",
                "no job queue: set queue=... or METAFLOW_BATCH_JOB_QUEUE=",
                "METAFLOW_ECS_S3_ACCESS_IAM_ROLE=arn:aws:iam",
                "the user name 'first.last': set METAFLOW_USER=first-last",
                "no image: .* METAFLOW_BATCH_CONTAINER_IMAGE=",
                "no AWS credentials: run aws configure, or set AWS_PROFILE=",
                "no AWS region: set AWS_DEFAULT_REGION=",
            ],
        ),
        (
            KUBERNETES,
            {"DEFAULT_DATASTORE": "azure"},
            [
                'compute="kubernetes" is not fully configured:',
                'the datastore is "azure", but remote tasks support only Amazon S3',
                "METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix",
                "pip install kubernetes",
                "no cluster, because ~/.kube/config cannot be found: set KUBECONFIG=",
                "no image: .* METAFLOW_KUBERNETES_CONTAINER_IMAGE=",
                "no AWS credentials",
            ],
        ),
    ],
)
def test_all_missing_configuration_is_listed_at_once(
    settings, config, lines, configure, monkeypatch
):
    configure(config)
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    message = error_message(settings)
    for line in lines:
        assert re.search(line, message)
    assert len(message.splitlines()) == len(lines)


def test_missing_boto3_error_says_how_to_install_it(configure, monkeypatch):
    configure(SETTINGS, **CREDENTIALS)
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert "pip install boto3" in error_message(BATCH)


def test_environment_built_by_metaflow_needs_no_image(configure):
    configure({**SETTINGS, "BATCH_CONTAINER_IMAGE": None}, **CREDENTIALS)
    check_configured(MetaflowSettings(compute="batch", environment="pypi"))


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({"AWS_PROFILE": "none"}, "ProfileNotFound"),
        ({"AWS_ACCESS_KEY_ID": "AKIDHUSH"}, "PartialCredentialsError"),
    ],
)
def test_unreadable_credentials_are_one_line(env, error, configure):
    configure(SETTINGS, **env)
    assert f"AWS credentials cannot be read ({error}): set AWS_PROFILE=" in error_message(BATCH)


def test_unknown_attribute_is_reported(configure):
    configure(SETTINGS, **CREDENTIALS)
    message = error_message(MetaflowSettings(compute="batch", decorators=("batch:shared_memry=1",)))
    assert 'decorators: "batch" has no attribute shared_memry' in message


def test_search_for_credentials_ends_within_seconds(configure, monkeypatch):
    """The metadata service of EC2 does not respond on other machines."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        patient = {"AWS_METADATA_SERVICE_TIMEOUT": "60", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "9"}
        configure(SETTINGS, AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint, **patient)
        start = time.perf_counter()
        assert "no AWS credentials" in error_message(BATCH)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("settings", [BATCH, KUBERNETES], ids=lambda settings: settings.compute)
def test_containers_within_containers_are_refused(settings, configure, monkeypatch):
    """Although everything is configured: the outer fits would hold what the inner ones wait for."""
    configure(SETTINGS, **CREDENTIALS)
    monkeypatch.setenv("SKDISTSEARCH_REMOTE_TASK", "DistributedSearch/1/fit/2")
    with pytest.raises(BackendConfigError, match=r'fit/2\), .* Use backend="local" there'):
        check_configured(settings)
