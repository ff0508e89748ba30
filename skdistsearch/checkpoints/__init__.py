"""See and delete checkpoints; run only the fits that a checkpoint lacks.

Contents
--------
- `_manage`: `list`, `inspect` and `delete`, for users.
- `_location`: the folder or S3 URL of a checkpoint.
- `_resume`: the wrapper around a backend that runs only missing fits.
- `_fingerprint`: a key for each fit, made of everything its result depends on.
- `_digest`: the digest of any Python object; `_versions`: versions of the code behind it.
- `_history`: the searches that used a checkpoint, and what changed between them.

A search with ``checkpoint=`` keeps its finished fits. They stay until somebody deletes them.
Imports `skdistsearch.backends`, `skdistsearch.scheduling` and `skdistsearch.storage`. Start
reading at `_resume`, then `_fingerprint`.
"""

from skdistsearch.checkpoints._location import checkpoint_url as checkpoint_url  # not for users
from skdistsearch.checkpoints._manage import Checkpoint, SearchGroup, delete, inspect, list  # noqa: A004
from skdistsearch.checkpoints._resume import resume_from_checkpoint as resume_from_checkpoint

__all__ = [
    "Checkpoint",
    "SearchGroup",
    "delete",
    "inspect",
    "list",
]
