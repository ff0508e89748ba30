"""`replace_early_stopping`: train for a number of iterations that is known already."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from skdistsearch._meta_estimator import last_step
from skdistsearch._typing import Estimator
from skdistsearch._validation import is_integer
from skdistsearch.early_stopping._estimator import EarlyStopping


def replace_early_stopping(estimator: Estimator, n_iter: int) -> Any:
    """Return an unfitted clone that trains for a fixed number of iterations.

    Every `~skdistsearch.EarlyStopping` in the clone, at any depth, is replaced by the estimator
    that it wraps, with its number of iterations set to ``n_iter``. Use it to refit the winner
    of a search on all rows, without setting validation data aside again.

    Parameters
    ----------
    estimator : estimator object
        An ``EarlyStopping``, or an estimator that has one among its parameters, such as a
        `~sklearn.pipeline.Pipeline` or a `~sklearn.compose.TransformedTargetRegressor`. It is
        not changed.
    n_iter : int
        Number of iterations (trees, epochs), at least 1.

    Returns
    -------
    estimator : estimator object
        The unfitted clone.

    Raises
    ------
    ValueError
        ``n_iter`` is not an integer of at least 1, or ``estimator`` contains no
        ``EarlyStopping``.
    FamilyError
        The wrapped model is not of a known family.

    Examples
    --------
    Refit the best candidate for the mean of its best iteration counts over the splits:

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skdistsearch import DistributedSearchCV, EarlyStopping
    >>> from skdistsearch.early_stopping import replace_early_stopping
    >>> X, y = load_diabetes(return_X_y=True)
    >>> trees = HistGradientBoostingRegressor(learning_rate=0.3, random_state=0)
    >>> model = EarlyStopping(trees, patience=3, random_state=0)
    >>> grid = {"estimator__max_depth": [1, 2]}
    >>> extract = {"n_iter": "best_iteration_"}
    >>> search = DistributedSearchCV(model, grid, cv=2, extract=extract).fit(X, y)
    >>> n_iter = round(search.best_n_iter_)
    >>> final = replace_early_stopping(search.best_estimator_, n_iter).fit(X, y)
    >>> type(final).__name__, final.n_iter_ == n_iter
    ('HistGradientBoostingRegressor', True)
    """
    if not is_integer(n_iter, least=1):
        raise ValueError(f"n_iter={n_iter!r} must be an integer of at least 1.")
    copy = clone(estimator)
    if isinstance(copy, EarlyStopping):
        return _wrapped_estimator(copy, n_iter)
    params = copy.get_params().items()
    wrappers = {name: value for name, value in params if isinstance(value, EarlyStopping)}
    if not wrappers:
        raise ValueError(f"{type(estimator).__name__} contains no EarlyStopping to replace.")
    for name, wrapper in wrappers.items():
        copy.set_params(**{name: _wrapped_estimator(wrapper, n_iter)})
    return copy


def _wrapped_estimator(wrapper: EarlyStopping, n_iter: int) -> Any:
    model = last_step(wrapper.estimator)
    wrapper._find_family().set_iterations(model, n_iter)
    return wrapper.estimator
