"""DistributedHyperbandSearchCV."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state

from skdistsearch._batch import Batch
from skdistsearch._typing import (
    ArrayLike,
    CrossValidation,
    Estimator,
    ParamGrid,
    RandomState,
    Refit,
    Scoring,
)
from skdistsearch._validation import did_you_mean, is_integer
from skdistsearch.adaptive._brackets import Bracket, make_brackets
from skdistsearch.adaptive._continuation import PASSES, find_model
from skdistsearch.adaptive._fit_requests import ROWS, Resource, count_rows
from skdistsearch.adaptive._rungs import Rungs
from skdistsearch.adaptive._search import (
    ADAPTIVE_CONSTRAINTS,
    AdaptiveSearchMixin,
    check_distributions,
)
from skdistsearch.adaptive._staged_fit import refit_by_passes
from skdistsearch.backends import Backend
from skdistsearch.model_selection import fill_docstring

_log = logging.getLogger("skdistsearch")


@fill_docstring
class DistributedHyperbandSearchCV(AdaptiveSearchMixin, BaseSearchCV):  # type: ignore[misc]
    """Hyperband with cross-validation, whose models go on where they were paused.

    All candidates begin with little of a resource, such as a few trees, and the best of them get
    more and more of it. A *bracket* is one such successive halving, and its rounds are *rungs*.
    Hyperband [1]_ has several brackets, from many candidates on little of the resource to a few
    candidates on all of it, because few resources may mislead. One bracket over a grid is
    successive halving.

    Where a model that goes on is equal to one that is fitted at once, bit for bit, it goes on from
    rung to rung: see ``resume``. The scores are those of `~sklearn.model_selection.GridSearchCV`
    for the same candidates with the same amount of the resource.

    Parameters
    ----------
    {estimator}
    param_distributions : dict or list of dict
        Parameter names as keys, and lists of values or distributions (objects with an ``rvs``
        method, such as those of `scipy.stats`) as values. Of a list of dicts, one is drawn for
        each candidate.
    resource : str, default="n_samples"
        The resource that grows from rung to rung. ``"n_samples"``: the number of training rows;
        rungs with fewer rows use some of those of the later ones. The name of a parameter with
        integer values, such as ``"n_estimators"`` or ``"model__max_iter"``. ``"partial_fit"``: the
        number of passes, that is of calls of ``partial_fit`` with all training rows.
    max_resources : int or "auto", default="auto"
        Amount of the resource in the last rung of each bracket. "auto": all training rows. Required
        for any other resource.
    min_resources : int or "auto", default="auto"
        Smallest amount of the resource. "auto": 1, or of rows two for each split (and class).
    factor : float, default=3
        One candidate in ``factor`` goes on to the next rung, which has ``factor`` times the
        resource.
    n_brackets : int or "all", default="all"
        Number of brackets. 1 is successive halving, from the largest number of candidates.
    n_candidates : int or "auto", default="auto"
        Number of candidates of the first bracket; the others change in proportion. "auto": as many
        as Hyperband has, or with one bracket and lists only, all candidates of the grid.
    splits : {"all", "growing"}, default="all"
        Splits that the rungs use. "growing": the first rung uses one, the second two and so on,
        and the last one all.
    resume : bool or "auto", default="auto"
        Whether models go on from rung to rung. "auto": where that gives the scores of a new fit,
        bit for bit. True: also where the scores may differ, if the model can be trained further.
        False: each rung fits new models.
    {scoring}
    {n_jobs}
    {refit}
    {cv}
    {verbose}
    {error_score}
    {return_train_score}
    random_state : int, RandomState instance or None, default=None
        Seed of the candidates, of the order of rows, and of the order in which rungs use the
        splits. None: the splits are used as they come.
    {backend_parameters}
    {extract}
    {keep}
    {adaptive_time_budget_s}

    Attributes
    ----------
    plan_ : list of dict
        One dict for each rung: ``bracket``, ``iter`` (the number of the rung), ``n_candidates``,
        ``n_resources`` and ``n_splits``. Known before the fit, unless it depends on the data.
    {fitted_attributes}
    {own_attributes}
    {adaptive_stopped}

    See Also
    --------
    skdistsearch.DistributedOptunaSearchCV : Choose candidates by what is known of others.
    skdistsearch.DistributedHalvingGridSearchCV : scikit-learn's successive halving.

    Notes
    -----
    ``cv_results_`` has one entry for each candidate of each rung, with ``candidate`` (its number),
    ``bracket``, ``iter`` (the rung), ``n_resources``, ``n_splits_done`` and ``is_resumed``, which
    is True if the models of the rung went on. Scores of splits that a rung did not use are NaN, and
    so are its means. The best candidate is one of those with ``max_resources``; a callable
    ``refit`` gets these only.

    Which candidates go on is decided as if each rung were complete, so that the results are the
    same for any number of workers. Paused models stay on the machine; on AWS Batch and Kubernetes
    all rungs fit new models. scikit-learn's callbacks are called when all fits are done.

    There is no ``cache_mb``: what fits of other searches share are transformers that were fitted on
    the same rows. Here the rows differ from rung to rung, or the model and the steps before it go
    on together.

    References
    ----------
    .. [1] Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband: A Novel Bandit-Based Approach
       to Hyperparameter Optimization. Journal of Machine Learning Research 18 (2018).

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> from skdistsearch import DistributedHyperbandSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> space = {"learning_rate": loguniform(0.01, 1), "max_depth": [1, 2, 3]}
    >>> search = DistributedHyperbandSearchCV(
    ...     GradientBoostingRegressor(random_state=0),
    ...     space,
    ...     resource="n_estimators",
    ...     max_resources=27,
    ...     n_brackets=1,
    ...     cv=3,
    ...     random_state=0,
    ... )
    >>> [(rung["n_candidates"], rung["n_resources"]) for rung in search.plan_]
    [(27, 1), (9, 3), (3, 9), (1, 27)]
    >>> search.fit(X, y).best_params_["n_estimators"]
    27
    """

    _required_parameters = ["estimator", "param_distributions"]  # scikit-learn < 1.6 asks for it
    _parameter_constraints: dict[str, Any] = {
        **ADAPTIVE_CONSTRAINTS,
        "param_distributions": [dict, list],
        "resource": [str],
        "max_resources": [Integral, str],
        "min_resources": [Integral, str],
        "factor": [Real],
        "n_brackets": [Integral, str],
        "n_candidates": [Integral, str],
        "splits": [str],
        "resume": ["boolean", str],
    }

    def __init__(
        self,
        estimator: Estimator,
        param_distributions: ParamGrid | Sequence[ParamGrid],
        *,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "auto",
        factor: float = 3,
        n_brackets: int | str = "all",
        n_candidates: int | str = "auto",
        splits: str = "all",
        resume: bool | str = "auto",
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: Refit = True,
        cv: CrossValidation = None,
        verbose: int = 0,
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        random_state: RandomState = None,
        backend: str | Backend = "local",
        checkpoint: str | os.PathLike[str] | None = None,
        extract: Mapping[str, str | Callable[[Any], float]] | None = None,
        keep: str | tuple[str, ...] = (),
        time_budget_s: float | None = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_distributions = param_distributions
        self.resource = resource
        self.max_resources = max_resources
        self.min_resources = min_resources
        self.factor = factor
        self.n_brackets = n_brackets
        self.n_candidates = n_candidates
        self.splits = splits
        self.resume = resume
        self.random_state = random_state
        self.backend = backend
        self.checkpoint = checkpoint
        self.extract = extract
        self.keep = keep
        self.time_budget_s = time_budget_s

    @property
    def plan_(self) -> list[dict[str, int]]:
        """The rungs of all brackets, a list of dict."""
        brackets = vars(self).get("_brackets")
        if brackets is None:
            brackets = self._brackets_before_fit()
        return [
            {
                "bracket": number,
                "iter": rung_number,
                "n_candidates": rung.n_candidates,
                "n_resources": rung.amount,
                "n_splits": rung.n_splits,
            }
            for number, bracket in enumerate(brackets)
            for rung_number, rung in enumerate(bracket)
        ]

    def _brackets_before_fit(self) -> list[Bracket]:
        self._check_settings()
        try:
            n_splits = check_cv(self.cv).get_n_splits()
        except Exception as exc:
            raise AttributeError(
                f"plan_ is known after fit: cv={self.cv!r} needs the data"
            ) from exc
        if self.resource == ROWS and "auto" in (self.max_resources, self.min_resources):
            raise AttributeError(
                "plan_ is known after fit: max_resources='auto' and min_resources='auto' depend on "
                "the number of rows. Set both, or look at plan_ after fit."
            )
        return self._make_brackets(n_splits, 1, math.inf)

    def _check_candidates(self) -> None:
        super()._check_candidates()
        self._check_settings()
        check_distributions(self.param_distributions, self.estimator)

    def _check_settings(self) -> None:
        """Raise one error that names every invalid setting."""
        errors = [
            f"{name}={getattr(self, name)!r} must be an integer of at least 1, or {word!r}."
            for name, word in [
                ("max_resources", "auto"),
                ("min_resources", "auto"),
                ("n_brackets", "all"),
                ("n_candidates", "auto"),
            ]
            if getattr(self, name) != word and not is_integer(getattr(self, name), least=1)
        ]
        if not self.factor > 1:
            errors.append(f"factor={self.factor!r} must be greater than 1.")
        if self.splits not in ("all", "growing"):
            errors.append(f"splits={self.splits!r} must be 'all' or 'growing'.")
        if self.resume not in (True, False, "auto"):
            errors.append(f"resume={self.resume!r} must be True, False or 'auto'.")
        errors += self._resource_errors()
        if not errors and self._largest_is_too_small():
            errors.append(
                f"max_resources={self.max_resources} is less than "
                f"min_resources={self.min_resources}."
            )
        if errors:
            raise ValueError("\n".join(errors))

    def _largest_is_too_small(self) -> bool:
        return "auto" not in (self.max_resources, self.min_resources) and (
            int(self.max_resources) < int(self.min_resources)
        )

    def _resource_errors(self) -> Iterator[str]:
        if self.resource == ROWS:
            return
        if self.max_resources == "auto":
            yield (
                f"max_resources='auto' is for resource={ROWS!r}. Set the largest amount of "
                f"{self.resource!r}, such as max_resources=81."
            )
        if self.resource == PASSES:
            if not hasattr(find_model(self.estimator, PASSES), "partial_fit"):
                yield (
                    f"resource={PASSES!r} needs a model with partial_fit, as the last step of a "
                    "pipeline if there is one. Use a parameter such as 'max_iter', or 'n_samples'."
                )
            return
        names = self.estimator.get_params()
        if self.resource not in names:
            yield (
                f"resource={self.resource!r} is neither {ROWS!r} nor {PASSES!r} nor a parameter of "
                f"{type(self.estimator).__name__}.{did_you_mean(self.resource, names)}"
            )
        grids = self.param_distributions
        for grid in [grids] if isinstance(grids, Mapping) else grids:
            if self.resource in grid:
                yield (
                    f"{self.resource!r} is the resource, and so cannot be in param_distributions."
                )

    def _fit_captured(self, *args: Any, **kwargs: Any) -> Any:
        self._brackets: list[Bracket] | None = None
        with self._refitted_by_passes():
            return super()._fit_captured(*args, **kwargs)

    @contextmanager
    def _refitted_by_passes(self) -> Iterator[None]:
        """Make scikit-learn's refit train as the rungs did, if they count passes."""
        if self.resource != PASSES:
            yield
            return
        estimator: Estimator = vars(self)["estimator"]
        self.estimator = refit_by_passes(estimator, int(self.max_resources))
        try:
            yield
        finally:
            self.estimator = estimator

    def _make_resource(self, folder: str) -> Resource:
        seed = self._seeds[0]
        return Resource(self.resource, self.resume, seed, folder)

    def _make_strategy(self, template: Batch) -> Rungs:
        rows = [count_rows(template.keywords_of(split)["train"]) for split in range(len(template))]
        _, _, y = template.arguments
        self._brackets = self._make_brackets(len(rows), self._least_rows(len(rows), y), max(rows))
        random = check_random_state(self.random_state)
        candidates = self._sample_candidates()
        self._seeds = random.randint(2**31 - 1, size=2)
        splits = list(range(len(rows)))
        if self.random_state is not None:
            splits = np.random.RandomState(self._seeds[1]).permutation(len(rows)).tolist()
        for rung in self.plan_:
            _log.info("plan: %s", ", ".join(f"{name} {value}" for name, value in rung.items()))
        return Rungs(self._brackets, candidates, splits)

    def _least_rows(self, n_splits: int, y: ArrayLike) -> int:
        """Return the number of rows that scikit-learn's halving begins with."""
        n_classes = len(np.unique(y)) if is_classifier(self.estimator) else 1
        return 2 * n_splits * n_classes

    def _make_brackets(self, n_splits: int, least_rows: int, n_rows: float) -> list[Bracket]:
        is_rows = self.resource == ROWS
        largest = n_rows if self.max_resources == "auto" else int(self.max_resources)
        if is_rows and largest > n_rows:
            raise ValueError(
                f"max_resources={largest} is more than the {n_rows} training rows of a split."
            )
        least = self.min_resources
        if least == "auto":
            least = min(least_rows, int(largest)) if is_rows else 1
        n_brackets = None if self.n_brackets == "all" else int(self.n_brackets)
        size = _grid_size(self.param_distributions)
        n_candidates = None if self.n_candidates == "auto" else int(self.n_candidates)
        if n_candidates is None and n_brackets == 1:
            n_candidates = size
        return make_brackets(
            max_amount=int(largest),
            min_amount=int(least),
            factor=self.factor,
            n_splits=n_splits,
            n_brackets=n_brackets,
            n_candidates=n_candidates,
            n_candidates_max=math.inf if size is None else size,
            grows_splits=self.splits == "growing",
        )

    def _sample_candidates(self) -> list[list[dict[str, Any]]]:
        """Return the candidates of each bracket."""
        sizes = [bracket[0].n_candidates for bracket in self._brackets or ()]
        size = _grid_size(self.param_distributions)
        if sizes == [size]:
            return [list(ParameterGrid(self.param_distributions))]
        random: Any = self.random_state
        if size is None or size >= sum(sizes):
            sampler = ParameterSampler(self.param_distributions, sum(sizes), random_state=random)
            candidates = iter(list(sampler))
            return [[next(candidates) for _ in range(n)] for n in sizes]
        random = check_random_state(random)  # a small grid: brackets share candidates
        return [
            list(ParameterSampler(self.param_distributions, n, random_state=random)) for n in sizes
        ]


def _grid_size(distributions: ParamGrid | Sequence[ParamGrid]) -> int | None:
    """Return the number of candidates of lists of values; None if there is a distribution."""
    grids = [distributions] if isinstance(distributions, Mapping) else distributions
    if any(hasattr(values, "rvs") for grid in grids for values in grid.values()):
        return None
    return len(ParameterGrid(distributions))
