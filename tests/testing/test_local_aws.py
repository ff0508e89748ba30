"""LocalAWS behaves like AWS, as far as the tests of the Metaflow backend rely on it."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.subprocesses import SCRIPTS, Script

from skdistsearch.testing._aws import INSTALL, LocalAWS
from skdistsearch.testing._aws_server import FaultScript, Host

REASON = f"LocalAWS requires it: {INSTALL}"
pytest.importorskip("moto", reason=REASON)
config = pytest.importorskip("botocore.config", reason=REASON)
exceptions = pytest.importorskip("botocore.exceptions", reason=REASON)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="jobs are process groups"),
]

ONCE = config.Config(retries={"total_max_attempts": 1, "mode": "standard"})
SLEEP = ["sleep", "60"]


@pytest.fixture(scope="module")
def server():
    with LocalAWS(slots=2, kill_after_s=0.5) as aws:
        yield aws


@pytest.fixture
def aws(server):
    server.reset()
    return server


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3", config=ONCE)


@pytest.fixture(scope="module")
def batch(server):
    return server.client("batch", config=ONCE)


@pytest.fixture
def submit(aws, batch):
    """Return a function that submits a job as Metaflow does: a definition with overrides."""

    def submit(command, name="job", environment=(), **options):
        batch.register_job_definition(
            jobDefinitionName="definition",
            type="container",
            containerProperties={"image": "any", "vcpus": 1, "memory": 100, "command": ["false"]},
        )
        overrides = {
            "command": command,
            "environment": [
                {"name": key, "value": value} for key, value in dict(environment).items()
            ],
        }
        job = {"jobQueue": aws.queue, "jobDefinition": "definition", "jobName": name, **options}
        return batch.submit_job(**job, containerOverrides=overrides)["jobId"]

    return submit


def wait_for(condition, timeout_s=20.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the condition did not hold in time"
        time.sleep(0.02)


def wait_until_ended(aws):
    """Wait until all jobs have ended; return them."""
    wait_for(lambda: not aws.live_jobs())
    return aws.jobs()


def wait_until_running(aws, count=1):
    wait_for(lambda: [job.status for job in aws.jobs()].count("RUNNING") == count)


def describe(batch, job):
    (description,) = batch.describe_jobs(jobs=[job])["jobs"]
    return description


def is_alive(pid):
    """Return True if a process exists and is not a zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


# Jobs ------------------------------------------------------------------------------------------


def test_job_has_its_own_folder_and_environment(aws, submit, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    submit(["sh", "-c", "env; ls -A; touch $HOME/left"], environment={"GIVEN": "yes"})
    (job,) = wait_until_ended(aws)
    seen = dict(line.split("=", 1) for line in job.log.splitlines())
    assert job.status == "SUCCEEDED"
    assert job.exit_code == 0
    assert 0 < job.wall_s < 5
    assert seen["GIVEN"] == "yes"
    assert seen["AWS_BATCH_JOB_ID"] == job.id
    assert seen["PATH"].startswith(os.path.dirname(sys.executable) + ":")
    assert seen["HOME"] == seen["TMPDIR"] == seen["PWD"]
    assert not {"PYTHONPATH", "USER", "GIVEN_BY_USER"} & set(seen)
    assert not os.path.exists(seen["HOME"])


def test_jobs_wait_in_order_for_a_slot(aws, submit):
    names = [f"job-{n}" for n in range(4)]
    for name in names:
        submit(["sleep", "0.3"], name)
    wait_until_running(aws, 2)
    assert [job.status for job in aws.jobs()] == ["RUNNING"] * 2 + ["RUNNABLE"] * 2
    assert [job.name for job in wait_until_ended(aws)] == names


@pytest.mark.parametrize(
    ("fault", "exit_code", "status_reason", "reason"),
    [
        ("spot", None, "Host EC2 (instance i-0123456789abcdef0) terminated.", None),
        ("oom", 137, "Essential container in task exited", "OutOfMemoryError: Container killed"),
        ("image", None, "Task failed to start", "CannotPullContainerError"),
        ("exit:3", 3, "Essential container in task exited", None),
    ],
)
def test_job_fault_is_reported_as_by_aws(
    fault, exit_code, status_reason, reason, aws, batch, submit
):
    aws.fail_jobs("-fit-", fault=fault, after_s=0.1)
    other, hit = submit(["true"], "flow-start-1"), submit(SLEEP, "flow-fit-2")
    wait_until_ended(aws)
    description = describe(batch, hit)
    assert description["status"] == "FAILED"
    assert description["statusReason"] == status_reason
    assert description["container"].get("exitCode") == exit_code
    assert (description["container"].get("reason") or "").startswith(reason or "")
    assert ("reason" in description["container"]) == (reason is not None)
    assert describe(batch, other)["status"] == "SUCCEEDED"
    assert aws.faults() == [1]


def test_fault_that_came_too_late_hits_another_job(aws, submit):
    aws.fail_jobs(fault="oom", after_s=0.5)
    submit(["true"])
    wait_until_ended(aws)
    assert aws.faults() == [0]
    submit(SLEEP)
    submit(["true"])
    assert [job.exit_code for job in wait_until_ended(aws)] == [0, 137, 0]
    assert aws.faults() == [1]


def test_unknown_command_fails_the_job(aws, submit):
    submit(["no-such-command"])
    (job,) = wait_until_ended(aws)
    assert job.status_reason == "Task failed to start"
    assert job.reason.startswith("CannotStartContainerError: ")


def test_terminated_job_receives_sigterm(aws, batch, submit):
    job = submit(["sh", "-c", "trap 'echo bye; exit 5' TERM; sleep 60 & wait"])
    wait_until_running(aws)
    batch.terminate_job(jobId=job, reason="Enough.")
    (ended,) = wait_until_ended(aws)
    assert (ended.status, ended.status_reason, ended.exit_code) == ("FAILED", "Enough.", 5)
    assert ended.log == "bye\n"


def test_terminated_job_that_ignores_sigterm_is_killed_with_its_children(aws, batch, submit):
    job = submit(["sh", "-c", "trap '' TERM; sleep 60 & echo $!; wait"])
    wait_until_running(aws)
    batch.terminate_job(jobId=job, reason="Enough.")
    (ended,) = wait_until_ended(aws)
    assert (ended.status_reason, ended.exit_code) == ("Enough.", 137)
    assert 0.5 < ended.wall_s < 5
    wait_for(lambda: not is_alive(ended.log.strip()))


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_killed_job_leaves_no_process_in_another_session(aws, submit):
    aws.fail_jobs(fault="spot", after_s=0.5)
    submit(["sh", "-c", "setsid sh -c 'echo $$; exec sleep 60' & wait"])
    (ended,) = wait_until_ended(aws)
    assert ended.log.strip().isdigit()
    assert not is_alive(ended.log.strip())


def test_waiting_job_can_be_terminated(aws, batch, submit):
    blockers = [submit(SLEEP), submit(SLEEP)]
    waiting = submit(SLEEP)
    batch.terminate_job(jobId=waiting, reason="Enough.")
    wait_for(lambda: len(aws.live_jobs()) == 2)
    description = describe(batch, waiting)
    assert (description["status"], description["statusReason"]) == ("FAILED", "Enough.")
    assert "exitCode" not in description["container"]
    assert {job.id for job in aws.live_jobs()} == set(blockers)


class WaitingJob:
    """A job as `Host` sees it, whose container only waits."""

    job_name, job_stopped_reason, stop = "job", "Enough.", False
    status = "SUBMITTED"

    def command(self):
        return SLEEP

    def environment(self):
        return {}

    def report_start(self):
        self.status = "RUNNING"

    def report_end(self, ending, was_stopped=False):
        self.status = "FAILED"


@pytest.fixture
def slow_host(tmp_path):
    """Return a host whose containers take a minute to start, one at a time."""
    image = {"PATH": os.environ["PATH"]}
    host = Host(FaultScript(), tmp_path, image, slots=1, start_s=60.0, kill_after_s=0.5)
    yield host
    host.kill_all()


def test_container_takes_its_time_to_start(slow_host, monkeypatch):
    first, second = WaitingJob(), WaitingJob()
    slow_host.submit(first)
    slow_host.submit(second)
    slow_host.advance()
    assert (first.status, second.status) == ("STARTING", "RUNNABLE")
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    slow_host.advance()
    assert (first.status, second.status) == ("RUNNING", "RUNNABLE")


def test_starting_job_can_be_terminated(slow_host):
    job = WaitingJob()
    slow_host.submit(job)
    slow_host.advance()
    job.stop = True
    slow_host.advance()
    assert job.status == "FAILED"


def test_terminating_an_ended_job_has_no_effect(aws, batch, submit):
    job = submit(["true"])
    wait_until_ended(aws)
    batch.terminate_job(jobId=job, reason="Too late.")
    assert describe(batch, job)["statusReason"] == "Essential container in task exited"


def test_job_that_exceeds_its_time_limit_fails(aws, submit):
    submit(SLEEP, timeout={"attemptDurationSeconds": 1})
    (job,) = wait_until_ended(aws)
    assert (job.status, job.status_reason) == ("FAILED", "Job attempt duration exceeded timeout")
    assert 1 < job.wall_s < 5


def test_failed_job_is_repeated_by_its_retry_strategy(aws, batch, submit):
    command = ["sh", "-c", "echo attempt $AWS_BATCH_JOB_ATTEMPT; test $AWS_BATCH_JOB_ATTEMPT = 2"]
    job = submit(command, retryStrategy={"attempts": 3})
    (ended,) = wait_until_ended(aws)
    assert (ended.status, ended.exit_code, ended.log) == ("SUCCEEDED", 0, "attempt 2\n")
    attempts = describe(batch, job)["attempts"]
    assert [attempt["container"].get("exitCode") for attempt in attempts] == [1, 0]


def test_job_fails_after_its_last_attempt(aws, submit):
    aws.fail_jobs(fault="spot", after_s=0.1)
    submit(["sh", "-c", "sleep 0.5; exit 7"], retryStrategy={"attempts": 2})
    (job,) = wait_until_ended(aws)
    assert (job.status, job.exit_code) == ("FAILED", 7)
    assert aws.faults() == [1]


def test_terminated_job_is_not_repeated(aws, batch, submit):
    job = submit(SLEEP, retryStrategy={"attempts": 2})
    wait_until_running(aws)
    batch.terminate_job(jobId=job, reason="Enough.")
    (ended,) = wait_until_ended(aws)
    assert (ended.status, ended.status_reason) == ("FAILED", "Enough.")


def test_reset_ends_jobs_that_would_be_repeated(aws, submit):
    submit(SLEEP, retryStrategy={"attempts": 2})
    wait_until_running(aws)
    aws.reset()
    submit(["true"])
    assert [job.status for job in wait_until_ended(aws)] == ["SUCCEEDED"]


def test_jobs_can_reach_all_services(aws, submit):
    submit(["sh", "-c", "echo $AWS_ENDPOINT_URL"])
    (job,) = wait_until_ended(aws)
    assert job.log.strip() == aws.url


# Requests --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [("500", "InternalError", 500), ("503", "SlowDown", 503), ("throttle", "SlowDown", 503)],
)
def test_fault_of_s3_request(fault, code, status, aws, s3):
    aws.fail_requests("s3", "PutObject", match="fits/", fault=fault)
    s3.put_object(Bucket=aws.bucket, Key="other/1", Body=b"1")
    with pytest.raises(exceptions.ClientError) as info:
        s3.put_object(Bucket=aws.bucket, Key="fits/1", Body=b"1")
    assert info.value.response["Error"]["Code"] == code
    assert info.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert aws.faults() == [1]
    assert aws.objects() == {"other/1": 1}


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        ("500", "ServerException", 500),
        ("503", "ServiceUnavailableException", 503),
        ("throttle", "TooManyRequestsException", 429),
    ],
)
def test_fault_of_batch_request(fault, code, status, aws, batch):
    aws.fail_requests("batch", "DescribeJobs", fault=fault, times=2, skip=1)
    batch.describe_jobs(jobs=["unknown"])
    for _ in range(2):
        with pytest.raises(exceptions.ClientError) as info:
            batch.describe_jobs(jobs=["unknown"])
        assert info.value.response["Error"]["Code"] == code
        assert info.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    batch.describe_jobs(jobs=["unknown"])
    assert aws.faults() == [2]
    assert aws.requests()["batch.DescribeJobs"] == 4


@pytest.mark.parametrize(("fault", "objects"), [("drop", {}), ("lost", {"a": 3})])
def test_dropped_request_has_no_response(fault, objects, aws, s3):
    aws.fail_requests("s3", fault=fault)
    with pytest.raises(exceptions.ConnectionClosedError):
        s3.put_object(Bucket=aws.bucket, Key="a", Body=b"abc")
    assert aws.objects() == objects
    assert aws.faults() == [1]


def test_client_that_retries_sees_no_fault(aws):
    aws.fail_requests("s3", "PutObject", fault="503")
    aws.client("s3").put_object(Bucket=aws.bucket, Key="a", Body=b"abc")
    assert aws.requests() == {"s3.PutObject": 2}
    assert aws.faults() == [1]


def test_requests_are_counted_by_operation(aws, s3, tmp_path):
    tmp_path.joinpath("large").write_bytes(bytes(9 << 20))
    s3.upload_file(str(tmp_path / "large"), aws.bucket, "large")
    s3.copy_object(Bucket=aws.bucket, Key="copy", CopySource=f"{aws.bucket}/large")
    s3.get_object(Bucket=aws.bucket, Key="copy", Range="bytes=0-9")["Body"].read()
    s3.head_object(Bucket=aws.bucket, Key="copy")
    s3.list_objects_v2(Bucket=aws.bucket)
    s3.delete_object(Bucket=aws.bucket, Key="copy")
    assert aws.objects() == {"large": 9 << 20}
    assert aws.requests() == {
        "s3.CreateMultipartUpload": 1,
        "s3.UploadPart": 2,
        "s3.CompleteMultipartUpload": 1,
        "s3.CopyObject": 1,
        "s3.GetObject": 1,
        "s3.HeadObject": 1,
        "s3.ListObjectsV2": 1,
        "s3.DeleteObject": 1,
    }
    traffic = aws.traffic()
    assert traffic["s3.UploadPart"].bytes_in == 9 << 20
    assert traffic["s3.GetObject"] == (1, 0, 10)


def test_requests_are_counted_by_url_and_user_agent(aws, s3):
    app = aws.client("s3", config=config.Config(user_agent_appid="mine"))
    app.put_object(Bucket=aws.bucket, Key="a b/1", Body=b"abc")
    app.list_objects_v2(Bucket=aws.bucket, Prefix="a b/")
    s3.put_object(Bucket=aws.bucket, Key="a b/2", Body=b"abcd")
    s3.put_object(Bucket=aws.bucket, Key="c/3", Body=b"abcde")
    assert aws.requests(url="/a b/") == {"s3.PutObject": 2}
    assert aws.requests(url="[/=]a b/", user_agent="app/mine") == {
        "s3.PutObject": 1,
        "s3.ListObjectsV2": 1,
    }
    assert aws.traffic(url="/c/") == {"s3.PutObject": (1, 5, 0)}
    assert aws.requests(user_agent="app/other") == {}


def test_only_one_of_several_conditional_writes_succeeds(aws, s3):
    def put(n):
        try:
            s3.put_object(Bucket=aws.bucket, Key="lock", Body=b"mine", IfNoneMatch="*")
        except exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(16)))
    assert sorted(map(str, answers)) == ["None"] + ["PreconditionFailed"] * 15


def test_large_object_is_unchanged_by_upload_and_download(aws, s3, tmp_path):
    content = os.urandom(1 << 20) * 33
    tmp_path.joinpath("up").write_bytes(content)
    s3.upload_file(str(tmp_path / "up"), aws.bucket, "large")
    s3.download_file(aws.bucket, "large", str(tmp_path / "down"))
    assert tmp_path.joinpath("down").read_bytes() == content
    assert aws.requests()["s3.GetObject"] == 5  # in ranges


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda aws: aws.fail_jobs(fault="flood"), "fault='flood' is not a fault of jobs. Known:"),
        (lambda aws: aws.fail_requests("s3", fault="x"), "fault='x' is not a fault of requests. "),
        (
            lambda aws: aws.fail_requests("ec2", fault="500"),
            "service='ec2' has no simulated faults",
        ),
    ],
)
def test_unknown_fault_raises(call, message, aws):
    with pytest.raises(ValueError, match=message):
        call(aws)


# The server ------------------------------------------------------------------------------------


def test_reset_removes_everything_and_ends_the_jobs(aws, s3, submit):
    submit(["sh", "-c", "sleep 60 & echo $!; wait"])
    wait_until_running(aws)
    aws.fail_requests("s3", fault="500")
    aws.reset()
    assert (aws.jobs(), aws.faults(), aws.objects()) == ([], [], {})
    assert aws.requests() == {}
    s3.put_object(Bucket=aws.bucket, Key="a", Body=b"abc")
    submit(["true"])
    assert [job.status for job in wait_until_ended(aws)] == ["SUCCEEDED"]
    assert list(aws.objects()) == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_server_and_jobs_end_when_the_owner_is_killed(tmp_path):
    pid_file = tmp_path / "pid"
    script = Script(SCRIPTS / "own_local_aws.py", arguments=[pid_file], cwd=tmp_path)
    try:
        script.wait_for(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
        pid = pid_file.read_text().strip()
        folder = os.readlink(f"/proc/{pid}/cwd")
        script.process.kill()
        script.finish(20)
        wait_for(lambda: not script.left_over() and not is_alive(pid))
        assert not os.path.exists(os.path.dirname(folder))
    finally:
        script.kill()


def test_server_and_clients_end_with_the_context():
    with LocalAWS() as aws:
        s3, folder = aws.client("s3", config=ONCE), aws.environment()["METAFLOW_HOME"]
        assert os.path.isdir(folder)
    with pytest.raises(exceptions.EndpointConnectionError):
        s3.list_buckets()
    with pytest.raises(RuntimeError, match="LocalAWS does not respond"):
        aws.jobs()
    assert not os.path.exists(folder)


def test_missing_moto_error_says_how_to_install_it(tmp_path, monkeypatch):
    tmp_path.joinpath("moto.py").write_text("raise ModuleNotFoundError('No module named moto')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ImportError, match=re.escape(INSTALL)), LocalAWS():
        pass


# Metaflow --------------------------------------------------------------------------------------


@pytest.fixture
def flow(aws, tmp_path):
    """Return a function that starts a command of a flow with a step on Batch."""
    user = {
        "METAFLOW_USER": "tester",
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path),
        "SECRET": "hush",
    }

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, str(SCRIPTS / "batch_flow.py"), *arguments],
            cwd=tmp_path,
            env={**os.environ, **aws.environment(), **user},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def test_step_runs_on_batch(aws, flow):
    output, _ = flow("run").communicate(timeout=120)
    assert "result 42 True None" in output
    (job,) = aws.jobs()
    assert job.name.startswith("tester-BatchFlow-")
    assert job.status == "SUCCEEDED", output
    assert aws.objects("metaflow/BatchFlow/")
    assert aws.requests()["batch.SubmitJob"] == 1


def test_metaflow_lists_and_kills_jobs(aws, flow):
    run = flow("run", "--sleep_s", "60")
    wait_until_running(aws, 1)
    (job,) = aws.jobs()
    assert f"{job.name} [{job.id}] (RUNNING)" in flow("batch", "list").communicate()[0]
    assert f"Killing AWS Batch job: {job.name}" in flow("batch", "kill").communicate()[0]
    run.communicate(timeout=60)
    assert run.returncode == 1
    (job,) = wait_until_ended(aws)
    assert (job.status, job.status_reason) == ("FAILED", "Metaflow initiated job termination.")
