"""Estimators that fail on demand."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Sized
from pathlib import Path

from sklearn.base import BaseEstimator, RegressorMixin

from skdistsearch._typing import ArrayLike


class FaultyRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regressor that predicts the mean of y times a factor, or fails on demand.

    Parameters
    ----------
    factor : float, default=1.0
        Factor by which the mean of y is multiplied.
    behavior : {"fit", "raise", "exit", "kill", "exit once", "sleep"}, default="fit"
        What happens in `fit`:

        - ``"fit"``: the model is fitted;
        - ``"raise"``: it raises a ZeroDivisionError;
        - ``"exit"``: the process exits;
        - ``"kill"``: the process is killed, as by the kernel when memory runs out;
        - ``"exit once"``: the process exits the first time, counted in ``folder``;
        - ``"sleep"``: it sleeps for an hour.
    folder : str or None, default=None
        Folder in which each call of `fit` leaves a file, to be counted with `fits_begun`.
    duration_s : float, default=0.0
        Duration of a successful fit, in seconds.

    Attributes
    ----------
    mean_ : float
        The value that the model predicts.

    Examples
    --------
    >>> from skdistsearch.testing import FaultyRegressor
    >>> FaultyRegressor(factor=2.0).fit([[0], [1]], [1.0, 3.0]).predict([[2]])
    [4.0]
    >>> FaultyRegressor(behavior="raise").fit([[0], [1]], [1.0, 3.0])
    Traceback (most recent call last):
        ...
    ZeroDivisionError: factor=1.0 was meant to fail
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

    def fit(self, X: ArrayLike, y: ArrayLike) -> FaultyRegressor:
        """Fit the model, or fail as ``behavior`` says.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Ignored.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        self : FaultyRegressor
            The fitted model.

        Raises
        ------
        ZeroDivisionError
            If ``behavior`` is ``"raise"``.
        """
        is_first = self.fits_begun(self.folder, self.behavior) == 0
        if self.folder is not None:
            Path(self.folder, f"{self.behavior}-{secrets.token_hex(8)}").touch()
        if self.behavior == "raise":
            raise ZeroDivisionError(f"factor={self.factor} was meant to fail")
        if self.behavior == "exit" or (self.behavior == "exit once" and is_first):
            os._exit(3)
        if self.behavior == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.behavior == "sleep":
            time.sleep(3600)
        time.sleep(self.duration_s)
        self.mean_ = float(sum(y) / len(y)) * self.factor
        return self

    def predict(self, X: Sized) -> list[float]:
        """Return the mean of the training y times ``factor``, for each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : list of float
            ``n_samples`` equal values.
        """
        return [self.mean_] * len(X)

    @staticmethod
    def fits_begun(folder: str | None, behavior: str) -> int:
        """Return how often `fit` was called with this folder and behavior, in all processes.

        Parameters
        ----------
        folder : str or None
            The ``folder`` of the estimators. None counts nothing.
        behavior : str
            The ``behavior`` of the estimators.

        Returns
        -------
        n_fits : int
            Calls that have begun, whether or not they ended.
        """
        return 0 if folder is None else len(list(Path(folder).glob(f"{behavior}-*")))
