"""`CVScoresDisplay`: box plots of the candidates' scores on the splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skdistsearch._cv_results import split_scores
from skdistsearch._text import pluralize
from skdistsearch._typing import FittedSearch, Parameters
from skdistsearch.report._candidate_labels import candidate_labels
from skdistsearch.report._candidate_names import short_parameters
from skdistsearch.report._leaderboard import leaderboard
from skdistsearch.report._metrics import find_metric
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._style import EDGE_COLOUR, contender_styles, figure_height

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_LABEL_LENGTH = 50  # characters
_SHORT_LENGTH = 20  # characters, on small axes
_LETTERS_PER_INCH = 6.5  # of the width of the axes
_MAX_TIES = 3  # groups of equal candidates in the note


class CVScoresDisplay(Display):
    """Box plots of the candidates' scores on the splits, the best candidate on top.

    A box extends from the lower to the upper quartile, with a line at the median. Whiskers reach
    the minimum and the maximum. Colours are contenders. Labels are the parameters that differ among
    the candidates shown, and the rank; ``=`` marks a rank that several candidates share. Candidates
    of a halving search are grouped by their last round, because later rounds have more resources.
    Use `from_search` to create a display.

    Parameters
    ----------
    leaderboard : pandas.DataFrame
        Table that `skdistsearch.report.leaderboard` returned.
    scores : ndarray of shape (n_candidates, n_splits)
        Test scores, in the order of ``leaderboard``. Errors, such as those of
        ``scoring="neg_mean_absolute_error"``, are positive.
    score_name : str
        Label of the axis of scores.
    candidates : list of dict
        Parameters of each candidate by their short names, in the order of ``leaderboard``.
    resource : str, default="n_samples"
        Resource of a halving search.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    boxes_ : list of matplotlib.patches.PathPatch
        The boxes, from top to bottom.
    boxplot_ : dict of str to list of artists
        All artists that `matplotlib.axes.Axes.boxplot` returned.
    legend_ : matplotlib.legend.Legend or None
        The contenders. None if there is only one.
    note_ : matplotlib.text.Text
        Number of splits, number of candidates that are not shown, and shared ranks.
    rounds_ : list of matplotlib.text.Text
        Names of the rounds of a halving search, from top to bottom. Empty for other searches.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdistsearch.report import CVScoresDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3).fit(X, y)
    >>> display = CVScoresDisplay.from_search(search)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['alpha=0.1   #1', 'alpha=1   #2']
    """

    def __init__(
        self,
        *,
        leaderboard: DataFrame,
        scores: NDArray[np.float64],
        score_name: str,
        candidates: Sequence[Parameters],
        resource: str = "n_samples",
    ) -> None:
        self.leaderboard = leaderboard
        self.scores = scores
        self.score_name = score_name
        self.candidates = candidates
        self.resource = resource

    @classmethod
    def from_search(
        cls,
        search: FittedSearch,
        *,
        metric: str | None = None,
        ax: Axes | None = None,
        top: int = 30,
    ) -> CVScoresDisplay:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : fitted search
            A search of this package or of scikit-learn.
        metric : str or None, default=None
            Metric to show, as in `skdistsearch.report.leaderboard`.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot, with room for all labels.
        top : int, default=30
            Maximum number of candidates to show: the best of each contender, then the best of the
            others.

        Returns
        -------
        display : CVScoresDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If ``metric`` is not a metric of the search.
        """
        table = leaderboard(search, metric=metric)
        shown = find_metric(search, table.attrs["metric"])
        scores = split_scores(search.cv_results_, table.attrs["metric"])[table.index]
        candidates = short_parameters(search.estimator, search.cv_results_["params"])
        return cls(
            leaderboard=table,
            scores=shown.shown(scores),
            score_name=shown.label,
            candidates=[candidates[index] for index in table.index],
            resource=getattr(search, "resource", "n_samples"),
        ).plot(ax, top=top)

    def plot(self, ax: Axes | None = None, *, top: int = 30) -> CVScoresDisplay:
        """Draw the picture again.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.
        top : int, default=30
            Maximum number of candidates to show.

        Returns
        -------
        self : CVScoresDisplay
            The display, with the new artists.
        """
        self._has_score = np.isfinite(self.scores).all(axis=1)
        self._shown = self._choose_candidates(top)
        return super().plot(ax)

    def _choose_candidates(self, top: int) -> NDArray[np.int64]:
        """Return the rows of the best of each contender and of the next best that fit."""
        rows = np.flatnonzero(self._has_score)
        is_best = ~self.leaderboard["contender"].iloc[rows].duplicated().to_numpy()
        return np.sort(np.concatenate([rows[is_best], rows[~is_best]])[:top])

    def _figure_size(self) -> tuple[float, float]:
        return 10, figure_height(len(self._shown))

    def _draw_on_axes(self) -> None:
        self.boxplot_: dict[str, list[Any]] = self.ax_.boxplot(
            list(self.scores[self._shown]),
            orientation="horizontal",
            whis=(0, 100),
            widths=0.65,
            patch_artist=True,
            medianprops={"color": "black"},
        )
        self.boxes_ = self.boxplot_["boxes"]
        table = self.leaderboard.iloc[self._shown]
        self._colour_boxes(table)
        self._label_axes(table)
        self._separate_rounds(table)
        self._add_note(self._note_text())

    def _colour_boxes(self, table: DataFrame) -> None:
        styles = contender_styles(self.leaderboard["contender"])
        for box, contender in zip(self.boxes_, table["contender"], strict=True):
            box.set(facecolor=styles[contender]["color"], hatch=styles[contender]["hatch"])
        box_of = dict(zip(table["contender"], self.boxes_, strict=True))
        if len(styles) > 1:
            self._add_legend([box_of[name] for name in sorted(box_of)], sorted(box_of))

    def _label_axes(self, table: DataFrame) -> None:
        candidates = {
            index: self.candidates[row]
            for index, row in zip(table.index, self._shown.tolist(), strict=True)
        }
        names = candidate_labels(candidates, list(table["contender"]), length=self._label_length())
        labels = [
            f"{name}   #{rank}{'=' if rank in self._ties() else ''}"
            for name, rank in zip(names, table["rank"], strict=True)
        ]
        self.ax_.invert_yaxis()  # the best candidate on top
        font_ratio = self._label_rows(range(1, len(labels) + 1), labels)
        if font_ratio < 1:
            self._thin_lines(font_ratio)
        self.ax_.grid(axis="x", alpha=0.3)
        self.ax_.set_xlabel(self.score_name)

    def _label_length(self) -> int:
        """Return the number of characters that leaves room for the boxes."""
        inches = self.ax_.bbox.width / self.figure_.dpi
        return int(np.clip(_LETTERS_PER_INCH * inches, _SHORT_LENGTH, _LABEL_LENGTH))

    def _ties(self) -> dict[int, int]:
        """Return the number of candidates of each rank that several share."""
        counts = self.leaderboard["rank"][self._has_score].value_counts(sort=False)
        return {int(rank): int(count) for rank, count in counts.items() if count > 1}

    def _separate_rounds(self, table: DataFrame) -> None:
        """Draw a line between rounds of a halving search, and name them on the right."""
        self.rounds_: list[Any] = []
        if "round" not in table:
            return
        unit = "samples" if self.resource == "n_samples" else self.resource
        for number, group in table.groupby("round", sort=False):
            rows = np.flatnonzero(table["round"] == number) + 1  # boxes are numbered from 1
            if self.rounds_:
                self.ax_.axhline(rows[0] - 0.5, color=EDGE_COLOUR, linestyle="--", linewidth=0.8)
            text = f"round {number + 1}\n{group['n_resources'].iloc[0]:,} {unit}"
            self.rounds_.append(
                self.ax_.text(
                    *(1.01, rows.mean(), text),
                    transform=self.ax_.get_yaxis_transform(),
                    va="center",
                    fontsize=8,
                )
            )

    def _thin_lines(self, width: float) -> None:
        """Give lines the width and the colours of their boxes; black lines would hide the boxes."""
        for lines in ("whiskers", "caps"):
            for number, line in enumerate(self.boxplot_[lines]):
                line.set(color=self.boxes_[number // 2].get_facecolor(), linewidth=width)
        for box, median in zip(self.boxes_, self.boxplot_["medians"], strict=True):
            box.set(edgecolor=box.get_facecolor(), linewidth=width)
            median.set_linewidth(width)

    def _note_text(self) -> str:
        n_candidates, n_splits = self.scores.shape
        text = f"{n_splits} splits: minimum, quartiles, maximum"
        if len(self._shown) < n_candidates:
            shown = f"{len(self._shown)} of {n_candidates:,} candidates"
            text += f"\n{shown}: the best overall and of each contender"
        n_without_score = int((~self._has_score).sum())
        if n_without_score:
            text += f" ({n_without_score:,} without a score)"
        return "\n".join(filter(None, [text, self._ties_text()]))

    def _ties_text(self) -> str:
        shown = set(self.leaderboard["rank"].iloc[self._shown])
        ties = [
            f"{pluralize(count, 'candidate')} at #{rank}"
            for rank, count in self._ties().items()
            if rank in shown
        ]
        more = ["…"] if len(ties) > _MAX_TIES else []
        return f"equal scores: {', '.join(ties[:_MAX_TIES] + more)}" if ties else ""
