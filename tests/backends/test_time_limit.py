"""The process that keeps the time limit of a fit."""

import signal
import subprocess
import sys

SOURCE = """
import ctypes, sys, time
from pathlib import Path
from skdistsearch.backends._time_limit import TimeLimit

folder, within, outside = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with TimeLimit(1.5, folder) as limit:
    for number in range(3):
        with limit.of_fit(lambda: {"name": str(number), "content": "lost", "reason": "slow"}):
            if number == 1:
                ctypes.PyDLL(None).usleep(within * 1_000_000)
    time.sleep(outside)
print("done")
"""


def run(folder, *, within, outside):
    command = [sys.executable, "-c", SOURCE, folder, str(within), str(outside)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_fit_that_holds_the_interpreter_lock_is_killed_and_leaves_a_journal(tmp_path):
    process = run(tmp_path, within=60, outside=0)
    assert process.returncode == -signal.SIGKILL
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("1", "lost")]
    assert process.stderr == "skdistsearch ends a fit: slow\n"


def test_time_outside_of_fits_is_not_limited(tmp_path):
    process = run(tmp_path, within=0, outside=2)
    assert process.stdout == "done\n"
    assert list(tmp_path.iterdir()) == []
