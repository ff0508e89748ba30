"""What a search notes and keeps of its fitted models, wherever they were fitted."""

import gc
import math
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers.counting_estimator import CountingRegressor
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    cross_val_predict,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedSearchCV,
    EarlyStopping,
    MetaflowBackend,
    checkpoints,
)
from skdistsearch.exceptions import CorruptDataError

DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])
MULTILABEL = make_multilabel_classification(80, random_state=0)
LACKING = KFold(3)  # iris is sorted: each training part lacks a class
C = {"C": [0.1, 1.0]}
DEPTH = {"max_depth": [1, 3]}


def assert_like_cross_val_predict(search, X, y):
    """Of all candidates, and so of the best, bit for bit."""
    assert search.oof_predictions_
    for method, found in search.oof_predictions_.items():
        for number, params in enumerate(search.cv_results_["params"]):
            model = clone(search.estimator).set_params(**params)
            expected = cross_val_predict(model, X, y, cv=search.cv, method=method)
            several = isinstance(expected, list)
            for ours, theirs in zip(
                found if several else [found], expected if several else [expected], strict=True
            ):
                np.testing.assert_array_equal(ours[number], theirs)
                assert ours.dtype == np.asarray(theirs).dtype or theirs.dtype == object


@pytest.mark.filterwarnings("ignore:Number of classes in training fold")
@pytest.mark.parametrize(
    ("model", "grid", "data", "keep", "cv"),
    [
        (Ridge(), {"alpha": [0.1, 1.0]}, DIABETES, "predictions", 3),
        (
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": [1, 2]},
            DIABETES,
            "predict",
            3,
        ),
        (LinearRegression(), {}, (DIABETES[0], np.c_[DIABETES[1], DIABETES[1]]), "predict", 3),
        (LogisticRegression(max_iter=1000), C, IRIS, ("predictions", "decision_function"), 3),
        (SVC(), C, (IRIS[0], NAMES[IRIS[1]]), ("predict", "decision_function"), 3),
        (SVC(kernel="precomputed"), C, (IRIS[0] @ IRIS[0].T, IRIS[1]), "predict", 3),
        (
            DecisionTreeClassifier(random_state=0),
            DEPTH,
            IRIS,
            ("predict", "predict_proba"),
            LACKING,
        ),
        (LogisticRegression(max_iter=1000), C, (IRIS[0][:100], IRIS[1][:100]), "predict_proba", 3),
        (KNeighborsClassifier(), {"n_neighbors": [1, 3]}, MULTILABEL, "predict_proba", 3),
        (
            RandomForestClassifier(5, random_state=0),
            DEPTH,
            MULTILABEL,
            ("predictions", "predict"),
            3,
        ),
        (
            LogisticRegression(max_iter=1000),
            C,
            (sparse.csr_matrix(IRIS[0]), NAMES[IRIS[1]]),
            ("predictions", "predict"),
            3,
        ),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression__C": [0.1, 1.0]},
            (pd.DataFrame(IRIS[0], columns=list("abcd")), pd.Series(NAMES[IRIS[1]])),
            ("predictions", "predict"),
            3,
        ),
    ],
)
def test_predictions_are_cross_val_predicts_to_the_bit(model, grid, data, keep, cv):
    search = DistributedSearchCV(model, grid, cv=cv, keep=keep).fit(*data)
    assert_like_cross_val_predict(search, *data)


def depth(model):
    return model.get_depth()


def everything(model, grid, **options):
    """A search that is asked for all there is."""
    return DistributedSearchCV(
        model,
        grid,
        cv=3,
        **{
            "extract": {"depth": depth, "leaves": "tree___n_leaves"},
            "keep": ("predictions", "predict", "estimators"),
            **options,
        },
    )


def assert_everything(search, X, y):
    assert_like_cross_val_predict(search, X, y)
    depths = [[model.get_depth() for model in folds] for folds in search.fold_estimators_]
    leaves = [[model.get_n_leaves() for model in folds] for folds in search.fold_estimators_]
    results, n_splits = search.cv_results_, search.n_splits_
    for name, expected in (("depth", np.array(depths)), ("leaves", np.array(leaves))):
        found = np.column_stack([results[f"split{split}_{name}"] for split in range(n_splits)])
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(results[f"mean_{name}"], expected.mean(axis=1))
        np.testing.assert_allclose(results[f"std_{name}"], expected.std(axis=1))
        error = expected.std(axis=1, ddof=1) / math.sqrt(n_splits)
        np.testing.assert_allclose(results[f"std_error_{name}"], error)
        assert getattr(search, f"best_{name}_") == results[f"mean_{name}"][search.best_index_]
    times = sorted(search._fit_times)
    assert [row[:2] for row in times] == [
        (candidate, split) for candidate in range(len(depths)) for split in range(n_splits)
    ]
    assert all(
        0 < started_at <= finished_at and worker for _, _, started_at, finished_at, worker in times
    )


TREE = DecisionTreeClassifier(random_state=0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_jobs": 2},
        pytest.param({"backend": MetaflowBackend(max_workers=2)}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("checkpoint", [False, True])
def test_every_backend_of_this_machine_brings_everything(options, checkpoint, tmp_path):
    if checkpoint:
        options = {**options, "checkpoint": tmp_path / "kept"}
    assert_everything(everything(TREE, DEPTH, **options).fit(*IRIS), *IRIS)
    if checkpoint:
        assert_everything(everything(TREE, DEPTH, **options).fit(*IRIS), *IRIS)
        assert checkpoints.inspect(tmp_path / "kept").n_fits == 6
        checkpoints.delete(tmp_path / "kept")
        assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_other_backends_of_joblib_bring_everything(backend):
    with joblib.parallel_config(backend, n_jobs=2):
        search = everything(TREE, DEPTH).fit(*IRIS)
    assert_everything(search, *IRIS)


def test_planned_search_brings_everything():
    search = everything(TREE, DEPTH)
    plan = pickle.loads(pickle.dumps(search.plan(*IRIS)))
    outcomes = [pickle.loads(pickle.dumps(plan.run(chunk))) for chunk in range(len(plan))]
    assert_everything(search.assemble(plan, outcomes), *IRIS)


def test_halving_notes_and_keeps_models_of_all_its_rounds():
    search = DistributedHalvingGridSearchCV(
        TREE,
        {"max_depth": [1, 2, 3, 4]},
        cv=3,
        min_resources=45,
        extract={"depth": depth},
        keep="estimators",
        random_state=0,
    ).fit(*IRIS)
    found = [[depth(model) for model in folds] for folds in search.fold_estimators_]
    assert len(found) == 4 + 2
    np.testing.assert_array_equal(search.cv_results_["mean_depth"], np.mean(found, axis=1))


def test_halving_keeps_no_predictions():
    search = DistributedHalvingGridSearchCV(TREE, DEPTH, keep=("estimators", "predictions"))
    with pytest.raises(ValueError, match="Valid there: 'estimators'"):
        search.fit(*IRIS)


def test_resumed_search_fits_what_is_missing_and_has_everything(tmp_path):
    fits = tmp_path / "fits"
    fits.mkdir()
    options = {
        "cv": 4,
        "extract": {"mean": "mean_"},
        "keep": ("predictions", "estimators"),
        "checkpoint": tmp_path / "kept",
    }
    model, grid = CountingRegressor(folder=str(fits)), {"factor": [1.0, 2.0]}
    expected = DistributedSearchCV(model, grid, **options, refit=False).fit(*DIABETES)
    (record,) = (tmp_path / "kept" / "fits").glob("*/*.fits.jsonl")
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:5]))  # a head, then four fits: half of them
    for path in fits.iterdir():
        path.unlink()
    search = DistributedSearchCV(model, grid, **options, refit=False).fit(*DIABETES)
    assert len(list(fits.iterdir())) == 4
    np.testing.assert_array_equal(
        search.oof_predictions_["predict"], expected.oof_predictions_["predict"]
    )
    np.testing.assert_array_equal(
        search.cv_results_["mean_mean"], expected.cv_results_["mean_mean"]
    )
    assert [[m.mean_ for m in folds] for folds in search.fold_estimators_] == [
        [m.mean_ for m in folds] for folds in expected.fold_estimators_
    ]


@pytest.mark.parametrize(
    "more", [{"keep": "predictions"}, {"extract": {"mean": "mean_"}}, {"keep": "estimators"}]
)
def test_what_a_checkpoint_lacks_is_fitted_again(more, tmp_path):
    fits = tmp_path / "fits"
    fits.mkdir()
    for options, n_fits in (({}, 2), (more, 4), (more, 4)):
        DistributedSearchCV(
            CountingRegressor(folder=str(fits)),
            {},
            cv=2,
            refit=False,
            checkpoint=tmp_path / "kept",
            **options,
        ).fit(*DIABETES)
        assert len(list(fits.iterdir())) == n_fits


def test_fit_whose_file_is_gone_is_fitted_again(tmp_path):
    search = everything(TREE, DEPTH, checkpoint=tmp_path / "kept").fit(*IRIS)
    next((tmp_path / "kept").glob("fits/*/*-predict.npy")).unlink()
    assert_everything(everything(TREE, DEPTH, checkpoint=tmp_path / "kept").fit(*IRIS), *IRIS)
    del search


def test_file_that_was_changed_is_an_error(tmp_path):
    search = everything(TREE, DEPTH, checkpoint=tmp_path / "kept").fit(*IRIS)
    for path in (tmp_path / "kept").glob("fits/*/*.pkl"):
        path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CorruptDataError, match="its checksum does not match"):
        search.fold_estimators_[0][0]


def test_models_survive_pickling_and_go_with_the_search():
    search = everything(TREE, DEPTH).fit(*IRIS)
    folder = search.fold_estimators_._folder
    assert folder.is_dir()
    data = pickle.dumps(search)
    del search
    gc.collect()
    assert not folder.exists()
    assert_everything(pickle.loads(data), *IRIS)


def test_failed_fit_is_nan_and_none():
    def depth_or_fail(model):
        return model.get_depth()

    search = DistributedSearchCV(
        TREE,
        {"max_depth": [2, -1]},
        cv=3,
        extract={"depth": depth_or_fail},
        keep=("predict", "predict_proba", "estimators"),
    )
    with pytest.warns(match="fits failed|non-finite"):
        search.fit(*IRIS)
    assert np.isnan(search.cv_results_["mean_depth"]).tolist() == [False, True]
    assert np.isnan(search.oof_predictions_["predict"]).all(axis=1).tolist() == [False, True]
    assert np.isnan(search.oof_predictions_["predict_proba"][1]).all()
    assert search.fold_estimators_[1][0] is None


def test_model_without_the_method_has_rows_of_nan_and_one_warning():
    pipe = Pipeline([("model", DummyClassifier())])
    grid = {"model": [DummyClassifier(), RidgeClassifier()]}
    search = DistributedSearchCV(
        pipe, grid, cv=3, keep="predict_proba", extract={"c": "model__alpha"}
    )
    with pytest.warns(UserWarning, match="keep='predict_proba' could not be had of 3 of 6") as seen:
        search.fit(*IRIS)
    assert len(seen) == 1
    found = search.oof_predictions_["predict_proba"]
    assert np.isnan(found).all(axis=(1, 2)).tolist() == [False, True]
    assert np.isnan(search.cv_results_["mean_c"]).tolist() == [True, False]


def raises(model):
    raise ZeroDivisionError("meant to")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (raises, "ZeroDivisionError: meant to"),
        (lambda model: "much", "it gives 'much' of type str, not a number"),
        ("get_depth", "of type method, not a number"),
    ],
)
def test_what_can_never_be_noted_is_an_error_that_names_it(what, said):
    with pytest.raises(ValueError, match=f"extract={{'x': .*{said}"):
        DistributedSearchCV(TREE, DEPTH, cv=3, extract={"x": what}).fit(*IRIS)


def test_attribute_that_no_model_has_is_a_warning():
    search = DistributedSearchCV(TREE, DEPTH, cv=3, extract={"x": "best_iter_"})
    with pytest.warns(UserWarning, match="extract={'x': 'best_iter_'} could not be had of 6 of 6"):
        search.fit(*IRIS)
    assert np.isnan(search.best_x_)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"extract": ["a"]}, TypeError, "must be None or a dict"),
        ({"extract": {"a": 3}}, TypeError, "extract\\['a'\\]=3 must be an attribute path"),
        ({"extract": {3: "a"}}, TypeError, "the name 3 must be a string"),
        ({"extract": {"a b": "a"}}, ValueError, "'a b' must be an identifier"),
        ({"extract": {"fit_time": "a"}}, ValueError, "'fit_time' is taken by the search itself"),
        ({"extract": {"test_a": "a"}}, ValueError, "'test_a' is taken by the search itself"),
        ({"extract": {"a": "b", "error_a": "b"}}, ValueError, "'std_error_a' would be a column of"),
        ({"extract": {"a": "b.c"}}, ValueError, "'b.c' is no attribute path"),
        ({"keep": 3}, TypeError, "keep=3 is nothing that can be kept"),
        ({"keep": "prediction"}, ValueError, "Valid: a string or a tuple out of 'predictions', "),
    ],
)
def test_mistakes_are_told_before_any_fit(options, error, said, tmp_path):
    with pytest.raises(error, match=said):
        DistributedSearchCV(CountingRegressor(folder=str(tmp_path)), {}, **options).fit(*DIABETES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "cv",
    [
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ShuffleSplit(3, test_size=0.3, random_state=0),  # rows that none, one, two or all predict
        ShuffleSplit(1, random_state=0),
    ],
)
def test_where_splits_overlap_predictions_are_means(cv):
    noted = {"first": lambda model: model.coef_[0]}
    search = DistributedSearchCV(Ridge(), {}, cv=cv, keep=("predict", "estimators"), extract=noted)
    search.fit(*DIABETES)
    found, counts = np.zeros((2, len(DIABETES[0])))
    for model, (_, test) in zip(search.fold_estimators_[0], cv.split(*DIABETES), strict=True):
        found[test] += model.predict(DIABETES[0][test])
        counts[test] += 1
    expected = np.where(counts, found / np.maximum(counts, 1), np.nan)
    np.testing.assert_allclose(search.oof_predictions_["predict"][0], expected, rtol=1e-14)
    assert np.isnan(search.cv_results_["std_error_first"]) == (cv.get_n_splits() == 1)


class OneColumnEach(KNeighborsClassifier):
    """Of several labels, tells the probability of each that it is there, as nets do."""

    def predict_proba(self, X):
        return np.column_stack([each[:, 1] for each in super().predict_proba(X)])


def test_several_labels_of_models_that_tell_one_column_each_and_two():
    X, y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    grid = {"model": [KNeighborsClassifier(3), OneColumnEach(3)]}
    pipe = Pipeline([("model", KNeighborsClassifier())])
    search = DistributedSearchCV(pipe, grid, cv=KFold(3), keep="predict_proba").fit(X, y)
    expected = cross_val_predict(
        pipe.set_params(model__n_neighbors=3), X, y, cv=KFold(3), method="predict_proba"
    )
    for label, of_label in enumerate(search.oof_predictions_["predict_proba"]):
        for candidate in (0, 1):
            np.testing.assert_allclose(of_label[candidate], expected[label])


class Wide(Ridge):
    """Predicts as often as it is told to."""

    def __init__(self, width=1):
        super().__init__()
        self.width = width

    def predict(self, X):
        return np.column_stack([super().predict(X)] * self.width)

    def score(self, X, y):
        return 0.0


def test_predictions_that_make_no_array_cost_no_search():
    search = DistributedSearchCV(Wide(), {"width": [2, 3]}, cv=2, keep="predict")
    with pytest.warns(UserWarning, match=r"shapes for a row, \(2,\) and \(3,\), which make no"):
        search.fit(*DIABETES)
    assert search.oof_predictions_ == {}
    assert len(search.cv_results_["params"]) == 2


def test_where_splits_overlap_there_is_no_mean_of_labels():
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    with pytest.raises(ValueError, match="of several labels that are predicted for a row there is"):
        DistributedSearchCV(TREE, DEPTH, cv=cv, keep="predict").fit(*IRIS)


def test_rows_that_no_split_predicts_are_nan():
    fold = np.r_[np.full(100, -1), np.arange(50) % 2]
    order = np.random.default_rng(0).permutation(150)
    X, y = IRIS[0][order], NAMES[IRIS[1]][order]
    options = {"cv": PredefinedSplit(fold), "keep": ("predict", "predictions")}
    search = DistributedSearchCV(TREE, DEPTH, **options).fit(X, y)
    labels, chances = search.oof_predictions_["predict"], search.oof_predictions_["predict_proba"]
    assert pd.isna(labels).any(axis=0).tolist() == (fold < 0).tolist()
    assert np.isnan(chances).any(axis=(0, 2)).tolist() == (fold < 0).tolist()


def test_paths_go_through_what_holds_the_model():
    X, y = DIABETES
    stopping = EarlyStopping(HistGradientBoostingRegressor(max_iter=20, random_state=0))
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), stopping))
    extract = {"n": "regressor___earlystopping__best_iteration_"}
    search = DistributedSearchCV(model, {}, cv=2, extract=extract, keep="estimators").fit(X, y)
    found = [m.regressor_[-1].best_iteration_ for m in search.fold_estimators_[0]]
    assert search.best_n_ == np.mean(found)


def test_search_that_asks_for_nothing_gets_nothing():
    search = DistributedSearchCV(TREE, DEPTH, cv=3).fit(*IRIS)
    assert not hasattr(search, "oof_predictions_")
    assert not hasattr(search, "fold_estimators_")
    expected = GridSearchCV(TREE, DEPTH, cv=3).fit(*IRIS)
    assert search.cv_results_.keys() == expected.cv_results_.keys()


def test_second_fit_forgets_what_the_first_was_asked_for():
    search = everything(TREE, DEPTH).fit(*IRIS)
    search.set_params(extract=None, keep=()).fit(*IRIS)
    for name in ("oof_predictions_", "fold_estimators_", "best_depth_"):
        assert not hasattr(search, name)
