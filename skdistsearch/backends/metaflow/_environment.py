"""The environment of a Metaflow run: the user's own, and nothing left behind in it."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from skdistsearch.backends._threads import thread_limits
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.storage import default_data_dir

_SYSROOT = "METAFLOW_DATASTORE_SYSROOT_LOCAL"
# The services throttle who asks for hundreds of tasks at once: boto3 is to wait, not to give up.
# Metaflow opens 64 processes for what 8 do faster. It asks S3 twenty times, each pause twice as
# long as the one before, up to six minutes: 80 in all, of which the first nine tries take 9.
_PATIENCE = {
    "AWS_RETRY_MODE": "adaptive",
    "AWS_MAX_ATTEMPTS": "12",
    "METAFLOW_S3_WORKER_COUNT": "8",
    "METAFLOW_S3_TRANSIENT_RETRY_COUNT": "8",
}


def flow_environment(workers: int, temporary: Path, *, far: bool) -> dict[str, str]:
    """Environment variables of a run's processes.

    ``workers`` tasks run at the same time, on this machine unless ``far``.
    """
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    environment.setdefault("METAFLOW_TEMPDIR", str(temporary))
    if not _config("USER", None):
        environment["METAFLOW_USER"] = _user(environment)
    for name, value in (_PATIENCE if far else thread_limits(workers)).items():
        environment.setdefault(name, value)
    # Metaflow would put these on every step, ours that gather included; a space is none.
    environment["METAFLOW_DEFAULT_DECOSPECS"] = " "
    if _keeps_runs_in_default_place():
        environment[_SYSROOT] = str(_root())
    return environment


def s3_root() -> str:
    """Where in S3 all that is ours is kept, beside Metaflow's own."""
    root = _config("DATASTORE_SYSROOT_S3", None)
    if not root:
        raise BackendConfigError("No place in S3: METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix")
    return f"{root.rstrip('/')}/skdistsearch"


def show_to_client() -> None:
    """Let ``metaflow.Flow(...)`` in this process find runs that went to the private place.

    Only where Metaflow's client would find nothing at all, and back as soon as it would.
    """
    if not _keeps_runs_in_default_place():
        return
    metaflow = _metaflow()
    private = f"local@{default_data_dir()}"
    if _found_root() is None or metaflow.get_metadata() == private:
        metaflow.metadata(f"local@{_root()}")


def _keeps_runs_in_default_place() -> bool:
    local = _config("DEFAULT_METADATA", "local") == "local"
    return local and not _config("DATASTORE_SYSROOT_LOCAL", None)


def _config(name: str, default: Any) -> Any:
    """A value of Metaflow's configuration; ``default``, which is Metaflow's, if there is none.

    Where nobody has configured anything the answer is known before Metaflow is imported: that
    takes half a second, which a run has better uses for.
    """
    if "metaflow" not in sys.modules and not _may_be_configured():
        return default
    return getattr(_metaflow().metaflow_config, name)


def _metaflow() -> Any:
    with warnings.catch_warnings():
        # Its import warns of its own use of _yaml where PyYAML is installed: a user who makes
        # errors of warnings could do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        import metaflow
        import metaflow.metaflow_config
    return metaflow


def _may_be_configured() -> bool:
    home = Path(os.environ.get("METAFLOW_HOME", "~/.metaflowconfig")).expanduser()
    return (
        any(name.startswith("METAFLOW_") for name in os.environ)
        or home.exists()
        or _found_root() is not None
        or importlib.util.find_spec("metaflow_extensions") is not None
    )


def _root() -> Path:
    """Where runs on this machine are kept: where Metaflow finds a place, else out of the way."""
    found = _found_root()
    if found is not None:
        return found
    root = default_data_dir()
    try:
        (root / ".metaflow").mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise BackendConfigError(
            f"Metaflow's runs would be kept in {root}, which cannot be made: {exc}. Set {_SYSROOT} "
            "to a folder that can be written to."
        ) from exc
    return root


def _found_root() -> Path | None:
    """The folder whose ``.metaflow`` Metaflow uses: the working directory or one above it."""
    here = Path.cwd()
    return next((path for path in (here, *here.parents) if (path / ".metaflow").is_dir()), None)


def _user(environment: dict[str, str]) -> str:
    """The user as Metaflow finds it; it refuses to run without one, or as root."""
    names = [environment.get(name) for name in ("SUDO_USER", "USERNAME", "USER")]
    return next((name for name in names if name and name != "root"), "skdistsearch")
