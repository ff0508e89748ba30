"""The flow of `MetaflowBackend`: one task of the step *fit* for each chunk of fits.

Metaflow packages the folder of this file. The module imports only Metaflow and the standard
library, so that a task can report everything else that is missing in its environment.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from metaflow import Config, FlowMutator, FlowSpec, Parameter, card, catch, current, step


class DecorateFit(FlowMutator):  # type: ignore[misc]
    """Add the caller's decorators to the step *fit* and to no other step."""

    def pre_mutate(self, flow: Any) -> None:
        """Add the decorators. Metaflow calls this when it has read the configuration."""
        specs = dict(flow.configs)["settings"].to_dict()["decorators"]
        fit = dict(flow.steps)["fit"]
        for spec in specs:  # in the syntax of --with, or a name and attributes
            name, attributes = (spec, None) if isinstance(spec, str) else spec
            fit.add_decorator(name, deco_kwargs=attributes, duplicates=fit.OVERRIDE)


@DecorateFit
class DistributedSearch(FlowSpec):  # type: ignore[misc]
    """Fits of a scikit-learn search: each task of the step *fit* runs one chunk of them."""

    settings = Config("settings", default_value='{"decorators": []}')
    store = Parameter("store", help="URL of the store that holds the batch", default="")
    manifest = Parameter("manifest", help="name of the batch: its SHA-256", default="")
    task_manifest = Parameter("task_manifest", help="name of the list of chunks", default="")
    journal = Parameter("journal", help="URL of the journal of finished fits", default="")
    n_tasks = Parameter("n_tasks", help="number of chunks", type=int, required=True)
    queue = Parameter("queue", help="URL of the queue of a pool, instead of a batch", default="")
    keep_alive_s = Parameter(
        "keep_alive_s", help="time that a task waits for work", type=float, default=0.0
    )

    @step
    def start(self) -> None:
        """Start one task per chunk."""
        self.tasks = range(self.n_tasks)
        self.next(self.fit, foreach="tasks")

    @catch(var="failure", print_exception=True)  # a task that dies loses only its own fits
    @step
    def fit(self) -> None:
        """Run one chunk of fits."""
        if self.settings.get("packages"):
            check_environment(self.settings["packages"], self.settings["message_prefix"])
        # Imported here, because the processes of the other steps do not need scikit-learn.
        from skdistsearch.backends._worker import kill_children_at_exit, run_task
        from skdistsearch.backends.metaflow._environment import REMOTE_TASK
        from skdistsearch.backends.metaflow.watchdog import adopt_orphans
        from skdistsearch.exceptions import BackendError

        adopt_orphans()
        kill_children_at_exit()
        if self.settings.get("packages"):
            os.environ[REMOTE_TASK] = current.pathspec

        # The outcomes travel in the journal. They must not become an artifact: on the caller's
        # machine, *join* would unpickle what a container wrote.
        task = {
            "task_pathspec": current.pathspec,
            "retry": current.retry_count,
            "timeout_s": self.settings.get("fit_timeout_s") or 0,
        }
        try:
            if self.queue:
                serve_queue(self.queue, self.keep_alive_s, self.settings, task)
            else:
                run_task(
                    self.store,
                    self.manifest,
                    self.task_manifest,
                    self.index,
                    journal=self.journal,
                    **task,
                )
        except BackendError as exc:  # the code of this task is not the caller's
            print_message(self.settings.get("message_prefix", ""), {"refuses": [str(exc)]})
            raise
        self.next(self.join)

    @card(type="blank")
    @step
    def join(self, inputs: Any) -> None:
        """Collect the outcomes from the journal as plain data, and show them in a card."""
        self.outcomes: list[dict[str, Any]] = []
        if self.settings.get("summary"):
            # Imported here, because this step runs on the caller's machine, which has the package
            # and the file.
            from skdistsearch.backends.metaflow.card import (
                make_card_components,
                make_card_findable,
            )

            for summary, outcomes in read_batches(
                Path(self.settings["summary"]), self.journal, current.run_id
            ):
                self.outcomes += outcomes
                current.card.extend(make_card_components(summary, outcomes))
            make_card_findable(self.join)
        self.next(self.end)

    @step
    def end(self) -> None:
        """Do nothing: the caller has read the outcomes as they were recorded."""


def serve_queue(
    queue: str, keep_alive_s: float, settings: Mapping[str, Any], task: Mapping[str, Any]
) -> None:
    """Run the fits that a queue holds, until no more come for a while."""
    from skdistsearch.backends.metaflow.pool import PoolWorker

    prefix = settings.get("message_prefix", "")
    PoolWorker(
        queue,
        keep_alive_s=keep_alive_s,
        check_environment=lambda required: check_environment(required, prefix),
        refuse=lambda reasons: print_message(prefix, {"refuses": reasons}),
        **task,
    ).serve()


def read_batches(
    path: Path, journal: str, run_id: str
) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Yield the summary of each batch of the run, and the outcomes of its fits.

    ``path`` is the summary of the only batch, whose outcomes are in the journal; or a folder with
    a file for each batch, with its outcomes.
    """
    if path.is_file():
        from skdistsearch.storage import read_run

        summary = json.loads(path.read_text())
        outcomes = read_run(journal, run_id, summary["batch"], len(summary["fits"]))
        yield summary, [outcome.to_fields() for outcome in outcomes]
    for file in sorted(path.glob("*.json")):
        batch = json.loads(file.read_text())
        mine = [one for one in batch["outcomes"] if f"/{run_id}/" in one["task_pathspec"]]
        if mine:
            yield batch["summary"], mine


def check_environment(required: Mapping[str, Any], prefix: str) -> None:
    """Compare the packages of this environment with those of the caller; report differences.

    Prints a message to the caller, a line that begins with ``prefix``. Raises RuntimeError if the
    environment cannot run the search.
    """
    differences: list[str] = []
    errors: list[str] = []
    for name, version in required["versions"].items():
        installed = _installed_version(name)
        if installed != version:
            difference = f"{name} is {installed}, not {version}"
            differences.append(difference)
            if _is_incompatible(name, version, installed):
                errors.append(difference)
    for module in required["modules"]:
        if importlib.util.find_spec(module) is None:
            errors.append(f"the module {module} is missing")
    if errors:
        print_message(prefix, {"refuses": errors})
        raise RuntimeError("This environment cannot run the search: " + "; ".join(errors))
    if differences:
        print_message(prefix, {"warns": differences})


def print_message(prefix: str, message: Mapping[str, list[str]]) -> None:
    """Print a message to the caller."""
    print(prefix + json.dumps(message), flush=True)  # noqa: T201


def _installed_version(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _is_incompatible(name: str, version: str, installed: str) -> bool:
    """Return True if pickles or numerical results may differ between two versions."""
    n_parts = {"python": 2, "scikit-learn": 2, "numpy": 1}.get(name, 0)
    if installed == "not installed":
        return True
    return version.split(".")[:n_parts] != installed.split(".")[:n_parts]


def exit_without_threads(status: object) -> None:
    """End this process now if Python would wait at its end for threads that fits have left."""
    left = [thread for thread in threading.enumerate() if not thread.daemon]
    if left != [threading.main_thread()]:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else bool(status))


if __name__ == "__main__":
    try:
        DistributedSearch()
    except SystemExit as exc:
        exit_without_threads(exc.code)
        raise
