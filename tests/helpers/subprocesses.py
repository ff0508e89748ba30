"""Scripts run as a user would, and the processes they leave."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"

MARK = "SKDISTSEARCH_TEST_MARK"


def _take_ctrl_c():
    """Whoever runs the tests in the background, with nohup or &, has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Script:
    """A Python script in a process group of its own, whose descendants can be told."""

    def __init__(self, path, source, env=None, arguments=(), **options):
        path.write_text(source)
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, str(path), *arguments],
            env={**(os.environ if env is None else env), MARK: self.mark},
            cwd=path.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_take_ctrl_c,
            **options,
        )

    def wait_for(self, condition, timeout_s=60.0):
        """Wait until ``condition()`` holds while the script runs."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < end, "the script did not come that far"
            time.sleep(0.02)

    def finish(self, timeout_s=120.0):
        """Its output, and whether it ended well."""
        output, _ = self.process.communicate(timeout=timeout_s)
        return output, self.process.returncode

    def interrupt(self, whole_group):
        """Ctrl-C: a terminal sends it to the whole group, a notebook to the process alone."""
        (os.killpg if whole_group else os.kill)(self.process.pid, signal.SIGINT)

    def left_over(self):
        """Command lines of descendants that are alive, whatever their parents have become."""
        return [line for _, line in self._descendants()]

    def kill(self):
        """Leave nothing behind, whatever a test has found."""
        for pid, _ in self._descendants():
            os.kill(pid, signal.SIGKILL)

    def _descendants(self):
        mark = f"{MARK}={self.mark}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                zombie = folder.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if not zombie and mark in folder.joinpath("environ").read_bytes():
                    line = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append((int(folder.name), line))
            except OSError:  # ended meanwhile
                continue
        return found
