"""`Ensemble`: selection by out-of-fold predictions, scores, parameters, searches."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier, is_regressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_multilabel_classification,
    make_regression,
)
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss, make_scorer, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdistsearch import DistributedSearchCV, Ensemble
from skdistsearch.ensemble._selection import max_likelihood_weights

METHODS = ["greedy", "mean", "stack", "weighted"]
REGRESSORS = [
    ("ridge", Ridge()),
    ("neighbours", KNeighborsRegressor(5)),
    ("mean", DummyRegressor()),
]
CLASSIFIERS = [
    ("logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))),
    ("neighbours", KNeighborsClassifier(5)),
    ("bayes", GaussianNB()),
]
FIVE = KFold(5, shuffle=True, random_state=0)


def two_categories():
    """Return data as in the tournament: in each half the target depends on other columns."""
    parts = [make_regression(150, 6, n_informative=3, noise=50, random_state=s) for s in (0, 1)]
    X = np.vstack([np.c_[X, np.full(len(X), s)] for s, (X, _) in enumerate(parts)])
    return X, np.concatenate([y for _, y in parts])


DATA = {
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "one category": lambda: make_regression(300, 10, n_informative=5, noise=100, random_state=0),
    "two categories": two_categories,
    "breast_cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: tuple(part[:600] for part in load_digits(return_X_y=True)),
}


def fit_search(X, y, *, keep=("predictions", "estimators"), **options):
    classifies = len(np.unique(y)) < 20
    models = [model for name, model in (CLASSIFIERS if classifies else REGRESSORS)] + (
        [RandomForestClassifier(20, random_state=0)]
        if classifies
        else [RandomForestRegressor(20, random_state=0)]
    )
    pipe = Pipeline([("model", models[0])])
    cv = StratifiedKFold(4) if classifies else KFold(4, shuffle=True, random_state=0)
    search = DistributedSearchCV(pipe, {"model": models}, cv=cv, keep=keep, **options)
    return search.fit(X, y)


@pytest.mark.parametrize("name", DATA)
def test_oof_score_is_at_least_that_of_the_best_candidate(name):
    X, y = DATA[name]()
    search = fit_search(X, y)
    for method in METHODS:
        ensemble = Ensemble.from_search(search, X, y, method=method, members="folds")
        assert ensemble.oof_score_ >= ensemble.best_candidate_oof_score_
        assert set(ensemble.members_) <= {f"candidate{number}" for number in range(4)}
        assert np.isfinite([ensemble.selection_cv_score_, ensemble.selection_cv_std_error_]).all()
        # The score of the best candidate is that of scikit-learn.
        response = "predict_proba" if is_classifier(ensemble) else "predict"
        model = dict(ensemble.estimators)[ensemble.best_candidate_]
        predictions = cross_val_predict(model, X, y, cv=search.cv, method=response)
        if is_classifier(ensemble):
            score = np.mean(ensemble.classes_[predictions.argmax(axis=1)] == y)
        else:
            score = r2_score(y, predictions)
        assert ensemble.best_candidate_oof_score_ == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("members", ["folds", "refit"])
def test_prediction_is_the_weighted_mean_of_the_members(members):
    X, y = DATA["diabetes"]()
    search = fit_search(X, y)
    ensemble = Ensemble.from_search(search, X, y, members=members)
    expected = 0.0
    for name, weight in ensemble.weights_.items():
        number = int(name.removeprefix("candidate"))
        if members == "folds":
            models = list(search.fold_estimators_[number])
        else:
            model = clone(search.estimator).set_params(**search.cv_results_["params"][number])
            models = [model.fit(X, y)]
        expected += weight * np.mean([model.predict(X) for model in models], axis=0)
    np.testing.assert_allclose(ensemble.predict(X), expected)
    assert sum(ensemble.weights_.values()) == pytest.approx(1)


def test_weighted_recovers_the_weights_of_the_target():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = 0.25 * X[:, 0] + 0.75 * X[:, 1]

    models = [("first", Column(0)), ("second", Column(1))]
    ensemble = Ensemble(models, method="weighted", cv=FIVE).fit(X, y)
    assert ensemble.weights_ == pytest.approx({"first": 0.25, "second": 0.75}, abs=1e-6)
    assert ensemble.oof_score_ == pytest.approx(1)
    greedy = Ensemble(models, cv=FIVE).fit(X, y)
    assert greedy.weights_ == pytest.approx({"first": 0.25, "second": 0.75}, abs=0.01)


def test_meta_model_is_fitted_on_out_of_fold_predictions():
    X, y = DATA["diabetes"]()
    ensemble = Ensemble(REGRESSORS, method="stack", final_estimator=LinearRegression(), cv=FIVE)
    ensemble.fit(X, y)
    columns = np.column_stack([cross_val_predict(m, X, y, cv=FIVE) for _, m in REGRESSORS])
    # One column for each candidate, best first
    scores = [r2_score(y, column) for column in columns.T]
    expected = LinearRegression().fit(columns[:, np.argsort(scores)[::-1]], y)
    np.testing.assert_allclose(ensemble.final_estimator_.coef_, expected.coef_)
    crossed = cross_val_predict(LinearRegression(), columns, y, cv=FIVE)
    assert ensemble.oof_score_ == pytest.approx(r2_score(y, crossed))


def test_best_candidate_replaces_a_worse_ensemble():
    X, y = DATA["diabetes"]()
    bad = DummyRegressor(strategy="constant", constant=0.0)
    ensemble = Ensemble(REGRESSORS, method="stack", final_estimator=bad, cv=FIVE).fit(X, y)
    assert ensemble.used_fallback_
    assert not hasattr(ensemble, "final_estimator_")
    assert ensemble.weights_ == {"ridge": 1.0}
    np.testing.assert_array_equal(ensemble.predict(X), Ridge().fit(X, y).predict(X))


def test_selection_cv_score_of_models_that_learn_nothing_is_not_optimistic():
    """The best of many random candidates has a good score, but not on the rows of other folds."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 200)), rng.normal(size=100)
    noise = [(f"column{number}", Column(number)) for number in range(200)]
    ensemble = Ensemble(noise, scoring=make_scorer(correlation), cv=FIVE).fit(X, y)
    assert ensemble.oof_score_ > 0.5
    assert abs(ensemble.selection_cv_score_) < 3 * ensemble.selection_cv_std_error_ + 0.1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["regressors", "classifiers"])
def test_nested_score_is_that_of_models_that_have_not_seen_the_fold(method, kind):
    models = REGRESSORS if kind == "regressors" else CLASSIFIERS
    X, y = DATA["diabetes" if kind == "regressors" else "breast_cancer"]()
    fold_numbers = np.arange(len(y)) % 4
    folds = PredefinedSplit(fold_numbers)
    ensemble = Ensemble(models, method=method, cv=folds, nested=True).fit(X, y)

    def nested_scores(**params):
        return [
            Ensemble(models, cv=PredefinedSplit(fold_numbers[train]), **params)
            .fit(X[train], y[train])
            .score(X[test], y[test])
            for train, test in folds.split()
        ]

    scores = nested_scores(method=method)
    assert ensemble.nested_score_ == pytest.approx(np.mean(scores))
    assert ensemble.nested_std_error_ == pytest.approx(np.std(scores, ddof=1) / 2)
    assert ensemble.best_candidate_nested_score_ == pytest.approx(np.mean(nested_scores(n_best=1)))


@pytest.mark.parametrize(("n_folds", "n_pairs"), [(3, 3), (5, 10)])
def test_nested_score_fits_each_candidate_once_for_each_pair_of_folds(n_folds, n_pairs):
    X, y = DATA["diabetes"]()
    fits = []
    models = [("counted", NotingColumn(0, fits.append)), ("other", Column(1))]
    Ensemble(models, cv=n_folds, nested=True).fit(X, y)
    assert len(fits) == n_folds + n_pairs + 1  # folds, pairs, all rows
    two_folds = len(y) * 2 / n_folds
    assert fits[n_folds : n_folds + n_pairs] == pytest.approx([len(y) - two_folds] * n_pairs, abs=2)


@pytest.mark.parametrize(
    "cv",
    [
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ShuffleSplit(4, random_state=0),
        TimeSeriesSplit(4),
        ShuffleSplit(1, test_size=0.5, random_state=0),
    ],
    ids=["repeated", "shuffled", "time series", "one split"],
)
def test_nested_score_of_a_search_with_any_splitter(cv):
    X, y = DATA["diabetes"]()
    grid = {"alpha": [0.01, 0.1, 1.0]}
    search = DistributedSearchCV(Ridge(), grid, cv=cv, keep="predictions").fit(X, y)
    ensemble = Ensemble.from_search(search, X, y, nested=True)
    assert 0.2 < ensemble.nested_score_ < 0.7
    assert 0.2 < ensemble.best_candidate_nested_score_ < 0.7


def test_nested_score_of_models_of_a_kernel():
    X, y = DATA["diabetes"]()
    kernel = X @ X.T
    ensemble = Ensemble([("kernel", KernelRidge(kernel="precomputed"))], cv=3, nested=True)
    expected = Ensemble([("linear", KernelRidge())], cv=3, nested=True).fit(X, y).nested_score_
    assert ensemble.fit(kernel, y).nested_score_ == pytest.approx(expected)


def test_nested_score_of_two_folds_is_an_error_before_any_fit():
    fits = []
    models = [("counted", NotingColumn(0, fits.append))]
    with pytest.raises(ValueError, match="Use at least 3 folds"):
        Ensemble(models, cv=2, nested=True).fit(*DATA["diabetes"]())
    assert not fits


def test_nested_score_of_an_earlier_fit_does_not_stay():
    X, y = DATA["diabetes"]()
    ensemble = Ensemble(REGRESSORS, cv=3, nested=True).fit(X, y)
    assert hasattr(ensemble, "nested_score_")
    assert not hasattr(ensemble.set_params(nested=False).fit(X, y), "nested_score_")


def test_weights_of_classifiers_that_are_much_alike_have_maximum_likelihood():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=500) + 0.1 * rng.normal(size=(50, 500)) + 0.5 * rng.normal(size=500)
    probabilities = 1 / (1 + np.exp(-logits))
    weights = max_likelihood_weights(probabilities)
    # The largest derivative bounds how far the mean log-likelihood is below its maximum.
    derivatives = (probabilities / (weights @ probabilities)).mean(axis=1)
    assert derivatives.max() - 1 < 1e-5
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)


def test_selection_optimises_any_scorer():
    X, y = DATA["breast_cancer"]()
    by_loss = Ensemble(CLASSIFIERS, scoring="neg_log_loss", cv=StratifiedKFold(4)).fit(X, y)
    proba = [
        cross_val_predict(m, X, y, cv=StratifiedKFold(4), method="predict_proba")
        for _, m in CLASSIFIERS
    ]
    blended = sum(
        by_loss.weights_.get(name, 0) * one
        for (name, _), one in zip(CLASSIFIERS, proba, strict=True)
    )
    assert by_loss.oof_score_ == pytest.approx(-log_loss(y, blended))
    for scoring in ("roc_auc", "accuracy", "f1"):
        ensemble = Ensemble(CLASSIFIERS, scoring=scoring, cv=StratifiedKFold(4)).fit(X, y)
        assert ensemble.oof_score_ >= ensemble.best_candidate_oof_score_


def test_several_labels_per_row():
    X, y = make_multilabel_classification(200, 8, n_classes=3, random_state=0)
    search = DistributedSearchCV(
        Pipeline([("model", KNeighborsClassifier())]),
        {"model": [KNeighborsClassifier(3), RandomForestClassifier(20, random_state=0)]},
        cv=KFold(3),
        keep="predictions",
    ).fit(X, y)
    for method in METHODS:
        ensemble = Ensemble.from_search(search, X, y, method=method)
        assert ensemble.predict(X).shape == ensemble.predict_proba(X).shape == y.shape
        assert ensemble.oof_score_ >= ensemble.best_candidate_oof_score_

    def brier(model, X, y):
        return -np.mean((model.predict_proba(X) - y) ** 2)

    overconfident = [("one", KNeighborsClassifier(1)), ("two", KNeighborsClassifier(2))]
    stacked = Ensemble(overconfident, method="stack", scoring=brier, cv=3).fit(X, y)
    assert not stacked.used_fallback_
    of_each_label = stacked.final_estimator_.estimators_
    assert [model.coef_.shape for model in of_each_label] == [(1, 2 * 3)] * 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more")
def test_unpredicted_rows_and_failed_candidates_are_left_out():
    X, y = DATA["diabetes"]()
    grid = {"alpha": [1.0, -1.0, 10.0]}  # the second fails
    search = DistributedSearchCV(
        Ridge(), grid, cv=ShuffleSplit(2, random_state=0), keep="predictions"
    )
    search.fit(X, y)
    ensemble = Ensemble.from_search(search, X, y)
    assert set(ensemble.members_) <= {"candidate0", "candidate2"}
    assert ensemble.score(X, y) > 0.4


def test_n_best_clone_and_pickle():
    X, y = DATA["diabetes"]()
    ensemble = Ensemble(REGRESSORS, n_best=1, cv=FIVE).fit(X, y)
    assert ensemble.weights_ == {"ridge": 1.0}
    again = clone(ensemble).set_params(n_best=None, ridge__alpha=0.1).fit(X, y)
    assert dict(again.estimators)["ridge"].alpha == 0.1
    once_more = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(once_more.predict(X), again.predict(X))
    np.testing.assert_array_equal(clone(again).fit(X, y).predict(X), again.predict(X))
    assert is_regressor(ensemble)
    assert not hasattr(ensemble, "predict_proba")


def test_cross_validation_and_search_over_an_ensemble():
    X, y = DATA["breast_cancer"]()
    model = Ensemble(CLASSIFIERS, cv=3)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9
    grid = {"neighbours__n_neighbors": [3, 9], "method": ["mean"]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_params_["neighbours__n_neighbors"] in (3, 9)
    np.testing.assert_allclose(search.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "best"}, "method='best' must be one of: greedy, mean, stack, weighted"),
        ({"n_best": 0}, "n_best=0 must be None or an integer of at least 1"),
        ({"estimators": []}, "a non-empty list of .name, estimator. pairs"),
        ({"estimators": [("a__b", Ridge())]}, "without '__'"),
        ({"estimators": [("n_best", Ridge())]}, "the names of parameters: n_best"),
        (
            {"estimators": [("a", Ridge()), ("b", GaussianNB())]},
            "all regressors or all classifiers. Got: a .regressor., b .classifier.",
        ),
        ({"estimators": [("a", LinearSVC())]}, "a .LinearSVC. has no predict_proba"),
        ({"method": "stack", "final_estimator": GaussianNB()}, "final_estimator must be a regr"),
    ],
)
def test_invalid_parameters_are_an_error_before_any_fit(params, message):
    with pytest.raises(ValueError, match=message):
        Ensemble(**{"estimators": REGRESSORS, **params}).fit(*DATA["diabetes"]())


def test_search_without_kept_outputs_is_an_error():
    X, y = DATA["diabetes"]()
    search = fit_search(X, y, keep=())
    with pytest.raises(ValueError, match='keep="predictions"'):
        Ensemble.from_search(search, X, y)
    search = fit_search(X, y, keep="predictions")
    with pytest.raises(ValueError, match=r'keep=\("predictions", "estimators"\)'):
        Ensemble.from_search(search, X, y, members="folds")
    with pytest.raises(ValueError, match="members='all' must be one of: folds, refit"):
        Ensemble.from_search(search, X, y, members="all")
    with pytest.raises(ValueError, match="fitted on 442 rows, but X and y have 400"):
        Ensemble.from_search(search, X[:400], y[:400])


class Column(RegressorMixin, BaseEstimator):
    """Predicts one of the columns."""

    def __init__(self, number=0):
        self.number = number

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.asarray(X)[:, self.number]


class NotingColumn(Column):
    """Tells the number of rows of each fit; its copies tell the same function."""

    def __init__(self, number=0, note=None):
        super().__init__(number)
        self.note = note

    def __sklearn_clone__(self):
        return type(self)(self.number, self.note)

    def fit(self, X, y):
        self.note(len(X))
        return self


def correlation(y, predicted):
    return np.corrcoef(y, predicted)[0, 1]


@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings on purpose
@parametrize_with_checks(
    [
        Ensemble([("ridge", Ridge()), ("tree", KNeighborsRegressor(2))], cv=2),
        Ensemble([("logistic", LogisticRegression()), ("bayes", GaussianNB())], cv=2),
        Ensemble([("ridge", Ridge()), ("tree", KNeighborsRegressor(2))], method="stack", cv=2),
        Ensemble([("ridge", Ridge()), ("tree", KNeighborsRegressor(2))], method="weighted", cv=2),
    ]
)
def test_common_checks(estimator, check):
    check(estimator)
