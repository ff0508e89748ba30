"""Fit and Batch: what scikit-learn asked for. FitContext and LocalCalls: what the search adds."""

from __future__ import annotations

import math
import os
import reprlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Protocol

from sklearn.base import clone

from skdistsearch._outcome import Outcome, Raised
from skdistsearch._typing import FitResult, Parameters

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80  # characters of a parameter's value in a message


@dataclass(frozen=True)
class Fit:
    """One candidate on one split.

    Examples
    --------
    The fits of a batch:

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> fit = batch.fits[3]
    >>> fit.candidate, fit.split, fit.parameters
    (1, 1, {'alpha': 1.0})
    >>> print(fit)
    candidate 1 (alpha=1.0), split 1
    """

    candidate: int
    """Number of the candidate within its round."""
    split: int
    """Number of the split within its candidate."""
    parameters: Parameters
    """The candidate's parameters."""
    keywords: Mapping[str, object]
    """Keyword arguments that scikit-learn passes to this fit and not to all fits alike."""

    def describe_candidate(self) -> str:
        """Return the candidate's number and parameters as text.

        Returns
        -------
        text : str
            For example ``"candidate 1 (alpha=1.0)"``. Long values are shortened.
        """
        values = ", ".join(f"{key}={_REPR.repr(value)}" for key, value in self.parameters.items())
        return f"candidate {self.candidate} ({values})"

    def __str__(self) -> str:
        return f"{self.describe_candidate()}, split {self.split}"


@dataclass(frozen=True)
class PreparedCall:
    """Arguments that replace those of the batch when scikit-learn's function runs a fit."""

    arguments: tuple[Any, ...]
    """All positional arguments."""
    keywords: Mapping[str, object]
    """Some of the keyword arguments."""


@dataclass(frozen=True)
class PathMember:
    """Place of a fit on a path: the fits of a path on one split need one fit, the longest."""

    token: int
    """Number of the path. Equal for all its candidates."""
    path: Any
    """`skdistsearch.model_paths.ModelPath`: makes the fitted model of one candidate from that of
    another."""
    value: object
    """The candidate's value of the path's parameter."""
    cost: float
    """Cost of the fit in proportion to others of the path."""


@dataclass(frozen=True)
class BaseWork:
    """Work of a transformer that transformers with other values of one parameter do too."""

    token: int
    """Number of this work."""
    family: Any
    """`skdistsearch.model_paths.PathFamily`: makes the fitted transformers from one of them."""


@dataclass(frozen=True)
class SharedWork:
    """Work that several fits of a batch need, beyond the arguments that all of them have."""

    tokens: Sequence[tuple[int | None, ...]]
    """Per fit, a number for each of its estimator's transformers, in the order of
    `skdistsearch.execution.iter_slots`. Equal numbers stand for equal work; None for a transformer
    that no other candidate has."""
    budget_mb: float | None
    """Memory in MB that each process may use to cache the work of transformers. None: a part of
    the memory of the machine that runs the fits."""
    has_large_data: bool = False
    """True if the processes of a machine share slices of the data, and work on one split after the
    other."""
    paths: Sequence[PathMember | None] = ()
    """Per fit, its place on a path, if it has one. Empty if no fit has one."""
    bases: Mapping[int, BaseWork] = field(default_factory=dict)
    """Work that the transformers with some tokens share with those of other tokens."""

    def subset(self, fits: Sequence[int]) -> SharedWork:
        """Return the shared work of some of the fits, renumbered from 0."""
        return replace(
            self,
            tokens=[self.tokens[fit] for fit in fits],
            paths=[self.paths[fit] for fit in fits] if self.paths else (),
        )

    def path_of(self, fit: int) -> PathMember | None:
        """Return the place of a fit on a path, or None."""
        return self.paths[fit] if self.paths else None

    def costs_of(self, fit: int) -> dict[int, float]:
        """Return the tokens of all work of a fit, with its part in the cost of each."""
        costs = {token: 1.0 for token in self.tokens[fit] if token is not None}
        costs |= {self.bases[token].token: 1.0 for token in costs if token in self.bases}
        member = self.path_of(fit)
        return costs | ({member.token: member.cost} if member else {})


class FitFunction(Protocol):
    """scikit-learn's function that runs one fit: ``_fit_and_score``, with its configuration."""

    def __call__(self, *arguments: Any, **keywords: Any) -> FitResult:
        """Run a fit."""


class Extractor(Protocol):
    """Takes the fitted model out of scikit-learn's result, and reads from it what was asked for."""

    def __call__(self, batch: Batch, outcome: Outcome, prepared: PreparedCall | None) -> Outcome:
        """Return the outcome without the model, with extracted values and artifacts."""


class LocalCall(Protocol):
    """One of scikit-learn's own calls, valid in the caller's process only."""

    def __call__(
        self, prepared: PreparedCall | None = None, *, fire_callbacks: bool = True
    ) -> FitResult:
        """Run the fit in this process."""

    def request_model(self) -> None:
        """Include the fitted model in scikit-learn's result."""


@dataclass(frozen=True)
class FitContext:
    """Data that the wrappers around a backend add to a batch. It travels with the fits."""

    fit_keys: Sequence[str] = ()
    """Key of each fit: a digest of everything that its result depends on. Empty without a
    checkpoint."""
    journal_url: str = ""
    """Folder or S3 URL of the checkpoint's journal for this batch. Empty without a checkpoint."""
    expected_seconds: Mapping[int, float] = field(default_factory=dict)
    """Expected duration of fits, in seconds, for candidates that have run on other splits."""
    shared_work: SharedWork | None = field(default=None, repr=False)
    """Work to share between fits, if there is any."""
    check_code: Callable[[], None] | None = None
    """Raises an error in a process whose code differs from the caller's. None without a
    checkpoint."""
    modules: frozenset[str] = frozenset()
    """Names of modules that the fits need, in addition to those that the pickled batch refers
    to."""
    extractor: Extractor | None = None
    """Reads from fitted models what ``extract=`` and ``keep=`` ask for. None: the result has no
    model."""

    def subset(self, fits: Sequence[int]) -> FitContext:
        """Return the context of some of the fits, renumbered from 0."""
        work = self.shared_work
        seconds = self.expected_seconds
        return replace(
            self,
            fit_keys=[self.fit_keys[fit] for fit in fits] if self.fit_keys else (),
            expected_seconds={n: seconds[fit] for n, fit in enumerate(fits) if fit in seconds},
            shared_work=work and work.subset(fits),
        )


@dataclass
class FitMonitor:
    """Tells the caller what runs now. A backend that knows it calls `Batch.report_running`."""

    running_fits: Callable[[], Sequence[tuple[Fit, float]]] = tuple
    """Returns the running fits, and for how many seconds each of them has run."""


@dataclass(frozen=True)
class LocalCalls:
    """Parts of a batch that exist only in the caller's process or on the caller's machine."""

    calls: Sequence[LocalCall] | None = None
    """scikit-learn's own calls, one for each fit. They never leave the process."""
    callbacks: Sequence[Mapping[str, Any]] | None = None
    """Per fit, the keywords through which scikit-learn fires callbacks that reach into the
    estimator. They work in all processes of this machine, and on no other."""
    monitor: FitMonitor | None = None
    """Where the backend tells which fits are running; None if no progress is shown."""
    deadline: float = math.inf
    """No fit begins after this time, by `time.monotonic`."""
    has_rounds: bool = False
    """True if the search may run another batch soon. A backend can keep its workers for it."""

    def subset(self, fits: Sequence[int]) -> LocalCalls:
        """Return what belongs to some of the fits."""
        calls, callbacks = self.calls, self.callbacks
        return LocalCalls(
            calls and [calls[fit] for fit in fits],
            callbacks and [callbacks[fit] for fit in fits],
            self.monitor,
            self.deadline,
            self.has_rounds,
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """All fits of one round, with the arguments that they share held once.

    A backend needs four things of it: ``len(batch)``, ``batch.run(i)``, ``batch.n_jobs`` and, to
    send it elsewhere, ``batch.portable()``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> len(batch)
    4
    >>> outcome = batch.run(0)
    >>> outcome.status
    'ok'

    Send it to another process:

    >>> import cloudpickle
    >>> content = cloudpickle.dumps(batch.portable())
    >>> len(cloudpickle.loads(content))
    4
    """

    key: str
    """Unique name of this batch."""
    function: FitFunction
    """scikit-learn's function that runs one fit. It returns a dict."""
    arguments: tuple[Any, ...]
    """Its positional arguments: the estimator without a candidate's parameters, X, y. Those of
    another function may be anything."""
    common_keywords: Mapping[str, Any]
    """Its keyword arguments that are the same object in every fit."""
    fits: Sequence[Fit]
    """The fits."""
    sklearn_config: Mapping[str, Any] = field(default_factory=dict)
    """scikit-learn's configuration, as far as results depend on it."""
    per_fit_keywords: frozenset[str] = frozenset()
    """Names of the keyword arguments that identify a fit: its parameters and its split."""
    ignored_keywords: frozenset[str] = frozenset()
    """Names of the keyword arguments that no result depends on."""
    n_jobs: int | None = None
    """The search's ``n_jobs``."""
    verbose: int = 0
    """The search's ``verbose``."""
    context: FitContext = field(default_factory=FitContext)
    """Data that the search adds, and sends with the fits."""
    local: LocalCalls = field(default_factory=LocalCalls, repr=False)
    """Data that stays in this process or on this machine."""

    def __len__(self) -> int:
        return len(self.fits)

    @property
    def is_overdue(self) -> bool:
        """True if no fit must begin any more, and running ones should be ended."""
        return time.monotonic() >= self.local.deadline

    @property
    def estimator(self) -> Any:
        """The estimator without a candidate's parameters. None if the fits are other calls."""
        first = self.arguments[0] if self.arguments else None
        is_estimator = hasattr(first, "get_params") and not isinstance(first, type)
        return first if is_estimator else None

    def keywords_of(self, fit: int) -> dict[str, Any]:
        """Return all keyword arguments of a fit.

        Parameters
        ----------
        fit : int
            Number of the fit, from 0 to ``len(batch) - 1``.

        Returns
        -------
        keywords : dict of str to object
            Those of all fits, and those of this one.
        """
        return {**self.common_keywords, **self.fits[fit].keywords}

    def check_code(self) -> None:
        """Raise an error if the fits have a checkpoint and this process has other code.

        Raises
        ------
        BackendError
            The message names the modules and classes that differ.
        """
        if self.context.check_code is not None:
            self.context.check_code()

    def subset(self, fits: Sequence[int]) -> Batch:
        """Return a batch of some of these fits, renumbered from 0.

        Parameters
        ----------
        fits : sequence of int
            Numbers of the fits.

        Returns
        -------
        batch : Batch
            ``batch.fits[n]`` is the fit ``fits[n]`` of this batch.
        """
        return replace(
            self,
            fits=[self.fits[fit] for fit in fits],
            context=self.context.subset(fits),
            local=self.local.subset(fits),
        )

    def with_context(self, **changes: Any) -> Batch:
        """Return the batch with some fields of its context replaced.

        Parameters
        ----------
        **changes
            The new values by the names of the fields.

        Returns
        -------
        batch : Batch
            A copy.
        """
        return replace(self, context=replace(self.context, **changes))

    def report_running(self, running: Callable[[], Sequence[tuple[int, float]]]) -> None:
        """Tell the search how to ask which fits are running, and each for how many seconds."""
        if self.local.monitor is not None:
            self.local.monitor.running_fits = lambda: [
                (self.fits[fit], seconds) for fit, seconds in running()
            ]

    def summary(self) -> dict[str, Any]:
        """Return candidates and fits as text and numbers, for reports.

        Returns
        -------
        summary : dict of str to object
            ``"search"``: class of the estimator; ``"candidates"``: parameters as text;
            ``"n_splits"``: number of splits; ``"fits"``: candidate and split of each fit;
            ``"batch"``: the batch's key.
        """
        candidates = {fit.candidate: fit.parameters for fit in self.fits}
        numbers = {candidate: number for number, candidate in enumerate(sorted(candidates))}
        return {
            "search": type(self.estimator).__name__,
            "candidates": [
                {name: _REPR.repr(value) for name, value in candidates[candidate].items()}
                for candidate in numbers
            ],
            "n_splits": len({fit.split for fit in self.fits}),
            "fits": [[numbers[fit.candidate], fit.split] for fit in self.fits],
            "batch": self.key,
        }

    def portable(self, *, same_machine: bool = False) -> Batch:
        """Return the batch without what only this process can use.

        Parameters
        ----------
        same_machine : bool, default=False
            Whether the fits run on this machine. If False, the batch is also without what only this
            machine can use.

        Returns
        -------
        batch : Batch
            A copy to pickle with cloudpickle.
        """
        callbacks = self.local.callbacks if same_machine else None
        return replace(self, local=LocalCalls(callbacks=callbacks))

    def run(
        self, fit: int, prepared: PreparedCall | None = None, *, fire_callbacks: bool = True
    ) -> Outcome:
        """Run a fit anywhere, any number of times. An exception becomes part of the outcome.

        Parameters
        ----------
        fit : int
            Number of the fit, from 0 to ``len(batch) - 1``.
        prepared : PreparedCall or None, default=None
            Arguments to use instead of the batch's own.
        fire_callbacks : bool, default=True
            False if scikit-learn's callbacks have been fired for this fit before.

        Returns
        -------
        outcome : Outcome
            Status ``"ok"`` or ``"raised"``.
        """
        has_callbacks = bool(self.local.callbacks)
        callbacks = self.local.callbacks[fit] if self.local.callbacks and fire_callbacks else {}
        outcome = partial(
            Outcome,
            fit,
            batch=self.key,
            callbacks_fired=has_callbacks,
            started_at=time.time(),
        )
        try:
            arguments = prepared.arguments if prepared else self._cloned_arguments()
            keywords = self.keywords_of(fit) | (dict(prepared.keywords) if prepared else {})
            result = self.function(*arguments, **keywords, **callbacks)
        except (Exception, SystemExit) as exc:
            raised = Raised.from_exception(exc)
            return self._complete_outcome(outcome("raised", raised=raised), prepared)
        return self._complete_outcome(outcome("ok", result), prepared)

    def run_in_process(
        self, fit: int, prepared: PreparedCall | None = None, *, fire_callbacks: bool = True
    ) -> Outcome:
        """Run a fit in the caller's process. Exceptions pass through.

        Parameters
        ----------
        fit, prepared, fire_callbacks
            As for `run`.

        Returns
        -------
        outcome : Outcome
            Status ``"ok"``.
        """
        assert self.local.calls is not None, "this batch has left the caller's process"
        started_at = time.time()
        result = self.local.calls[fit](prepared, fire_callbacks=fire_callbacks)
        outcome = Outcome(
            fit, "ok", result, batch=self.key, callbacks_fired=True, started_at=started_at
        )
        return self._complete_outcome(outcome, prepared)

    def _complete_outcome(self, outcome: Outcome, prepared: PreparedCall | None) -> Outcome:
        if self.context.extractor is not None and outcome.result is not None:
            outcome = self.context.extractor(self, outcome, prepared)
        return replace(outcome, finished_at=time.time(), worker=worker_name())

    def _cloned_arguments(self) -> tuple[Any, ...]:
        if self.estimator is None:
            return self.arguments
        return clone(self.estimator), *self.arguments[1:]


class Run(Protocol):
    """Runs a batch: the ``run`` of a backend, or a wrapper around it."""

    def __call__(self, batch: Batch, /) -> Iterator[Outcome]:
        """Yield one outcome for each fit, in any order."""


@contextmanager
def closing_outcomes(outcomes: Iterator[Outcome]) -> Iterator[Iterator[Outcome]]:
    """Close the iterator at the end of the block, if it can be closed.

    An early end of a search thus reaches the clean-up of the backend at once, and not at the next
    garbage collection.
    """
    try:
        yield outcomes
    finally:
        close = getattr(outcomes, "close", None)
        if close is not None:
            close()


def n_samples(value: object) -> int | None:
    """Return the number of rows as scikit-learn counts them, or None if it does not."""
    shape: tuple[int, ...] | None = getattr(value, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(value) if isinstance(value, Sized) else None


@cache
def _name_of_process(pid: int) -> str:
    return f"{socket.gethostname()}-{pid}"


def worker_name() -> str:
    """Return host name and process id."""
    return _name_of_process(os.getpid())  # the cache is by process: a fork is another worker
