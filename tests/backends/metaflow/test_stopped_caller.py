"""A search that is stopped or loses a worker at a random moment loses no finished fit.

Each test runs at one moment. Twenty more moments take an hour on two cores:
``python -m pytest -n 0 -m campaign tests/backends/metaflow/test_stopped_caller.py``.
"""

import json
import os
import random
import signal
import sys
import time

import pytest
from helpers.subprocesses import SCRIPTS, Script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("aws"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

MOMENTS = 20
N_FITS = 12
FIT_S = 0.4
# Approximate duration of the search
WHOLE_S = {"local": 5, "metaflow": 12, "batch": 25, "pool": 12, "pool on batch": 25}
ON_BATCH = ("batch", "pool on batch")
WORKERS = {
    "local": "-m loky.backend.popen_loky",
    "metaflow": " step fit ",
    "pool": " step fit ",
}


class StoppableSearch:
    """A search that can be started several times."""

    def __init__(self, backend, folder, aws):
        self.backend, self.folder, self.aws = backend, folder, aws
        self.fits = folder / "fits"
        self.fits.mkdir()
        self.checkpoint = "night" if backend in ON_BATCH else str(folder / "night")

    def start(self):
        (self.folder / "tmp").mkdir(exist_ok=True)
        env = {**os.environ, **(self.aws.environment() if self.aws else {})}
        env["TMPDIR"] = str(self.folder / "tmp")
        arguments = [self.backend, self.fits, FIT_S, self.checkpoint]
        self.script = Script(
            SCRIPTS / "search_to_stop.py", env=env, arguments=arguments, cwd=self.folder
        )
        return self.script

    @property
    def n_begun(self):
        return len(list(self.fits.iterdir()))

    def jobs(self):
        return self.aws.live_jobs() if self.aws else []

    def wait_until_nothing_runs(self, timeout_s):
        """Wait until no process and no job is left; return the seconds that it took."""
        begin = time.monotonic()
        while (running := (self.script.left_over(), self.jobs())) != ([], []):
            assert time.monotonic() - begin < timeout_s, running
            time.sleep(0.1)
        assert os.listdir(self.folder / "tmp") == []
        return time.monotonic() - begin

    def n_recorded(self):
        return sum("outcome" in json.loads(line) for line in self._lines())

    def _lines(self):
        if self.backend in ON_BATCH:
            client = self.aws.client("s3")
            for key in self.aws.objects("metaflow/skdistsearch/checkpoints/night/fits"):
                body = client.get_object(Bucket=self.aws.bucket, Key=key)["Body"].read()
                yield from body.splitlines()
            return
        for path in self.folder.glob("night/fits/*/*"):
            data = path.read_bytes()
            yield from data[: data.rfind(b"\n") + 1].splitlines()


@pytest.fixture
def search(request, tmp_path):
    backend = request.param
    aws = request.getfixturevalue("aws") if backend in ON_BATCH else None
    search = StoppableSearch(backend, tmp_path, aws)
    yield search
    search.script.kill()


def at_moments():
    """Parametrize with numbers of random moments, all but the first marked as a campaign."""
    more = [pytest.param(number, marks=pytest.mark.campaign) for number in range(1, MOMENTS + 1)]
    return pytest.mark.parametrize("moment", [0, *more], ids="moment{}".format)


def sleep_until(moment, search):
    """Sleep until a random moment of the search, or (every other time) one while its fits run."""
    assert search.script.process.stdout.readline() == "begin\n"
    whole_s = WHOLE_S[search.backend]
    if moment % 2 == 0:
        search.script.wait_for(lambda: search.n_begun > 0, 120)
        whole_s = N_FITS * FIT_S / 2
    time.sleep(random.Random(moment).uniform(0, whole_s))


def on_backends(names, campaign=()):
    """Parametrize with backends, some of them marked as a campaign."""
    more = [pytest.param(name, marks=pytest.mark.campaign) for name in campaign]
    return pytest.mark.parametrize("search", [*names, *more], indirect=True)


@at_moments()
@on_backends(["local", "metaflow", "batch"], campaign=["pool", "pool on batch"])
def test_killed_search_repeats_no_recorded_fit(search, moment, record_property):
    script = search.start()
    sleep_until(moment, search)
    script.process.kill()
    record_property("ended_after_s", search.wait_until_nothing_runs(10))
    script.process.communicate()
    recorded, begun = search.n_recorded(), search.n_begun
    record_property("recorded", recorded)
    output, code = search.start().finish(280)
    assert code == 0, output
    assert output.endswith("equal\n")
    assert search.n_begun - begun == N_FITS - recorded
    assert search.n_recorded() == N_FITS
    search.wait_until_nothing_runs(10)


@at_moments()
@on_backends(["local", "pool"], campaign=["metaflow"])
def test_search_whose_worker_is_killed_repeats_only_its_fit(search, moment, record_property):
    script = search.start()
    script.wait_for(lambda: search.n_begun > 0, 120)
    time.sleep(random.Random(moment).uniform(0, N_FITS * FIT_S / 2))
    workers = script.find(WORKERS[search.backend])
    record_property("workers", len(workers))
    if workers:  # otherwise the search has ended
        os.kill(random.Random(moment).choice(workers), signal.SIGKILL)
    output, code = script.finish(280)
    assert code == 0, output
    assert output.endswith("equal\n")
    # In a pool, the death of one worker ends the other one too
    assert N_FITS <= search.n_begun <= N_FITS + 2
    assert search.n_recorded() == N_FITS
    search.wait_until_nothing_runs(10)


@at_moments()
@on_backends([], campaign=["pool on batch"])
def test_search_whose_machine_is_reclaimed_repeats_only_its_fit(search, moment, record_property):
    after_s = random.Random(moment).uniform(0, N_FITS * FIT_S)
    search.aws.fail_jobs("-fit-", fault="spot", after_s=after_s)
    output, code = search.start().finish(280)
    assert code == 0, output
    assert output.endswith("equal\n")
    record_property("reclaimed", search.aws.faults())
    assert N_FITS <= search.n_begun <= N_FITS + 1
    assert search.n_recorded() == N_FITS
    search.wait_until_nothing_runs(10)


@at_moments()
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@on_backends(["local", "batch"], campaign=["metaflow", "pool", "pool on batch"])
def test_interrupted_search_ends_within_seconds(search, number, moment, record_property):
    script = search.start()
    sleep_until(moment, search)
    script.process.send_signal(number)
    begin = time.monotonic()
    output, code = script.finish(60)
    took_s = time.monotonic() - begin
    search.wait_until_nothing_runs(10)
    record_property("took_s", took_s)
    record_property("code", code)
    assert took_s < 10, output
    if "equal" not in output:  # otherwise it had ended before the signal
        assert code == (3 if number == signal.SIGINT else -number), output
        assert number == signal.SIGTERM or "KeyboardInterrupt\n" in output


@pytest.mark.campaign
@pytest.mark.parametrize("search", ["batch"], indirect=True)
def test_interrupted_search_ends_within_seconds_without_s3(search):
    script = search.start()
    script.wait_for(lambda: search.n_begun > 0, 120)
    search.aws.fail_requests("s3", fault="drop", times=10**6)
    time.sleep(2)
    script.process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    output, code = script.finish(120)
    took_s = time.monotonic() - begin
    assert code == 3, output
    assert took_s < 10, output
    search.wait_until_nothing_runs(30)
