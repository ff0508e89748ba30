"""The flow behind ``backend="metaflow"`` and the cloud's.

Metaflow packages this file's folder. It imports Metaflow and the standard library only: whatever
else is missing where a task runs, the task can say so.
"""

import importlib.metadata
import importlib.util
import json
import platform
from pathlib import Path
from typing import Any

from metaflow import Config, FlowMutator, FlowSpec, Parameter, card, catch, current, step


class OnFits(FlowMutator):  # type: ignore[misc]
    """Puts the decorators that the caller asks for on the step *fit*, and on no other."""

    def pre_mutate(self, flow: Any) -> None:
        """Called by Metaflow when it has read the configuration."""
        wanted = dict(flow.configs)["settings"].to_dict()["decorators"]
        for name, fit in flow.steps:
            if name == "fit":
                for spec in wanted:  # as --with spells it, or a name and its attributes
                    name, attributes = (spec, None) if isinstance(spec, str) else spec
                    fit.add_decorator(name, deco_kwargs=attributes, duplicates=fit.OVERRIDE)


@OnFits
class DistributedSearch(FlowSpec):  # type: ignore[misc]
    """Fits of a scikit-learn search: each task of the step *fit* runs one chunk of them."""

    settings = Config("settings", default_value='{"decorators": []}')
    store = Parameter("store", help="folder or URL of the batch", required=True)
    manifest = Parameter("manifest", help="name of the batch: its SHA-256", required=True)
    task_manifest = Parameter("task_manifest", help="name of the list of chunks", required=True)
    journal = Parameter("journal", help="folder or URL of the outcomes", required=True)
    n_tasks = Parameter("n_tasks", help="number of tasks", type=int, required=True)

    @step
    def start(self) -> None:
        """Fan out."""
        self.tasks = range(self.n_tasks)
        self.next(self.fit, foreach="tasks")

    @catch(var="failure", print_exception=True)  # a task that dies costs its own fits only
    @step
    def fit(self) -> None:
        """Run one chunk of fits."""
        if self.settings.get("packages"):
            check_environment(self.settings["packages"], self.settings["message_prefix"])
        # here only: the other processes of a run, one a step, need not import scikit-learn
        from skdistsearch.backends._worker import run_task

        outcomes = run_task(
            self.store,
            self.manifest,
            self.task_manifest,
            self.index,
            journal=self.journal,
            task_pathspec=current.pathspec,
            retry=current.retry_count,
            timeout_s=self.settings.get("fit_timeout_s") or 0,
        )
        self.outcomes = [outcome.to_fields() for outcome in outcomes]
        self.next(self.join)

    @card(type="blank")
    @step
    def join(self, inputs: Any) -> None:
        """Gather what became of each fit, as plain data, and draw it."""
        outcomes = [outcome for task in inputs for outcome in getattr(task, "outcomes", [])]
        self.outcomes = sorted(outcomes, key=lambda outcome: outcome["fit"])
        if self.settings.get("summary"):
            # here only: it is where the caller is, who has the package and this file
            from skdistsearch.backends.metaflow._card import arrange, components

            about = json.loads(Path(self.settings["summary"]).read_text())
            current.card.extend(components(about, self.outcomes))
            arrange(self.join)
        self.next(self.end)

    @step
    def end(self) -> None:
        """Nothing is left to do: the caller has read the outcomes as they came."""


def check_environment(wanted: Any, says: str) -> None:
    """Compare what is installed here with what the caller has; print each difference for it."""
    here = {name: _installed(name) for name in wanted["versions"]}
    differing = [name for name, version in wanted["versions"].items() if here[name] != version]
    said = {name: f"{name} is {here[name]}, not {wanted['versions'][name]}" for name in differing}
    fatal = [
        said[name] for name in differing if _breaks(name, wanted["versions"][name], here[name])
    ]
    for module in wanted["modules"]:
        if importlib.util.find_spec(module) is None:
            fatal.append(f"the module {module} is missing")
    if fatal:
        print(says + json.dumps({"refuses": fatal}), flush=True)  # noqa: T201
        raise RuntimeError("This environment cannot run the search: " + "; ".join(fatal))
    if said:
        print(says + json.dumps({"warns": list(said.values())}), flush=True)  # noqa: T201


def _installed(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _breaks(name: str, mine: str, there: str) -> bool:
    """Whether pickles or numbers of one version are not those of the other."""
    parts = {"python": 2, "scikit-learn": 2, "numpy": 1}.get(name, 0)
    return there == "not installed" or mine.split(".")[:parts] != there.split(".")[:parts]


if __name__ == "__main__":
    DistributedSearch()
