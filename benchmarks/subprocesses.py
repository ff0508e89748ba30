"""Run the programs of ``benchmarks/scripts`` in fresh processes, and measure these."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ProcessTreeMonitor

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).parent / "scripts"
DRIVER, OTHER = "driver", "helper"
_KINDS = {
    "watchdog.py": "watchdog",
    " run --": "scheduler",
    "batch step fit": "client of a Batch job",
    " step fit": "task: fit",
    " step join": "task: join",
    " step ": "task: start, end",
}
"""Parts of command lines, in the order in which they are tried."""


@dataclass
class ScriptRun:
    """A script that has ended."""

    output: dict
    """The JSON that it printed; empty if none."""
    monitor: ProcessTreeMonitor
    """Usage of its processes."""
    pid: int
    """Its process id."""

    def by_kind(self):
        """Return the `PeakUsage` objects of its processes, in lists by kind of process."""
        kinds = {}
        for pid, usage in self.monitor.processes.items():
            kind = DRIVER if pid == self.pid else _process_kind(usage.command)
            kinds.setdefault(kind, []).append(usage)
        return kinds

    def largest_by_kind(self):
        """Return the usage of the process with the most memory, by kind of process."""
        return {
            kind: max(usages, key=lambda usage: usage.rss_mb)
            for kind, usages in self.by_kind().items()
        }


def _process_kind(command):
    return next((kind for part, kind in _KINDS.items() if part in command), OTHER)


def run_script(name, *arguments, folder=None, every_s=0.2, **variables):
    """Run a script in ``folder``, without the user's settings of AWS and Metaflow.

    Parameters
    ----------
    name : str
        Name of the file.
    *arguments : object
        Its arguments.
    folder : pathlib.Path or None, default=None
        Working directory, and home of everything that the script writes; None is the current one.
    every_s : float, default=0.2
        Seconds between samples of its processes.
    **variables : str
        Further environment variables.
    """
    command = [sys.executable, str(SCRIPTS / name), *map(str, arguments)]
    with (
        subprocess.Popen(
            command, env=_environment(folder) | variables, cwd=folder, stdout=subprocess.PIPE
        ) as process,
        ProcessTreeMonitor(process.pid, every_s) as monitor,
    ):
        output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{name} {arguments} ended with status {process.returncode}.")
    return ScriptRun(json.loads(output) if output else {}, monitor, process.pid)


def _environment(folder):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "METAFLOW_"))}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))
    if folder is None:
        return env
    homes = dict.fromkeys(("XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"), str(folder))
    return env | homes | {"USER": "benchmark"}
