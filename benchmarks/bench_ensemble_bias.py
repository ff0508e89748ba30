"""Optimism of the scores that `Ensemble` reports of itself.

200 rows, 40 columns, 5 folds. Candidates differ in the columns that they use and in their
regularisation. "noise": the target is independent of the columns. "signal": it is the first column
plus as much noise. For each seed: each reported score minus the score of the fitted ensemble on
fresh rows of the same distribution, in parts as large as a fold: R², or log-likelihood of classes.
Positive is optimistic.

That difference varies with the rows far more than with a leak. A model that knows the distribution
has the same rows and an expected difference of 0, so its own is subtracted seed by seed. Intervals
are 95 % confidence intervals over the seeds.

Fresh rows are scored by models of all rows, and the others by models of 80 %, so that a score
without any leak is somewhat below that of fresh rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import norm, t
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import KFold

from benchmarks.results import Measurement
from skdistsearch.ensemble._nested import fold_pairs
from skdistsearch.ensemble._selection import EnsembleSelector, default_meta_model

N_ROWS, N_COLUMNS, N_FOLDS, N_FRESH_PARTS = 200, 40, 5, 50
FRESH_PARTS = np.arange(N_FRESH_PARTS * N_ROWS // N_FOLDS).reshape(N_FRESH_PARTS, -1)
METHODS = ("greedy", "mean", "weighted", "stack")
CLASSES = np.array([0, 1])


def predict_linear(X, y, rows, *, columns, alpha):
    center = X[:, columns].mean(axis=0)
    A, B = X[:, columns] - center, rows[:, columns] - center
    gram = A.T @ A + alpha * np.eye(len(columns))
    return y.mean() + B @ np.linalg.solve(gram, A.T @ (y - y.mean()))


def predict_rbf(X, y, rows, *, columns, alpha, gamma):
    A, B = X[:, columns], rows[:, columns]
    kernel = rbf_kernel(A, gamma=gamma) + alpha * np.eye(len(A))
    return y.mean() + rbf_kernel(B, A, gamma=gamma) @ np.linalg.solve(kernel, y - y.mean())


def predict_selected(X, y, rows, *, k, alpha):
    """Ridge regression of the k columns with the largest correlations."""
    correlations = (X - X.mean(axis=0)).T @ (y - y.mean()) / X.std(axis=0)
    columns = np.argsort(-np.abs(correlations))[:k]
    return predict_linear(X, y, rows, columns=columns, alpha=alpha)


def predict_bayes(X, y, rows, *, columns, smoothing):
    """Probabilities of Gaussian naive Bayes."""
    logits = []
    for label in CLASSES:
        part = X[y == label][:, columns]
        densities = norm.logpdf(rows[:, columns], part.mean(axis=0), part.std(axis=0) + smoothing)
        logits.append(np.log(len(part)) + densities.sum(axis=1))
    proba = 1 / (1 + np.exp(logits[0] - logits[1]))
    return np.column_stack([1 - proba, proba])


def draw_linear(rng):
    return partial(predict_linear, columns=draw_columns(rng), alpha=10 ** rng.uniform(-1, 2))


def draw_rbf(rng):
    alpha, gamma = 10 ** rng.uniform(-1, 2), 10 ** rng.uniform(-2, 0)
    return partial(predict_rbf, columns=draw_columns(rng), alpha=alpha, gamma=gamma)


def draw_selected(rng):
    k = int(rng.integers(1, N_COLUMNS))
    return partial(predict_selected, k=k, alpha=10 ** rng.uniform(-1, 3))


def draw_bayes(rng):
    return partial(predict_bayes, columns=draw_columns(rng), smoothing=rng.uniform(0, 1))


def draw_columns(rng):
    return rng.choice(N_COLUMNS, rng.integers(2, 12), replace=False)


@dataclass(frozen=True)
class SetUp:
    """Candidates and data."""

    name: str
    draw_candidate: Callable[[np.random.Generator], Callable[..., Any]]
    n_candidates: int
    signal: float
    classes: np.ndarray | None = None

    @property
    def score(self):
        return r2 if self.classes is None else log_likelihood


SET_UPS = [
    SetUp("linear, noise", draw_linear, 40, 0.0),
    SetUp("linear, signal", draw_linear, 40, 1.0),
    SetUp("RBF, noise", draw_rbf, 20, 0.0),
    SetUp("RBF, signal", draw_rbf, 20, 1.0),
    SetUp("selected columns, noise", draw_selected, 20, 0.0),
    SetUp("selected columns, signal", draw_selected, 20, 1.0),
    SetUp("naive Bayes, noise", draw_bayes, 16, 0.0, CLASSES),
    SetUp("naive Bayes, signal", draw_bayes, 16, 1.0, CLASSES),
]


def measure(options):
    n_seeds, set_ups = options.runs(default=24), SET_UPS
    if options.quick:
        n_seeds, set_ups = 2, [SetUp("linear, noise", draw_linear, 3, 0.0)]
    rows = [row for set_up in set_ups for row in compare_methods(set_up, n_seeds)]
    return Measurement(rows, n_runs=n_seeds)


def compare_methods(set_up, n_seeds):
    """Return a row for each method, and one for the best candidate."""
    scores = {name: [] for name in ("best candidate", *METHODS)}
    for seed in range(n_seeds):
        for name, values in score_methods(set_up, seed).items():
            scores[name].append(values)
    return [make_row(set_up, name, np.array(values)) for name, values in scores.items()]


def score_methods(set_up, seed):
    """Return, for each method, the score on fresh rows and those that are reported.

    What the model that knows the distribution has by luck is subtracted from those.
    """
    rng = np.random.default_rng(seed)
    candidates = [set_up.draw_candidate(rng) for _ in range(set_up.n_candidates)]
    (X, y), (X_fresh, y_fresh) = make_data(set_up, rng)
    splits = list(KFold(N_FOLDS, shuffle=True, random_state=seed).split(X))
    folds = [np.isin(np.arange(N_ROWS), test) for _, test in splits]
    out_of_fold, inner = cross_predict(candidates, X, y, folds, splits)
    on_fresh = np.array([predict(X, y, X_fresh) for predict in candidates])

    def score_fresh(predictions):
        return np.mean([set_up.score(predictions[part], y_fresh[part]) for part in FRESH_PARTS])

    ideal = ideal_predictions(set_up, X)
    luck_in_folds = np.mean([set_up.score(ideal[fold], y[fold]) for fold in folds])
    luck = np.array([set_up.score(ideal, y), luck_in_folds, luck_in_folds])
    luck -= score_fresh(ideal_predictions(set_up, X_fresh))
    scores = {}
    for method in METHODS:
        meta_model = default_meta_model(set_up.classes)
        selector = EnsembleSelector(method, None, set_up.score, set_up.classes, meta_model)
        selection = selector.select(out_of_fold, y, folds)
        blend = selection.blend
        crossed = np.mean(selector.selection_cv_scores(out_of_fold, y, folds), axis=1)
        nested = np.mean(selector.nested_scores(out_of_fold, y, folds, inner), axis=1)
        reported = np.transpose([[selection.score, selection.best_score], crossed, nested]) - luck
        fresh = score_fresh(blend.combine(on_fresh[blend.candidates]))
        scores[method] = [fresh, *reported[0]]
        scores["best candidate"] = [score_fresh(on_fresh[selection.best]), *reported[1]]
    return scores


def cross_predict(candidates, X, y, folds, splits):
    """Return out-of-fold predictions, and those of models that have not seen two folds."""
    shape = candidates[0](X, y, X).shape
    out_of_fold = np.empty((len(candidates), *shape))
    inner = {fold: np.full_like(out_of_fold, np.nan) for fold in range(len(folds))}
    for number, predict in enumerate(candidates):
        for fold in folds:
            out_of_fold[number, fold] = predict(X[~fold], y[~fold], X[fold])
        for pair in fold_pairs(splits, len(y)):
            predictions = predict(X[pair.train], y[pair.train], X)
            for fold, test in zip(pair.folds, pair.tests, strict=True):
                inner[fold][number, test] = predictions[test]
    return out_of_fold, inner


def make_data(set_up, rng):
    """Return the known rows, and fresh ones of the same distribution."""
    n_rows = N_ROWS + FRESH_PARTS.size
    X = rng.normal(size=(n_rows, N_COLUMNS))
    y = set_up.signal * X[:, 0] + rng.normal(size=n_rows)
    if set_up.classes is not None:
        y = (y > 0).astype(int)
    return (X[:N_ROWS], y[:N_ROWS]), (X[N_ROWS:], y[N_ROWS:])


def ideal_predictions(set_up, X):
    """Return the predictions of a model that knows the distribution."""
    expected = set_up.signal * X[:, 0]
    if set_up.classes is None:
        return expected
    return np.column_stack([norm.cdf(-expected), norm.cdf(expected)])


def r2(predictions, y):
    return 1 - ((predictions - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def log_likelihood(predictions, y):
    return np.log(np.maximum(predictions[np.arange(len(y)), y], 1e-15)).mean()


def make_row(set_up, name, scores):
    fresh, *reported = scores.T
    oof, selection_cv, nested = (confidence_interval(values - fresh) for values in reported)
    return {
        "candidates": f"{set_up.n_candidates} x {set_up.name}",
        "method": name,
        "fresh": round(float(fresh.mean()), 4),
        "out of fold": oof,
        "selection only": selection_cv,
        "nested": nested,
    }


def confidence_interval(values):
    """Return the mean, and half the width of its 95 % confidence interval."""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.4f} ± {half:.4f}"
