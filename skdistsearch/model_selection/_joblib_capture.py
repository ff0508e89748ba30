"""scikit-learn's calls on one side, fits and outcomes on the other.

`BaseSearchCV.fit` hands each (candidate, split) call to `sklearn.utils.parallel.Parallel`, that is
to the joblib backend that is active when the Parallel is made. `Capture` is such a backend: it
collects the calls of one round as one `Batch`, has it run, and gives the results back in order.
Nothing of scikit-learn's loop is copied. This is the only module that relies on names that
scikit-learn or joblib keep private; ``tests/test_capture.py`` watches each of them.
"""

from __future__ import annotations

import copy
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from joblib import parallel_config
from joblib.parallel import ParallelBackendBase
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split

from skdistsearch._batch import Batch, Fit, Prepared
from skdistsearch._outcome import Outcome, closeable
from skdistsearch.exceptions import BackendError, FitLostError

Run = Callable[[Batch], Iterator[Outcome]]

# scikit-learn>=1.9 hands these to every fit: each would carry the whole search along, and fire
# callbacks in a process that cannot reach the user's. They stay here (`Call.fire_callbacks`).
_STAYS_HERE = frozenset({"caller", "callback_ctx"})
_CANDIDATE_AND_SPLIT = frozenset({"parameters", "train", "test"})
# What a fit prints, and what scikit-learn prints of estimators: no result depends on it.
_PRINTS = frozenset({"verbose", "split_progress", "candidate_progress"})
_DISPLAYS = frozenset({"print_changed_only", "display"})


class Capture(ParallelBackendBase):  # type: ignore[misc]
    """joblib backend that runs all calls of a round as one batch."""

    supports_retrieve_callback = True
    supports_sharedmem = True  # whatever a caller requires, calls get here
    uses_threads = False

    def __init__(self, run: Run, n_jobs: int | None, verbose: int) -> None:
        super().__init__(nesting_level=0)
        self._run, self._n_jobs, self._verbose = run, n_jobs, verbose
        self._submitted: list[tuple[list[Call], Callable[[Any], None]]] = []
        self._scope: parallel_config | None = None
        self.runs: list[str] = []
        """Pathspecs of the Metaflow runs in which fits ran, in order of appearance."""

    @contextmanager
    def entered(self) -> Iterator[Capture]:
        """Within it, a Parallel made by this thread is captured, until `leave`."""
        self._scope = parallel_config(backend=self)
        try:
            yield self
        finally:
            self.leave()

    def leave(self) -> None:
        """End the capture of further Parallels: those nested in fits, and the refit's."""
        if self._scope is not None:
            self._scope.unregister()
            self._scope = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Never 1: joblib would run the calls itself, one by one."""
        return 2

    def configure(self, n_jobs: int = 1, parallel: Any = None, **kwargs: Any) -> int:
        """Have all calls of a round submitted at once, whatever ``pre_dispatch`` says."""
        parallel.pre_dispatch = "all"
        workers: int = super().configure(n_jobs=n_jobs, parallel=parallel, **kwargs)
        return workers

    def compute_batch_size(self) -> int:
        """As many calls in one submission as there are."""
        return sys.maxsize // 4

    def submit(self, func: Any, callback: Callable[[Any], None]) -> None:
        """Take a submission of calls; they run in `retrieval_context`."""
        self._submitted.append(([Call(*item) for item in func.items], callback))

    apply_async = submit  # joblib < 1.5

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Run what was submitted, then let joblib retrieve it."""
        submitted, self._submitted = self._submitted, []
        results = iter(self._results([call for calls, _ in submitted for call in calls]))
        for calls, callback in submitted:
            callback([next(results) for _ in calls])
        yield

    def retrieve_result_callback(self, out: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What joblib asks for each submission."""
        return out

    def _results(self, calls: list[Call]) -> list[dict[str, Any]]:
        if not calls:  # scikit-learn says what that means
            return []
        batch = batch_of(calls, self._n_jobs, self._verbose)
        results: dict[int, dict[str, Any]] = {}
        with closing(closeable(self._run(batch))) as outcomes:
            for outcome in outcomes:
                self._note_run(outcome)
                results[outcome.fit] = calls[outcome.fit].result(outcome)
        if missing := [str(fit) for n, fit in enumerate(batch.fits) if n not in results]:
            raise BackendError(f"No outcome came for {len(missing)} fits, first {missing[0]}.")
        return [results[number] for number in range(len(calls))]

    def _note_run(self, outcome: Outcome) -> None:
        run = "/".join(outcome.task_pathspec.split("/")[:2])  # flow/run of flow/run/step/task
        if run and run not in self.runs:
            self.runs.append(run)


@dataclass
class Call:
    """One call of scikit-learn's: ``function(*arguments, **keywords)`` runs one fit."""

    function: Callable[..., dict[str, Any]]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]

    def __call__(self, prepared: Prepared | None = None, again: bool = False) -> dict[str, Any]:
        """Run the fit in this process, just as scikit-learn would, or as it was prepared.

        ``again``: without callbacks, which have heard of it.
        """
        arguments = prepared.arguments if prepared else self.arguments
        silent = dict.fromkeys(_STAYS_HERE & self.keywords.keys()) if again else {}
        changed = prepared.keywords if prepared else {}
        return self.function(*arguments, **{**self.keywords, **changed, **silent})

    def with_model(self) -> None:
        """Have the fitted model in scikit-learn's record of the fit."""
        self.keywords["return_estimator"] = True

    def result(self, outcome: Outcome) -> dict[str, Any]:
        """scikit-learn's record of the fit; raises what the fit raised."""
        if outcome.stdout:
            sys.stdout.write(outcome.stdout)
        if outcome.status == "lost":
            return self._lost(outcome)
        if not outcome.callbacks_fired:
            self._fire_callbacks()
        if outcome.raised is not None:
            raise outcome.raised.to_exception()
        assert outcome.result is not None
        return dict(outcome.result)

    def _lost(self, outcome: Outcome) -> dict[str, Any]:
        """The record scikit-learn makes of a fit that fails, made by scikit-learn itself."""

        def fit(*args: Any, **kwargs: Any) -> None:
            raise FitLostError(outcome.reason)

        self.arguments[0].fit = fit
        result = self()
        result.pop("estimator", None)  # where models are asked for: this is none
        return result

    def _fire_callbacks(self) -> None:
        """Tell scikit-learn's callbacks (>= 1.9) of a fit that ran elsewhere."""
        context = self.keywords.get("callback_ctx")
        if context is None:
            return
        train_set = cache(partial(_safe_split, *self.arguments, self.keywords["train"]))
        about: dict[str, Any] = {
            "estimator": self.keywords["caller"],
            "X": lambda: train_set()[0],
            "y": lambda: train_set()[1],
            "metadata": self._train_metadata,
        }
        context.call_on_fit_task_begin(**about)
        context.call_on_fit_task_end(**about)

    def _train_metadata(self) -> dict[str, Any] | None:
        weight = (self.keywords.get("fit_params") or {}).get("sample_weight")
        if weight is None:
            return None
        return {"sample_weight": _safe_indexing(weight, self.keywords["train"])}


def batch_of(calls: list[Call], n_jobs: int | None, verbose: int) -> Batch:
    """The calls of one round as a batch; what is the same object in all of them is held once."""
    first = calls[0]
    shared = {
        name: value
        for name, value in first.keywords.items()
        if name not in _STAYS_HERE and all(call.keywords[name] is value for call in calls)
    }
    own = [name for name in first.keywords if name not in shared and name not in _STAYS_HERE]
    return Batch(
        key=uuid.uuid4().hex,
        function=first.function,
        arguments=first.arguments,
        shared=shared,
        fits=[_fit(call, own) for call in calls],
        settings=_settings(first.function),
        own=_CANDIDATE_AND_SPLIT,
        aside=_PRINTS,
        n_jobs=n_jobs,
        verbose=verbose,
        here=calls,
        callbacks=_callbacks(calls),
    )


def _settings(function: Any) -> dict[str, Any]:
    """scikit-learn's configuration, which its ``delayed`` hands to every fit."""
    config = getattr(function, "config", {})
    return {name: value for name, value in config.items() if name not in _DISPLAYS}


def _fit(call: Call, own: Iterable[str]) -> Fit:
    return Fit(
        candidate=call.keywords["candidate_progress"][0],
        split=call.keywords["split_progress"][0],
        parameters=call.keywords["parameters"],
        keywords={name: call.keywords[name] for name in own},
    )


def _callbacks(calls: list[Call]) -> list[dict[str, Any]] | None:
    """What lets callbacks that go into the estimator be fired in another process, if any do."""
    context = calls[0].keywords.get("callback_ctx")
    if context is None or not any(
        hasattr(callback, "max_propagation_depth") for callback in context._callbacks
    ):
        return None
    caller = copy.copy(calls[0].keywords["caller"])
    for name in ("_capture", "_gathered", "_callback_fit_ctx", "_skl_callbacks_to_teardown"):
        vars(caller).pop(name, None)
    contexts = [call.keywords["callback_ctx"] for call in calls]
    return [{"caller": caller, "callback_ctx": _childless(context)} for context in contexts]


def _childless(context: Any) -> Any:
    """A callback context without the rest of the tree: its siblings are as many as the fits."""
    if context is None:
        return None
    alone = copy.copy(context)
    alone.parent, alone._children_map = _childless(context.parent), {}
    return alone
