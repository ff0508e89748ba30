"""`TrainingHistoryDisplay`: metric on the validation data after each iteration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdistsearch._text import truncate
from skdistsearch._typing import Estimator
from skdistsearch.exceptions import ReportError
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._style import (
    DECADES,
    EDGE_COLOUR,
    ContenderStyle,
    contender_styles,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_NAMED = 8  # curves with a colour and a name each; more curves have one colour
_LABEL_LENGTH = 30  # characters
_MANY_STYLE: ContenderStyle = {"color": "#0072B2", "hatch": "", "marker": "o"}
_INNER_ESTIMATORS = ("best_estimator_", "regressor_", "estimator_")
"""Attributes that hold a fitted model."""


class TrainingHistoryDisplay(Display):
    """Metric on the validation data after each iteration, with the best iteration marked.

    Iterations are what the model counts: trees, boosting rounds or epochs. Use `from_estimator` or
    `from_estimators` to create a display.

    Parameters
    ----------
    curves : dict of str to ndarray of shape (n_iterations,)
        Values of the metric by name of the model.
    best_iterations : dict of str to int
        Best iteration of each model, from 1.
    metric : str
        Name of the metric.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    lines_ : dict of str to matplotlib.lines.Line2D
        The curves.
    marks_ : dict of str to matplotlib.lines.Line2D
        The markers at the best iterations.
    legend_ : matplotlib.legend.Legend or None
        Names of the curves, if there are 2 to 8.
    note_ : matplotlib.text.Text
        The best iteration, or their range.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from skdistsearch import EarlyStopping
    >>> from skdistsearch.report import TrainingHistoryDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> trees = HistGradientBoostingRegressor(max_iter=50)
    >>> model = EarlyStopping(trees, patience=3, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimator(model)
    >>> display.ax_.get_xlabel()
    'iteration'
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
    def from_estimator(
        cls, estimator: Estimator, *, ax: Axes | None = None
    ) -> TrainingHistoryDisplay:
        """Draw the training history of one model.

        Parameters
        ----------
        estimator : fitted estimator
            A `skdistsearch.EarlyStopping`, or an estimator that holds one: a pipeline, a
            `~sklearn.compose.TransformedTargetRegressor` or a search.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If it does not contain an `EarlyStopping`, or its model does not report its iterations.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        return cls.from_estimators({"": estimator}, ax=ax)

    @classmethod
    def from_estimators(
        cls, estimators: Mapping[str, Estimator], *, ax: Axes | None = None
    ) -> TrainingHistoryDisplay:
        """Draw the training histories of several models, such as those of several splits.

        Parameters
        ----------
        estimators : dict of str to fitted estimator
            Models as in `from_estimator`, by their names for the legend. All must report the same
            metric.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            As in `from_estimator`. Also if there are no models, or their metrics differ.
        sklearn.exceptions.NotFittedError
            If an estimator is not fitted.
        """
        if not estimators:
            raise ReportError("estimators is empty. Name at least one model to draw.")
        for estimator in estimators.values():
            check_is_fitted(estimator)
        models = {
            name: model
            for name, estimator in estimators.items()
            if (model := find_early_stopping(estimator)) is not None
        }
        without = {type(estimators[name]).__name__ for name in estimators.keys() - models.keys()}
        if without:
            raise ReportError(
                f"{', '.join(sorted(without))}: no fitted EarlyStopping with a "
                "validation_history_ in it."
            )
        metrics = sorted({model.validation_metric_ for model in models.values()})
        if len(metrics) > 1:
            raise ReportError(f"All models must have the same metric. Got {', '.join(metrics)}.")
        return cls(
            curves={name: model.validation_history_ for name, model in models.items()},
            best_iterations={name: model.best_iteration_ for name, model in models.items()},
            metric=metrics[0],
        ).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        return 7.5, 4.5

    def _draw_on_axes(self) -> None:
        is_named = len(self.curves) <= _MAX_NAMED
        styles = contender_styles(self.curves) if is_named else {}
        line_options: dict[str, Any] = {} if is_named else {"linewidth": 0.7, "alpha": 0.5}
        self.lines_: dict[str, Any] = {}
        self.marks_: dict[str, Any] = {}
        for name, curve in self.curves.items():
            style, best = styles.get(name, _MANY_STYLE), self.best_iterations[name]
            (self.lines_[name],) = self.ax_.plot(
                np.arange(1, len(curve) + 1),
                curve,
                color=style["color"],
                label=truncate(name, _LABEL_LENGTH) or None,
                **line_options,
            )
            (self.marks_[name],) = self.ax_.plot(
                best,
                curve[best - 1],
                color=style["color"],
                marker=style["marker"],
                markersize=8 if is_named else 4,
                markeredgecolor=EDGE_COLOUR,
            )
        self._label_axes()
        if 1 < len(self.curves) <= _MAX_NAMED:
            self._add_legend()
        self._add_note(self._note_text())

    def _label_axes(self) -> None:
        direction = "higher" if self._is_higher_better() else "lower"
        metric = self.metric.replace("_", " ")
        self.ax_.set(
            xlabel="iteration", ylabel=f"{metric} on the validation data ({direction} is better)"
        )
        values = np.concatenate([*self.curves.values()])
        values = values[np.isfinite(values)]
        if values.size and 0 < DECADES * values.min() <= values.max():
            self.ax_.set_yscale("log")
        self.ax_.locator_params(axis="x", integer=True)
        self.ax_.grid(alpha=0.3)

    def _note_text(self) -> str:
        first, last = min(self.best_iterations.values()), max(self.best_iterations.values())
        if len(self.curves) == 1:
            return f"best iteration: {first:,}"
        return f"{len(self.curves):,} models, best iterations marked: {first:,} to {last:,}"

    def _is_higher_better(self) -> bool:
        """Return whether the values at the best iterations are near the maxima of the curves.

        Model families do not report the direction of their metric.
        """
        finite = {name: curve for name, curve in self.curves.items() if np.isfinite(curve).all()}
        at_best = [(curve, curve[self.best_iterations[name] - 1]) for name, curve in finite.items()]
        to_maximum = sum(curve.max() - value for curve, value in at_best)
        return bool(to_maximum < sum(value - curve.min() for curve, value in at_best))


def find_early_stopping(estimator: object) -> Any:
    """Return the fitted `EarlyStopping` with a history within an estimator, or None."""
    while getattr(estimator, "validation_history_", None) is None:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
            continue
        inner = [name for name in _INNER_ESTIMATORS if hasattr(estimator, name)]
        if not inner:
            return None
        estimator = getattr(estimator, inner[0])
    return estimator
