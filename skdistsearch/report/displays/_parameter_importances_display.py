"""`ParameterImportancesDisplay`: importance of each parameter for the mean score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skdistsearch._text import pluralize
from skdistsearch._typing import FittedSearch, Parameters
from skdistsearch.exceptions import ReportError
from skdistsearch.report._candidate_labels import cut_texts, distinct_texts
from skdistsearch.report.displays._display import Display
from skdistsearch.report.displays._parallel_coordinates_display import (
    CONTENDER,
    scored_candidates,
    varying_scales,
)
from skdistsearch.report.displays._parameter_scale import ParameterScale
from skdistsearch.report.displays._style import figure_height

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST = 5  # candidates
_ROUGH = 20  # candidates below which the note calls the result rough
_N_TREES = 64
_N_REPEATS = 10
_NAME_LENGTH = 40  # characters
_COLOUR = "#0072B2"
_LABELS = {
    "fanova": "importance (functional ANOVA), sum 1",
    "permutation": "importance (permutation of a random forest), sum 1",
}
"""Axis labels by method."""

_Compute: TypeAlias = Callable[[Sequence[ParameterScale], NDArray[np.float64]], dict[str, float]]
"""Function that returns the importances of parameters; the sum is 1 or 0."""


class ParameterImportancesDisplay(Display):
    """Importance of each parameter for the mean score, the most important on top.

    An importance is the share of a parameter in the differences of the mean scores that a random
    forest explains. It depends on the range of values that were tried. With several contenders,
    "contender" is one of the parameters. Use `from_search` to create a display.

    Parameters
    ----------
    importances : dict of str to float
        Importance of each parameter by its short name. The sum is 1.
    method : {"fanova", "permutation"}
        Method that computed them.
    n_candidates : int
        Number of candidates that they come from.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes and figure of the picture.
    bars_ : matplotlib.container.BarContainer
        The bars, from top to bottom.
    note_ : matplotlib.text.Text
        Number of candidates.

    Notes
    -----
    Functional ANOVA [1]_ measures how much the mean score varies with one parameter, averaged over
    all values of the others. Permutation importance [2]_ measures how much worse the forest
    predicts the mean scores if the values of one parameter are shuffled. Both leave it open in
    which direction a parameter should go; `ParameterScoresDisplay` shows that.

    If the grid is a list of dicts, parameters matter only for the candidates that have them. So the
    importances are computed within each group of candidates that have the same contender and the
    same parameters, and weighted with the variance of the mean scores in the group. The variance
    between contenders is the importance of "contender". The variance between groups of a contender
    goes to the parameters whose values differ between these groups, such as the kernel of an SVM,
    in equal parts.

    References
    ----------
    .. [1] F. Hutter, H. Hoos, K. Leyton-Brown, "An efficient approach for assessing hyperparameter
       importance", ICML 2014.
    .. [2] L. Breiman, "Random forests", Machine Learning 45, 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skdistsearch.report import ParameterImportancesDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"max_depth": [1, 2, 3, 5, 8], "min_samples_split": [2, 3, 4]}
    >>> search = GridSearchCV(DecisionTreeRegressor(random_state=0), grid, cv=3).fit(X, y)
    >>> display = ParameterImportancesDisplay.from_search(search, method="permutation")
    >>> list(display.importances)
    ['max_depth', 'min_samples_split']
    """

    def __init__(
        self,
        *,
        importances: Mapping[str, float],
        method: Literal["fanova", "permutation"],
        n_candidates: int,
    ) -> None:
        self.importances = importances
        self.method = method
        self.n_candidates = n_candidates

    @classmethod
    def from_search(
        cls,
        search: FittedSearch,
        *,
        method: Literal["auto", "fanova", "permutation"] = "auto",
        metric: str | None = None,
        random_state: int = 0,
        ax: Axes | None = None,
    ) -> ParameterImportancesDisplay:
        """Compute and draw the importances for a fitted search.

        Parameters
        ----------
        search : fitted search
            A search of this package or of scikit-learn. For a halving search, the scores are those
            of the first round, in which all candidates have the same resources.
        method : {"auto", "fanova", "permutation"}, default="auto"
            ``"fanova"`` is functional ANOVA as computed by optuna. ``"permutation"`` is the
            permutation importance of a random forest. ``"auto"`` is ``"fanova"`` if optuna is
            installed.
        metric : str or None, default=None
            Metric to explain, as in `skdistsearch.report.leaderboard`.
        random_state : int, default=0
            Seed of the random forest and of the permutations.
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on. None creates a figure with pyplot.

        Returns
        -------
        display : ParameterImportancesDisplay
            The display, drawn.

        Raises
        ------
        ReportError
            If ``metric`` or ``method`` is not valid, fewer than five candidates have a score, all
            scores are equal, or fewer than two parameters vary.
        ImportError
            If ``method="fanova"`` and optuna is not installed.
        sklearn.exceptions.NotFittedError
            If the search is not fitted.
        """
        chosen = _choose_method(method)
        table, candidates = scored_candidates(search, metric, first_round=True)
        scores = table["mean_score"].to_numpy(dtype=float)
        scales = varying_scales(candidates)
        _check_candidates(scores, list(scales))
        compute = partial(
            _fanova if chosen == "fanova" else _permutation, random_state=random_state
        )
        variances = dict.fromkeys(scales, 0.0) | _share_variance(candidates, scores, compute)
        total = sum(variances.values()) or 1.0
        importances = {name: variance / total for name, variance in variances.items()}
        return cls(
            importances=dict(sorted(importances.items(), key=lambda item: -item[1])),
            method=chosen,
            n_candidates=len(scores),
        ).plot(ax)

    def _figure_size(self) -> tuple[float, float]:
        return 7.5, figure_height(len(self.importances)) - 0.5

    def _draw_on_axes(self) -> None:
        names, values = list(self.importances), list(self.importances.values())
        rows = range(len(names))
        self.bars_ = self.ax_.barh(rows, values, color=_COLOUR, height=0.7)
        if self._label_rows(rows, cut_texts(names, _NAME_LENGTH)) >= 1:
            texts = [f"{value:.2f}" for value in values]
            self.ax_.bar_label(self.bars_, texts, padding=3, fontsize="small")
        self.ax_.set_ylim(len(names) - 0.5, -0.5)  # the most important on top
        self.ax_.set_xlim(0, 1.12 * max(*values, 1e-9))
        self.ax_.set_xlabel(_LABELS[self.method])
        self.ax_.grid(axis="x", alpha=0.3)
        self.ax_.set_axisbelow(True)
        rough = ": a rough estimate" if self.n_candidates < _ROUGH else ""
        self._add_note(f"from {pluralize(self.n_candidates, 'candidate')}{rough}")


def _choose_method(method: str) -> Literal["fanova", "permutation"]:
    if method == "permutation":
        return "permutation"
    if method not in ("auto", "fanova"):
        raise ReportError(f"method={method!r} must be 'auto', 'fanova' or 'permutation'.")
    if find_spec("optuna") is not None:
        return "fanova"
    if method == "fanova":
        raise ImportError("method='fanova' needs optuna: pip install optuna")
    return "permutation"


def _check_candidates(scores: NDArray[np.float64], names: Sequence[str]) -> None:
    if len(scores) < _FEWEST:
        raise ReportError(
            f"Importances need at least {_FEWEST} candidates with a score. Got {len(scores)}."
        )
    if len(names) < 2:
        raise ReportError(
            f"Importances need two parameters that vary. Got {len(names)}: "
            f"{', '.join(names) or 'none'}. ParameterScoresDisplay shows one parameter."
        )
    if np.ptp(scores) == 0:
        raise ReportError("All candidates have the same score, so no parameter is important.")


def _share_variance(
    candidates: Sequence[Parameters], scores: NDArray[np.float64], compute: _Compute
) -> Counter[str]:
    """Return the part of the sum of squares of the scores that each parameter accounts for."""
    shares: Counter[str] = Counter()
    for rows in _group_rows([params.get(CONTENDER) for params in candidates]):
        members = [candidates[row] for row in rows]
        shares.update(_share_in_contender(members, scores[rows], compute))
        shares[CONTENDER] += len(rows) * (scores[rows].mean() - scores.mean()) ** 2
    return +shares  # without zeros


def _share_in_contender(
    candidates: Sequence[Parameters], scores: NDArray[np.float64], compute: _Compute
) -> Counter[str]:
    shares: Counter[str] = Counter()
    groups = _group_rows([frozenset(params) for params in candidates])
    deciding = _deciding_parameters([[candidates[row] for row in rows] for rows in groups])
    for rows in groups:
        scales = list(varying_scales([candidates[row] for row in rows]).values())
        inside = len(rows) * scores[rows].var()
        if scales and inside:
            shares.update(
                {name: inside * part for name, part in compute(scales, scores[rows]).items()}
            )
        between = len(rows) * (scores[rows].mean() - scores.mean()) ** 2
        shares.update(dict.fromkeys(deciding, between / max(len(deciding), 1)))
    return shares


def _group_rows(keys: Sequence[Hashable]) -> list[NDArray[np.int64]]:
    """Return the rows of each key."""
    return [np.flatnonzero([key == other for other in keys]) for key in dict.fromkeys(keys)]


def _deciding_parameters(groups: Sequence[Sequence[Parameters]]) -> list[str]:
    """Return the parameters that all groups have with different values, or else those of some."""
    values = [
        {
            name: frozenset(distinct_texts(params[name] for params in group))
            for name in group[0]
            if name != CONTENDER
        }
        for group in groups
    ]
    names = dict.fromkeys(name for group in values for name in group)
    shared = [name for name in names if all(name in group for group in values)]
    different = [name for name in shared if len({group[name] for group in values}) > 1]
    return different or [name for name in names if name not in shared]


def _permutation(
    scales: Sequence[ParameterScale], scores: NDArray[np.float64], *, random_state: int
) -> dict[str, float]:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    X = np.column_stack([scale.positions for scale in scales])
    forest = RandomForestRegressor(_N_TREES, random_state=random_state).fit(X, scores)
    result = permutation_importance(
        forest, X, scores, n_repeats=_N_REPEATS, random_state=random_state
    )
    values = np.clip(result.importances_mean, 0, None)
    parts = values / (values.sum() or 1.0)
    return {scale.name: float(part) for scale, part in zip(scales, parts, strict=True)}


def _fanova(
    scales: Sequence[ParameterScale], scores: NDArray[np.float64], *, random_state: int
) -> dict[str, float]:
    import optuna

    distributions = {scale.name: _distribution(scale) for scale in scales}
    rows = zip(*(scale.positions.tolist() for scale in scales), strict=True)
    trials = [
        optuna.trial.create_trial(
            params=dict(zip(distributions, row, strict=True)),
            distributions=distributions,
            value=score,
        )
        for row, score in zip(rows, scores.tolist(), strict=True)
    ]
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=_N_TREES, seed=random_state)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize")
    finally:
        optuna.logging.set_verbosity(verbosity)
    study.add_trials(trials)
    result: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return result


def _distribution(scale: ParameterScale) -> Any:
    """Return optuna's distribution of the positions on a scale."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    places = np.unique(scale.positions).tolist()
    if scale.is_numeric:
        return FloatDistribution(places[0], places[-1])
    return CategoricalDistribution(places)
