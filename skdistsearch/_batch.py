"""Fit, Batch, Outcome: what is run, and what became of it."""

from __future__ import annotations

import os
import reprlib
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from sklearn.base import clone

from skdistsearch._outcome import Outcome, Raised

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80  # characters of a parameter's value in a message


@dataclass(frozen=True)
class Fit:
    """One candidate on one split."""

    candidate: int
    """Number of the candidate within its round."""
    split: int
    """Number of the split within its candidate."""
    parameters: Mapping[str, Any]
    """The candidate's parameters."""
    keywords: Mapping[str, Any]
    """What scikit-learn hands to this fit and not to all fits alike."""
    key: str = ""
    """Digest of all that the fit's result depends on, where finished fits are to be kept."""

    def describe(self) -> str:
        """Its candidate."""
        values = ", ".join(f"{key}={_REPR.repr(value)}" for key, value in self.parameters.items())
        return f"candidate {self.candidate} ({values})"

    def __str__(self) -> str:
        return f"{self.describe()}, split {self.split}"


@dataclass(frozen=True)
class SharedWork:
    """What the fits of a batch have in common beyond what all of them share."""

    pieces: Sequence[tuple[int | None, ...]]
    """Per fit, a number for each of its estimator's transformers, in the order of
    `iter_slots`: equal where the work is; None where no other fit has it."""
    budget_mb: float | None
    """How much memory the work of transformers may take in each process; None: a part of what
    there is where it runs."""


@dataclass(frozen=True)
class Prepared:
    """What scikit-learn's function gets for a fit instead of what the batch says."""

    arguments: tuple[Any, ...]
    """All positional arguments."""
    keywords: Mapping[str, Any]
    """Some of the keyword arguments."""


@dataclass(frozen=True, eq=False)
class Batch:
    """All fits of one round, what they share held once."""

    key: str
    """Unique name of this batch."""
    function: Callable[..., dict[str, Any]]
    """scikit-learn's function that runs one fit, with its configuration."""
    arguments: tuple[Any, ...]
    """Its positional arguments: the estimator without a candidate's parameters, X, y."""
    shared: Mapping[str, Any]
    """Its keyword arguments that are the same object in every fit."""
    fits: Sequence[Fit]
    """The fits."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else a fit's result depends on: scikit-learn's configuration."""
    own: frozenset[str] = frozenset()
    """Names of the keyword arguments in which the fits of any batch may differ, as far as a fit's
    result depends on them: candidate and split."""
    aside: frozenset[str] = frozenset()
    """Names of the keyword arguments that no result depends on."""
    n_jobs: int | None = None
    """The search's ``n_jobs``."""
    verbose: int = 0
    """The search's ``verbose``."""
    here: Sequence[Callable[..., dict[str, Any]]] | None = field(default=None, repr=False)
    """scikit-learn's own calls, for fits that run in this process. They do not travel."""
    seconds: Mapping[int, float] | None = None
    """How long fits are expected to take, where earlier ones tell."""
    record: str = ""
    """Where finished fits are to be kept beyond this search: a folder or a URL of S3."""
    common: SharedWork | None = field(default=None, repr=False)
    """What else fits share, if anything."""
    keep: Callable[[Batch, Outcome, Prepared | None], Outcome] | None = None
    """Takes the fitted model off scikit-learn's record of a fit, and notes what is wanted of it.
    None where nothing is: then there is no model in the record."""
    callbacks: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    """Per fit, the keywords through which scikit-learn fires callbacks that reach into the
    estimator. They work in all processes of this machine, and on no other."""

    def __len__(self) -> int:
        return len(self.fits)

    def keywords_of(self, fit: int) -> dict[str, Any]:
        """All keyword arguments of a fit."""
        return {**self.shared, **self.fits[fit].keywords}

    def only(self, fits: Sequence[int]) -> Batch:
        """A batch of some of these fits, numbered anew."""
        here, callbacks, common = self.here, self.callbacks, self.common
        return replace(
            self,
            common=common and replace(common, pieces=[common.pieces[fit] for fit in fits]),
            fits=[self.fits[fit] for fit in fits],
            here=here and [here[fit] for fit in fits],
            callbacks=callbacks and [callbacks[fit] for fit in fits],
        )

    def about(self) -> dict[str, Any]:
        """Its candidates and fits as text and numbers, for reports."""
        candidates = {fit.candidate: fit.parameters for fit in self.fits}
        numbers = {candidate: number for number, candidate in enumerate(sorted(candidates))}
        return {
            "search": type(self.arguments[0]).__name__,
            "candidates": [
                {name: _REPR.repr(value) for name, value in candidates[candidate].items()}
                for candidate in numbers
            ],
            "n_splits": len({fit.split for fit in self.fits}),
            "fits": [[numbers[fit.candidate], fit.split] for fit in self.fits],
        }

    def travelling(self, *, far: bool) -> Batch:
        """This batch without what only this process or, if ``far``, this machine can use."""
        return replace(self, here=None, callbacks=None if far else self.callbacks)

    def run_here(
        self, fit: int, prepared: Prepared | None = None, *, again: bool = False
    ) -> Outcome:
        """Run a fit in the caller's process; what it raises passes through.

        ``again``: scikit-learn's callbacks have heard of it.
        """
        assert self.here is not None, "a batch that travelled has no calls of this process"
        started_at = time.time()
        result = self.here[fit](prepared, again)
        outcome = Outcome(
            fit, "ok", result, batch=self.key, callbacks_fired=True, started_at=started_at
        )
        return self._ended(outcome, prepared)

    def run(self, fit: int, prepared: Prepared | None = None, *, again: bool = False) -> Outcome:
        """Run a fit anywhere, any number of times; what it raises is part of the outcome.

        ``again``: scikit-learn's callbacks have heard of it.
        """
        callbacks = self.callbacks[fit] if self.callbacks and not again else {}
        callbacks_fired = bool(self.callbacks)
        outcome = partial(
            Outcome, fit, batch=self.key, callbacks_fired=callbacks_fired, started_at=time.time()
        )
        try:
            arguments = prepared.arguments if prepared else self._arguments()
            keywords = self.keywords_of(fit) | (dict(prepared.keywords) if prepared else {})
            result = self.function(*arguments, **keywords, **callbacks)
        except (Exception, SystemExit) as exc:
            return self._ended(outcome("raised", raised=Raised.from_exception(exc)), prepared)
        return self._ended(outcome("ok", result), prepared)

    def _ended(self, outcome: Outcome, prepared: Prepared | None) -> Outcome:
        if self.keep is not None and outcome.result is not None:
            outcome = self.keep(self, outcome, prepared)
        return replace(outcome, finished_at=time.time(), worker=this_worker())

    def _arguments(self) -> tuple[Any, ...]:
        estimator, *data = self.arguments
        return clone(estimator), *data


@cache
def _worker_of(pid: int) -> str:
    return f"{socket.gethostname()}-{pid}"


def this_worker() -> str:
    """Host and process."""
    return _worker_of(os.getpid())  # a fork is another worker
