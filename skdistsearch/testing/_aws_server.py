"""The server process of `LocalAWS`: moto's S3, IAM and Batch, with processes as jobs.

Run by its path as a script. Importing the package would take two seconds and 100 MB for
scikit-learn, so this module imports nothing from the package, and its neighbour `_step_functions`
as a module of the script's folder. It imports moto inside functions, because `LocalAWS` imports the
constants below.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from skdistsearch.testing._step_functions import StepFunctions

REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's account for unknown access keys
BUCKET = "local-aws"
QUEUE = "local-queue"
COMPUTE_ENVIRONMENT = "local-machine"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"
CONTROL = "/-/"  # not a valid name of a bucket

POLL_S = 0.02
LOG_TAIL = 4000  # characters of a job's output that are kept

_MARK = "LOCAL_AWS_CONTAINER"  # environment variable of all processes of a container

EXITED = "Essential container in task exited"


@dataclass(frozen=True)
class Ending:
    """End of a job, as DescribeJobs reports it."""

    exit_code: int | None
    status_reason: str = EXITED
    reason: str | None = None


JOB_FAULTS = {
    "spot": Ending(None, "Host EC2 (instance i-0123456789abcdef0) terminated."),
    "oom": Ending(137, EXITED, "OutOfMemoryError: Container killed due to memory usage"),
    "image": Ending(
        None,
        "Task failed to start",
        "CannotPullContainerError: pull access denied for local, repository does not exist",
    ),
}
REQUEST_FAULTS = {
    "s3": {
        "500": (500, "InternalError", "We encountered an internal error. Please try again."),
        "503": (503, "SlowDown", "Please reduce your request rate."),
        "throttle": (503, "SlowDown", "Please reduce your request rate."),
    },
    "batch": {
        "500": (500, "ServerException", "Internal server error."),
        "503": (503, "ServiceUnavailableException", "Service Unavailable"),
        "throttle": (429, "TooManyRequestsException", "Too Many Requests"),
    },
}


# Faults ----------------------------------------------------------------------------------------


@dataclass
class Fault:
    """A scripted fault, and how often it has occurred."""

    match: str
    kind: str
    times: int
    claimed: int = dataclasses.field(default=0, init=False)
    """Number of jobs or requests for which the fault is planned, or to which it has occurred."""
    occurred: int = dataclasses.field(default=0, init=False)
    """Number of jobs or requests to which it has occurred."""

    def matches(self, text: str) -> bool:
        """Return True if the fault is due for a job's name or a request's path."""
        return self.claimed < self.times and re.search(self.match, text) is not None


@dataclass
class JobFault(Fault):
    """A fault of jobs."""

    after_s: float

    @property
    def ending(self) -> Ending:
        """End of the job, as AWS reports it."""
        name, _, code = self.kind.partition(":")
        return Ending(int(code)) if name == "exit" else JOB_FAULTS[name]


@dataclass
class RequestFault(Fault):
    """A fault of requests."""

    service: str
    operation: str | None
    skip: int

    def hits(self, request: Request) -> bool:
        """Return True if the request fails. Counts down the matching requests to be skipped."""
        same_service = request.service == self.service
        same_operation = self.operation in (None, request.operation)
        if not (same_service and same_operation and self.matches(request.path)):
            return False
        self.skip -= 1
        return self.skip < 0


class FaultScript:
    """The scripted faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Append a fault."""
        self._faults.append(fault)

    def claim_for_job(self, name: str) -> JobFault | None:
        """Return the first fault that is due for a starting job, and count it as claimed."""
        with self._lock:
            for fault in self._faults:
                if isinstance(fault, JobFault) and fault.matches(name):
                    fault.claimed += 1
                    return fault
        return None

    def claim_for_request(self, request: Request) -> RequestFault | None:
        """Return the first fault that hits a request, and count it as occurred."""
        with self._lock:
            for fault in self._faults:
                if isinstance(fault, RequestFault) and fault.hits(request):
                    fault.claimed += 1
                    fault.occurred += 1
                    return fault
        return None

    def occurrences(self) -> list[int]:
        """Return how often each fault has occurred."""
        return [fault.occurred for fault in self._faults]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()


class TrafficLog:
    """The requests that were answered or dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Request, Counter[str]] = {}

    def add(self, request: Request, bytes_in: int, bytes_out: int) -> None:
        """Count a request."""
        with self._lock:
            counts = self._counts.setdefault(request, Counter())
            counts.update(requests=1, bytes_in=bytes_in, bytes_out=bytes_out)

    def by_operation(self, url: str, user_agent: str) -> dict[str, Counter[str]]:
        """Return the counts of each operation, for requests that match both expressions."""
        totals: dict[str, Counter[str]] = {}
        with self._lock:
            for request, counts in self._counts.items():
                if re.search(url, request.url) and re.search(user_agent, request.user_agent):
                    name = f"{request.service}.{request.operation}"
                    totals.setdefault(name, Counter()).update(counts)
        return totals

    def clear(self) -> None:
        """Remove all counts."""
        with self._lock:
            self._counts.clear()


# Jobs ------------------------------------------------------------------------------------------


class Container:
    """A process and all of its descendants, in a new folder, which is its home."""

    def __init__(self, command: list[str], environment: dict[str, str], parent: Path) -> None:
        self._folder = tempfile.mkdtemp(prefix="job-", dir=parent)
        self._log = tempfile.TemporaryFile(dir=parent)  # noqa: SIM115 - closed in _remove_files
        home = dict.fromkeys(("HOME", "TMPDIR", "PWD"), self._folder)
        self._mark = f"{_MARK}={secrets.token_hex(16)}"
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env={**home, **environment, **dict([self._mark.split("=")])},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            self._remove_files()
            raise
        self._start_s = time.monotonic()

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start_s

    def has_ended(self) -> bool:
        """Return True if the first process has ended; kill the rest of the group then."""
        if self._process.poll() is None:
            return False
        self._close()
        return True

    def terminate(self) -> None:
        """Send SIGTERM to the first process only, as in a real container."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill the whole group and, on Linux, its descendants in other groups."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        while pids := _processes_with(self._mark.encode()):  # which may start others
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until the first process has ended."""
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self.wall_s = self.age_s
        code = self._process.returncode
        self.exit_code = code if code >= 0 else 128 - code  # as Docker reports it
        self.kill()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - LOG_TAIL))
        self.log = self._log.read().decode(errors="replace")
        self._remove_files()

    def _remove_files(self) -> None:
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _processes_with(mark: bytes) -> list[int]:
    """Return the ids of living processes that inherited an environment variable, on Linux."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if mark in (folder / "environ").read_bytes():  # empty for a zombie
                found.append(int(folder.name))
    return found


class Job(Protocol):
    """A job of moto's, with the methods that `make_job_class` adds."""

    job_name: str
    status: str
    stop: bool
    job_stopped_reason: str | None
    wall_s: float | None
    log: str

    def command(self) -> list[str]:
        """Return the command of the container."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the container."""

    def report_start(self) -> None:
        """Set the status to RUNNING."""

    def report_end(self, ending: Ending, was_stopped: bool = False) -> None:
        """Set the status to SUCCEEDED or FAILED, or start the next attempt."""

    def _get_attempt_duration(self) -> int | None:
        """Return the time limit in seconds."""


class RunningJob:
    """A job whose container has started, with its scripted fault."""

    def __init__(self, job: Job, container: Container, fault: JobFault | None) -> None:
        self._job = job
        self.container = container
        self._fault = fault
        self._fault_ending: Ending | None = None
        self._stop_reason: str | None = None
        self._kill_at_s = float("inf")

    def apply_due_events(self, kill_after_s: float) -> None:
        """Apply what is due: the fault, a request to stop, or the end of the time limit."""
        age_s, limit_s = self.container.age_s, self._job._get_attempt_duration()
        if self._fault and age_s >= self._fault.after_s and self._fault_ending is None:
            self._fault_ending = self._fault.ending
            self.container.kill()
        if self._stop_reason is None:
            if self._job.stop:
                self._stop_reason = self._job.job_stopped_reason
            elif limit_s and age_s > limit_s:
                self._stop_reason = "Job attempt duration exceeded timeout"
            if self._stop_reason is not None:
                self.container.terminate()
                self._kill_at_s = age_s + kill_after_s
        if age_s > self._kill_at_s:
            self.container.kill()

    def report_end(self) -> None:
        """Report the end of the container as the end of the job."""
        if self._fault and self._fault_ending:
            self._fault.occurred += 1
        elif self._fault:
            self._fault.claimed -= 1  # the job ended before the fault was due; use another job
        self._job.wall_s, self._job.log = self.container.wall_s, self.container.log
        self._job.report_end(
            self._fault_ending or Ending(self.container.exit_code, self._stop_reason or EXITED),
            was_stopped=self._stop_reason is not None,
        )


class Host:
    """The machine on which the jobs of a queue run, ``slots`` at a time.

    One thread calls `advance` repeatedly. Threads that read or submit jobs must hold ``lock``:
    moto's dictionaries are not thread-safe.
    """

    def __init__(
        self,
        script: FaultScript,
        folder: Path,
        image: dict[str, str],
        slots: int,
        start_s: float,
        kill_after_s: float,
    ) -> None:
        self.lock = threading.RLock()
        self._script = script
        self._folder = folder
        self._image = image
        self._slots = slots
        self._start_s = start_s
        self._kill_after_s = kill_after_s
        self._waiting: deque[Job] = deque()
        self._starting: list[tuple[Job, float]] = []  # with the time at which they are ready
        self._running: list[RunningJob] = []

    def connect_jobs(self, url: str) -> None:
        """Let jobs reach all services at ``url``, as they do on AWS."""
        self._image = {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION, **self._image}

    def submit(self, job: Job) -> None:
        """Append a job to the queue."""
        with self.lock:
            job.status = "RUNNABLE"
            self._waiting.append(job)

    def advance(self) -> None:
        """Report jobs that have ended, apply due events, and start waiting jobs."""
        with self.lock:
            for running in list(self._running):
                if running.container.has_ended():
                    running.report_end()
                    self._running.remove(running)
                else:
                    running.apply_due_events(self._kill_after_s)
            self._remove_stopped()
            while self._waiting and len(self._starting) + len(self._running) < self._slots:
                job = self._waiting.popleft()
                job.status = "STARTING"
                self._starting.append((job, time.monotonic() + self._start_s))
            while self._starting and time.monotonic() >= self._starting[0][1]:
                self._start(self._starting.pop(0)[0])

    def _remove_stopped(self) -> None:
        """End the jobs that were stopped before they had a container."""
        stopped = [job for job in (*self._waiting, *(job for job, _ in self._starting)) if job.stop]
        self._waiting = deque(job for job in self._waiting if not job.stop)
        self._starting = [(job, ready_s) for job, ready_s in self._starting if not job.stop]
        for job in stopped:
            job.report_end(Ending(None, job.job_stopped_reason or ""))

    def kill_all(self) -> None:
        """Kill all jobs, and wait until they have ended."""
        with self.lock:
            for running in self._running:
                running.container.kill()
            for running in self._running:
                running.container.wait()
                running.report_end()
            self._running.clear()
            self._waiting.clear()  # after the ends, which start next attempts
            self._starting.clear()

    def _start(self, job: Job) -> None:
        fault = self._script.claim_for_job(job.job_name)
        if fault and fault.kind == "image":
            fault.occurred += 1
            job.report_end(fault.ending)
            return
        environment = {**self._image, **job.environment()}
        try:
            container = Container(job.command(), environment, self._folder)
        except OSError as error:
            reason = f"CannotStartContainerError: {error}"
            job.report_end(Ending(None, "Task failed to start", reason))
            return
        job.report_start()
        self._running.append(RunningJob(job, container, fault))


def make_job_class(host: Host) -> type:
    """Return a subclass of moto's job that runs on the host, not in a Docker container."""
    from moto.batch import models

    class HostJob(models.Job):  # type: ignore[misc]
        __module__ = models.__name__  # moto's metaclass derives the service from it
        reason: str | None = None
        wall_s: float | None = None
        log = ""
        max_attempts = 1
        attempt = 1

        def start(self) -> None:
            host.submit(self)

        def terminate(self, reason: str) -> None:
            if not self.job_stopped:  # moto would change the reason of a job that has ended
                super().terminate(reason)

        def command(self) -> list[str]:
            command = self._get_container_property("command", ["true"])
            return self._add_parameters_to_command(command)  # type: ignore[no-any-return]

        def environment(self) -> dict[str, str]:
            pairs = self._get_container_property("environment", [])
            return {
                **{pair["name"]: pair["value"] for pair in pairs},
                "AWS_BATCH_JOB_ATTEMPT": str(self.attempt),
                "AWS_BATCH_CE_NAME": COMPUTE_ENVIRONMENT,
                "AWS_BATCH_JQ_NAME": QUEUE,
                "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
            }

        def report_start(self) -> None:
            self.log_stream_name = self._stream_name
            self.job_started_at = models.datetime.now()
            self._start_attempt()
            self.status = "RUNNING"

        def report_end(self, ending: Ending, was_stopped: bool = False) -> None:
            self.exit_code, self.reason = ending.exit_code, ending.reason
            self.job_stopped_reason = ending.status_reason
            if self.latest_attempt:
                self.latest_attempt["statusReason"] = ending.status_reason
                self.latest_attempt["container"].update(self._outcome())
            success = ending.exit_code == 0 and not was_stopped
            if success or was_stopped or self.stop or self.attempt >= self.max_attempts:
                self._mark_stopped(success=success)
            else:
                self._start_next_attempt()

        def _start_next_attempt(self) -> None:
            self.job_stopped_at = models.datetime.now()
            self._stop_attempt()
            self.exit_code, self.reason, self.wall_s, self.log = None, None, None, ""
            self.latest_attempt = None
            self.attempt += 1
            host.submit(self)

        def describe_short(self) -> dict[str, Any]:
            return {**super().describe_short(), "container": self._outcome()}

        def describe(self) -> dict[str, Any]:
            description: dict[str, Any] = super().describe()
            description["container"] = {**description.get("container", {}), **self._outcome()}
            return description

        def _outcome(self) -> dict[str, Any]:
            """Return fields that Metaflow reads and that moto's DescribeJobs lacks."""
            fields = {"exitCode": self.exit_code, "reason": self.reason}
            return {name: value for name, value in fields.items() if value is not None}

        def _get_container_property(self, p: str, default: object) -> Any:
            if p != "environment":
                return super()._get_container_property(p, default)
            # moto's own method appends to the submitted list each time it is called.
            sources = (self.job_definition.container_properties, self.container_overrides)
            variables = {pair["name"]: pair["value"] for src in sources for pair in src.get(p, [])}
            variables["AWS_BATCH_JOB_ID"] = self.job_id
            return [{"name": name, "value": value} for name, value in variables.items()]

    return HostJob


def read_retry_strategy() -> None:
    """Let jobs know how often to try: moto ignores the ``retryStrategy`` of SubmitJob."""
    from moto.batch.responses import BatchResponse

    submit = BatchResponse.submitjob

    def submitjob(self: Any) -> str:
        response: str = submit(self)
        strategy = self._get_param("retryStrategy") or {}
        job = self.batch_backend._jobs[json.loads(response)["jobId"]]
        job.max_attempts = strategy.get("attempts", 1)
        return response

    BatchResponse.submitjob = submitjob


# Objects ---------------------------------------------------------------------------------------


def make_key_class() -> type:
    """Return a subclass of moto's S3 object that keeps its content as one `bytes` object.

    moto's own class keeps a temporary file and reads all of it for each range request. Clients
    fetch large objects in ranges of 8 MB, so 1 GB would be read 128 times. It also keeps the parts
    of an upload in addition to the complete object.
    """
    from moto.s3 import models

    class FakeKey(models.FakeKey):  # type: ignore[misc]
        __module__ = models.__name__

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if self.multipart:
                self.multipart.dispose()

        @property
        def value(self) -> bytes:
            if self.disposed:
                raise ValueError("the parts of a complete object cannot be read")
            return self._content

        @value.setter
        def value(self, content: bytes | str) -> None:
            self._content = content.encode() if isinstance(content, str) else bytes(content)
            self.contentsize = len(self._content)

        @property
        def etag(self) -> str:
            self._etag: str = self._etag or models.md5_hash(self._content).hexdigest()
            return f'"{self._etag}"'

        def dispose(self, garbage: bool = False) -> None:
            super().dispose(garbage)
            self._content = b""  # moto keeps references to all objects, also deleted ones

    return FakeKey


# Requests --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A request to one of the services."""

    service: str
    operation: str
    path: str
    url: str
    """Decoded path and query."""
    user_agent: str

    @classmethod
    def from_environ(cls, environ: WSGIEnvironment, batch_operations: dict[str, str]) -> Request:
        """Read service and operation from the signature, the method and the path."""
        path = environ["PATH_INFO"]
        signature = re.search(
            r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", _header(environ, "AUTHORIZATION")
        )
        service = signature[1] if signature else "s3"
        name = (_header(environ, "X_AMZ_TARGET") or path).replace("/", ".").rpartition(".")[2]
        query = unquote(environ.get("QUERY_STRING", ""))
        return cls(
            service,
            _s3_operation(environ) if service == "s3" else batch_operations.get(name, name),
            path,
            f"{path}?{query}" if query else path,
            _header(environ, "USER_AGENT"),
        )


def _s3_operation(environ: WSGIEnvironment) -> str:
    method = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    if "uploads" in query:
        return "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"
    if "uploadId" in query:
        parts = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "GET": "ListParts"}
        return parts.get(method, "AbortMultipartUpload")
    if key:
        is_copy = method == "PUT" and _header(environ, "X_AMZ_COPY_SOURCE")
        return "CopyObject" if is_copy else f"{method.capitalize()}Object"
    if method == "GET" and bucket:
        return "ListObjectsV2" if "list-type" in query else "ListObjects"
    if method == "POST" and "delete" in query:
        return "DeleteObjects"
    return {"GET": "ListBuckets", "PUT": "CreateBucket"}.get(method, f"{method.capitalize()}Bucket")


def _header(environ: WSGIEnvironment, name: str) -> str:
    return str(environ.get(f"HTTP_{name}", ""))


@dataclass(frozen=True)
class Response:
    """A response to a request."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    drop: bool = False
    """Close the connection without a response."""

    @classmethod
    def from_fault(cls, request: Request, kind: str) -> Response:
        """Return an error, formatted as the service does."""
        if kind in ("drop", "lost"):
            return cls("500 Dropped", [], b"", drop=True)
        code, name, message = REQUEST_FAULTS[request.service][kind]
        status = f"{code} {HTTPStatus(code).phrase}"
        if request.service == "s3":
            body = f"<Error><Code>{name}</Code><Message>{message}</Message></Error>"
            return cls(status, [("Content-Type", "application/xml")], body.encode())
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", name)]
        return cls(status, headers, json.dumps({"message": message}).encode())


class Gateway:
    """A WSGI application in front of moto's that counts requests and injects faults.

    It also answers the calls of `LocalAWS`.
    """

    def __init__(self, moto: Callable[..., Any], script: FaultScript, host: Host) -> None:
        self._moto = moto
        self._script = script
        self._traffic = TrafficLog()
        self.control = Control(script, self._traffic, host)
        self._batch_operations = _batch_operations()
        # moto's S3 is not atomic: reading an object while it is overwritten fails, and of two
        # requests with If-None-Match both succeed.
        self._locks = {"s3": threading.RLock(), "batch": host.lock}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Read the whole body first: a client that is still sending would mistake an early response
        # for a reset connection.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"].startswith(CONTROL):
            response = self.control.answer(environ["PATH_INFO"].removeprefix(CONTROL), body)
        else:
            environ["wsgi.input"] = io.BytesIO(body)
            response = self._serve(environ, len(body))
        if response.drop:
            environ["werkzeug.socket"].shutdown(2)
            return []
        start_response(response.status, response.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    def _serve(self, environ: WSGIEnvironment, bytes_in: int) -> Response:
        request = Request.from_environ(environ, self._batch_operations)
        fault = self._script.claim_for_request(request)
        if fault is None or fault.kind == "lost":
            with self._locks.get(request.service, contextlib.nullcontext()):
                response = self._call_moto(environ)
        if fault is not None:
            response = Response.from_fault(request, fault.kind)
        self._traffic.add(request, bytes_in, len(response.body))
        return response

    def _call_moto(self, environ: WSGIEnvironment) -> Response:
        head: list[Any] = []
        chunks = self._moto(environ, lambda *status_and_headers: head.extend(status_and_headers))
        try:
            return Response(head[0], head[1], b"".join(chunks))
        finally:
            chunks.close()


def _batch_operations() -> dict[str, str]:
    """Return the names of Batch's operations by the last part of their path, in lower case."""
    import botocore.session

    model = botocore.session.Session().get_service_model("batch")
    return {name.lower(): name for name in model.operation_names}


class Control:
    """Methods that `LocalAWS` calls by name."""

    def __init__(self, script: FaultScript, traffic: TrafficLog, host: Host) -> None:
        self._script = script
        self._traffic = traffic
        self._host = host
        self.step_functions: StepFunctions | None = None

    def answer(self, method: str, body: bytes) -> Response:
        """Call a method with keyword arguments in JSON; return its result, or a traceback."""
        headers = [("Content-Type", "application/json")]
        try:
            result = getattr(self, method)(**json.loads(body))
            return Response("200 OK", headers, json.dumps(result).encode())
        except Exception:
            return Response("500 Failed", headers, json.dumps(traceback.format_exc()).encode())

    def fail_jobs(self, **options: Any) -> None:
        self._script.add(JobFault(**options))

    def fail_requests(self, **options: Any) -> None:
        self._script.add(RequestFault(**options))

    def faults(self) -> list[int]:
        return self._script.occurrences()

    def traffic(self, **filters: str) -> dict[str, Counter[str]]:
        return self._traffic.by_operation(**filters)

    def jobs(self) -> list[dict[str, Any]]:
        with self._host.lock:
            return [
                {
                    "id": job.job_id,
                    "name": job.job_name,
                    "status": job.status,
                    "status_reason": job.job_stopped_reason,
                    "reason": job.reason,
                    "exit_code": job.exit_code,
                    "wall_s": job.wall_s,
                    "log": job.log,
                }
                for job in _batch()._jobs.values()
            ]

    def objects(self, prefix: str) -> dict[str, int]:
        keys = _s3().buckets[BUCKET].keys
        return {name: key.size for name, key in keys.items() if name.startswith(prefix)}

    def reset(self) -> None:
        with self._host.lock:
            self._host.kill_all()
            self._script.clear()
            _batch().reset()
            _s3().reset()
            create_account()
        if self.step_functions is not None:
            self.step_functions.reset()
        self._traffic.clear()


# The account -----------------------------------------------------------------------------------


def _batch() -> Any:
    from moto.batch.models import batch_backends

    return batch_backends[ACCOUNT][REGION]


def _s3() -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[ACCOUNT]["aws"]


def create_account() -> None:
    """Create a bucket, and a job queue with a compute environment."""
    from moto.batch.models import ComputeEnvironment

    _s3().create_bucket(BUCKET, REGION)
    batch = _batch()
    # Not through the API, which would also require a network and roles.
    environment = ComputeEnvironment(
        COMPUTE_ENVIRONMENT,
        "MANAGED",
        "ENABLED",
        {"type": "SPOT", "maxvCpus": 256},
        ROLE,
        account_id=ACCOUNT,
        region_name=REGION,
    )
    environment.set_ecs(f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/local", "local")
    batch._compute_environments[environment.arn] = environment
    order = [{"order": 1, "computeEnvironment": COMPUTE_ENVIRONMENT}]
    batch.create_job_queue(QUEUE, 1, None, "ENABLED", order)


def start_server(script: FaultScript, host: Host, has_step_functions: bool) -> int:
    """Start the server in a thread; return its port."""
    import logging

    import moto.batch.models
    import moto.s3.models
    from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # moto looks up these classes as globals of the modules.
    moto.batch.models.Job = make_job_class(host)
    moto.s3.models.FakeKey = make_key_class()
    read_retry_strategy()
    create_account()
    gateway = Gateway(DomainDispatcherApplication(create_backend_app), script, host)
    handler = MotoRequestHandler
    server = make_server("127.0.0.1", 0, gateway, threaded=True, request_handler=handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host.connect_jobs(f"http://127.0.0.1:{server.port}")
    if has_step_functions:
        from _step_functions import StepFunctions  # type: ignore[import-not-found]

        gateway.control.step_functions = StepFunctions(server.port, ACCOUNT, REGION)
    return int(server.port)


def main(owner: int, step_functions: bool, **options: Any) -> None:
    """Serve until SIGTERM, or until the owner, the process that started this one, has ended."""
    received: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    folder = Path(tempfile.mkdtemp(prefix="local-aws-"))
    script = FaultScript()
    host = Host(script, folder, **options)
    try:
        address = {"port": start_server(script, host, step_functions), "folder": str(folder)}
        sys.stdout.write(json.dumps(address) + "\n")
        sys.stdout.flush()
        while not received and os.getppid() == owner:  # an orphan has another parent
            host.advance()
            time.sleep(POLL_S)
    finally:
        host.kill_all()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
