"""Settings as Metaflow decorators, and as the command with which Metaflow submits a task."""

import json
import os
import subprocess
import sys

import pytest
from helpers.subprocesses import SCRIPTS

from skdistsearch.backends.metaflow._decorators import decospecs, max_retries
from skdistsearch.backends.metaflow._settings import MetaflowSettings

BATCH = MetaflowSettings(compute="batch")
KUBERNETES = MetaflowSettings(compute="kubernetes")
NASTY = """a,b =1, c=2: "q" 'q' \\"e\\" $HOME {"x": [1]} é\nline"""


def test_local_tasks_need_no_decorator():
    assert decospecs(MetaflowSettings(), 10) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"compute": "batch"}, {"retry": {"times": 3, "minutes_between_retries": 0}}),
        ({"compute": "batch", "retries": 0}, {}),
        ({"retries": 1}, {"retry": {"times": 1, "minutes_between_retries": 0}}),
        ({"fit_timeout_s": 0.25}, {"timeout": {"seconds": 603}}),
        ({"fit_timeout_s": 1e300}, {"timeout": {"seconds": 2**31 - 1}}),
        ({"env_vars": {"A": NASTY}}, {"environment": {"vars": {"A": NASTY}}}),
        (
            {"decorators": ('environment:vars={"A": "b"}',)},
            {"environment": {"vars": {"A": "b"}}},
        ),
        (
            {
                **{"compute": "batch", "cpu": 2.0, "memory_mb": 8000, "gpu": 0, "image": "i"},
                **{"queue": "q", "retries": 0, "decorators": ("batch:shared_memory=64",)},
            },
            {
                "batch": {
                    **{"cpu": 2, "memory": 8000, "gpu": 0, "image": "i", "queue": "q"},
                    "shared_memory": 64,
                }
            },
        ),
        (
            {"compute": "kubernetes", "cpu": 0.5, "disk_mb": 20_000, "retries": 0},
            {"kubernetes": {"cpu": 0.5, "disk": 20_000}},
        ),
    ],
)
def test_settings_become_decorators(settings, expected):
    specs = dict(decospecs(MetaflowSettings(**settings), fits_in_largest_task=10))
    decorators = json.loads(json.dumps(specs))
    if settings.get("compute"):
        decorators.pop("environment")
        expected = {settings["compute"]: {}} | expected
    assert decorators == expected


def test_compute_decorator_needs_no_other_setting():
    assert ("batch", {}) in decospecs(BATCH, 1)


def test_user_decorators_come_last_and_unchanged():
    decorators = ("card", 'secrets:sources=["a,b=c"],role=r')
    assert decospecs(MetaflowSettings(decorators=decorators, retries=1), 1)[1:] == list(decorators)


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        (BATCH, "1"),
        (MetaflowSettings(compute="batch", cpu=4), "4"),
        (MetaflowSettings(compute="batch", cpu=0.5), "1"),
    ],
)
def test_container_uses_as_many_threads_as_it_has_cpus(settings, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "64")  # of this machine
    variables = dict(decospecs(settings, 1))["environment"]["vars"]
    assert variables["OMP_NUM_THREADS"] == variables["LOKY_MAX_CPU_COUNT"] == threads


def test_user_variables_override_ours():
    settings = MetaflowSettings(compute="batch", env_vars={"OMP_NUM_THREADS": "7"})
    assert dict(decospecs(settings, 1))["environment"]["vars"]["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("settings", "expected"), [(MetaflowSettings(), 0), (BATCH, 3), (KUBERNETES, 3)]
)
def test_remote_tasks_are_retried_by_default(settings, expected):
    assert max_retries(settings) == expected


def run_small_flow(tmp_path, settings, *arguments, **env):
    """Return what a flow reports whose step *fit* has the decorators of ``settings``."""
    value = json.dumps({"decorators": decospecs(settings, fits_in_largest_task=10)})
    process = subprocess.run(
        [
            *(sys.executable, str(SCRIPTS / "small_flow.py"), "--quiet", "--no-pylint"),
            *("--config-value", "settings", value, *arguments),
        ],
        env={
            **os.environ,
            **{"METAFLOW_USER": "me", "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path)},
            **env,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    reports = [line for line in process.stdout.splitlines() if "REPORT" in line]
    return json.loads(reports[0].partition("REPORT")[2])


def describe_submission(tmp_path, settings, **env):
    """Return the decorators of *fit*, and the command that submits a task of it."""
    s3 = {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/prefix", "SHOW": "1"}
    decorators, command = run_small_flow(
        tmp_path, settings, "--datastore", "s3", "--metadata", "local", "show", **s3, **env
    )
    assert [decorators.pop(step) for step in ("start", "join", "end")] == [{}, {}, {}]
    return decorators["fit"], command


def option(command, name):
    return command[command.index(name) + 1]


@pytest.mark.slow
def test_values_reach_the_tasks_of_fit_only(tmp_path):
    settings = MetaflowSettings(
        retries=2,
        fit_timeout_s=5,
        env_vars={"NASTY": NASTY},
        decorators=('secrets:role="r,x"',),
    )
    before, inside, after, decorators = run_small_flow(tmp_path, settings, "run")
    assert (before, inside, after) == (None, [NASTY, NASTY], None)
    assert [decorators.pop(step) for step in ("start", "join", "end")] == [{}, {}, {}]
    assert decorators["fit"]["secrets"]["role"] == "r,x"
    assert decorators["fit"]["timeout"]["seconds"] == 650
    assert decorators["fit"]["retry"] == {"times": 2, "minutes_between_retries": 0}


@pytest.mark.slow
def test_settings_reach_the_batch_command(tmp_path):
    settings = MetaflowSettings(
        **{"compute": "batch", "cpu": 2.5, "memory_mb": 8000, "gpu": 1, "fit_timeout_s": 60},
        **{"image": "repo/image:1,2", "queue": "arn:aws:batch:r:1:job-queue/q"},
        env_vars={"NASTY": NASTY},
        decorators=("batch:shared_memory=64,iam_role=arn:aws:iam::1:role/r",),
    )
    fit, command = describe_submission(tmp_path, settings)
    assert set(fit) == {"batch", "retry", "timeout", "environment"}
    assert fit["environment"]["vars"]["NASTY"] == NASTY
    assert command[:2] == ["batch", "step"]
    for name, value in {
        **{"--cpu": "2.5", "--memory": "8000", "--gpu": "1", "--image": "repo/image:1,2"},
        **{"--queue": "arn:aws:batch:r:1:job-queue/q", "--shared-memory": "64"},
        **{"--iam-role": "arn:aws:iam::1:role/r", "--run-time-limit": "1200"},
    }.items():
        assert option(command, name) == value


@pytest.mark.slow
def test_settings_reach_the_kubernetes_command(tmp_path):
    settings = MetaflowSettings(
        **{"compute": "kubernetes", "cpu": 1, "memory_mb": 8000, "gpu": 1, "disk_mb": 20_000},
        image="repo/image:1",
        env_vars={"NASTY": NASTY},
        decorators=('kubernetes:service_account=sa,tolerations=[{"key": "spot", "value": "a"}]',),
    )
    # Only the command itself would need the package kubernetes and a cluster.
    # A profile may have other defaults: a setting counts even if it equals Metaflow's default.
    fit, command = describe_submission(tmp_path, settings, METAFLOW_KUBERNETES_CPU="4")
    assert set(fit) == {"kubernetes", "retry", "environment"}
    assert fit["environment"]["vars"]["NASTY"] == NASTY
    assert command[:2] == ["kubernetes", "step"]
    for name, value in {
        **{"--cpu": "1", "--memory": "8000", "--gpu": "1", "--disk": "20000"},
        **{"--image": "repo/image:1", "--service-account": "sa", "--run-time-limit": "432000"},
        "--tolerations": '[{"key": "spot", "value": "a"}]',
    }.items():
        assert option(command, name) == value
