"""Names for the types that cross modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

ArrayLike: TypeAlias = Any
"""X or y, as scikit-learn takes them: array, sparse matrix, data frame, list."""
FittedSearch: TypeAlias = Any
"""A fitted search of this package or of scikit-learn."""
Indices: TypeAlias = NDArray[np.integer[Any]] | NDArray[np.bool_] | Sequence[int]
"""Row numbers, or a mask, of one part of a split."""
Parameters: TypeAlias = Mapping[str, object]
"""Parameters of an estimator by name: one candidate."""
ParamGrid: TypeAlias = Mapping[str, Any]
"""Parameter names, and for each the values or the distribution to try."""
Scorer: TypeAlias = str | Callable[..., float]
"""A metric: scikit-learn's name of it, or a callable (estimator, X, y)."""
Scoring: TypeAlias = Scorer | Sequence[str] | Mapping[str, Scorer] | Callable[..., Any] | None
"""``scoring`` of scikit-learn's searches: one metric or several."""
Refit: TypeAlias = bool | str | Callable[[Mapping[str, Any]], int]
"""``refit`` of scikit-learn's searches."""
RandomState: TypeAlias = int | np.random.RandomState | None
"""``random_state`` of scikit-learn."""


class Splitter(Protocol):
    """An object with scikit-learn's cross-validation splitter API."""

    def split(
        self, X: ArrayLike, y: ArrayLike = None, groups: ArrayLike = None
    ) -> Iterable[tuple[Indices, Indices]]:
        """Return the training and test indices of each split."""

    def get_n_splits(
        self, X: ArrayLike = None, y: ArrayLike = None, groups: ArrayLike = None
    ) -> int:
        """Return the number of splits."""


CrossValidation: TypeAlias = int | Splitter | Iterable[tuple[Indices, Indices]] | None
"""``cv`` of scikit-learn's searches."""


class Estimator(Protocol):
    """An object with scikit-learn's estimator API."""

    def fit(self, X: ArrayLike, y: ArrayLike = None) -> Any:
        """Fit to data."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""

    def set_params(self, **params: Any) -> Any:
        """Set parameters."""


class _RequiredResult(TypedDict):
    fit_error: str | None
    fit_time: float
    score_time: float
    test_scores: float | dict[str, float]


class FitResult(_RequiredResult, total=False):
    """scikit-learn's result of one fit, as its ``_fit_and_score`` returns it.

    ``fit_error`` is the traceback of a fit that failed, or None. Times are in seconds. Scores are
    one number, or one for each metric. ``estimator`` is the fitted model, only where it was asked
    for.
    """

    train_scores: float | dict[str, float]
    n_test_samples: int
    estimator: Any
