"""Searches that outlive the process that starts them: submit one, and attach to it later.

Contents
--------
- `_submit`: `submit`, `attach`, `list` and `delete` for users.
- `_job`: `Job` with its status, progress and result.
- `_cli`: the terminal commands.
- `_files`: the files of a job, through which all of them communicate.
- `_driver`: the process that runs the search.
- `_results`: results of a search as data.
- `_local_driver`, `_supervisor`: a driver on this machine, and the script that starts it again.
- `_batch_driver`, `_archive`: a driver on AWS Batch, and its code; `_batch_jobs` asks Batch.

A job has no server: its files, in a folder or in S3, say all about it.

Imports `skdistsearch.model_selection` and packages below it. Start reading at `_submit`, then
`_driver`. Names are imported when they are first used: a supervisor needs no scikit-learn.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.jobs._cli import run_command as run_command
    from skdistsearch.jobs._job import Job, Progress
    from skdistsearch.jobs._submit import attach, delete, list, submit  # noqa: A004

__all__ = [
    "Job",
    "Progress",
    "attach",
    "delete",
    "list",
    "submit",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Job": "_job",
        "Progress": "_job",
        "attach": "_submit",
        "delete": "_submit",
        "list": "_submit",
        "run_command": "_cli",  # not for users
        "submit": "_submit",
    },
)
