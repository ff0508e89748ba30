"""Find the folder or the S3 URL of a checkpoint."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from skdistsearch.exceptions import CheckpointError
from skdistsearch.storage import default_data_dir


def checkpoint_url(checkpoint: object, root: str = "") -> str:
    """Return the folder or the S3 URL that a user's ``checkpoint`` means.

    Parameters
    ----------
    checkpoint : str or path
        A name, a folder, or ``s3://bucket/prefix``.
    root : str, default=""
        Folder or URL of checkpoints that are given by name. Empty: the default on this machine.
    """
    with suppress(TypeError, RuntimeError):  # not a path, or of an unknown user's home
        path = os.fspath(checkpoint)  # type: ignore[call-overload]
        if isinstance(checkpoint, str) and re.match(r"s3://[^/]", checkpoint):
            return checkpoint.rstrip("/")
        if isinstance(checkpoint, str) and re.fullmatch(r"\w[\w.+-]*", checkpoint):
            return f"{root or default_checkpoint_root()}/{checkpoint}"
        is_path = not isinstance(checkpoint, str) or re.search(r"^[.~]|[/\\]", checkpoint)
        if is_path and not re.match(r"\w[\w+.-]+:/", path):  # Path("s3://bucket") is "s3:/bucket"
            return str(Path(path).expanduser().absolute())
    raise CheckpointError(
        f"checkpoint={checkpoint!r} is not valid. Give a name of letters, digits, '.', '+', '-' "
        "and '_', the path of a folder, or 's3://bucket/prefix' as a string."
    )


def default_checkpoint_root() -> str:
    """Return the folder of checkpoints that are given by name, on this machine."""
    return str(default_data_dir().absolute() / "checkpoints")
