"""Save finished fits, run only the missing ones, and manage what is saved.

Contents
--------
- `_manage`: `list`, `inspect` and `delete` for users.
- `_location`: the folder or S3 URL of a checkpoint.
- `_resume`: the wrapper around a backend that runs only missing fits.
- `_fingerprint`: keys of fits, made of everything that their results depend on.
- `_digest`: digests of Python objects; `_decomposition`, `_decompose_values` and
  `_decompose_code` split the objects into parts.
- `_code_check`: compares the code of workers with that of the keys.
- `_versions`: versions of the code that objects depend on.
- `_history`: the searches that used a checkpoint, and what changed between them.

A search with ``checkpoint=`` saves its finished fits. They stay until they are deleted.
Imports `skdistsearch.backends`, `skdistsearch.scheduling` and `skdistsearch.storage`. Start
reading at `_resume`, then `_fingerprint`.
"""

from skdistsearch.checkpoints._location import checkpoint_url as checkpoint_url  # not for users
from skdistsearch.checkpoints._manage import Checkpoint, SearchGroup, delete, inspect, list  # noqa: A004
from skdistsearch.checkpoints._resume import resume_from_checkpoint as resume_from_checkpoint
from skdistsearch.checkpoints._resume import (
    run_chunk_from_checkpoint as run_chunk_from_checkpoint,
)

__all__ = [
    "Checkpoint",
    "SearchGroup",
    "delete",
    "inspect",
    "list",
]
