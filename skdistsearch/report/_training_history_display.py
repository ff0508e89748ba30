"""`TrainingHistoryDisplay`: how a model did on its validation part, iteration by iteration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdistsearch.exceptions import ReportError
from skdistsearch.report._style import ABOVE, clipped, looks, new_axes, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 8  # curves with a colour and a name each; more of them are one colour
_LABEL_LENGTH = 30  # characters
_DECADES = 100  # greatest by least value, from which on the axis is logarithmic
_WITHIN = ("best_estimator_", "regressor_", "estimator_")  # attributes that hold a fitted model


class TrainingHistoryDisplay:
    """What models told of their validation parts after each iteration, the best one marked.

    An iteration is what the model calls so: a tree, a round of boosting, an epoch. Make it with
    `from_estimator` or `from_estimators`.

    Parameters
    ----------
    curves : dict of str to ndarray of shape (n_iterations,)
        By name.
    best_iterations : dict of str to int
        By the same names; from 1.
    metric : str
        What the curves are of.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        What was drawn on.
    lines_ : dict of str to matplotlib.lines.Line2D
        The curves.
    marks_ : dict of str to matplotlib.lines.Line2D
        The points at the best iterations.
    legend_ : matplotlib.legend.Legend or None
        Names of the curves, where they are 2 to 8.
    note_ : matplotlib.text.Text
        Where the best iteration is, or of how many curves.

    Examples
    --------
    >>> from skdistsearch.report import TrainingHistoryDisplay
    >>> TrainingHistoryDisplay.from_estimator(search.best_estimator_)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        curves: Mapping[str, NDArray[np.float64]],
        best_iterations: Mapping[str, int],
        metric: str,
    ) -> None:
        self.curves = curves
        self.best_iterations = best_iterations
        self.metric = metric

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> TrainingHistoryDisplay:
        """Draw the progress of one model.

        Parameters
        ----------
        estimator : fitted estimator
            `skdistsearch.EarlyStopping`, or what holds one: a pipeline, a
            `~sklearn.compose.TransformedTargetRegressor`, a search.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot.

        Returns
        -------
        display : TrainingHistoryDisplay
            Drawn.

        Raises
        ------
        ReportError
            There is no `EarlyStopping` in it, or the model's family tells of no iterations.
        sklearn.exceptions.NotFittedError
            It is not fitted.
        """
        return cls.from_estimators({"": estimator}, ax=ax)

    @classmethod
    def from_estimators(
        cls, estimators: Mapping[str, Any], *, ax: Axes | None = None
    ) -> TrainingHistoryDisplay:
        """Draw the progress of several models: of one on several splits, say.

        Parameters
        ----------
        estimators : dict of str to fitted estimator
            By the names for the legend; see `from_estimator`. All told of the same metric.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot.

        Returns
        -------
        display : TrainingHistoryDisplay
            Drawn.

        Raises
        ------
        ReportError
            As of `from_estimator`; or there is no model, or metrics differ.
        """
        if not estimators:
            raise ReportError("No estimator to draw the progress of.")
        for each in estimators.values():
            check_is_fitted(each)
        stopped = {name: early_stopping_in(each) for name, each in estimators.items()}
        told = {name: each for name, each in stopped.items() if each is not None}
        silent = [type(estimators[name]).__name__ for name in stopped if name not in told]
        if silent:
            raise ReportError(
                f"{', '.join(sorted(set(silent)))}: no fitted EarlyStopping with a "
                "validation_history_ in it."
            )
        metrics = sorted({each.validation_metric_ for each in told.values()})
        if len(metrics) > 1:
            raise ReportError(f"One axis is for one metric, and these are {', '.join(metrics)}.")
        return cls(
            curves={name: each.validation_history_ for name, each in told.items()},
            best_iterations={name: each.best_iteration_ for name, each in told.items()},
            metric=metrics[0],
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> TrainingHistoryDisplay:
        """Draw once more.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a figure with pyplot.

        Returns
        -------
        self : TrainingHistoryDisplay
            With the new artists.
        """
        self.ax_ = new_axes(7.5, 4.5) if ax is None else ax
        self.figure_: Any = self.ax_.figure
        named = len(self.curves) <= _NAMED
        look = looks(self.curves) if named else {}
        self.lines_: dict[str, Any] = {}
        self.marks_: dict[str, Any] = {}
        for name, curve in self.curves.items():
            style: dict[str, Any] = {"color": look[name]["color"] if named else "#0072B2"}
            thin: dict[str, Any] = {} if named else {"linewidth": 0.7, "alpha": 0.5}
            iterations = np.arange(1, len(curve) + 1)
            label = clipped(name, _LABEL_LENGTH) or None
            (self.lines_[name],) = self.ax_.plot(iterations, curve, label=label, **style, **thin)
            best = self.best_iterations[name]
            (self.marks_[name],) = self.ax_.plot(
                best,
                curve[best - 1],
                marker=look[name]["marker"] if named else "o",
                markersize=8 if named else 4,
                markeredgecolor="#333333",
                **style,
            )
        self._explain(named)
        return self

    def _explain(self, named: bool) -> None:
        direction = "higher" if self._is_higher_better() else "lower"
        name = self.metric.replace("_", " ")
        self.ax_.set(
            xlabel="iteration",
            ylabel=f"{name} on the validation part ({direction} is better)",
        )
        values = np.concatenate([*self.curves.values()])
        values = values[np.isfinite(values)]
        if values.size and 0 < _DECADES * values.min() <= values.max():
            self.ax_.set_yscale("log")
        self.ax_.locator_params(axis="x", integer=True)
        self.ax_.grid(alpha=0.3)
        self.legend_ = self.ax_.legend(**ABOVE) if named and len(self.curves) > 1 else None
        best = self.best_iterations.values()
        first, last = min(best), max(best)
        text = f"best at {first:,}"
        if len(self.curves) > 1:
            text = (
                f"{len(self.curves):,} models, each marked where it was best: {first:,} to {last:,}"
            )
        self.note_ = note(self.ax_, text)

    def _is_higher_better(self) -> bool:
        """Whether the values at the best iterations are nearer to the greatest than to the least.

        No family tells.
        """
        at_best = [(curve, curve[self.best_iterations[name] - 1]) for name, curve in self._finite()]
        up = sum(curve.max() - value for curve, value in at_best)
        return bool(up < sum(value - curve.min() for curve, value in at_best))

    def _finite(self) -> list[tuple[str, NDArray[np.float64]]]:
        return [(name, curve) for name, curve in self.curves.items() if np.isfinite(curve).all()]


def early_stopping_in(estimator: Any) -> Any:
    """The fitted `EarlyStopping` that tells of its iterations; None if there is none."""
    while getattr(estimator, "validation_history_", None) is None:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
            continue
        held = [name for name in _WITHIN if hasattr(estimator, name)]
        if not held:
            return None
        estimator = getattr(estimator, held[0])
    return estimator
