"""A search that is killed again and again ends with the results of one that is not."""

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
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
N_KILLS = [1, pytest.param(10, marks=pytest.mark.campaign)]


def run_search(name, checkpoint, path, end=None):
    """Run a search to its end, or kill it at ``end(script)``; return its results."""
    script = Script(SCRIPTS / "adaptive_search.py", arguments=[name, checkpoint, path])
    try:
        if end is not None and end(script):
            os.killpg(script.process.pid, signal.SIGKILL)
            script.finish()
            return None
        output, status = script.finish()
        assert status == 0, output
    finally:
        script.kill()
    return json.loads(path.read_text())


def count_saved_fits(checkpoint):
    return sum(file.read_bytes().count(b'"status"') for file in checkpoint.rglob("*.jsonl"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("n_kills", N_KILLS)
@pytest.mark.parametrize("name", ["Hyperband", pytest.param("Optuna", marks=pytest.mark.campaign)])
def test_killed_search_goes_on_to_the_same_results(name, n_kills, tmp_path):
    if name == "Optuna":
        pytest.importorskip("optuna")
    generator = random.Random(0)
    checkpoint = tmp_path / "checkpoint"

    def end_at_random(script):
        n_fits = count_saved_fits(checkpoint) + generator.randrange(2)
        script.wait_for(lambda: count_saved_fits(checkpoint) > n_fits)
        time.sleep(generator.uniform(0, 0.06))
        return True

    for _ in range(n_kills):
        assert run_search(name, checkpoint, tmp_path / "killed", end_at_random) is None
    n_saved = count_saved_fits(checkpoint)
    resumed = run_search(name, checkpoint, tmp_path / "resumed")
    assert n_saved < count_saved_fits(checkpoint)
    assert resumed == run_search(name, "", tmp_path / "undisturbed")
