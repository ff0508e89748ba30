"""Outcome, Raised."""

from __future__ import annotations

import numbers
import re
import sys
import traceback
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

_FILE = re.compile(r"0-[\w.-]+\.(npy|pkl)")


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
class ArtifactRef:
    """Where something that a fit leaves beside its outcome is: predictions, or the model."""

    name: str
    """Within the store. It begins with ``0-`` and ends with ``.npy`` or ``.pkl``."""
    crc32: int
    """Checksum of its content."""
    url: str = ""
    """The store; empty where it is that of the record which tells of the file."""

    @classmethod
    def from_fields(cls, fields: Any) -> ArtifactRef:
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
    stdout: str = ""
    """What the fit printed, where the caller could not see it."""
    task_pathspec: str = ""
    """Where it ran: the pathspec of a Metaflow task, empty for this machine."""
    batch: str = ""
    """Key of the batch that the fit belongs to."""
    callbacks_fired: bool = False
    """Whether scikit-learn's callbacks have heard of the fit where it ran."""
    started_at: float = 0.0
    """When the fit began, in seconds since 1970 on the clock of where it ran."""
    finished_at: float = 0.0
    """When it ended."""
    worker: str = ""
    """Host and process that it ran in."""
    is_persisted: bool = False
    """Whether it was read from a record: whoever ran the fit has kept it there."""
    extracted: Mapping[str, float] = field(default_factory=dict)
    """What the user has asked to be noted of the fitted model."""
    extraction_errors: Mapping[str, str] = field(default_factory=dict)
    """What of the fitted model could not be had, and why: name, then the exception as text."""
    files: Mapping[str, bytes | ArtifactRef] = field(default_factory=dict, repr=False)
    """What else there is of the fitted model: arrays by the name of the method that gave them,
    and ``"estimator"``. Bytes until somebody keeps them."""

    def to_fields(self) -> dict[str, Any]:
        """What JSON can hold."""
        fields = {name: value for name, value in vars(self).items() if name != "is_persisted"}
        if self.raised is not None:
            fields["raised"] = dict(vars(self.raised))
        if self.result is not None:
            fields["result"] = _plain(self.result)
        for name in ("extracted", "extraction_errors", "files"):
            if not fields[name]:
                del fields[name]
        if self.files:
            kept = {
                what: file for what, file in self.files.items() if isinstance(file, ArtifactRef)
            }
            fields["files"] = {what: [file.name, file.crc32] for what, file in kept.items()}
        return fields

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Outcome:
        """The outcome that `to_fields` described; `ValueError` or `TypeError` if none did."""
        raised = fields.get("raised")
        if raised is not None:
            raised = Raised(tuple(raised["types"]), raised["message"], raised["traceback"])
        files = {
            what: ArtifactRef.from_fields(file) for what, file in fields.get("files", {}).items()
        }
        outcome = cls(**{**fields, "raised": raised, "is_persisted": False, "files": files})
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


def closeable(outcomes: Iterable[Outcome]) -> Generator[Outcome]:
    """``outcomes`` as a generator, so that an early end reaches the backend's own clean-up."""
    yield from outcomes
