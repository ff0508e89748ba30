"""Estimators that fail on cue, and count how often they were asked."""

from __future__ import annotations

import os
import secrets
import signal
import time
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, RegressorMixin

BEHAVIORS = ("fit", "raise", "exit", "kill", "exit once", "sleep")


class FaultyRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor that predicts the mean of y times ``factor``, unless its behavior is another.

    Parameters
    ----------
    factor : float, default=1.0
        What the mean of y is multiplied by.
    behavior : {"fit", "raise", "exit", "kill", "exit once", "sleep"}, default="fit"
        What `fit` does: fit; raise a ZeroDivisionError; end the process; kill the process, as
        the kernel does when memory runs out; end the process the first time (per ``folder``);
        sleep an hour.
    folder : str or None, default=None
        Each call of `fit` leaves a file here: see `fits_begun`.
    duration_s : float, default=0.0
        How long a fit takes that is to succeed, in seconds.
    """

    def __init__(
        self,
        factor: float = 1.0,
        behavior: str = "fit",
        folder: str | None = None,
        duration_s: float = 0.0,
    ) -> None:
        self.factor = factor
        self.behavior = behavior
        self.folder = folder
        self.duration_s = duration_s

    def fit(self, X: Any, y: Any) -> FaultyRegressor:
        """Meet the behavior."""
        before = self.fits_begun(self.folder, self.behavior)
        if self.folder is not None:
            Path(self.folder, f"{self.behavior}-{secrets.token_hex(8)}").touch()
        if self.behavior == "raise":
            raise ZeroDivisionError(f"factor={self.factor} was meant to fail")
        if self.behavior == "exit" or (self.behavior == "exit once" and not before):
            os._exit(3)
        if self.behavior == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.behavior == "sleep":
            time.sleep(3600)
        time.sleep(self.duration_s)
        self.mean_ = float(sum(y) / len(y)) * self.factor
        return self

    def predict(self, X: Any) -> list[float]:
        """The mean of the y that was seen, times ``factor``."""
        return [self.mean_] * len(X)

    @staticmethod
    def fits_begun(folder: str | None, behavior: str) -> int:
        """How many times `fit` was called with this behavior and folder, in whatever process."""
        return 0 if folder is None else len(list(Path(folder).glob(f"{behavior}-*")))
