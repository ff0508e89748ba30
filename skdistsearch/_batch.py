"""Fit, Batch, Outcome: what is run, and what became of it."""

from __future__ import annotations

import numbers
import os
import re
import reprlib
import socket
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Literal

from sklearn.base import clone

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80  # characters of a parameter's value in a message
_FILE = re.compile(r"0-[\w.-]+\.(npy|pkl)")


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
class Raised:
    """An exception that left a fit, as data: nothing in it runs code when it is read."""

    types: tuple[str, ...]
    """The exception's class and its bases, most derived first, as ``module:qualname``."""
    message: str
    """``str`` of the exception."""
    traceback: str
    """The traceback, formatted where it happened."""

    @classmethod
    def from_exception(cls, exc: BaseException) -> Raised:
        """Describe ``exc``."""
        types = tuple(f"{t.__module__}:{t.__qualname__}" for t in type(exc).__mro__[:-1])
        return cls(types, str(exc), "".join(traceback.format_exception(exc)))

    def to_exception(self) -> BaseException:
        """An exception of the original type, or of its nearest base known here.

        Only classes that this process has imported already are considered: reading an outcome
        imports nothing.
        """
        known = filter(None, map(_imported_exception, self.types))
        return _remote_exception(next(known, RuntimeError), str(self))

    def __str__(self) -> str:
        return f"{self.message}\n\nThe fit ran in another process. There:\n{self.traceback}"


def _imported_exception(name: str) -> type[BaseException] | None:
    module, _, qualname = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _remote_exception(cls: type[BaseException], text: str) -> BaseException:
    """An exception that is a ``cls`` and reads ``text``, whatever ``cls`` takes to be made."""
    namespace = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__str__": lambda self: text,
        "__reduce__": lambda self: (_remote_exception, (cls, text)),
    }
    try:
        made: Any = type(cls.__name__, (cls,), namespace)
        exception: BaseException = made.__new__(made, text)
    except TypeError:  # a class that cannot be subclassed, or an odd __new__
        return RuntimeError(f"{cls.__name__}: {text}")
    return exception


@dataclass(frozen=True)
class File:
    """Where something that a fit leaves beside its outcome is: predictions, or the model."""

    name: str
    """Within the store. It begins with ``0-`` and ends with ``.npy`` or ``.pkl``."""
    crc32: int
    """Checksum of its content."""
    url: str = ""
    """The store; empty where it is that of the record which tells of the file."""

    @classmethod
    def from_fields(cls, fields: Any) -> File:
        """The file that a record tells of; `ValueError` or `TypeError` if it is none."""
        name, crc32 = fields
        if not _FILE.fullmatch(name):  # never a path
            raise ValueError(f"{name!r} is no name of a file that a fit leaves")
        return cls(name, int(crc32))


@dataclass(frozen=True)
class Outcome:
    """What became of one fit. Plain data: safe to read from anywhere."""

    fit: int
    """Number of the fit within its batch."""
    status: Literal["ok", "raised", "lost"]
    """``ok``: scikit-learn's record is in `result`. ``raised``: the user's code raised
    through scikit-learn's loop. ``lost``: the machine died."""
    result: Mapping[str, Any] | None = None
    """scikit-learn's record of the fit: scores, times in seconds, sample count."""
    raised: Raised | None = None
    """The exception of a fit that raised."""
    reason: str = ""
    """Why a fit was lost."""
    printed: str = ""
    """What the fit printed, where the caller could not see it."""
    origin: str = ""
    """Where it ran: the pathspec of a Metaflow task, empty for this machine."""
    batch: str = ""
    """Key of the batch that the fit belongs to."""
    told: bool = False
    """Whether scikit-learn's callbacks have heard of the fit where it ran."""
    began: float = 0.0
    """When the fit began, in seconds since 1970 on the clock of where it ran."""
    ended: float = 0.0
    """When it ended."""
    worker: str = ""
    """Host and process that it ran in."""
    recorded: bool = False
    """Whether it was read from a record: whoever ran the fit has kept it there."""
    notes: Mapping[str, float] = field(default_factory=dict)
    """What the user has asked to be noted of the fitted model."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """What of the fitted model could not be had, and why: name, then the exception as text."""
    files: Mapping[str, bytes | File] = field(default_factory=dict, repr=False)
    """What else there is of the fitted model: arrays by the name of the method that gave them,
    and ``"estimator"``. Bytes until somebody keeps them."""

    def to_fields(self) -> dict[str, Any]:
        """What JSON can hold."""
        fields = {name: value for name, value in vars(self).items() if name != "recorded"}
        if self.raised is not None:
            fields["raised"] = dict(vars(self.raised))
        if self.result is not None:
            fields["result"] = _plain(self.result)
        for name in ("notes", "troubles", "files"):
            if not fields[name]:
                del fields[name]
        if self.files:
            kept = {what: file for what, file in self.files.items() if isinstance(file, File)}
            fields["files"] = {what: [file.name, file.crc32] for what, file in kept.items()}
        return fields

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Outcome:
        """The outcome that `to_fields` described; `ValueError` or `TypeError` if none did."""
        raised = fields.get("raised")
        if raised is not None:
            raised = Raised(tuple(raised["types"]), raised["message"], raised["traceback"])
        files = {what: File.from_fields(file) for what, file in fields.get("files", {}).items()}
        outcome = cls(**{**fields, "raised": raised, "recorded": False, "files": files})
        if outcome.status not in ("ok", "raised", "lost"):
            raise ValueError(f"status {outcome.status!r}")
        if outcome.status == "ok" and not isinstance(outcome.result, dict):
            raise ValueError(f"no result of a fit: {outcome.result!r}")
        return outcome


def _plain(value: Any) -> Any:
    """A score as JSON knows it; scikit-learn turns every score into float64 in the end."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Number):
        return float(value)  # type: ignore[arg-type]
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be sent back from a fit")


@dataclass(frozen=True)
class Common:
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
    common: Common | None = field(default=None, repr=False)
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
        began = time.time()
        result = self.here[fit](prepared, again)
        outcome = Outcome(fit, "ok", result, batch=self.key, told=True, began=began)
        return self._ended(outcome, prepared)

    def run(self, fit: int, prepared: Prepared | None = None, *, again: bool = False) -> Outcome:
        """Run a fit anywhere, any number of times; what it raises is part of the outcome.

        ``again``: scikit-learn's callbacks have heard of it.
        """
        callbacks = self.callbacks[fit] if self.callbacks and not again else {}
        told = bool(self.callbacks)
        outcome = partial(Outcome, fit, batch=self.key, told=told, began=time.time())
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
        return replace(outcome, ended=time.time(), worker=this_worker())

    def _arguments(self) -> tuple[Any, ...]:
        estimator, *data = self.arguments
        return clone(estimator), *data


@cache
def _worker_of(pid: int) -> str:
    return f"{socket.gethostname()}-{pid}"


def this_worker() -> str:
    """Host and process."""
    return _worker_of(os.getpid())  # a fork is another worker


def closeable(outcomes: Iterable[Outcome]) -> Generator[Outcome]:
    """``outcomes`` as a generator, so that an early end reaches the backend's own clean-up."""
    yield from outcomes
