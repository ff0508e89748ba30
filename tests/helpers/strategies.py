"""Random searches for hypothesis: a `Case` names independent parts of a search, and builds it.

The same case builds an equal search again, so that scikit-learn's result can be compared with ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_array


class UnreliableRegressor(RegressorMixin, BaseEstimator):
    """Fit a line, or raise an error: always, or for an odd number of samples."""

    def __init__(self, behavior="fit", slope=1.0):
        self.behavior = behavior
        self.slope = slope

    def fit(self, X, y, sample_weight=None, shift=0.0, note=""):
        if self.behavior == "raise" or (self.behavior == "raise if odd" and len(y) % 2):
            raise ValueError(f"the behavior is {self.behavior!r}")
        self.start_ = np.average(np.asarray(y) + np.asarray(shift), weights=sample_weight)
        self.start_ += len(note)
        return self

    def predict(self, X):
        return self.start_ + self.slope * check_array(X)[:, 0]


def default_score(estimator, X, y=None):
    return estimator.score(X, y)


def unreliable_score(estimator, X, y=None):
    if np.shape(X)[0] % 2:
        raise ValueError("an odd number of samples")
    return default_score(estimator, X, y)


def several_scores(estimator, X, y=None):
    """Return metrics that are numbers of different types."""
    score = default_score(estimator, X, y)
    return {"default": score, "float32": np.float32(score), "samples": np.shape(X)[0]}


def select_last_of_best(results):
    """Return the index of the last candidate with rank 1, as a callable ``refit``."""
    ranks = next(values for key, values in results.items() if key.startswith("rank_test_"))
    return np.flatnonzero(ranks == 1)[-1]


Request = Callable[[Any], Any]
"""Makes an estimator or a scorer request metadata, if that is routed in this case."""


@dataclass(frozen=True)
class Model:
    """A model to search over, and properties of it that decide what goes with it."""

    task: str
    """A key of `TARGETS`."""
    make: Callable[[Request, int], Any]
    """Returns the estimator, for a seed."""
    grids: tuple[Callable[[Request], dict[str, Any]], ...]
    """Functions that each return a parameter grid."""
    fit_params: tuple[str, ...] = ()
    """Parameters of ``fit``; those of a step have its prefix, as in a Pipeline's ``fit``."""
    accepts_sparse: bool = True
    has_word_column: bool = False
    """True for a model of data frames with a column of words."""


MODELS = {
    "logistic": Model(
        "classification",
        lambda request, seed: request(LogisticRegression(tol=0.1)),
        (
            lambda request: {"C": np.logspace(-1, 1, 3)},
            lambda request: {"class_weight": [None, "balanced"], "fit_intercept": [True, False]},
        ),
        fit_params=("sample_weight",),
    ),
    "tree": Model(
        "classification",
        lambda request, seed: request(
            DecisionTreeClassifier(random_state=np.random.RandomState(seed))
        ),
        (
            lambda request: {"max_depth": [1, 2, None]},
            lambda request: {"max_features": ["sqrt", 1, 0.9], "splitter": ["random"]},
        ),
        fit_params=("sample_weight",),
    ),
    "neighbors": Model(
        "classification",
        lambda request, seed: KNeighborsClassifier(),
        (
            lambda request: {"n_neighbors": (1, 3)},
            lambda request: {"weights": ["uniform", "distance"], "p": [1, 2]},
        ),
    ),
    "vectors": Model(
        "classification",
        lambda request, seed: request(SVC()),
        (
            lambda request: {"kernel": ["rbf"], "C": [0.5, 2]},
            lambda request: {"kernel": ["linear"]},
        ),
        fit_params=("sample_weight",),
    ),
    "bayes": Model(
        "classification",
        lambda request, seed: request(GaussianNB()),
        (lambda request: {"var_smoothing": [1e-9, 0.1]}, lambda request: {}),
        fit_params=("sample_weight",),
        accepts_sparse=False,
    ),
    "dummy": Model(
        "classification",
        lambda request, seed: request(DummyClassifier(random_state=seed)),
        (
            lambda request: {"strategy": ["prior", "stratified", "uniform"]},
            lambda request: {},
        ),
        fit_params=("sample_weight",),
    ),
    "columns": Model(
        "classification",
        lambda request, seed: Pipeline(
            [
                (
                    "columns",
                    ColumnTransformer(
                        [
                            ("number", MaxAbsScaler(), ["a", "b"]),
                            ("word", OneHotEncoder(handle_unknown="ignore"), ["word"]),
                        ]
                    ),
                ),
                ("model", request(DecisionTreeClassifier(random_state=seed))),
            ]
        ),
        (
            lambda request: {
                "columns__number": ["drop", "passthrough"],
                "model__max_depth": [1, 3],
            },
            lambda request: {
                "columns__word__max_categories": [None, 2],
                "columns__number": ["drop"],
            },
        ),
        fit_params=("model__sample_weight",),
        has_word_column=True,
    ),
    "ridge": Model(
        "regression",
        lambda request, seed: request(Ridge()),
        (
            lambda request: {"alpha": [0.1, 1, 10.0]},
            lambda request: {"fit_intercept": [False], "solver": ["auto", "lsqr"]},
        ),
        fit_params=("sample_weight",),
    ),
    "pipeline": Model(
        "regression",
        lambda request, seed: Pipeline([("scale", MaxAbsScaler()), ("model", request(Ridge()))]),
        (
            lambda request: {
                "model__alpha": [0.1, 10.0],
                "scale": [MaxAbsScaler(), "passthrough"],
            },
            lambda request: {
                "model": [request(DecisionTreeRegressor(random_state=0))],
                "model__max_depth": [1, 3],
            },
        ),
        fit_params=("model__sample_weight",),
    ),
    "unreliable": Model(
        "regression",
        lambda request, seed: request(UnreliableRegressor()),
        (
            lambda request: {"slope": [0.0, 1.0]},
            lambda request: {"behavior": ["fit", "raise"]},
            lambda request: {"behavior": ["fit", "raise if odd"], "slope": [0.5, 2.0]},
        ),
        fit_params=("sample_weight", "shift", "note"),
        accepts_sparse=False,
    ),
    "several outputs": Model(
        "multioutput",
        lambda request, seed: request(DecisionTreeRegressor(max_features=2, random_state=seed)),
        (lambda request: {"max_depth": [1, 3]}, lambda request: {"min_samples_leaf": [2, 0.2]}),
        fit_params=("sample_weight",),
    ),
    "one for each output": Model(
        "multioutput",
        lambda request, seed: MultiOutputRegressor(Ridge()),
        (
            lambda request: {"estimator__alpha": [0.1, 1.0]},
            lambda request: {"estimator": [Ridge(), DecisionTreeRegressor(random_state=0)]},
        ),
    ),
    "density": Model(
        "unsupervised",
        lambda request, seed: request(KernelDensity()),
        (lambda request: {"bandwidth": [0.5, 1.0]}, lambda request: {"kernel": ["exponential"]}),
        fit_params=("sample_weight",),
        accepts_sparse=False,
    ),
    "components": Model(
        "unsupervised",
        lambda request, seed: PCA(svd_solver="full"),
        (lambda request: {"n_components": [1, 2]}, lambda request: {"whiten": [True, False]}),
        accepts_sparse=False,
    ),
}

TARGETS = {
    "classification": ("integers", "names"),
    "regression": ("floats", "integers"),
    "multioutput": ("floats",),
    "unsupervised": ("none",),
}
"""The kinds of y, by task."""
DENSE_CONTAINERS = ("floats", "integers", "float32", "fortran", "frame", "lists")
SPLITTERS = {
    "default": lambda case: None,
    "3": lambda case: 3,
    "shuffled": lambda case: KFold(3, shuffle=True, random_state=case.seed),
    "shuffled by RandomState": lambda case: KFold(
        3, shuffle=True, random_state=case.random_state()
    ),
    "stratified": lambda case: StratifiedKFold(3, shuffle=True, random_state=case.seed),
    "repeated": lambda case: RepeatedKFold(n_splits=2, n_repeats=2, random_state=case.seed),
    "random": lambda case: ShuffleSplit(3, test_size=0.3, random_state=case.seed),
    "predefined": lambda case: PredefinedSplit(np.arange(case.n_samples) % 4 - 1),
    "list": lambda case: list(KFold(3).split(range(case.n_samples))),
    "generator": lambda case: KFold(3).split(range(case.n_samples)),
    "grouped": lambda case: GroupKFold(3),
    "leave one group out": lambda case: LeaveOneGroupOut(),
}
GROUP_SPLITTERS = ("grouped", "leave one group out")
SCORINGS = ("default", "name", "names", "scorer", "dict", "function", "function of several")
METRICS = {
    "classification": (["accuracy", "f1_micro"], accuracy_score),
    "regression": (["r2", "neg_mean_absolute_error"], mean_absolute_error),
    "multioutput": (["r2", "neg_mean_squared_error"], r2_score),
}
"""For each task: names of metrics, and a metric to make a scorer of."""


@dataclass(frozen=True)
class Case:
    """A search without its class."""

    model: str
    """A key of `MODELS`."""
    grids: tuple[int, ...]
    """Numbers of the model's grids. A single one is passed as a dict, several as a list."""
    container: str
    """The type of X; y, groups and weights have a matching one."""
    targets: str
    """The kind of y, one of `TARGETS`."""
    cv: str
    """A key of `SPLITTERS`."""
    scoring: str
    """One of `SCORINGS`."""
    refit: bool | str
    """``refit`` of the search, or "callable"."""
    fit_params: tuple[str, ...] = ()
    """Names of the fit parameters that are passed."""
    routing: bool = False
    """True to route metadata."""
    return_train_score: bool = False
    error_score: float = np.nan
    seed: int = 0

    @property
    def n_samples(self):
        """An even number, so that `UnreliableRegressor` and `unreliable_score` accept all rows."""
        return 36 + 2 * (self.seed % 3)

    @property
    def has_word_column(self):
        return MODELS[self.model].has_word_column

    @property
    def task(self):
        return MODELS[self.model].task

    def sklearn_config(self):
        """Return a context manager that configures scikit-learn for this case."""
        return sklearn.config_context(enable_metadata_routing=self.routing)

    def fit_search(self, search_class, **options):
        """Return a fitted search of a class."""
        X, y, params = self.make_data()
        with self.sklearn_config():
            return self.make_search(search_class, **options).fit(X, y, **params)

    def make_search(self, search_class, **options):
        """Return a search of a class. Call it within `sklearn_config`."""
        grids = [MODELS[self.model].grids[number](self._request) for number in self.grids]
        return search_class(
            MODELS[self.model].make(self._request, self.seed),
            grids[0] if len(grids) == 1 else grids,
            cv=SPLITTERS[self.cv](self),
            scoring=self._make_scoring(),
            refit=self._make_refit(),
            error_score=self.error_score,
            return_train_score=self.return_train_score,
            **options,
        )

    def make_data(self):
        """Return X, y and the keyword arguments of ``fit``."""
        rng = np.random.default_rng(self.seed)
        classes = rng.permutation(np.arange(self.n_samples) % 3)
        X = rng.normal(scale=2, size=(self.n_samples, 4))
        X[:, 0] += classes
        params = {
            self._keyword_of(name): self._make_fit_param(name, rng) for name in self.fit_params
        }
        if self.cv in GROUP_SPLITTERS:
            groups = rng.permutation(np.arange(self.n_samples) % 7 % 4)
            params["groups"] = self._make_column(groups)
        return self._make_table(X, rng), self._make_targets(X, classes, rng), params

    def random_state(self):
        return np.random.RandomState(self.seed)

    def _keyword_of(self, fit_param):
        """Return a fit parameter without its step's prefix if metadata is routed."""
        return fit_param.rpartition("__")[2] if self.routing else fit_param

    def _make_fit_param(self, name, rng):
        if name == "note":
            return "a string"
        return self._make_column(rng.integers(1, 4, size=self.n_samples) / 2)

    def _make_table(self, X, rng):
        if self.container == "frame":
            table = pd.DataFrame(X, columns=list("abcd"), index=self._make_index())
            words = rng.choice(["red", "green", "blue"], size=self.n_samples)
            return table.assign(word=words) if self.has_word_column else table
        return {
            "floats": np.array,
            "integers": lambda X: X.astype(int),
            "float32": lambda X: X.astype(np.float32),
            "fortran": np.asfortranarray,
            "lists": lambda X: X.tolist(),
            "sparse": lambda X: csr_matrix(X * (abs(X) > 1)),
        }[self.container](X)

    def _make_targets(self, X, classes, rng):
        if self.targets == "none":
            return None
        if self.task == "classification":
            names = np.array(["no", "perhaps", "yes"])
            return self._make_column(names[classes] if self.targets == "names" else classes)
        values = X[:, :2] @ [[1.0, 0.0], [2.0, 1.0]] + rng.normal(size=(self.n_samples, 2))
        if self.targets == "integers":
            values = values.round().astype(int)
        return self._make_column(values if self.task == "multioutput" else values[:, 0])

    def _make_column(self, values):
        """Return values in the container of X."""
        if self.container == "frame":
            frame_type = pd.DataFrame if values.ndim > 1 else pd.Series
            return frame_type(values, index=self._make_index())
        return values.tolist() if self.container == "lists" else values

    def _make_index(self):
        return [f"row {number}" for number in range(self.n_samples, 0, -1)]

    def _request(self, consumer):
        """Make an estimator or a scorer request the metadata, if it is routed."""
        if not self.routing or not self.fit_params:
            return consumer
        names = [self._keyword_of(name) for name in self.fit_params]
        if hasattr(consumer, "set_fit_request"):
            consumer.set_fit_request(**dict.fromkeys(names, True))
        if hasattr(consumer, "set_score_request") and "sample_weight" in names:
            consumer.set_score_request(sample_weight=True)
        return consumer

    def _make_scoring(self):
        names, metric = METRICS.get(self.task, (None, None))
        scorer = default_score if metric is None else self._request(make_scorer(metric))
        return {
            "default": None,
            "name": names and names[0],
            "names": names,
            "scorer": scorer,
            "dict": {"scorer": scorer, "default": default_score, "unreliable": unreliable_score},
            "function": default_score,
            "function of several": several_scores,
        }[self.scoring]

    def _make_refit(self):
        return select_last_of_best if self.refit == "callable" else self.refit


@st.composite
def cases(draw, model):
    """Draw cases of a model that scikit-learn accepts: no error leaves its ``fit``."""
    number = list(MODELS).index(model)

    def draw_one(values):
        # Each model starts at another value, so that few examples of each cover all values
        start = number % len(values)
        return draw(st.sampled_from([*values[start:], *values[:start]]))

    spec = MODELS[model]
    routing = draw_one([False, True])
    fit_params = tuple(name for name in spec.fit_params if draw_one([True, False]))
    is_weighted = any(name.endswith("sample_weight") for name in fit_params)
    is_of_step = any("__" in name for name in fit_params)
    scoring = draw_one(_valid_scorings(spec.task, routing, is_weighted, is_of_step))
    order = draw(st.permutations(range(len(spec.grids))))
    is_classification = spec.task == "classification"
    return Case(
        model=model,
        grids=tuple(order[: draw_one(range(1, len(order) + 1))]),
        container="frame" if spec.has_word_column else draw_one(_containers(spec)),
        targets=draw_one(TARGETS[spec.task]),
        cv=draw_one([name for name in SPLITTERS if name != "stratified" or is_classification]),
        scoring=scoring,
        refit=draw_one([_first_metric(spec.task, scoring), False, "callable"]),
        fit_params=fit_params,
        routing=routing,
        return_train_score=draw_one([False, True]),
        error_score=draw_one([np.nan, -1e6]),
        seed=draw(st.integers(0, 99)),
    )


def _containers(spec):
    return (*DENSE_CONTAINERS, "sparse") if spec.accepts_sparse else DENSE_CONTAINERS


def _valid_scorings(task, routing, is_weighted, is_of_step):
    """Return those of `SCORINGS` that scikit-learn accepts."""
    invalid = set()
    is_between = parse_version("1.5") <= parse_version(sklearn.__version__) < parse_version("1.9")
    if is_between and is_weighted and is_of_step and routing:
        invalid |= {"default"}  # a pipeline's own score does not request weights then
    if task == "unsupervised" or (is_weighted and routing):
        invalid |= {"name", "names"}  # a scorer by name does not request weights
    if is_weighted and not routing:
        invalid |= {"dict"}  # scikit-learn 1.9 treats functions in a dict as scorers then
    return [name for name in SCORINGS if name not in invalid]


def _first_metric(task, scoring):
    """Return ``refit`` for a scoring: the name of a metric if it has several, else True."""
    names = {"dict": "scorer", "function of several": "default"}
    return METRICS[task][0][0] if scoring == "names" else names.get(scoring, True)
