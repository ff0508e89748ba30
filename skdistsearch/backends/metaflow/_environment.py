"""Metaflow's configuration, and the environment variables of a run's processes.

`metaflow_setting` knows Metaflow's configuration without importing Metaflow:

- The trick: if nothing on this machine can have changed Metaflow's configuration, every setting has
  its default, and the caller passes that default. Metaflow is imported only if there is an
  environment variable ``METAFLOW_*``, a configuration folder, a ``.metaflow`` folder at or above
  the working directory, or a package ``metaflow_extensions``.
- Why nothing simpler works: the configuration is the result of importing
  ``metaflow.metaflow_config``, which loads the extensions and takes half a second, a quarter of the
  two seconds that a local run adds. Reading the configuration file ourselves would miss
  profiles, extensions and the sandbox.
- It breaks if Metaflow reads its configuration from a new place (`_may_be_configured` lists the
  places), or changes one of the defaults that callers pass.
- tests/backends/metaflow/test_environment.py compares the defaults with Metaflow's own and checks
  each place; ``test_configured_metaflow_gets_the_run`` in test_run.py covers whole searches.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skdistsearch.backends._threads import thread_limits
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.storage import default_data_dir

_SYSROOT = "METAFLOW_DATASTORE_SYSROOT_LOCAL"
# AWS throttles clients that start hundreds of tasks at once: boto3 has to wait instead of failing.
# Metaflow opens 64 processes for transfers that eight do faster. It tries a request to S3 twenty
# times, and waits twice as long each time, up to six minutes: 80 minutes in all. The first nine
# tries take nine minutes.
_REMOTE_DEFAULTS = {
    "AWS_RETRY_MODE": "adaptive",
    "AWS_MAX_ATTEMPTS": "12",
    "METAFLOW_S3_WORKER_COUNT": "8",
    "METAFLOW_S3_TRANSIENT_RETRY_COUNT": "8",
}

REMOTE_TASK = "SKDISTSEARCH_REMOTE_TASK"
"""Environment variable of the processes in a container that runs fits: pathspec of its task."""


def flow_environment(workers: int, temporary: Path, *, is_remote: bool) -> dict[str, str]:
    """Return the environment variables for the local processes of a run.

    ``workers`` tasks run at the same time, on this machine unless ``is_remote``. All temporary
    files of these processes are in the folder ``temporary``, which is removed even if they are
    killed.
    """
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    environment["TMPDIR"] = str(temporary)
    environment.setdefault("METAFLOW_TEMPDIR", str(temporary))
    if not metaflow_setting("USER", None):
        environment["METAFLOW_USER"] = default_user(environment)
    for name, value in (_REMOTE_DEFAULTS if is_remote else thread_limits(workers)).items():
        environment.setdefault(name, value)
    # Metaflow would add these decorators to all steps, not only to *fit*. A blank disables them;
    # with an empty string, Metaflow would add those of its extensions.
    environment["METAFLOW_DEFAULT_DECOSPECS"] = " "
    if _uses_default_folder():
        environment[_SYSROOT] = str(_runs_folder())
    return environment


def s3_root() -> str:
    """Return the URL below which we keep our objects in S3, within Metaflow's datastore."""
    root = metaflow_setting("DATASTORE_SYSROOT_S3", None)
    if not root:
        raise BackendConfigError(
            "No location in S3 is configured: set METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix"
        )
    return f"{root.rstrip('/')}/skdistsearch"


def checkpoint_root_of_flow() -> str:
    """Return the location of checkpoints by name in a task of a user's flow: its datastore in S3.

    Empty, for the default folder on this machine, outside of a flow and with another datastore.
    """
    metaflow = sys.modules.get("metaflow")
    if metaflow is None or not metaflow.current.is_running_flow:
        return ""
    is_in_s3 = metaflow_setting("DEFAULT_DATASTORE", "local") == "s3"
    return f"{s3_root()}/checkpoints" if is_in_s3 else ""


def expose_runs_to_client() -> None:
    """Let ``metaflow.Flow(...)`` in this process find the runs in our default folder.

    Only if Metaflow's client would find no runs at all. If a folder ``.metaflow`` appears later,
    the client is switched to it.
    """
    if not _uses_default_folder():
        return
    metaflow = import_metaflow()
    default = f"local@{default_data_dir()}"
    if _find_metaflow_folder() is None or metaflow.get_metadata() == default:
        metaflow.metadata(f"local@{_runs_folder()}")


def metaflow_setting(name: str, default: str | bool | None) -> Any:
    """Return a setting of Metaflow's configuration.

    ``default`` must be Metaflow's own default. It is returned, without importing Metaflow, if
    nothing can have changed the configuration.
    """
    if "metaflow" not in sys.modules and not _may_be_configured():
        return default
    return getattr(import_metaflow().metaflow_config, name)


def import_metaflow() -> Any:
    """Return the module ``metaflow``, imported without its warnings."""
    with warnings.catch_warnings():
        # If PyYAML is installed, the import warns of Metaflow's own use of _yaml. Users who turn
        # warnings into errors could not fix that.
        warnings.simplefilter("ignore", DeprecationWarning)
        import metaflow
        import metaflow.metaflow_config
    return metaflow


def default_user(environment: Mapping[str, str]) -> str:
    """Return a user name for Metaflow, which rejects runs without one and runs of root."""
    names = [environment.get(name) for name in ("SUDO_USER", "USERNAME", "USER")]
    return next((name for name in names if name and name != "root"), "skdistsearch")


def _may_be_configured() -> bool:
    home = Path(os.environ.get("METAFLOW_HOME", "~/.metaflowconfig")).expanduser()
    return (
        any(name.startswith("METAFLOW_") for name in os.environ)
        or home.exists()
        or _find_metaflow_folder() is not None
        or importlib.util.find_spec("metaflow_extensions") is not None
    )


def _uses_default_folder() -> bool:
    is_local = metaflow_setting("DEFAULT_METADATA", "local") == "local"
    return is_local and not metaflow_setting("DATASTORE_SYSROOT_LOCAL", None)


def _runs_folder() -> Path:
    """Return the folder for local runs: the one that Metaflow finds, or else our default."""
    existing = _find_metaflow_folder()
    if existing is not None:
        return existing
    folder = default_data_dir()
    try:
        (folder / ".metaflow").mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise BackendConfigError(
            f"Could not create {folder} for Metaflow's runs: {exc}. Set {_SYSROOT} to a folder "
            "that is writable."
        ) from exc
    return folder


def _find_metaflow_folder() -> Path | None:
    """Return the working directory or the nearest parent that has a folder ``.metaflow``."""
    cwd = Path.cwd()
    return next((path for path in (cwd, *cwd.parents) if (path / ".metaflow").is_dir()), None)
