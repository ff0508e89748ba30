"""On what tasks run: settings, the decorators they become, and what must be set up for them."""

import json
import math
import os
import re
import socket
import subprocess
import sys
import time
import types

import helpers  # noqa: F401, a module that is installed nowhere
import pytest
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.backends.metaflow import _validation
from skdistsearch.backends.metaflow._decorators import decospecs, retries
from skdistsearch.backends.metaflow._environment import _metaflow
from skdistsearch.backends.metaflow._packaging import requirements
from skdistsearch.backends.metaflow._preflight import check_configured
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._validation import problems
from skdistsearch.exceptions import BackendConfigError

BATCH = MetaflowSettings(compute="batch")
KUBERNETES = MetaflowSettings(compute="kubernetes")
NASTY = """a,b =1, c=2: "q" 'q' \\"e\\" $HOME {"x": [1]} é\nline"""


@pytest.mark.parametrize("compute", ["local", "batch", "kubernetes"])
def test_defaults_are_valid(compute):
    assert problems(MetaflowSettings(compute=compute)) == []


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
def test_valid_settings(settings):
    assert problems(MetaflowSettings(**settings)) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"compute": "moon"}, "compute='moon': must be one of local, batch, kubernetes"),
        ({"cpu": 0}, "cpu=0: must be None or a number above 0"),
        ({"cpu": math.nan}, "cpu=nan: must be"),
        ({"cpu": True}, "cpu=True: must be"),
        (
            {"memory_mb": 16},
            "memory_mb=16: must be None or an integer of at least 256: it counts meg",
        ),
        ({"memory_mb": 1e4}, "memory_mb=10000.0: must be"),
        ({"gpu": -1}, "gpu=-1: must be None or an integer of at least 0"),
        ({"disk_mb": "1 GB"}, "disk_mb='1 GB': must be"),
        ({"image": ""}, "image='': must be None or the name of a container image"),
        ({"queue": 1}, "queue=1: must be None or the name of a job queue"),
        (
            {"fit_timeout_s": math.inf},
            "fit_timeout_s=inf: must be None or a number of seconds above 0",
        ),
        ({"retries": 5}, "retries=5: must be None or an integer from 0 to 4"),
        (
            {"cpu": 2},
            'cpu=2: has no effect with compute="local"; leave it out, or set compute="batch"',
        ),
        ({"image": "a"}, "image='a': has no effect with compute=\"local\""),
        ({"compute": "kubernetes", "queue": "q"}, "METAFLOW_KUBERNETES_NAMESPACE"),
        ({"compute": "batch", "disk_mb": 9}, "batch:ephemeral_storage"),
        ({"environment": "docker"}, 'environment: must be None, "conda" or "pypi"'),
        ({"environment": 3}, "environment: must be"),
        (
            {"env_vars": {"A-B": "1"}},
            "env_vars: 'A-B' is not a name of an environment variable",
        ),
        ({"env_vars": {"A": 1}}, "env_vars: the value of A must be a string"),
        ({"environment": "pypi"}, "decorators=['pypi:packages={"),
        ({"decorators": (1,)}, "decorators: must be strings"),
        ({"decorators": ("secrets:sources",)}, "decorators: must be strings"),
        ({"decorators": ("retry:times=2",)}, 'decorators: "retry": set retries'),
        ({"decorators": ("timeout:hours=2",)}, 'decorators: "timeout": set fit_timeout_s'),
        ({"decorators": ("catch",)}, 'decorators: "catch": every task has it already'),
        ({"decorators": ("parallel",)}, 'decorators: "parallel": a task is one process'),
        ({"decorators": ("batch",)}, 'decorators: "batch": set compute="batch"'),
        ({"decorators": ("kubernetes:qos=guaranteed",)}, '"kubernetes": set compute="kubernetes"'),
        ({"decorators": ("resources:memory=9",)}, '"resources": instead of memory= set memory_mb'),
        (
            {"compute": "kubernetes", "decorators": ("kubernetes:namespace=team",)},
            "instead of namespace= set METAFLOW_KUBERNETES_NAMESPACE",
        ),
        ({"compute": "batch", "decorators": ("batch:queue=q",)}, "instead of queue= set queue"),
        ({"decorators": ("conda:python=3.11",)}, 'no effect without environment="conda"'),
        (
            {"env_vars": {"A": "1"}, "decorators": ('environment:vars={"B": "2"}',)},
            "put all variables into env_vars={...}",
        ),
        ({"decorators": ('environment:vars={"B": "1, c=2"}',)}, "vars must be a JSON object"),
    ],
)
def test_wrong_setting_is_named_with_what_is_valid(settings, problem):
    assert any(problem in found for found in problems(MetaflowSettings(**settings)))


def test_every_wrong_setting_is_named_at_once():
    settings = MetaflowSettings(cpu=-1, gpu=0.5, queue="", retries=-1, decorators=("retry",))
    for name in ("cpu=-1", "gpu=0.5", "queue=''", "retries=-1", '"retry"'):
        assert any(name in found for found in problems(settings))


def test_values_of_variables_are_never_shown():
    settings = MetaflowSettings(env_vars={"TOKEN": "hush", "a b": "hush", "N": 1}, retries=9)
    assert "hush" not in repr(settings) + str(problems(settings))


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
    found = json.loads(
        json.dumps(dict(decospecs(MetaflowSettings(**settings), fits_in_largest_task=10)))
    )
    if settings.get("compute"):
        found.pop("environment")
        expected = {settings["compute"]: {}} | expected
    assert found == expected


def test_a_container_is_asked_for_even_with_no_other_setting():
    assert ("batch", {}) in decospecs(BATCH, 1)


def test_decorators_of_the_user_come_last_as_they_are():
    mine = ("card", 'secrets:sources=["a,b=c"],role=r')
    assert decospecs(MetaflowSettings(decorators=mine, retries=1), 1)[1:] == list(mine)


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        (BATCH, "1"),
        (MetaflowSettings(compute="batch", cpu=4), "4"),
        (MetaflowSettings(compute="batch", cpu=0.5), "1"),
    ],
)
def test_threads_in_a_container_are_the_cpus_asked_for(settings, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "64")  # of this machine
    variables = dict(decospecs(settings, 1))["environment"]["vars"]
    assert variables["OMP_NUM_THREADS"] == variables["LOKY_MAX_CPU_COUNT"] == threads


def test_variables_of_the_user_have_the_last_word():
    settings = MetaflowSettings(compute="batch", env_vars={"OMP_NUM_THREADS": "7"})
    assert dict(decospecs(settings, 1))["environment"]["vars"]["OMP_NUM_THREADS"] == "7"


def test_most_retries_are_those_of_metaflow():
    assert _metaflow().metaflow_config.MAX_ATTEMPTS - 2 == _validation._RETRIES_MAX
    assert [retries(settings) for settings in (MetaflowSettings(), BATCH, KUBERNETES)] == [0, 3, 3]


# What Metaflow makes of it

FLOW = """
import json, os, shlex, types
from metaflow import Config, FlowMutator, FlowSpec, step
from metaflow.util import dict_to_cli_options

class Decorate(FlowMutator):
    def pre_mutate(self, flow):
        settings = dict(flow.configs)["settings"].to_dict()
        fit = dict(flow.steps)["fit"]
        for spec in settings["decorators"]:
            name, attributes = (spec, None) if isinstance(spec, str) else spec
            fit.add_decorator(name, deco_kwargs=attributes, duplicates=fit.OVERRIDE)

@Decorate
class Small(FlowSpec):
    settings = Config("settings")

    @step
    def start(self):
        self.outside = os.environ.get("NASTY")
        self.parts = [0, 1]
        self.next(self.fit, foreach="parts")

    @step
    def fit(self):
        self.inside = os.environ.get("NASTY")
        self.decorators = described()
        self.next(self.join)

    @step
    def join(self, inputs):
        values = [inputs[0].outside, [task.inside for task in inputs], os.environ.get("NASTY")]
        print("FOUND", json.dumps([*values, inputs[0].decorators]))
        self.next(self.end)

    @step
    def end(self):
        pass

def described():
    flow = getattr(Small, "_flow_cls", Small)  # undecorated, in the process that launches
    return {
        name: {each.name: each.attributes for each in getattr(flow, name).decorators}
        for name in ("start", "fit", "join", "end")
    }

def command():
    args = types.SimpleNamespace(
        commands=[], command_args=[], command_options={}, entrypoint=["python"], env={}
    )
    for decorator in Small._flow_cls.fit.decorators:
        decorator.runtime_step_cli(args, 0, 3, None)
    return shlex.split(" ".join([*args.commands, *dict_to_cli_options(args.command_options)]))

if __name__ == "__main__":
    try:
        Small()
    finally:
        if "SHOW" in os.environ:
            print("FOUND", json.dumps([described(), command()]))
"""


def metaflow(tmp_path, settings, *arguments, **env):
    """What a flow prints whose step *fit* has the decorators of ``settings``."""
    flow = tmp_path / "small_flow.py"
    flow.write_text(FLOW)
    value = json.dumps({"decorators": decospecs(settings, fits_in_largest_task=10)})
    done = subprocess.run(
        [
            *(sys.executable, str(flow), "--quiet", "--no-pylint"),
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
    assert done.returncode == 0, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if "FOUND" in line]
    return json.loads(found[0].partition("FOUND")[2])


def shown(tmp_path, settings, **env):
    """Decorators of each step, and the command that sends a task of *fit* on its way."""
    s3 = {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://bucket/prefix", "SHOW": "1"}
    decorators, command = metaflow(
        tmp_path, settings, "--datastore", "s3", "--metadata", "local", "show", **s3, **env
    )
    assert [decorators.pop(step) for step in ("start", "join", "end")] == [{}, {}, {}]
    return decorators["fit"], command


def option(command, name):
    return command[command.index(name) + 1]


@pytest.mark.slow
def test_values_reach_the_tasks_of_fit_alone(tmp_path):
    settings = MetaflowSettings(
        retries=2,
        fit_timeout_s=5,
        env_vars={"NASTY": NASTY},
        decorators=('secrets:role="r,x"',),
    )
    before, inside, after, decorators = metaflow(tmp_path, settings, "run")
    assert (before, inside, after) == (None, [NASTY, NASTY], None)
    assert [decorators.pop(step) for step in ("start", "join", "end")] == [{}, {}, {}]
    assert decorators["fit"]["secrets"]["role"] == "r,x"
    assert decorators["fit"]["timeout"]["seconds"] == 650
    assert decorators["fit"]["retry"] == {"times": 2, "minutes_between_retries": 0}


@pytest.mark.slow
def test_metaflow_submits_to_batch_what_was_asked_for(tmp_path):
    settings = MetaflowSettings(
        **{"compute": "batch", "cpu": 2.5, "memory_mb": 8000, "gpu": 1, "fit_timeout_s": 60},
        **{"image": "repo/image:1,2", "queue": "arn:aws:batch:r:1:job-queue/q"},
        env_vars={"NASTY": NASTY},
        decorators=("batch:shared_memory=64,iam_role=arn:aws:iam::1:role/r",),
    )
    fit, command = shown(tmp_path, settings)
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
def test_metaflow_submits_to_kubernetes_what_was_asked_for(tmp_path):
    settings = MetaflowSettings(
        **{"compute": "kubernetes", "cpu": 1, "memory_mb": 8000, "gpu": 1, "disk_mb": 20_000},
        image="repo/image:1",
        env_vars={"NASTY": NASTY},
        decorators=('kubernetes:service_account=sa,tolerations=[{"key": "spot", "value": "a"}]',),
    )
    # Only what follows needs the package kubernetes and a cluster.
    # A profile may have other defaults: what is set here counts even where it is Metaflow's own.
    fit, command = shown(tmp_path, settings, METAFLOW_KUBERNETES_CPU="4")
    assert set(fit) == {"kubernetes", "retry", "environment"}
    assert fit["environment"]["vars"]["NASTY"] == NASTY
    assert command[:2] == ["kubernetes", "step"]
    for name, value in {
        **{"--cpu": "1", "--memory": "8000", "--gpu": "1", "--disk": "20000"},
        **{"--image": "repo/image:1", "--service-account": "sa", "--run-time-limit": "432000"},
        "--tolerations": '[{"key": "spot", "value": "a"}]',
    }.items():
        assert option(command, name) == value


# What must be set up

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
    """Sets what is configured, of Metaflow, AWS and Kubernetes, and nothing else."""
    config = _metaflow().metaflow_config
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


def refusal(settings):
    with pytest.raises(BackendConfigError) as info:
        check_configured(settings)
    assert "hush" not in str(info.value).lower()
    return str(info.value)


def test_this_machine_needs_no_set_up(configure):
    configure({})
    check_configured(MetaflowSettings())


def test_what_is_set_up_for_batch_is_accepted(configure):
    configure(SETTINGS, **CREDENTIALS)
    check_configured(BATCH)


def test_search_is_told_all_that_is_missing_before_its_checkpoint_is_looked_for(configure):
    configure(dict.fromkeys(SETTINGS), **CREDENTIALS)
    search = DistributedSearchCV(Ridge(), {"alpha": [1.0]}, backend="batch", checkpoint="mine")
    with pytest.raises(BackendConfigError, match=r"(?s)METAFLOW_DEFAULT_DATASTORE=s3.*image="):
        search.fit([[0.0]] * 10, [0.0] * 10)


def test_checkpoints_need_the_datastore_alone(configure):
    configure(
        {name: SETTINGS[name] for name in ("DEFAULT_DATASTORE", "DATASTORE_SYSROOT_S3")},
        **CREDENTIALS,
    )
    assert MetaflowBackend(compute="batch").checkpoint_root().endswith("skdistsearch/checkpoints")


def test_what_is_set_up_for_kubernetes_is_accepted(configure, kubeconfig, tmp_path, monkeypatch):
    configure(SETTINGS, **CREDENTIALS, KUBECONFIG=kubeconfig)
    (tmp_path / "kubernetes.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    check_configured(KUBERNETES)


def test_settings_stand_in_for_configuration(configure):
    needed = ("DEFAULT_DATASTORE", "DATASTORE_SYSROOT_S3", "USER")
    configure({name: SETTINGS[name] for name in needed}, **CREDENTIALS)
    role = ("batch:iam_role=arn:aws:iam::1:role/r",)
    check_configured(MetaflowSettings(compute="batch", queue="q", image="i", decorators=role))


@pytest.mark.parametrize(
    ("settings", "config", "lines"),
    [
        (
            BATCH,
            {"DEFAULT_DATASTORE": "local", "USER": "first.last"},
            [
                'compute="batch" cannot start:',
                'the datastore is "local", and only Amazon S3 .* METAFLOW_DEFAULT_DATASTORE=s3',
                "METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix",
                "no job queue: queue=... or METAFLOW_BATCH_JOB_QUEUE=",
                "METAFLOW_ECS_S3_ACCESS_IAM_ROLE=arn:aws:iam",
                "the user name 'first.last': METAFLOW_USER=first-last",
                "no image: .* METAFLOW_BATCH_CONTAINER_IMAGE=",
                "no AWS credentials: aws configure, or AWS_PROFILE=",
                "no AWS region: AWS_DEFAULT_REGION=",
            ],
        ),
        (
            KUBERNETES,
            {"DEFAULT_DATASTORE": "azure"},
            [
                'compute="kubernetes" cannot start:',
                'the datastore is "azure", and only Amazon S3',
                "METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix",
                "pip install kubernetes",
                "no cluster: none of ~/.kube/config exists; KUBECONFIG=",
                "no image: .* METAFLOW_KUBERNETES_CONTAINER_IMAGE=",
                "no AWS credentials",
            ],
        ),
    ],
)
def test_all_that_is_missing_is_named_at_once(settings, config, lines, configure, monkeypatch):
    configure(config)
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    message = refusal(settings)
    assert [line for line in lines if not re.search(line, message)] == []
    assert len(message.splitlines()) == len(lines)


def test_absent_boto3_is_named_with_the_line_that_installs_it(configure, monkeypatch):
    configure(SETTINGS, **CREDENTIALS)
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert "pip install boto3" in refusal(BATCH)


def test_environment_that_metaflow_makes_needs_no_image(configure):
    configure({**SETTINGS, "BATCH_CONTAINER_IMAGE": None}, **CREDENTIALS)
    check_configured(MetaflowSettings(compute="batch", environment="pypi"))


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({"AWS_PROFILE": "none"}, "ProfileNotFound"),
        ({"AWS_ACCESS_KEY_ID": "AKIDHUSH"}, "PartialCredentialsError"),
    ],
)
def test_credentials_that_cannot_be_read_are_one_line(env, error, configure):
    configure(SETTINGS, **env)
    assert f"AWS credentials cannot be read ({error}): AWS_PROFILE=" in refusal(BATCH)


def test_mistyped_attribute_of_the_container_is_named(configure):
    configure(SETTINGS, **CREDENTIALS)
    message = refusal(MetaflowSettings(compute="batch", decorators=("batch:shared_memry=1",)))
    assert 'decorators: "batch" of this Metaflow has no attribute shared_memry' in message


def test_search_for_credentials_is_bounded(configure, monkeypatch):
    """Off EC2 nobody answers at the address of its metadata service."""
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        patient = {"AWS_METADATA_SERVICE_TIMEOUT": "60", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "9"}
        configure(SETTINGS, AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint, **patient)
        start = time.perf_counter()
        assert "no AWS credentials" in refusal(BATCH)
    assert time.perf_counter() - start < 5


def test_module_that_native_code_has_made_is_asked_of_no_task(monkeypatch):
    """Cython's ``_cython_3_3_1``, to which pickles of scikit-learn's loss functions refer."""
    monkeypatch.setitem(sys.modules, "_made_by_cython", types.ModuleType("_made_by_cython"))
    found = requirements(["_made_by_cython", "helpers.subprocesses", "sklearn._loss._loss"])
    assert found["modules"] == ["helpers"]
    assert {"python", "scikit-learn", "numpy"} <= found["versions"].keys()
