"""The server of `LocalAWS`: moto's S3, IAM and Batch, with jobs that are processes.

It is run by path, as a script: importing the package would cost it scikit-learn's two seconds
and 100 MB. That is also why it imports nothing of the package, and moto only where it is used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
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
from typing import Any
from urllib.parse import parse_qs, unquote

REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's own: what unknown access keys belong to
BUCKET = "local-aws"
QUEUE = "local-queue"
COMPUTE_ENVIRONMENT = "local-machine"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"
CONTROL = "/-/"  # no bucket may be called so

TICK_S = 0.02
LOG_TAIL = 4000  # characters of a job's output that are kept

EXITED = "Essential container in task exited"


@dataclass(frozen=True)
class Ending:
    """What DescribeJobs says of a job that has ended."""

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


@dataclass
class Rule:
    """A scripted fault, and how often it was met."""

    match: str
    fault: str
    times: int
    taken: int = dataclasses.field(default=0, init=False)
    delivered: int = dataclasses.field(default=0, init=False)

    def takes(self, text: str) -> bool:
        """Whether the fault is to happen to what is called ``text``."""
        return self.taken < self.times and re.search(self.match, text) is not None


@dataclass
class JobRule(Rule):
    """A fault of jobs."""

    after_s: float

    @property
    def ending(self) -> Ending:
        """What is to be reported of the job."""
        kind, _, code = self.fault.partition(":")
        return Ending(int(code)) if kind == "exit" else JOB_FAULTS[kind]


@dataclass
class RequestRule(Rule):
    """A fault of requests."""

    service: str
    operation: str | None
    skip: int

    def meets(self, request: Request) -> bool:
        """Whether the fault is to happen to this request, which counts if it was to be skipped."""
        asked = self.service == request.service and self.operation in (None, request.operation)
        if not asked or not self.takes(request.path):
            return False
        self.skip -= 1
        return self.skip < 0


class Script:
    """The scripted faults, in the order in which they were made, and the requests so far."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rules: list[Rule] = []
        self._traffic: dict[Request, Counter[str]] = {}

    def rule_for_job(self, name: str) -> JobRule | None:
        """Take a fault for the job that is to start."""
        with self.lock:
            for rule in self.rules:
                if isinstance(rule, JobRule) and rule.takes(name):
                    rule.taken += 1
                    return rule
        return None

    def rule_for_request(self, request: Request) -> RequestRule | None:
        """Take a fault for the request that has come."""
        with self.lock:
            for rule in self.rules:
                if isinstance(rule, RequestRule) and rule.meets(request):
                    rule.taken += 1
                    rule.delivered += 1
                    return rule
        return None

    def count(self, request: Request, bytes_in: int, bytes_out: int) -> None:
        """Note a request that was answered, or dropped."""
        with self.lock:
            row = self._traffic.setdefault(request, Counter())
            row.update(requests=1, bytes_in=bytes_in, bytes_out=bytes_out)

    def traffic(self, url: str, user_agent: str) -> dict[str, Counter[str]]:
        """Return the counts of each operation, for requests that match both expressions."""
        totals: dict[str, Counter[str]] = {}
        with self.lock:
            for request, counts in self._traffic.items():
                if re.search(url, request.url) and re.search(user_agent, request.user_agent):
                    total = totals.setdefault(f"{request.service}.{request.operation}", Counter())
                    total.update(counts)
        return totals

    def clear(self) -> None:
        """Forget all of it."""
        with self.lock:
            self.rules.clear()
            self._traffic.clear()


# Jobs ------------------------------------------------------------------------------------------


class Container:
    """A process group in a fresh folder that it believes to be its home."""

    def __init__(self, command: list[str], environment: dict[str, str], parent: Path) -> None:
        self._folder = tempfile.mkdtemp(prefix="job-", dir=parent)
        self._log = tempfile.TemporaryFile(dir=parent)  # noqa: SIM115 - see _remove
        homes = dict.fromkeys(("HOME", "TMPDIR", "PWD"), self._folder)
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env={**homes, **environment},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            self._remove()
            raise
        self._begin = time.monotonic()

    @property
    def age_s(self) -> float:
        """For how long it has run."""
        return time.monotonic() - self._begin

    def ended(self) -> bool:
        """Whether the process has ended; if so, the rest of its group has as well."""
        if self._process.poll() is None:
            return False
        self._close()
        return True

    def terminate(self) -> None:
        """Ask the first process to end, and no other: a container has it so."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Return when it has ended."""
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self.wall_s = self.age_s
        code = self._process.returncode
        self.exit_code = code if code >= 0 else 128 - code  # as Docker has it
        self.kill()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - LOG_TAIL))
        self.log = self._log.read().decode(errors="replace")
        self._remove()

    def _remove(self) -> None:
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Running:
    """A job whose container was started: what is to happen to it, and what did."""

    def __init__(self, job: Any, container: Container, rule: JobRule | None) -> None:
        self.job = job
        self.container = container
        self._rule = rule
        self._fate: Ending | None = None
        self._stop_reason: str | None = None
        self._kill_at_s = float("inf")

    def deliver(self, kill_after_s: float) -> None:
        """What is due: the fault, a request to stop, the end of the allowed time."""
        age_s, limit_s = self.container.age_s, self.job._get_attempt_duration()
        if self._rule and age_s >= self._rule.after_s and self._fate is None:
            self._fate = self._rule.ending
            self.container.kill()
        if self._stop_reason is None:
            if self.job.stop:
                self._stop_reason = self.job.job_stopped_reason
            elif limit_s and age_s > limit_s:
                self._stop_reason = "Job attempt duration exceeded timeout"
            if self._stop_reason is not None:
                self.container.terminate()
                self._kill_at_s = age_s + kill_after_s
        if age_s > self._kill_at_s:
            self.container.kill()

    def finish(self) -> None:
        """Report the end of the container as the job's."""
        if self._rule and self._fate:
            self._rule.delivered += 1
        elif self._rule:
            self._rule.taken -= 1  # it ended too soon: another job may have the fault
        self.job.wall_s, self.job.log = self.container.wall_s, self.container.log
        self.job.end(
            self._fate or Ending(self.container.exit_code, self._stop_reason or EXITED),
            stopped=self._stop_reason is not None,
        )


class Host:
    """The machine that a queue's jobs run on, ``slots`` at a time.

    One thread calls `advance` forever, and whoever reads or submits jobs holds `lock`: in moto
    each job is a thread, and dictionaries change while others read them.
    """

    def __init__(
        self, script: Script, folder: Path, image: dict[str, str], slots: int, kill_after_s: float
    ) -> None:
        self.lock = threading.RLock()
        self._script = script
        self._folder = folder
        self._image = image
        self._slots = slots
        self._kill_after_s = kill_after_s
        self._waiting: deque[Any] = deque()
        self._running: list[Running] = []

    def submit(self, job: Any) -> None:
        """Let a job wait for its turn."""
        with self.lock:
            job.status = "RUNNABLE"
            self._waiting.append(job)

    def advance(self) -> None:
        """Report who has ended, deliver what is due, start who may."""
        with self.lock:
            for running in list(self._running):
                if running.container.ended():
                    running.finish()
                    self._running.remove(running)
                else:
                    running.deliver(self._kill_after_s)
            for job in [job for job in self._waiting if job.stop]:
                self._waiting.remove(job)
                job.end(Ending(None, job.job_stopped_reason))
            while self._waiting and len(self._running) < self._slots:
                self._start(self._waiting.popleft())

    def kill_all(self) -> None:
        """End all jobs at once, and wait until they have ended."""
        with self.lock:
            self._waiting.clear()
            for running in self._running:
                running.container.kill()
            for running in self._running:
                running.container.wait()
                running.finish()
            self._running.clear()

    def _start(self, job: Any) -> None:
        job.status = "STARTING"
        rule = self._script.rule_for_job(job.job_name)
        if rule and rule.fault == "image":
            rule.delivered += 1
            job.end(rule.ending)
            return
        environment = {**self._image, **job.environment()}
        try:
            container = Container(job.command(), environment, self._folder)
        except OSError as error:
            reason = f"CannotStartContainerError: {error}"
            job.end(Ending(None, "Task failed to start", reason))
            return
        job.began()
        self._running.append(Running(job, container, rule))


def job_class(host: Host) -> Any:
    """Moto's job, which is a thread with a Docker container, as a job of the host."""
    from moto.batch import models

    class Job(models.Job):  # type: ignore[misc]
        __module__ = models.__name__  # moto's metaclass finds the service in it
        reason: str | None = None
        wall_s: float | None = None
        log = ""

        def start(self) -> None:
            host.submit(self)

        def terminate(self, reason: str) -> None:
            if not self.job_stopped:  # moto would change the reason of one that has ended
                super().terminate(reason)

        def command(self) -> list[str]:
            command = self._get_container_property("command", ["true"])
            return self._add_parameters_to_command(command)  # type: ignore[no-any-return]

        def environment(self) -> dict[str, str]:
            pairs = self._get_container_property("environment", [])
            return {
                **{pair["name"]: pair["value"] for pair in pairs},
                "AWS_BATCH_JOB_ATTEMPT": "1",
                "AWS_BATCH_CE_NAME": COMPUTE_ENVIRONMENT,
                "AWS_BATCH_JQ_NAME": QUEUE,
                "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
            }

        def began(self) -> None:
            self.log_stream_name = self._stream_name
            self.job_started_at = models.datetime.now()
            self._start_attempt()
            self.status = "RUNNING"

        def end(self, ending: Ending, stopped: bool = False) -> None:
            self.exit_code, self.reason = ending.exit_code, ending.reason
            self.job_stopped_reason = ending.status_reason
            if self.latest_attempt:
                self.latest_attempt["statusReason"] = ending.status_reason
                self.latest_attempt["container"].update(self._outcome())
            self._mark_stopped(success=ending.exit_code == 0 and not stopped)

        def describe_short(self) -> dict[str, Any]:
            return {**super().describe_short(), "container": self._outcome()}

        def describe(self) -> dict[str, Any]:
            found: dict[str, Any] = super().describe()
            found["container"] = {**found.get("container", {}), **self._outcome()}
            return found

        def _outcome(self) -> dict[str, Any]:
            """What moto leaves out of DescribeJobs, and Metaflow reads."""
            found = {"exitCode": self.exit_code, "reason": self.reason}
            return {name: value for name, value in found.items() if value is not None}

        def _get_container_property(self, p: str, default: Any) -> Any:
            if p != "environment":
                return super()._get_container_property(p, default)
            # moto appends to the list that was submitted, each time that it is asked.
            places = (self.job_definition.container_properties, self.container_overrides)
            found = {pair["name"]: pair["value"] for place in places for pair in place.get(p, [])}
            found["AWS_BATCH_JOB_ID"] = self.job_id
            return [{"name": name, "value": value} for name, value in found.items()]

    return Job


# Objects ---------------------------------------------------------------------------------------


def key_class() -> Any:
    """Moto's object of S3, kept as one `bytes` until it is overwritten or deleted.

    Its own keeps a temporary file and reads all of it for each request of a range: clients fetch
    large objects in ranges of 8 MB, so that 1 GB would be read 128 times. It also keeps the parts
    of an upload beside the whole.
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
                raise ValueError("parts of an object cannot be read once it is complete")
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
            self._content = b""  # moto lists all objects that ever were

    return FakeKey


# Requests --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """Which operation of which service is asked for."""

    service: str
    operation: str
    path: str
    url: str
    user_agent: str

    @classmethod
    def from_environ(cls, environ: dict[str, Any], batch_operations: dict[str, str]) -> Request:
        """Read from the signature, the method and the path."""
        path = environ["PATH_INFO"]
        signed = re.search(
            r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", _header(environ, "AUTHORIZATION")
        )
        service = signed[1] if signed else "s3"
        last = path.rpartition("/")[2]
        query = unquote(environ.get("QUERY_STRING", ""))
        return cls(
            service,
            _s3_operation(environ) if service == "s3" else batch_operations.get(last, last),
            path,
            f"{path}?{query}" if query else path,
            _header(environ, "USER_AGENT"),
        )


def _s3_operation(environ: dict[str, Any]) -> str:
    method = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    if "uploads" in query:
        return "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"
    if "uploadId" in query:
        parts = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "GET": "ListParts"}
        return parts.get(method, "AbortMultipartUpload")
    if key:
        copies = method == "PUT" and _header(environ, "X_AMZ_COPY_SOURCE")
        return "CopyObject" if copies else f"{method.capitalize()}Object"
    if method == "GET" and bucket:
        return "ListObjectsV2" if "list-type" in query else "ListObjects"
    if method == "POST" and "delete" in query:
        return "DeleteObjects"
    return {"GET": "ListBuckets", "PUT": "CreateBucket"}.get(method, f"{method.capitalize()}Bucket")


def _header(environ: dict[str, Any], name: str) -> str:
    return str(environ.get(f"HTTP_{name}", ""))


@dataclass(frozen=True)
class Response:
    """What is sent back; a ``drop`` is nothing at all."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    drop: bool = False

    @classmethod
    def of_fault(cls, request: Request, fault: str) -> Response:
        """An error, in the words of the service."""
        if fault in ("drop", "lost"):
            return cls("500 Dropped", [], b"", drop=True)
        code, name, message = REQUEST_FAULTS[request.service][fault]
        status = f"{code} {HTTPStatus(code).phrase}"
        if request.service == "s3":
            body = f"<Error><Code>{name}</Code><Message>{message}</Message></Error>"
            return cls(status, [("Content-Type", "application/xml")], body.encode())
        kind = [("Content-Type", "application/json"), ("x-amzn-ErrorType", name)]
        return cls(status, kind, json.dumps({"message": message}).encode())


class Gate:
    """A WSGI application before moto's: it counts, injects faults, and serves `LocalAWS`."""

    def __init__(self, moto: Callable[..., Any], script: Script, host: Host) -> None:
        self._moto = moto
        self._script = script
        self._control = Control(script, host)
        self._batch_operations = _batch_operations()
        # moto's S3 is not atomic: a read beside an overwrite fails, two If-None-Match both pass.
        self._locks = {"s3": threading.RLock(), "batch": host.lock}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # All of the body first: a client that still sends would take an answer for a reset.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"].startswith(CONTROL):
            response = self._control.answer(environ["PATH_INFO"].removeprefix(CONTROL), body)
        else:
            environ["wsgi.input"] = io.BytesIO(body)
            response = self._serve(environ, len(body))
        if response.drop:
            environ["werkzeug.socket"].shutdown(2)
            return []
        start_response(response.status, response.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    def _serve(self, environ: dict[str, Any], bytes_in: int) -> Response:
        request = Request.from_environ(environ, self._batch_operations)
        rule = self._script.rule_for_request(request)
        if rule is None or rule.fault == "lost":
            with self._locks.get(request.service, contextlib.nullcontext()):
                response = self._ask_moto(environ)
        if rule is not None:
            response = Response.of_fault(request, rule.fault)
        self._script.count(request, bytes_in, len(response.body))
        return response

    def _ask_moto(self, environ: dict[str, Any]) -> Response:
        head: list[Any] = []
        chunks = self._moto(environ, lambda *status_and_headers: head.extend(status_and_headers))
        try:
            return Response(head[0], head[1], b"".join(chunks))
        finally:
            chunks.close()


def _batch_operations() -> dict[str, str]:
    """From the last part of the path, which is lower case, to the name."""
    import botocore.session

    model = botocore.session.Session().get_service_model("batch")
    return {name.lower(): name for name in model.operation_names}


class Control:
    """What `LocalAWS` may ask for: each public method is a verb."""

    def __init__(self, script: Script, host: Host) -> None:
        self._script = script
        self._host = host

    def answer(self, verb: str, body: bytes) -> Response:
        """Of a call by name, with keyword arguments in JSON."""
        kind = [("Content-Type", "application/json")]
        try:
            found = getattr(self, verb)(**json.loads(body))
            return Response("200 OK", kind, json.dumps(found).encode())
        except Exception:
            return Response("500 Failed", kind, json.dumps(traceback.format_exc()).encode())

    def fail_jobs(self, **options: Any) -> None:
        self._script.rules.append(JobRule(**options))

    def fail_requests(self, **options: Any) -> None:
        self._script.rules.append(RequestRule(**options))

    def faults(self) -> list[int]:
        return [rule.delivered for rule in self._script.rules]

    def traffic(self, **filters: str) -> dict[str, Counter[str]]:
        return self._script.traffic(**filters)

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
            set_up()


# The account -----------------------------------------------------------------------------------


def _batch() -> Any:
    from moto.batch.models import batch_backends

    return batch_backends[ACCOUNT][REGION]


def _s3() -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[ACCOUNT]["aws"]


def set_up() -> None:
    """A bucket, and a queue with a compute environment."""
    from moto.batch.models import ComputeEnvironment

    _s3().create_bucket(BUCKET, REGION)
    batch = _batch()
    # Not through the API, which would also want a network and roles.
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


def serve(script: Script, host: Host) -> int:
    """Start the server; its port."""
    import logging

    import moto.batch.models
    import moto.s3.models
    from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # moto looks them up as globals of these modules.
    moto.batch.models.Job = job_class(host)
    moto.s3.models.FakeKey = key_class()
    set_up()
    gate = Gate(DomainDispatcherApplication(create_backend_app), script, host)
    handler = MotoRequestHandler
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.port)


def main(owner: int, **options: Any) -> None:
    """Serve until SIGTERM, or until the process that started this one is gone."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    folder = Path(tempfile.mkdtemp(prefix="local-aws-"))
    script = Script()
    host = Host(script, folder, **options)
    try:
        sys.stdout.write(json.dumps({"port": serve(script, host), "folder": str(folder)}) + "\n")
        sys.stdout.flush()
        while not asked and os.getppid() == owner:  # an orphan has another parent
            host.advance()
            time.sleep(TICK_S)
    finally:
        host.kill_all()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
