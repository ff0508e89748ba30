"""Keep MLflow's autologging out of fits, and log the search in their place.

With ``mlflow.autolog()``, MLflow replaces ``fit`` of each estimator class and starts a run for each
call of it. It knows scikit-learn's GridSearchCV, and so logs one search. It does not know the
searches of this package: each fit in the caller's process, and the refit, would become a run of its
own, with nothing to say that they belong together.

Nothing simpler works: MLflow decides by the class, and has one switch, for all threads, that its
own integrations use. `quiet_autologging` turns this switch while anything of ours runs. It counts
its users, because MLflow's own ``disable_autologging`` turns the switch on again when the first of
two searches ends. So fits of other code, in other
threads, are not logged during a search.

A renamed switch would break it. ``tests/report/test_autologging.py`` watches the names.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

from skdistsearch._typing import FittedSearch

_SWITCH = "_AUTOLOGGING_GLOBALLY_DISABLED"
_log = logging.getLogger("skdistsearch")
_lock = threading.Lock()
_users = 0  # of the switch, in all threads
_was_off = False  # before the first of them
_this_thread = threading.local()  # depth: its blocks of quiet_autologging


@contextmanager
def quiet_autologging() -> Iterator[None]:
    """Keep MLflow from logging fits in the block, if MLflow has been imported."""
    mlflow = _autologging_module()
    if mlflow is None:
        yield
        return
    _enter(mlflow)
    try:
        yield
    finally:
        _leave(mlflow)


def _autologging_module() -> Any:
    return sys.modules.get("mlflow.utils.autologging_utils")


def _enter(mlflow: Any) -> None:
    global _users, _was_off
    with _lock:
        if _users == 0:
            _was_off = getattr(mlflow, _SWITCH, False)
        _users += 1
        setattr(mlflow, _SWITCH, True)
    _this_thread.depth = _depth() + 1


def _leave(mlflow: Any) -> None:
    global _users
    _this_thread.depth -= 1
    with _lock:
        _users -= 1
        setattr(mlflow, _SWITCH, bool(_users) or _was_off)


def _depth() -> int:
    return getattr(_this_thread, "depth", 0)


@contextmanager
def autologged(search: FittedSearch) -> Iterator[None]:
    """Log the search that the block fits, if autologging is on; its fits are not logged.

    A search within a fit that is logged, or kept quiet, is not logged.
    """
    is_logged = _is_logged()
    with quiet_autologging():
        yield
    if is_logged:
        _log_search(search)


def _is_logged() -> bool:
    mlflow = _autologging_module()
    if mlflow is None or "mlflow.sklearn" not in sys.modules or _depth():
        return False
    from mlflow.utils.autologging_utils.safety import _AutologgingSessionManager

    is_within_fit = _AutologgingSessionManager.active_session() is not None
    is_off = getattr(mlflow, _SWITCH, False) if _users == 0 else _was_off
    return not (mlflow.autologging_is_disabled("sklearn") or is_within_fit or is_off)


def _log_search(search: FittedSearch) -> None:
    """Log the search as MLflow logs GridSearchCV: its settings apply, and it never raises."""
    import mlflow

    from skdistsearch.report._mlflow import to_mlflow

    setting = partial(_autologging_module().get_autologging_config, "sklearn")
    if setting("exclusive", False) and mlflow.active_run() is not None:
        return
    has_model = setting("log_models", True) and hasattr(search, "best_estimator_")
    try:
        to_mlflow(
            search,
            children=setting("max_tuning_runs", 5),
            report=all(map(find_spec, ("matplotlib", "pandas"))),
            model=setting("serialization_format", "cloudpickle") if has_model else False,
            tags={"mlflow.autologging": "sklearn", **(setting("extra_tags", None) or {})},
        )
    except Exception as error:  # of the network or MLflow: the search is worth more than its record
        _log.warning("The search was not logged to MLflow: %s", error, exc_info=True)
