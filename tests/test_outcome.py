"""Outcomes and exceptions of fits as plain data, and back."""

import json
from decimal import Decimal

import numpy as np
import pytest
from helpers.sample_outcomes import SAMPLE_OUTCOMES

from skdistsearch._outcome import Outcome, Raised


@pytest.mark.parametrize("outcome", SAMPLE_OUTCOMES, ids=lambda outcome: outcome.status)
def test_json_round_trip_is_exact(outcome):
    assert Outcome.from_fields(json.loads(json.dumps(outcome.to_fields()))) == outcome


def test_numpy_scores_become_plain_numbers():
    scores = {"f": np.float64(0.1), "g": np.float32(0.5), "i": np.int64(3), "d": Decimal("0.25")}
    plain = json.loads(json.dumps(Outcome(0, "ok", scores).to_fields()))["result"]
    assert plain == {"f": 0.1, "g": 0.5, "i": 3, "d": 0.25}


def test_score_that_is_not_a_number_is_rejected():
    with pytest.raises(TypeError, match="cannot be sent back"):
        Outcome(0, "ok", {"test_scores": object()}).to_fields()


@pytest.mark.parametrize(
    "fields",
    [
        {"fit": True},
        {"reason": 1},
        {"callbacks_fired": 0},
        {"started_at": "now"},
        {"worker": None},
        {"result": {"test_scores": "0.5"}},
        {"result": {"test_scores": {"r2": [0.5]}}},
        {"result": {"fit_time": "1"}},
        {"result": {"fit_error": 1}},
        {"extracted": {"leaves": "3"}},
        {"extraction_errors": {"leaves": 3}},
        {"extracted": [1]},
        {"artifacts": {"predict": ["0-1-a-0-predict.npy", True]}},
        {"raised": {"types": ["builtins:ValueError"], "message": 1, "traceback": ""}},
        {"raised": {"types": [1], "message": "", "traceback": ""}},
    ],
    ids=str,
)
def test_value_of_another_type_is_rejected(fields):
    with pytest.raises((TypeError, ValueError), match="type"):
        Outcome.from_fields({"fit": 0, "status": "ok", "result": {}, **fields})


def test_endless_message_of_an_exception_is_shortened():
    raised = Raised.from_exception(ValueError("x" * 5_000_000))
    assert len(raised.message) == len(raised.traceback) == 1_000_000


@pytest.mark.parametrize("name", ["../0-a.npy", "0-a/b.npy", "0-a.exe", "a.npy"])
def test_invalid_artifact_name_is_rejected(name):
    with pytest.raises(ValueError, match="is not the name of an artifact"):
        Outcome.from_fields({"fit": 0, "status": "ok", "result": {}, "artifacts": {"a": [name, 1]}})


class _UnusualError(Exception):
    """Its constructor takes other arguments than its message."""

    def __init__(self, a, b):
        super().__init__(a)
        self.b = b

    def __str__(self):
        return f"unusual {self.b}"


@pytest.mark.parametrize(
    "error", [ValueError("v"), _UnusualError(1, 2), KeyError("k"), OSError(2, "no"), SystemExit(3)]
)
def test_rebuilt_exception_has_type_message_and_traceback(error):
    try:
        raise error
    except BaseException as exc:
        rebuilt = Raised.from_exception(exc).to_exception()
    assert isinstance(rebuilt, type(error))
    assert type(rebuilt).__name__ == type(error).__name__
    assert str(error) in str(rebuilt)
    assert "Traceback" in str(rebuilt)


def test_unknown_exception_class_becomes_its_nearest_known_base():
    raised = Raised(("gone.module:Mine", "builtins:LookupError", "builtins:Exception"), "m", "t")
    assert type(raised.to_exception()).__mro__[1] is LookupError


def test_reading_an_exception_imports_nothing():
    raised = Raised(("antigravity:Evil", "os:system", "builtins:Exception"), "m", "t")
    assert type(raised.to_exception()).__mro__[1] is Exception
