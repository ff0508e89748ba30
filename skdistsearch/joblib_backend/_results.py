"""Results of calls on their way back: data without pickle, objects as pickles or refused."""

from __future__ import annotations

import base64
import pickle
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle

from skdistsearch._batch import Batch, PreparedCall
from skdistsearch._outcome import Outcome, Raised
from skdistsearch.exceptions import CorruptDataError, FitLostError
from skdistsearch.storage import NotDataError, decode, encode, read_verified

_INLINE_MAX = 20_000  # bytes of a value that travels in the journal: in S3, a file is two requests
OBJECTS = ("allow", "refuse")
_DATA, _OBJECT = "data", "object"  # kinds of artifacts


class ObjectRefusedError(TypeError):
    """A call returned an object, and ``objects="refuse"`` forbids to unpickle it."""


@dataclass(frozen=True)
class ResultExtractor:
    """Takes the value of a call out of its outcome, and encodes it.

    A small one stays in the outcome, a large one becomes an artifact.
    """

    objects: str = "allow"
    """``"allow"`` or ``"refuse"``: what happens to values that are no data."""

    def __call__(self, batch: Batch, outcome: Outcome, prepared: PreparedCall | None) -> Outcome:
        """Return the outcome with the value as an artifact. Called where the call ran."""
        fields: Any = dict(outcome.result or {})
        value = fields.pop("value", None)
        try:
            kind, content = self._encode(value, str(batch.fits[outcome.fit]))
        except Exception as exc:  # it cannot be pickled, or must not be
            raised = Raised.from_exception(exc)
            return replace(outcome, status="raised", result=None, raised=raised)
        if len(content) > _INLINE_MAX:
            return replace(outcome, result=fields, artifacts={kind: content})
        fields[kind] = base64.b64encode(content).decode()
        return replace(outcome, result=fields)

    def _encode(self, value: Any, name: str) -> tuple[str, bytes]:
        try:
            return _DATA, encode(value)
        except NotDataError as exc:
            if self.objects == "refuse":
                raise ObjectRefusedError(
                    f"{name} returned an object, not data: {exc}. To use it, this process "
                    'would have to unpickle it, which can run code: objects="allow" permits that.'
                ) from exc
            return _OBJECT, cloudpickle.dumps(value, protocol=5)


def value_of(outcome: Outcome, objects: str) -> Any:
    """Return the value of a call, or raise the exception that it raised."""
    if outcome.raised is not None:
        raise outcome.raised.to_exception()
    if outcome.status == "lost":
        raise FitLostError(outcome.reason)
    content = _content(outcome, _DATA)
    if content is not None:
        return decode(content)
    if objects == "refuse":  # a worker that does not keep to it
        raise ObjectRefusedError(f"Call {outcome.fit} returned a pickle. It was not unpickled.")
    content = _content(outcome, _OBJECT)
    if content is None:
        raise CorruptDataError(f"The outcome of call {outcome.fit} has no value.")
    return pickle.loads(content)


def _content(outcome: Outcome, kind: str) -> bytes | None:
    """Return the value of a call as bytes, if it is of this kind."""
    if kind in outcome.artifacts:
        return read_verified(outcome.artifacts[kind])
    fields: Any = outcome.result or {}
    text = fields.get(kind)
    return base64.b64decode(text) if isinstance(text, str) else None
