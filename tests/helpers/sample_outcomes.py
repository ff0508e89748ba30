"""One outcome of each status, with values that a careless serialization would lose."""

from skdistsearch._outcome import Outcome, Raised

SAMPLE_OUTCOMES = [
    Outcome(0, "ok", {"test_scores": {"a": 0.1 + 0.2, "b": float("inf")}, "fit_error": None}),
    Outcome(1, "raised", raised=Raised(("builtins:KeyError",), "'x'", "Traceback ...\n")),
    Outcome(
        2, "lost", reason="é\n", stdout="[CV] END\n", task_pathspec="Flow/1/fit/2", batch="key"
    ),
]
