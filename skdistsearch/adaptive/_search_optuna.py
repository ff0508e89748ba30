"""DistributedOptunaSearchCV."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state

from skdistsearch._batch import Batch
from skdistsearch._typing import (
    CrossValidation,
    Estimator,
    Parameters,
    ParamGrid,
    RandomState,
    Refit,
    Scoring,
)
from skdistsearch._validation import is_integer
from skdistsearch.adaptive._constant_lag import ConstantLag
from skdistsearch.adaptive._optuna_space import OptunaProposer, OptunaSpace
from skdistsearch.adaptive._search import (
    ADAPTIVE_CONSTRAINTS,
    AdaptiveSearchMixin,
    check_distributions,
)
from skdistsearch.backends import Backend
from skdistsearch.model_selection import BACKEND_CONSTRAINTS, fill_docstring


@fill_docstring
class DistributedOptunaSearchCV(AdaptiveSearchMixin, BaseSearchCV):  # type: ignore[misc]
    """Search whose candidates are chosen by Optuna, from the scores of earlier ones.

    Candidate ``i`` is chosen when the scores of exactly the first ``i - n_pending + 1`` candidates
    are known, however many have finished. So ``random_state`` gives the same candidates on two
    processes and on fifty containers, and a search with a checkpoint repeats itself up to where it
    was interrupted. Needs Optuna: ``pip install "skdistsearch[optuna]"``.

    Parameters
    ----------
    {estimator}
    param_distributions : dict or list of dict
        Parameter names as keys. Values are lists, ``uniform``, ``loguniform`` or ``randint`` of
        `scipy.stats`, or distributions of ``optuna.distributions``. Of a list of dicts, Optuna
        first chooses one.
    n_trials : int, default=100
        Number of candidates.
    sampler : optuna.samplers.BaseSampler or None, default=None
        Chooses the candidates. Each fit uses a copy. None: ``TPESampler`` with a seed from
        ``random_state``.
    n_pending : int, default=10
        Number of candidates that are chosen without each other's scores, and so can run at the same
        time. With 5 splits, 10 candidates keep 50 workers busy. A smaller number gives the sampler
        more to learn from, which counts if ``n_trials`` is small.
    enqueue : list of dict or None, default=None
        Candidates to begin with, such as known good ones. Parameters that a dict lacks are chosen
        by the sampler.
    race : bool, default=False
        Drop a candidate after two splits if its mean score on them is below the median of the
        complete candidates whose scores were known when it was chosen. Its trial counts as pruned.
        About half of the candidates end so, and the best one may be among them. Has no effect with
        fewer than three splits.
    {scoring}
    {n_jobs}
    {refit}
    {cv}
    {verbose}
    {error_score}
    {return_train_score}
    random_state : int, RandomState instance or None, default=None
        Seed of the sampler, unless ``sampler`` is given. With a checkpoint, an int: other
        candidates could use nothing of it.
    {backend_parameters}
    {cache_mb}
    {extract}
    {keep}
    {adaptive_time_budget_s}

    Attributes
    ----------
    study_ : optuna.Study
        The study, for ``optuna.visualization``. It maximizes the mean score. Trials have the
        numbers of the candidates. Values that are neither numbers nor strings are in it by their
        position in the list, and names of parameters in a list of dicts begin with the number of
        the dict.
    {fitted_attributes}
    {own_attributes}
    {adaptive_stopped}

    See Also
    --------
    skdistsearch.DistributedHyperbandSearchCV : Stop most candidates early.
    skdistsearch.DistributedRandomizedSearchCV : Choose candidates at random.

    Notes
    -----
    ``cv_results_`` has ``n_splits_done``, the number of splits that each candidate was fitted on.
    With several metrics, ``refit`` names the one that decides. Fits
    run in waves: those of ``n_pending`` candidates, and then the next ones. scikit-learn's
    callbacks are called when all fits are done.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedOptunaSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedOptunaSearchCV(
    ...     Ridge(),
    ...     {"alpha": loguniform(0.001, 100), "fit_intercept": [True, False]},
    ...     n_trials=12,
    ...     n_pending=4,
    ...     enqueue=[{"alpha": 1.0, "fit_intercept": True}],
    ...     random_state=0,
    ... ).fit(X, y)
    >>> search.cv_results_["params"][0]
    {'alpha': 1.0, 'fit_intercept': True}
    >>> search.study_.best_trial.number == search.best_index_
    True
    """

    _required_parameters = ["estimator", "param_distributions"]  # scikit-learn < 1.6 asks for it
    _parameter_constraints: dict[str, Any] = {
        **ADAPTIVE_CONSTRAINTS,
        "param_distributions": [dict, list],
        "n_trials": [Integral],
        "sampler": "no_validation",
        "n_pending": [Integral],
        "enqueue": [list, tuple, None],
        "race": ["boolean"],
        "cache_mb": BACKEND_CONSTRAINTS["cache_mb"],
    }

    def __init__(
        self,
        estimator: Estimator,
        param_distributions: ParamGrid | Sequence[ParamGrid],
        *,
        n_trials: int = 100,
        sampler: Any = None,
        n_pending: int = 10,
        enqueue: Sequence[Parameters] | None = None,
        race: bool = False,
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
        cache_mb: float | None = None,
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
        self.n_trials = n_trials
        self.sampler = sampler
        self.n_pending = n_pending
        self.enqueue = enqueue
        self.race = race
        self.random_state = random_state
        self.backend = backend
        self.checkpoint = checkpoint
        self.cache_mb = cache_mb
        self.extract = extract
        self.keep = keep
        self.time_budget_s = time_budget_s

    def _check_candidates(self) -> None:
        super()._check_candidates()
        _import_optuna()
        errors = [
            f"{name}={getattr(self, name)!r} must be an integer of at least 1."
            for name in ("n_trials", "n_pending")
            if not is_integer(getattr(self, name), least=1)
        ]
        if self.checkpoint is not None and self.sampler is None and self.random_state is None:
            errors.append(
                "checkpoint= needs a seed: without one, the next search chooses other candidates "
                "and finds none of the saved fits. Set random_state=0."
            )
        if errors:
            raise ValueError("\n".join(errors))
        space = OptunaSpace(self.param_distributions)
        check_distributions(self.param_distributions, self.estimator)
        self._enqueued(space)

    def _enqueued(self, space: OptunaSpace) -> list[dict[str, Any]]:
        """Return the candidates to begin with, as Optuna has them."""
        candidates = []
        for number, candidate in enumerate(self.enqueue or ()):
            try:
                candidates.append(space.to_optuna(candidate))
            except ValueError as exc:
                raise ValueError(
                    f"enqueue[{number}] is not in param_distributions: {exc}."
                ) from exc
        return candidates

    def _make_strategy(self, template: Batch) -> ConstantLag:
        space = OptunaSpace(self.param_distributions)
        self.study_ = self._create_study()
        for candidate in self._enqueued(space):
            self.study_.enqueue_trial(candidate)
        return ConstantLag(
            OptunaProposer(self.study_, space),
            n_trials=self.n_trials,
            n_pending=self.n_pending,
            n_splits=len(template),
            race=self.race,
        )

    def _create_study(self) -> Any:
        optuna = _import_optuna()
        sampler = copy.deepcopy(self.sampler)
        if sampler is None:
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            sampler = optuna.samplers.TPESampler(seed=seed)
        with _without_log(optuna):
            return optuna.create_study(direction="maximize", sampler=sampler)


def _import_optuna() -> ModuleType:
    try:
        import optuna
    except ImportError as exc:
        raise ImportError(
            'DistributedOptunaSearchCV needs Optuna: pip install "skdistsearch[optuna]"'
        ) from exc
    module: ModuleType = optuna
    return module


@contextmanager
def _without_log(optuna: Any) -> Iterator[None]:
    """Keep Optuna from writing to stderr that there is a new study."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
