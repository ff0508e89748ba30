"""Run scripts as a user would, and find the processes that they leave behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
"""Folder of the scripts that tests run."""

_MARK = "SKDISTSEARCH_TEST_MARK"


class Script:
    """A Python script in a process group of its own, whose descendants can be found.

    Parameters
    ----------
    path : Path
        The script.
    source : str or None, default=None
        Text to write to ``path`` first. None: the file exists.
    env : dict or None, default=None
        Environment variables. None: those of this process.
    arguments : sequence of str, default=()
        Arguments of the script.
    cwd : Path or None, default=None
        Working directory. None: the folder of the script.
    **options
        Passed to `subprocess.Popen`.
    """

    def __init__(self, path, source=None, env=None, arguments=(), *, cwd=None, **options):
        if source is not None:
            path.write_text(source)
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, str(path), *map(str, arguments)],
            env={**(os.environ if env is None else env), _MARK: self.mark},
            cwd=path.parent if cwd is None else cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_enable_ctrl_c,
            **options,
        )

    def wait_for(self, condition, timeout_s=60.0):
        """Wait until ``condition()`` holds while the script runs."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < end, "the condition did not hold in time"
            time.sleep(0.02)

    def finish(self, timeout_s=120.0):
        """Wait for the end of the script; return its output and its exit status."""
        output, _ = self.process.communicate(timeout=timeout_s)
        return output, self.process.returncode

    def interrupt(self, whole_group):
        """Send Ctrl-C: to the group, as a terminal does, or to the process, as a notebook does."""
        (os.killpg if whole_group else os.kill)(self.process.pid, signal.SIGINT)

    def left_over(self):
        """Return the command lines of living descendants, also of those that lost their parent."""
        return [line for _, line in self._descendants()]

    def find(self, text):
        """Return the ids of living descendants whose command line contains a text."""
        return [pid for pid, line in self._descendants() if text in line]

    def kill(self):
        """Kill all descendants."""
        for pid, _ in self._descendants():
            os.kill(pid, signal.SIGKILL)

    def _descendants(self):
        mark = f"{_MARK}={self.mark}".encode()
        descendants = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_zombie = folder.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if not is_zombie and mark in folder.joinpath("environ").read_bytes():
                    line = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
                    descendants.append((int(folder.name), line))
            except OSError:  # the process has ended
                continue
        return descendants


def _enable_ctrl_c():
    """Undo the setting of shells for background jobs, started with nohup or &, to ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
