"""Validation of the settings of the Metaflow backend."""

import math

import pytest

from skdistsearch.backends.metaflow import _validation
from skdistsearch.backends.metaflow._environment import import_metaflow
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._validation import validation_errors


@pytest.mark.parametrize("compute", ["local", "batch", "kubernetes"])
def test_defaults_are_valid(compute):
    assert validation_errors(MetaflowSettings(compute=compute)) == []


@pytest.mark.parametrize(
    "settings",
    [
        {
            "compute": "batch",
            "cpu": 0.5,
            "memory_mb": 8000,
            "gpu": 1,
            "image": "a/b:1",
            "queue": "q",
        },
        {"compute": "kubernetes", "cpu": 2, "memory_mb": 256, "gpu": 0, "disk_mb": 1},
        {"keep_alive_s": 0},
        {"keep_alive_s": 0.5},
        {"fit_timeout_s": 0.5, "retries": 4, "env_vars": {"A": ""}},
        {"retries": 0, "decorators": ('secrets:sources=["a"]', "card", "mine.decorator:0=1")},
        {"environment": "pypi", "decorators": ('pypi:packages={"scikit-learn": "1.7"}',)},
        {
            "environment": "conda",
            "decorators": ("conda:python=3.11", 'environment:vars={"A": "1"}'),
        },
        {"compute": "batch", "decorators": ("batch:iam_role=arn:aws:iam::1:role/r",)},
        {"compute": "kubernetes", "decorators": ("resources:shared_memory=64",)},
    ],
)
def test_valid_settings_are_accepted(settings):
    assert validation_errors(MetaflowSettings(**settings)) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compute": "moon"}, "compute='moon': must be one of local, batch, kubernetes"),
        ({"cpu": 0}, "cpu=0: must be None or a number above 0"),
        ({"cpu": math.nan}, "cpu=nan: must be"),
        ({"cpu": True}, "cpu=True: must be"),
        (
            {"memory_mb": 16},
            "memory_mb=16: must be None or a number of megabytes, an integer of at least 256",
        ),
        ({"memory_mb": 1e4}, "memory_mb=10000.0: must be"),
        ({"gpu": -1}, "gpu=-1: must be None or an integer of at least 0"),
        ({"disk_mb": "1 GB"}, "disk_mb='1 GB': must be"),
        ({"keep_alive_s": -1}, 'keep_alive_s=-1: must be "auto" or a number of seconds of at'),
        ({"keep_alive_s": True}, "keep_alive_s=True: must be"),
        ({"image": ""}, "image='': must be None or the name of a container image"),
        ({"queue": 1}, "queue=1: must be None or the name of a job queue"),
        (
            {"fit_timeout_s": math.inf},
            "fit_timeout_s=inf: must be None or a number of seconds above 0",
        ),
        ({"retries": 5}, "retries=5: must be None or an integer from 0 to 4"),
        (
            {"cpu": 2},
            'cpu=2: has no effect with compute="local"; remove it, or set compute="batch"',
        ),
        ({"image": "a"}, "image='a': has no effect with compute=\"local\""),
        ({"compute": "kubernetes", "queue": "q"}, "METAFLOW_KUBERNETES_NAMESPACE"),
        ({"compute": "batch", "disk_mb": 9}, "batch:ephemeral_storage"),
        ({"environment": "docker"}, 'environment: must be None, "conda" or "pypi"'),
        ({"environment": 3}, "environment: must be"),
        (
            {"env_vars": {"A-B": "1"}},
            "env_vars: 'A-B' is not a valid name of an environment variable",
        ),
        ({"env_vars": {"A": 1}}, "env_vars: the value of A must be a string"),
        ({"environment": "pypi"}, "decorators=['pypi:packages={"),
        ({"decorators": (1,)}, "decorators: must be strings"),
        ({"decorators": ("secrets:sources",)}, "decorators: must be strings"),
        ({"decorators": ("retry:times=2",)}, 'decorators: "retry": use retries= instead'),
        ({"decorators": ("timeout:hours=2",)}, 'decorators: "timeout": use fit_timeout_s= instead'),
        ({"decorators": ("catch",)}, 'decorators: "catch": every task already has it'),
        (
            {"decorators": ("parallel",)},
            'decorators: "parallel": not supported, because a task is one',
        ),
        ({"decorators": ("batch",)}, 'decorators: "batch": requires compute="batch"'),
        (
            {"decorators": ("kubernetes:qos=guaranteed",)},
            '"kubernetes": requires compute="kubernetes"',
        ),
        ({"decorators": ("resources:memory=9",)}, '"resources": set memory_mb instead of memory='),
        (
            {"compute": "kubernetes", "decorators": ("kubernetes:namespace=team",)},
            "set METAFLOW_KUBERNETES_NAMESPACE instead of namespace=",
        ),
        ({"compute": "batch", "decorators": ("batch:queue=q",)}, "set queue instead of queue="),
        ({"decorators": ("conda:python=3.11",)}, 'no effect without environment="conda"'),
        (
            {"env_vars": {"A": "1"}, "decorators": ('environment:vars={"B": "2"}',)},
            "put all variables into env_vars={...}",
        ),
        ({"decorators": ('environment:vars={"B": "1, c=2"}',)}, "vars must be a JSON object"),
    ],
)
def test_error_names_the_setting_and_valid_values(settings, message):
    assert any(message in error for error in validation_errors(MetaflowSettings(**settings)))


def test_all_invalid_settings_are_reported_at_once():
    settings = MetaflowSettings(cpu=-1, gpu=0.5, queue="", retries=-1, decorators=("retry",))
    for name in ("cpu=-1", "gpu=0.5", "queue=''", "retries=-1", '"retry"'):
        assert any(name in error for error in validation_errors(settings))


def test_values_of_variables_are_not_shown():
    settings = MetaflowSettings(env_vars={"TOKEN": "hush", "a b": "hush", "N": 1}, retries=9)
    assert "hush" not in repr(settings) + str(validation_errors(settings))


def test_limit_of_retries_is_that_of_metaflow():
    assert import_metaflow().metaflow_config.MAX_ATTEMPTS - 2 == _validation._MAX_RETRIES
