"""Estimators that fail on cue, and count how often they were asked."""

from __future__ import annotations

import os
import secrets
import signal
import time
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, RegressorMixin

FATES = ("fit", "raise", "exit", "kill", "exit once", "sleep")


class Scripted(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor that predicts the mean of y times ``factor``, unless its fate is another.

    Parameters
    ----------
    factor : float, default=1.0
        What the mean of y is multiplied by.
    fate : {"fit", "raise", "exit", "kill", "exit once", "sleep"}, default="fit"
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
        fate: str = "fit",
        folder: str | None = None,
        duration_s: float = 0.0,
    ) -> None:
        self.factor = factor
        self.fate = fate
        self.folder = folder
        self.duration_s = duration_s

    def fit(self, X: Any, y: Any) -> Scripted:
        """Meet the fate."""
        before = self.fits_begun(self.folder, self.fate)
        if self.folder is not None:
            Path(self.folder, f"{self.fate}-{secrets.token_hex(8)}").touch()
        if self.fate == "raise":
            raise ZeroDivisionError(f"factor={self.factor} was meant to fail")
        if self.fate == "exit" or (self.fate == "exit once" and not before):
            os._exit(3)
        if self.fate == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fate == "sleep":
            time.sleep(3600)
        time.sleep(self.duration_s)
        self.mean_ = float(sum(y) / len(y)) * self.factor
        return self

    def predict(self, X: Any) -> list[float]:
        """The mean of the y that was seen, times ``factor``."""
        return [self.mean_] * len(X)

    @staticmethod
    def fits_begun(folder: str | None, fate: str) -> int:
        """How many times `fit` was called with this fate and folder, in whatever process."""
        return 0 if folder is None else len(list(Path(folder).glob(f"{fate}-*")))
