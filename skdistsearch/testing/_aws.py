"""AWS on loopback: real S3 and Batch APIs, whose jobs are processes of this machine."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from skdistsearch.testing._aws_server import BUCKET, CONTROL, JOB_FAULTS, QUEUE, REGION, ROLE

INSTALL = 'pip install "moto[batch,iam,s3,server]"'
SERVER = Path(__file__).with_name("_aws_server.py")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class BatchJob:
    """A job of AWS Batch, as DescribeJobs reports it, and what it took."""

    id: str
    name: str
    #: SUBMITTED, RUNNABLE, STARTING, RUNNING, SUCCEEDED or FAILED.
    status: str
    #: Why it is in this status.
    status_reason: str | None
    #: What ended the container, if it did not end by itself.
    reason: str | None
    #: None while it runs, if it never started, and if its host is gone.
    exit_code: int | None
    #: From RUNNING to the end, in seconds; None before the end.
    wall_s: float | None
    #: The end of what it wrote to stdout and stderr; empty before the end.
    log: str

    @property
    def live(self) -> bool:
        """Whether it has yet to end."""
        return self.status not in ("SUCCEEDED", "FAILED")


class Traffic(NamedTuple):
    """The requests of one operation so far; bytes are those of the bodies."""

    requests: int
    bytes_in: int
    bytes_out: int


class LocalAWS:
    """S3 and AWS Batch on 127.0.0.1, for tests and benchmarks: a context manager.

    The protocols are moto's. Each job of Batch is a process group of this machine, in a fresh
    folder (its HOME, its TMPDIR and where it starts) that is removed at its end, and sees the
    environment of the "image" and of its definition, nothing of yours. An unmodified
    ``python flow.py run --with batch`` works, as do ``batch list`` and ``batch kill``.

    The server is a process of its own. It shares neither memory nor the interpreter's lock with
    what is tested, outlives a driver under test that is killed, and ends, with all jobs, when
    the process that entered the context ends, by whatever signal.

    Parameters
    ----------
    slots : int, default=4
        How many jobs run at the same time; the others wait, RUNNABLE, in order.
    image_path : str or None, default=None
        PATH in the jobs' "image". None stands for the folder of this interpreter, then
        ``/usr/local/bin:/usr/bin:/bin``. Metaflow's jobs call ``python``, which must have boto3
        and requests.
    image_environment : dict of str or None, default=None
        What else a job finds in its environment, whatever its definition says.
    kill_after_s : float, default=3.0
        Between SIGTERM and SIGKILL, when a job is terminated or exceeds its time; 30 in AWS.
        As there, SIGTERM reaches the first process only, SIGKILL the whole group.

    Attributes
    ----------
    url : str
        Where all services are served.
    bucket : str
        The name of the bucket that is there.
    queue : str
        The name of the job queue that is there; its compute environment is one of spot machines.

    Raises
    ------
    ImportError
        When it is entered and moto is not installed.

    Notes
    -----
    To enter costs 2.3 s (moto's imports), to leave 0.4 s, `reset` 5 ms: let many tests share one.
    A request costs some 10 ms, a job 50 ms, a task of Metaflow in it some 4 s.

    Objects are kept in memory. To upload 1 GB takes some 20 s and, for a moment, 3.4 GB; to
    download it some 5 s.

    Not simulated: attempts that Batch itself repeats (``retryStrategy``; Metaflow repeats by
    itself), dependencies of jobs, jobs of several nodes, limits of memory and CPU, CloudWatch.

    Examples
    --------
    .. code-block:: python

        with LocalAWS(slots=2) as aws:
            aws.fail_jobs(match="-fit-", fault="spot", times=1)
            env = {**os.environ, **aws.environment()}
            subprocess.run([sys.executable, "flow.py", "run", "--with", "batch"], env=env)
            assert aws.faults() == [1]
    """

    bucket = BUCKET
    queue = QUEUE

    def __init__(
        self,
        slots: int = 4,
        *,
        image_path: str | None = None,
        image_environment: dict[str, str] | None = None,
        kill_after_s: float = 3.0,
    ) -> None:
        self.slots = slots
        self.image_path = image_path
        self.image_environment = image_environment
        self.kill_after_s = kill_after_s

    def __enter__(self) -> LocalAWS:
        options = {
            "owner": os.getpid(),
            "slots": self.slots,
            "kill_after_s": self.kill_after_s,
            "image": self._image(),
        }
        # A user's settings are for the real AWS, or for another moto.
        foreign = ("AWS_", "MOTO_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        environment["MALLOC_MMAP_THRESHOLD_"] = "1048576"  # else glibc keeps what objects took
        self._log = tempfile.TemporaryFile(mode="w+")
        self._server = subprocess.Popen(
            [sys.executable, str(SERVER), json.dumps(options)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests, which then leave the context
        )
        self._clients: list[Any] = []
        try:
            self._meet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        for client in self._clients:
            client.close()
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()
        self._log.close()

    def _image(self) -> dict[str, str]:
        folder = os.path.dirname(sys.executable)
        return {
            "PATH": self.image_path or f"{folder}:/usr/local/bin:/usr/bin:/bin",
            "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1",  # Metaflow would run pip in each job
            **CREDENTIALS,
            **(self.image_environment or {}),
        }

    def _meet(self) -> None:
        """Wait until the server serves."""
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            self._server.wait()
            said = self._said()
            if "ModuleNotFoundError" in said:
                raise ImportError(f"LocalAWS needs moto: {INSTALL} ({said.splitlines()[-1]})")
            raise RuntimeError(f"The server of LocalAWS did not start. It said:\n{said}")
        hello = json.loads(line)
        self._port = hello["port"]
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder = Path(hello["folder"])
        self._folder.joinpath("config").write_text(f"[default]\nregion = {REGION}\n")

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def environment(self) -> dict[str, str]:
        """All variables by which Metaflow and boto3 find these services, and no others."""
        nothing = str(self._folder)
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            # Instead of the user's; AWS_PROFILE would name a profile in them.
            "AWS_CONFIG_FILE": str(self._folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PROFILE": "default",
            "NO_PROXY": "127.0.0.1",
            "METAFLOW_HOME": nothing,
            "METAFLOW_PROFILE": "",
            "METAFLOW_DEFAULT_DATASTORE": "s3",
            "METAFLOW_DEFAULT_METADATA": "local",
            "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{self.bucket}/metaflow",
            "METAFLOW_S3_ENDPOINT_URL": self.url,  # Metaflow gives this one to its jobs
            "METAFLOW_BATCH_JOB_QUEUE": self.queue,
            "METAFLOW_ECS_S3_ACCESS_IAM_ROLE": ROLE,  # Metaflow insists on one
        }

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client, which is closed with the context.

        Parameters
        ----------
        service : str
            As in boto3: ``"s3"``, ``"batch"``.
        **options
            For boto3, such as ``config=botocore.config.Config(retries={"total_max_attempts": 1})``
            to see a fault that boto3 would hide by asking again.
        """
        import boto3

        session = boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        self._clients.append(session.client(service, endpoint_url=self.url, **options))
        return self._clients[-1]

    def fail_jobs(
        self, match: str = "", *, fault: str, times: int = 1, after_s: float = 0.5
    ) -> None:
        """Let jobs of Batch fail, reported as AWS reports it.

        Parameters
        ----------
        match : str, default=""
            A regular expression that is searched in the name of a job that is to start.
        fault : {"spot", "oom", "image", "exit:N"}
            The machine is reclaimed: killed, no exit code; memory runs out: killed, exit code
            137; the image cannot be pulled: never started; killed, with N as the exit code.
        times : int, default=1
            How many jobs it happens to. One that ends before its fault is due does not count.
        after_s : float, default=0.5
            For how long the job is RUNNING before; no matter for ``"image"``.
        """
        if fault not in JOB_FAULTS and not re.fullmatch(r"exit:\d+", fault):
            raise ValueError(f"{fault=} is no fault of jobs. Known: spot, oom, image, exit:N")
        self._ask("fail_jobs", match=match, fault=fault, times=times, after_s=after_s)

    def fail_requests(
        self,
        service: str,
        operation: str | None = None,
        *,
        fault: str,
        match: str = "",
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Let requests fail.

        Parameters
        ----------
        service : {"s3", "batch"}
            Whose requests.
        operation : str or None, default=None
            As in the API: ``"PutObject"``, ``"SubmitJob"``; None stands for all of them.
        fault : {"500", "503", "throttle", "drop", "lost"}
            An internal error; an overload, which S3 calls SlowDown; too many requests, which S3
            calls so as well; no answer and nothing done; no answer although it was done.
        match : str, default=""
            A regular expression that is searched in the path of the URL: ``/bucket/key``.
        times : int, default=1
            How many requests it happens to. A client asks again by itself: boto3 five times.
        skip : int, default=0
            How many such requests go well before.
        """
        faults = ("500", "503", "throttle", "drop", "lost")
        if fault not in faults:
            raise ValueError(f"{fault=} is no fault of requests. Known: {', '.join(faults)}")
        if service not in ("s3", "batch"):
            raise ValueError(f"{service=} has no faults. Known: s3, batch")
        options = {"service": service, "operation": operation, "skip": skip}
        self._ask("fail_requests", match=match, fault=fault, times=times, **options)

    def faults(self) -> list[int]:
        """How often each fault has happened, in the order in which they were scripted."""
        return list(self._ask("faults"))

    def jobs(self) -> list[BatchJob]:
        """All jobs, in the order in which they were submitted."""
        return [BatchJob(**job) for job in self._ask("jobs")]

    def live_jobs(self) -> list[BatchJob]:
        """The jobs that have yet to end."""
        return [job for job in self.jobs() if job.live]

    def requests(self, *, url: str = "", user_agent: str = "") -> Counter[str]:
        """Count the requests of each operation, such as ``"s3.PutObject"``.

        Failed requests count, and so do those of `client`. See `traffic` for the parameters.
        """
        rows = self.traffic(url=url, user_agent=user_agent)
        return Counter({name: row.requests for name, row in rows.items()})

    def traffic(self, *, url: str = "", user_agent: str = "") -> dict[str, Traffic]:
        """Return the requests of each operation, with the bytes received and sent.

        Parameters
        ----------
        url : str, default=""
            Count only requests whose URL matches this regular expression. It is searched in the
            decoded path and query: ``/bucket/key`` or ``/bucket?list-type=2&prefix=folder/``.
        user_agent : str, default=""
            Count only requests whose User-Agent header matches this regular expression. The
            requests of a process that runs with ``AWS_SDK_UA_APP_ID=name`` match ``app/name``.
        """
        rows = self._ask("traffic", url=url, user_agent=user_agent)
        return {name: Traffic(**row) for name, row in rows.items()}

    def objects(self, prefix: str = "") -> dict[str, int]:
        """The keys in the bucket, with the sizes of their objects in bytes."""
        return dict(self._ask("objects", prefix=prefix))

    def reset(self) -> None:
        """Kill all jobs, and forget them, all faults, all requests and all objects."""
        self._ask("reset")

    def _ask(self, verb: str, **options: Any) -> Any:
        # Neither boto3 nor urllib: no proxy, and no count.
        if self._log.closed:
            raise RuntimeError("LocalAWS does not answer: its context was left.")
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", CONTROL + verb, json.dumps(options))
            response = connection.getresponse()
            found = json.loads(response.read())
        except OSError as error:
            raise RuntimeError(f"LocalAWS does not answer. It said:\n{self._said()}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"LocalAWS could not {verb}({options}):\n{found}")
        return found
