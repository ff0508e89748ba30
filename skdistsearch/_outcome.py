"""Outcome: the result of a fit, as plain data. Raised and ArtifactRef: what it may refer to."""

from __future__ import annotations

import numbers
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from skdistsearch._typing import FitResult

_ARTIFACT_NAME = re.compile(r"0-[A-Za-z0-9_-]+\.(npy|pkl|data|obj|skops)")
_STATUSES = ("ok", "raised", "lost")
_TEXT_MAX = 1_000_000  # characters of a message or traceback; lines of journals have a limit


@dataclass(frozen=True)
class Raised:
    """An exception that left a fit, as data. Reading it runs no code.

    Examples
    --------
    >>> from skdistsearch.backends import Raised
    >>> raised = Raised.from_exception(ValueError("alpha must be positive"))
    >>> raised.types
    ('builtins:ValueError', 'builtins:Exception', 'builtins:BaseException')
    >>> isinstance(raised.to_exception(), ValueError)
    True
    """

    types: tuple[str, ...]
    """The exception's class and its bases, most derived first, as ``module:qualname``."""
    message: str
    """``str`` of the exception."""
    traceback: str
    """The traceback, formatted where the exception was raised."""

    @classmethod
    def from_exception(cls, exc: BaseException) -> Raised:
        """Describe an exception.

        Parameters
        ----------
        exc : BaseException
            The exception.

        Returns
        -------
        raised : Raised
            Its types, message and traceback.
        """
        types = tuple(f"{t.__module__}:{t.__qualname__}" for t in type(exc).__mro__[:-1])
        text = "".join(traceback.format_exception(exc))
        return cls(types, str(exc)[:_TEXT_MAX], text[-_TEXT_MAX:])

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Raised:
        """Read the exception from a line of a journal.

        Parameters
        ----------
        fields : dict of str to object
            The fields by name.

        Returns
        -------
        raised : Raised
            The exception.

        Raises
        ------
        ValueError, TypeError
            ``fields`` does not describe an exception.
        """
        raised = cls(**{**fields, "types": tuple(fields["types"])})
        _check_all(str, "raised", [*raised.types, raised.message, raised.traceback])
        return raised

    def to_exception(self) -> BaseException:
        """Return an exception of the original type, or of its nearest base known here.

        Considers only classes that this process has already imported, so that reading an outcome
        imports nothing.

        Returns
        -------
        exception : BaseException
            Its text has the message and the traceback.
        """
        known = filter(None, map(_imported_exception, self.types))
        return _remote_exception(next(known, RuntimeError), str(self))

    def __str__(self) -> str:
        return (
            f"{self.message}\n\nIt was raised in another process. Its traceback:\n{self.traceback}"
        )


def _imported_exception(name: str) -> type[BaseException] | None:
    module, _, qualname = name.partition(":")
    value: object = sys.modules.get(module)
    for attribute in qualname.split("."):
        value = getattr(value, attribute, None)
    return value if isinstance(value, type) and issubclass(value, BaseException) else None


def _remote_exception(cls: type[BaseException], text: str) -> BaseException:
    """Return an instance of a subclass of ``cls`` that reads ``text``.

    Does not call ``cls.__init__``, whose parameters are unknown.
    """
    namespace = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__str__": lambda self: text,
        "__reduce__": lambda self: (_remote_exception, (cls, text)),
    }
    try:
        subclass: Any = type(cls.__name__, (cls,), namespace)
        exception: BaseException = subclass.__new__(subclass, text)
    except TypeError:  # a class that cannot be subclassed, or an unusual __new__
        return RuntimeError(f"{cls.__name__}: {text}")
    return exception


@dataclass(frozen=True)
class ArtifactRef:
    """Reference to a file that a fit leaves behind: predictions, or the fitted model."""

    name: str
    """Name within the store. It begins with ``0-``. Its end says what it is: ``.npy``, ``.pkl``,
    ``.skops``, ``.data`` or ``.obj``."""
    crc32: int
    """Checksum of the content."""
    url: str = ""
    """The store. Empty for the store of the journal that refers to the file."""

    @classmethod
    def from_fields(cls, fields: tuple[str, int]) -> ArtifactRef:
        """Read the reference from a line of a journal.

        Raises `ValueError` or `TypeError` if it is not one.
        """
        name, crc32 = fields
        if not is_artifact_name(name):  # never a path
            raise ValueError(f"{name!r} is not the name of an artifact")
        _check_all(int, "checksum", [crc32])
        return cls(name, crc32)


def is_artifact_name(name: str) -> bool:
    """Return whether a name in a store is that of an artifact."""
    return _ARTIFACT_NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class Outcome:
    """Result of one fit. Plain data: safe to read from anywhere.

    See Also
    --------
    skdistsearch.Plan : Returns outcomes, to be assembled.
    skdistsearch.backends.Backend : Yields outcomes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=5)
    >>> plan = search.plan(X, y)
    >>> (outcome,) = plan.run(0)
    >>> outcome.fit, outcome.status
    (0, 'ok')
    >>> print(f"{outcome.result['test_scores']:.3f}")
    0.411
    """

    fit: int
    """Number of the fit within its batch."""
    status: Literal["ok", "raised", "lost", "skipped"]
    """``"ok"``: scikit-learn's result is in ``result``. ``"raised"``: the user's code raised an
    exception. ``"lost"``: the worker died each time the fit was tried. ``"skipped"``: the search
    does not run it, because of its ``race`` or ``time_budget_s``. Backends never yield that."""
    result: FitResult | None = None
    """scikit-learn's result of the fit: scores, times in seconds, number of test rows."""
    raised: Raised | None = None
    """The exception of a fit that raised."""
    reason: str = ""
    """Why a fit was lost."""
    stdout: str = ""
    """What the fit printed in another process."""
    task_pathspec: str = ""
    """Pathspec of the Metaflow task that ran the fit. Empty on this machine."""
    batch: str = ""
    """Key of the fit's batch."""
    callbacks_fired: bool = False
    """True if scikit-learn's callbacks were fired where the fit ran."""
    started_at: float = 0.0
    """Start of the fit, in seconds since 1970, by the clock of the machine that ran it."""
    finished_at: float = 0.0
    """End of the fit, in seconds since 1970, by the same clock."""
    worker: str = ""
    """Host name and process id."""
    is_persisted: bool = False
    """True if the outcome was read from a checkpoint's journal."""
    extracted: Mapping[str, float] = field(default_factory=dict)
    """Values that ``extract=`` asked for, by name."""
    extraction_errors: Mapping[str, str] = field(default_factory=dict)
    """Exceptions, as text, of values and artifacts that could not be extracted, by name."""
    artifacts: Mapping[str, bytes | ArtifactRef] = field(default_factory=dict, repr=False)
    """Artifacts: predictions by the name of the method that made them, and ``"estimator"``
    or ``"skops"``. Bytes until they are stored."""

    @property
    def fit_error(self) -> str | None:
        """The traceback of a fit that failed and got ``error_score``, or None."""
        return None if self.result is None else self.result.get("fit_error")

    def with_fit(self, fit: int) -> Outcome:
        """Return the outcome with the number of the fit in another batch."""
        return replace(self, fit=fit)

    def to_fields(self) -> dict[str, Any]:
        """Return the outcome as a dict that JSON can represent. Artifacts must be stored.

        Returns
        -------
        fields : dict of str to object
            Strings, numbers, lists, dicts and None.
        """
        fields = {name: value for name, value in vars(self).items() if name != "is_persisted"}
        if self.raised is not None:
            fields["raised"] = dict(vars(self.raised))
        if self.result is not None:
            fields["result"] = _to_json(self.result)
            if error := self.fit_error:
                fields["result"]["fit_error"] = error[-_TEXT_MAX:]
        for name in ("extracted", "extraction_errors", "artifacts"):
            if not fields[name]:
                del fields[name]
        if self.artifacts:
            fields["artifacts"] = {
                name: [file.name, file.crc32]
                for name, file in self.artifacts.items()
                if isinstance(file, ArtifactRef)
            }
        return fields

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Outcome:
        """Read an outcome from what `to_fields` returned.

        Parameters
        ----------
        fields : dict of str to object
            What `to_fields` returned, also after a round trip through JSON.

        Returns
        -------
        outcome : Outcome
            An equal outcome.

        Raises
        ------
        ValueError, TypeError
            ``fields`` is not the content of an outcome.
        """
        raised = fields.get("raised")
        if raised is not None:
            raised = Raised.from_fields(raised)
        artifacts = {
            name: ArtifactRef.from_fields(file)
            for name, file in fields.get("artifacts", {}).items()
        }
        outcome = cls(**{**fields, "raised": raised, "is_persisted": False, "artifacts": artifacts})
        outcome._check_types()
        return outcome

    def _check_types(self) -> None:
        """Check what was read from a journal, whose writer may be broken or hostile."""
        if self.status not in _STATUSES:
            raise ValueError(f"status {self.status!r}")
        if self.status == "ok" and not isinstance(self.result, dict):
            raise ValueError(f"not the result of a fit: {self.result!r}")
        _check_all(int, "fit", [self.fit])
        _check_all(bool, "callbacks_fired", [self.callbacks_fired])
        _check_all((int, float), "time", [self.started_at, self.finished_at])
        for name in ("reason", "stdout", "task_pathspec", "batch", "worker"):
            _check_all(str, name, [getattr(self, name)])
        _check_all(dict, "extracted", [self.extracted, self.extraction_errors])
        _check_all((int, float), "extracted value", self.extracted.values())
        _check_all(str, "extraction error", self.extraction_errors.values())
        if self.result is not None:
            _check_result(self.result)


def _check_all(types: type | tuple[type, ...], name: str, values: Iterable[object]) -> None:
    """Raise `TypeError` unless the type of each value is one of ``types``, not derived from it.

    In Python, True is an int.
    """
    expected = types if isinstance(types, tuple) else (types,)
    for value in values:
        if type(value) not in expected:
            raise TypeError(f"{name} {value!r} is of type {type(value).__name__}")


def _check_result(result: Mapping[str, Any]) -> None:
    """Check the parts of scikit-learn's result that are read here."""
    for name in ("test_scores", "train_scores"):
        scores = result.get(name, 0)
        values = scores.values() if type(scores) is dict else [scores]
        _check_all((int, float, bool), name, values)
    times = [result.get(name, 0) for name in ("fit_time", "score_time", "n_test_samples")]
    _check_all((int, float), "time or number of rows", times)
    _check_all((str, type(None)), "fit_error", [result.get("fit_error")])


def _to_json(value: object) -> Any:
    """Convert a result to types that JSON has. scikit-learn makes float64 of all scores anyway."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(name): _to_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(inner) for inner in value]
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Number):
        return float(value)  # type: ignore[arg-type]
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be sent back from a fit")
