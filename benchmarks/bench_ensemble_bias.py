"""Optimism of the scores that `Ensemble` reports of itself.

200 rows, 40 columns, 5 folds. Candidates differ in the columns that they use and in their
regularisation. "noise": the target is independent of the columns. "signal": it is the first column
plus as much noise. For each seed: each reported score minus the score of the fitted ensemble on
fresh rows of the same distribution, in parts as large as a fold. Positive is optimistic. Intervals
are 95 % confidence intervals over the seeds.

Fresh rows are scored by models of all rows, and the others by models of 80 %, so that even a score
without any leak is below that of fresh rows where models still learn.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.results import Measurement
from skdistsearch import Ensemble

N_ROWS, N_COLUMNS, N_FOLDS, N_FRESH_PARTS = 200, 40, 5, 50
METHODS = ("greedy", "mean", "weighted", "stack")


class KernelRidge(RegressorMixin, BaseEstimator):
    """Ridge regression of some columns, with a linear or RBF kernel: little besides the algebra."""

    def __init__(self, columns, alpha, gamma=None):
        self.columns = columns
        self.alpha = alpha
        self.gamma = gamma

    def fit(self, X, y):
        self.rows_, self.center_ = X[:, self.columns], y.mean()
        kernel = self._kernel(self.rows_)
        kernel[np.diag_indices_from(kernel)] += self.alpha
        self.dual_ = np.linalg.solve(kernel, y - self.center_)
        return self

    def predict(self, X):
        return self.center_ + self._kernel(X[:, self.columns]) @ self.dual_

    def _kernel(self, rows):
        if self.gamma is None:
            return rows @ self.rows_.T
        return rbf_kernel(rows, self.rows_, gamma=self.gamma)


@dataclass(frozen=True)
class SetUp:
    """Candidates and data."""

    name: str
    make_model: object
    n_candidates: int
    signal: float
    classes: bool = False


def linear_model(rng):
    return KernelRidge(random_columns(rng), 10 ** rng.uniform(-1, 2))


def rbf_model(rng):
    return KernelRidge(random_columns(rng), 10 ** rng.uniform(-1, 2), 10 ** rng.uniform(-2, 0))


def selecting_model(rng):
    select = SelectKBest(f_regression, k=int(rng.integers(1, N_COLUMNS)))
    return make_pipeline(select, Ridge(10 ** rng.uniform(-1, 3)))


def bayes_model(rng):
    columns = random_columns(rng)
    take = FunctionTransformer(np.take, kw_args={"indices": columns, "axis": 1})
    return make_pipeline(take, GaussianNB(var_smoothing=10 ** rng.uniform(-3, 0)))


def random_columns(rng):
    return rng.choice(N_COLUMNS, rng.integers(2, 12), replace=False)


SET_UPS = [
    SetUp("linear, noise", linear_model, 100, 0.0),
    SetUp("linear, signal", linear_model, 100, 1.0),
    SetUp("RBF, noise", rbf_model, 50, 0.0),
    SetUp("RBF, signal", rbf_model, 50, 1.0),
    SetUp("SelectKBest and Ridge, noise", selecting_model, 30, 0.0),
    SetUp("SelectKBest and Ridge, signal", selecting_model, 30, 1.0),
    SetUp("naive Bayes, noise", bayes_model, 20, 0.0, classes=True),
    SetUp("naive Bayes, signal", bayes_model, 20, 1.0, classes=True),
]


def measure(options):
    n_seeds = options.runs(default=30)
    set_ups = SET_UPS
    if options.quick:
        n_seeds, set_ups = 2, [SetUp("linear, noise", linear_model, 3, 0.0)]
    rows = [row for set_up in set_ups for row in compare_methods(set_up, n_seeds)]
    return Measurement(rows, n_runs=n_seeds)


def compare_methods(set_up, n_seeds):
    """Return a row for each method, and one for the best candidate."""
    scores = {name: [] for name in ("best candidate", *METHODS)}
    for seed in range(n_seeds):
        for method in METHODS:
            ensemble, fresh = fit_ensemble(set_up, method, seed)
            scores[method].append(reported_scores(ensemble, fresh))
        scores["best candidate"].append(best_candidate_scores(set_up, ensemble, seed))
    return [make_row(set_up, name, np.array(values)) for name, values in scores.items()]


def fit_ensemble(set_up, method, seed):
    rng = np.random.default_rng(seed)
    models = [(f"model{n}", set_up.make_model(rng)) for n in range(set_up.n_candidates)]
    known, fresh = make_data(set_up, rng)
    cv = KFold(N_FOLDS, shuffle=True, random_state=seed)
    scoring = log_likelihood if set_up.classes else r2
    ensemble = Ensemble(models, method=method, cv=cv, scoring=scoring, nested=True)
    ensemble.fit(*known)
    return ensemble, score_in_parts(ensemble, *fresh, scoring)


def best_candidate_scores(set_up, ensemble, seed):
    rng = np.random.default_rng(seed)
    models = {f"model{n}": set_up.make_model(rng) for n in range(set_up.n_candidates)}
    known, fresh = make_data(set_up, rng)
    best = models[ensemble.best_candidate_].fit(*known)
    scoring = log_likelihood if set_up.classes else r2
    return reported_scores(ensemble, score_in_parts(best, *fresh, scoring), "best_candidate_")


def make_data(set_up, rng):
    n_rows = N_ROWS + N_FRESH_PARTS * N_ROWS // N_FOLDS
    X = rng.normal(size=(n_rows, N_COLUMNS))
    y = set_up.signal * X[:, 0] + rng.normal(size=n_rows)
    if set_up.classes:
        y = (y > 0).astype(int)
    return (X[:N_ROWS], y[:N_ROWS]), (X[N_ROWS:], y[N_ROWS:])


def score_in_parts(model, X, y, scoring):
    """Return the mean score on parts of fresh rows that are as large as a fold."""
    parts = np.split(np.arange(len(y)), N_FRESH_PARTS)
    return np.mean([scoring(model, X[part], y[part]) for part in parts])


def reported_scores(ensemble, fresh, prefix=""):
    names = ("oof_score_", "selection_cv_score_", "nested_score_")
    return [fresh, *(getattr(ensemble, prefix + name) for name in names)]


def r2(model, X, y):
    return 1 - ((model.predict(X) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def log_likelihood(model, X, y):
    proba = model.predict_proba(X)
    return np.log(np.maximum(proba[np.arange(len(y)), y], 1e-15)).mean()


def make_row(set_up, name, scores):
    fresh, *reported = scores.T
    oof, selection_cv, nested = (confidence_interval(values - fresh) for values in reported)
    return {
        "candidates": f"{set_up.n_candidates} x {set_up.name}",
        "method": name,
        "fresh": round(fresh.mean(), 4),
        "out of fold": oof,
        "selection only": selection_cv,
        "nested": nested,
    }


def confidence_interval(values):
    """Return the mean, and half the width of its 95 % confidence interval."""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.4f} ± {half:.4f}"
