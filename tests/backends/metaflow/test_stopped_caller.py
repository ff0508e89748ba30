"""A search that is stopped, by whatever signal and at whatever moment, loses no finished fit.

A moment of each runs here. Twenty more of each, an hour on two cores, run when asked for:
``python -m pytest -n 0 -m campaign tests/test_stopped.py``.
"""

import json
import os
import random
import signal
import sys
import time

import pytest
from helpers.subprocesses import Script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("aws"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

MOMENTS = 20
N_FITS = 12
FIT_S = 0.4
WHOLE_S = {"local": 5, "metaflow": 12, "batch": 25}
BACKENDS = {
    "local": "'local'",
    "metaflow": "'metaflow'",
    "batch": "MetaflowBackend(compute='batch', image='any', fits_per_task=6)",
}
SOURCE = """
import logging, sys
import numpy as np
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV
from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.testing import FaultyRegressor

X, y = make_regression(40, 2, random_state=0)
grid = {{"factor": [1.0, 1.5, 2.0, 2.5]}}
expected = GridSearchCV(FaultyRegressor(), grid, cv=3, refit=False).fit(X, y)
search = DistributedSearchCV(
    FaultyRegressor(folder={fits!r}, duration_s={duration}), grid, cv=3, n_jobs=2, refit=False,
    backend={backend}, checkpoint={checkpoint!r},
)
print("begin", flush=True)
try:
    search.fit(X, y)
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
    sys.exit(3)
for key, values in expected.cv_results_.items():
    if not key.endswith("_time"):
        np.testing.assert_array_equal(search.cv_results_[key], values, err_msg=key)
print("equal", flush=True)
"""


class Stopped:
    """One search, as often as it takes."""

    def __init__(self, backend, folder, aws):
        self.backend, self.folder, self.aws = backend, folder, aws
        self.fits = folder / "fits"
        self.fits.mkdir()
        self.checkpoint = "night" if backend == "batch" else str(folder / "night")

    def start(self):
        source = SOURCE.format(
            fits=str(self.fits),
            duration=FIT_S,
            backend=BACKENDS[self.backend],
            checkpoint=self.checkpoint,
        )
        (self.folder / "tmp").mkdir(exist_ok=True)
        env = {**os.environ, **(self.aws.environment() if self.aws else {})}
        env["TMPDIR"] = str(self.folder / "tmp")
        self.script = Script(self.folder / "script.py", source, env)
        return self.script

    @property
    def n_begun(self):
        return len(list(self.fits.iterdir()))

    def jobs(self):
        return self.aws.live_jobs() if self.aws else []

    def wait_until_nothing_runs(self, within_s):
        end = time.monotonic() + within_s
        while (left := (self.script.left_over(), self.jobs())) != ([], []):
            assert time.monotonic() < end, left
            time.sleep(0.1)
        assert list((self.folder / "tmp").glob("skdistsearch-*")) == []

    def n_recorded(self):
        return sum("outcome" in json.loads(line) for line in self._lines())

    def _lines(self):
        if self.backend == "batch":
            client = self.aws.client("s3")
            for key in self.aws.objects("metaflow/skdistsearch/checkpoints/night/fits"):
                body = client.get_object(Bucket=self.aws.bucket, Key=key)["Body"].read()
                yield from body.splitlines()
            return
        for path in self.folder.glob("night/fits/*/*"):
            data = path.read_bytes()
            yield from data[: data.rfind(b"\n") + 1].splitlines()


@pytest.fixture
def stopped(request, tmp_path):
    backend = request.param
    aws = request.getfixturevalue("aws") if backend == "batch" else None
    stopped = Stopped(backend, tmp_path, aws)
    yield stopped
    stopped.script.kill()


def at_moments():
    """Numbers of random moments, the same every day; all but the first only when asked for."""
    more = [pytest.param(number, marks=pytest.mark.campaign) for number in range(1, MOMENTS + 1)]
    return pytest.mark.parametrize("moment", [0, *more], ids="moment{}".format)


def sleep_until(moment, stopped):
    """Every other moment is anywhere in the search, the others are while its fits run."""
    assert stopped.script.process.stdout.readline() == "begin\n"
    whole_s = WHOLE_S[stopped.backend]
    if moment % 2 == 0:
        stopped.script.wait_for(lambda: stopped.n_begun > 0, 120)
        whole_s = N_FITS * FIT_S / 2
    time.sleep(random.Random(moment).uniform(0, whole_s))


on_every_backend = pytest.mark.parametrize("stopped", BACKENDS, indirect=True)


@at_moments()
@on_every_backend
def test_killed_search_repeats_no_recorded_fit(stopped, moment, record_property):
    script = stopped.start()
    sleep_until(moment, stopped)
    script.process.kill()
    script.process.communicate()
    stopped.wait_until_nothing_runs(30)
    recorded, begun = stopped.n_recorded(), stopped.n_begun
    record_property("recorded", recorded)
    output, code = stopped.start().finish(280)
    assert code == 0, output
    assert output.endswith("equal\n")
    assert stopped.n_begun - begun == N_FITS - recorded
    assert stopped.n_recorded() == N_FITS
    stopped.wait_until_nothing_runs(10)


@at_moments()
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@on_every_backend
def test_interrupted_search_ends_in_seconds_and_leaves_nothing(
    stopped, number, moment, record_property
):
    script = stopped.start()
    sleep_until(moment, stopped)
    script.process.send_signal(number)
    begin = time.monotonic()
    output, code = script.finish(60)
    took_s = time.monotonic() - begin
    stopped.wait_until_nothing_runs(10)
    record_property("took_s", took_s)
    record_property("code", code)
    assert took_s < 10, output
    if "equal" not in output:  # it had ended before
        assert code == (3 if number == signal.SIGINT else -number), output
        assert number == signal.SIGTERM or "KeyboardInterrupt\n" in output


@pytest.mark.campaign
@pytest.mark.parametrize("stopped", ["batch"], indirect=True)
def test_interrupted_search_ends_in_seconds_while_s3_is_out_of_reach(stopped):
    script = stopped.start()
    script.wait_for(lambda: stopped.n_begun > 0, 120)
    stopped.aws.fail_requests("s3", fault="drop", times=10**6)
    time.sleep(2)
    script.process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    output, code = script.finish(120)
    took_s = time.monotonic() - begin
    assert code == 3, output
    assert took_s < 10, output
    stopped.wait_until_nothing_runs(30)
