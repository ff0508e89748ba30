"""Simulate S3, AWS Batch and Step Functions on this machine, for tests and benchmarks."""

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
from skdistsearch.testing._step_functions import TABLE

INSTALL = 'pip install "moto[batch,iam,s3,server]"'
INSTALL_STEP_FUNCTIONS = 'pip install "moto[batch,dynamodb,events,iam,s3,server,stepfunctions]"'
SERVER = Path(__file__).with_name("_aws_server.py")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class BatchJob:
    """A job of AWS Batch, as DescribeJobs reports it, with its output."""

    id: str
    """ID of the job."""
    name: str
    """Name of the job."""
    status: str
    """SUBMITTED, RUNNABLE, STARTING, RUNNING, SUCCEEDED or FAILED."""
    status_reason: str | None
    """Why the job has this status."""
    reason: str | None
    """What ended the container, unless it ended by itself."""
    exit_code: int | None
    """Exit code of the container. None until the job has ended, and for jobs that never started or
    lost their host."""
    wall_s: float | None
    """Seconds from RUNNING to the end of the job. None until the job has ended."""
    log: str
    """The end of its output to stdout and stderr. Empty until the job has ended."""

    @property
    def live(self) -> bool:
        """True if the job has not ended."""
        return self.status not in ("SUCCEEDED", "FAILED")


class Traffic(NamedTuple):
    """The traffic of one operation; bytes are those of the bodies."""

    requests: int
    """Number of requests."""
    bytes_in: int
    """Bytes received by the server."""
    bytes_out: int
    """Bytes sent by the server."""


class LocalAWS:
    """S3, AWS Batch and, on demand, Step Functions on 127.0.0.1, for tests and benchmarks.

    A context manager that starts and ends a server process. moto implements the protocols. Each job
    of Batch is a process group on this machine. It starts in a new folder, which is its HOME and
    TMPDIR and is removed when it ends. Its environment contains the variables of the "image" and of
    the job definition, but none of yours. ``python flow.py run --with batch``, ``batch list`` and
    ``batch kill`` work without changes.

    The server shares neither memory nor the interpreter lock with the code under test, and it
    outlives a tested process that is killed. It ends, with all jobs, when the process that entered
    the context ends, by any signal.

    Parameters
    ----------
    slots : int, default=4
        Number of jobs that run at the same time. Others wait in order, with status RUNNABLE.
    image_path : str or None, default=None
        PATH in the "image" of the jobs. None: the folder of this interpreter, then
        ``/usr/local/bin:/usr/bin:/bin``. Metaflow's jobs call ``python``, which must have boto3
        and requests.
    image_environment : dict of str or None, default=None
        More environment variables of the "image". Job definitions override them.
    start_s : float, default=0.0
        Seconds that a job is STARTING. On AWS these are 30 to 60: Batch finds a machine, and
        the machine pulls the image.
    kill_after_s : float, default=3.0
        Seconds between SIGTERM and SIGKILL when a job is terminated or exceeds its time limit. On
        AWS these are 30 seconds. As on AWS, SIGTERM is sent only to the first process of a job,
        SIGKILL to all of them, on Linux also to those in sessions of their own.
    step_functions : bool, default=False
        Simulate also Step Functions, with the parts of DynamoDB and EventBridge that Metaflow uses:
        ``python flow.py step-functions create`` and ``step-functions trigger`` run the flow's steps
        as jobs of Batch. Schedules are saved, and start nothing.

    Attributes
    ----------
    url : str
        URL of all services.
    bucket : str
        Name of the existing bucket.
    queue : str
        Name of the existing job queue. Its compute environment consists of spot instances.

    Raises
    ------
    ImportError
        If moto is not installed, or lacks one of the services. Raised when the context is entered.

    Notes
    -----
    Entering the context takes 2.3 s (the imports of moto), leaving it 0.4 s, and `reset` 5 ms, so
    share one context between tests. A request takes about 10 ms, a job 50 ms, and a Metaflow task
    in a job about 4 s.

    Objects are kept in memory. Uploading 1 GB takes about 20 s and, for a moment, 3.4 GB of memory;
    downloading it takes about 5 s.

    Batch repeats a job by its ``retryStrategy``, without ``evaluateOnExit``. `jobs` shows the last
    attempt.

    Not simulated: dependencies between jobs, multi-node jobs, limits of memory and CPU, CloudWatch,
    and the distributed maps of Step Functions.

    Examples
    --------
    Run a flow whose first fit loses its machine (not run as a doctest: it takes too long):

    >>> import os, subprocess, sys
    >>> from skdistsearch.testing import LocalAWS
    >>> flow = [sys.executable, "flow.py", "run", "--with", "batch"]
    >>> with LocalAWS(slots=2) as aws:  # doctest: +SKIP
    ...     aws.fail_jobs(match="-fit-", fault="spot", times=1)
    ...     environment = {**os.environ, **aws.environment()}
    ...     subprocess.run(flow, env=environment, check=True)
    ...     assert aws.faults() == [1]
    """

    bucket = BUCKET
    queue = QUEUE

    def __init__(
        self,
        slots: int = 4,
        *,
        image_path: str | None = None,
        image_environment: dict[str, str] | None = None,
        start_s: float = 0.0,
        kill_after_s: float = 3.0,
        step_functions: bool = False,
    ) -> None:
        self.slots = slots
        self.image_path = image_path
        self.image_environment = image_environment
        self.start_s = start_s
        self.kill_after_s = kill_after_s
        self.step_functions = step_functions

    def __enter__(self) -> LocalAWS:
        self._clients: list[Any] = []
        self._log = tempfile.TemporaryFile(mode="w+")
        self._server = self._start_server()
        try:
            self._wait_until_ready()
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

    def _start_server(self) -> subprocess.Popen[str]:
        options = {
            "owner": os.getpid(),
            "slots": self.slots,
            "start_s": self.start_s,
            "kill_after_s": self.kill_after_s,
            "step_functions": self.step_functions,
            "image": self._image(),
        }
        # The user's settings are for the real AWS, or for another instance of moto.
        foreign = ("AWS_", "MOTO_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        # Otherwise glibc would keep the memory of deleted objects.
        environment["MALLOC_MMAP_THRESHOLD_"] = "1048576"
        return subprocess.Popen(
            [sys.executable, str(SERVER), json.dumps(options)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,  # Ctrl-C stops the tests, which then leave the context
        )

    def _image(self) -> dict[str, str]:
        folder = os.path.dirname(sys.executable)
        return {
            "PATH": self.image_path or f"{folder}:/usr/local/bin:/usr/bin:/bin",
            "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1",  # Metaflow would run pip in each job
            **CREDENTIALS,
            **(self.image_environment or {}),
        }

    def _wait_until_ready(self) -> None:
        """Wait for the first line of the server, and read its address from it."""
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            self._server.wait()
            errors = self._server_errors()
            if "ModuleNotFoundError" in errors:
                install = INSTALL_STEP_FUNCTIONS if self.step_functions else INSTALL
                raise ImportError(f"LocalAWS requires moto: {install} ({errors.splitlines()[-1]})")
            raise RuntimeError(f"The server of LocalAWS did not start:\n{errors}")
        address = json.loads(line)
        self._port = address["port"]
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder = Path(address["folder"])
        self._folder.joinpath("config").write_text(f"[default]\nregion = {REGION}\n")

    def _server_errors(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def environment(self) -> dict[str, str]:
        """Return environment variables that connect Metaflow and boto3 to these services only.

        Returns
        -------
        variables : dict of str to str
            To be added to the environment of a process.
        """
        folder = str(self._folder)  # without a configuration of Metaflow
        step_functions = {
            "METAFLOW_SFN_IAM_ROLE": ROLE,
            "METAFLOW_SFN_DYNAMO_DB_TABLE": TABLE,
            "METAFLOW_EVENTS_SFN_ACCESS_IAM_ROLE": ROLE,
        }
        return {
            **(step_functions if self.step_functions else {}),
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            # Replace the files of the user, in which AWS_PROFILE may name a profile.
            "AWS_CONFIG_FILE": str(self._folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PROFILE": "default",
            "NO_PROXY": "127.0.0.1",
            "METAFLOW_HOME": folder,
            "METAFLOW_PROFILE": "",
            "METAFLOW_DEFAULT_DATASTORE": "s3",
            "METAFLOW_DEFAULT_METADATA": "local",
            "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{self.bucket}/metaflow",
            "METAFLOW_S3_ENDPOINT_URL": self.url,  # Metaflow passes this on to its jobs
            "METAFLOW_BATCH_JOB_QUEUE": self.queue,
            "METAFLOW_ECS_S3_ACCESS_IAM_ROLE": ROLE,  # required by Metaflow
        }

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client, which is closed when the context is left.

        Parameters
        ----------
        service : str
            Name of the service in boto3: ``"s3"``, ``"batch"``, ``"stepfunctions"``.
        **options
            Passed to boto3. For example, a fault that boto3 would hide by retrying is raised with
            ``config=botocore.config.Config(retries={"total_max_attempts": 1})``.

        Returns
        -------
        client : boto3 client
            Connected to this instance.
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
        """Make jobs of Batch fail, and report them as AWS does.

        Parameters
        ----------
        match : str, default=""
            Regular expression that is searched in the names of starting jobs.
        fault : {"spot", "oom", "image", "exit:N"}
            How the jobs fail:

            - ``"spot"``: the machine is reclaimed; the job is killed and has no exit code;
            - ``"oom"``: memory runs out; the job is killed and has exit code 137;
            - ``"image"``: the image cannot be pulled; the job never starts;
            - ``"exit:N"``: the job is killed and has exit code N.
        times : int, default=1
            How many jobs fail. Jobs that end before the fault is due do not count.
        after_s : float, default=0.5
            How long a job is RUNNING before it fails, in seconds. Ignored for ``"image"``.

        Raises
        ------
        ValueError
            If the fault is unknown.
        """
        if fault not in JOB_FAULTS and not re.fullmatch(r"exit:\d+", fault):
            raise ValueError(f"{fault=} is not a fault of jobs. Known: spot, oom, image, exit:N")
        self._call("fail_jobs", match=match, kind=fault, times=times, after_s=after_s)

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
        """Make requests fail.

        Parameters
        ----------
        service : {"s3", "batch"}
            The service whose requests fail.
        operation : str or None, default=None
            Name of the operation in the API: ``"PutObject"``, ``"SubmitJob"``. None: all of them.
        fault : {"500", "503", "throttle", "drop", "lost"}
            How the requests fail:

            - ``"500"``: an internal error;
            - ``"503"``: the service is overloaded; S3 calls this SlowDown;
            - ``"throttle"``: too many requests; S3 calls this SlowDown, too;
            - ``"drop"``: the connection is closed, and the request has no effect;
            - ``"lost"``: the connection is closed after the request has taken effect.
        match : str, default=""
            Regular expression that is searched in the path of the URL: ``/bucket/key``.
        times : int, default=1
            How many requests fail. Clients retry by themselves: boto3 five times.
        skip : int, default=0
            How many matching requests succeed before the first failure.

        Raises
        ------
        ValueError
            If the fault is unknown, or the service has no faults.
        """
        known = ("500", "503", "throttle", "drop", "lost")
        if fault not in known:
            raise ValueError(f"{fault=} is not a fault of requests. Known: {', '.join(known)}")
        if service not in ("s3", "batch"):
            raise ValueError(f"{service=} has no simulated faults. Known: s3, batch")
        options = {"service": service, "operation": operation, "skip": skip}
        self._call("fail_requests", match=match, kind=fault, times=times, **options)

    def faults(self) -> list[int]:
        """Return how often each fault has occurred.

        Returns
        -------
        counts : list of int
            One for each call of `fail_jobs` and `fail_requests`, in their order.
        """
        return list(self._call("faults"))

    def jobs(self) -> list[BatchJob]:
        """Return all jobs.

        Returns
        -------
        jobs : list of BatchJob
            In the order in which they were submitted, with ``id``, ``name``, ``status``,
            ``status_reason``, ``reason``, ``exit_code``, ``wall_s``, ``log`` and ``live``.
        """
        return [BatchJob(**job) for job in self._call("jobs")]

    def live_jobs(self) -> list[BatchJob]:
        """Return the jobs that have not ended.

        Returns
        -------
        jobs : list of BatchJob
            As of `jobs`.
        """
        return [job for job in self.jobs() if job.live]

    def requests(self, *, url: str = "", user_agent: str = "") -> Counter[str]:
        """Count the requests of each operation.

        Failed requests count, and so do those of `client`.

        Parameters
        ----------
        url, user_agent : str, default=""
            As for `traffic`.

        Returns
        -------
        counts : Counter
            Numbers of requests by operation, such as ``"s3.PutObject"``.
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

        Returns
        -------
        traffic : dict of str to Traffic
            By operation: ``requests``, ``bytes_in`` and ``bytes_out``, of the bodies.
        """
        rows = self._call("traffic", url=url, user_agent=user_agent)
        return {name: Traffic(**row) for name, row in rows.items()}

    def objects(self, prefix: str = "") -> dict[str, int]:
        """Return the objects in the bucket.

        Parameters
        ----------
        prefix : str, default=""
            Return only objects whose key begins with it.

        Returns
        -------
        sizes : dict of str to int
            Sizes in bytes, by key.
        """
        return dict(self._call("objects", prefix=prefix))

    def reset(self) -> None:
        """Kill all jobs; remove all jobs, faults, recorded requests and objects."""
        self._call("reset")

    def _call(self, method: str, **options: object) -> Any:
        """Call a method of the server's `Control`, and return its result."""
        # Not with boto3 or urllib, which would use the user's proxy. These calls are not counted.
        if self._log.closed:
            raise RuntimeError("LocalAWS does not respond: its context has been left.")
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", CONTROL + method, json.dumps(options))
            response = connection.getresponse()
            result = json.loads(response.read())
        except OSError as error:
            raise RuntimeError(f"LocalAWS does not respond:\n{self._server_errors()}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"LocalAWS failed in {method}({options}):\n{result}")
        return result
