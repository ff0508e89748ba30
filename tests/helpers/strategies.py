"""Searches to draw: a `Case` names small independent pieces, and is built from them and a seed."""

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
from sklearn.utils.validation import check_array


class Moody(RegressorMixin, BaseEstimator):
    """A line through the data. A "bad" mood fails, a "fickle" one on odd numbers of samples."""

    def __init__(self, mood="good", slope=1.0):
        self.mood = mood
        self.slope = slope

    def fit(self, X, y, sample_weight=None, shift=0.0, note=""):
        if self.mood == "bad" or (self.mood == "fickle" and len(y) % 2):
            raise ValueError(f"in a {self.mood} mood")
        self.start_ = np.average(np.asarray(y) + np.asarray(shift), weights=sample_weight)
        self.start_ += len(note)
        return self

    def predict(self, X):
        return self.start_ + self.slope * check_array(X)[:, 0]


def own_score(estimator, X, y=None):
    return estimator.score(X, y)


def fickle_score(estimator, X, y=None):
    if np.shape(X)[0] % 2:
        raise ValueError("an odd number of samples")
    return own_score(estimator, X, y)


def several_scores(estimator, X, y=None):
    """Metrics that are numbers of different types."""
    score = own_score(estimator, X, y)
    return {"own": score, "rough": np.float32(score), "samples": np.shape(X)[0]}


def last_of_the_best(results):
    """A callable ``refit``."""
    ranks = next(values for key, values in results.items() if key.startswith("rank_test_"))
    return np.flatnonzero(ranks == 1)[-1]


Ask = Callable[[Any], Any]
"""Lets an estimator or a scorer ask for metadata, if that is routed in this case."""


@dataclass(frozen=True)
class Model:
    """What is searched over, and what goes with it."""

    family: str
    make: Callable[[Ask, int], Any]
    grids: tuple[Callable[[Ask], dict[str, Any]], ...]
    takes: tuple[str, ...] = ()
    """Fit parameters; those of a step have its name as in a Pipeline's ``fit``."""
    sparse: bool = True
    mixed: bool = False


MODELS = {
    "logistic": Model(
        "classes",
        lambda ask, seed: ask(LogisticRegression(tol=0.1)),
        (
            lambda ask: {"C": np.logspace(-1, 1, 3)},
            lambda ask: {"class_weight": [None, "balanced"], "fit_intercept": [True, False]},
        ),
        takes=("sample_weight",),
    ),
    "tree": Model(
        "classes",
        lambda ask, seed: ask(DecisionTreeClassifier(random_state=np.random.RandomState(seed))),
        (
            lambda ask: {"max_depth": [1, 2, None]},
            lambda ask: {"max_features": ["sqrt", 1, 0.9], "splitter": ["random"]},
        ),
        takes=("sample_weight",),
    ),
    "neighbours": Model(
        "classes",
        lambda ask, seed: KNeighborsClassifier(),
        (
            lambda ask: {"n_neighbors": (1, 3)},
            lambda ask: {"weights": ["uniform", "distance"], "p": [1, 2]},
        ),
    ),
    "vectors": Model(
        "classes",
        lambda ask, seed: ask(SVC()),
        (lambda ask: {"kernel": ["rbf"], "C": [0.5, 2]}, lambda ask: {"kernel": ["linear"]}),
        takes=("sample_weight",),
    ),
    "bayes": Model(
        "classes",
        lambda ask, seed: ask(GaussianNB()),
        (lambda ask: {"var_smoothing": [1e-9, 0.1]}, lambda ask: {}),
        takes=("sample_weight",),
        sparse=False,
    ),
    "dummy": Model(
        "classes",
        lambda ask, seed: ask(DummyClassifier(random_state=seed)),
        (lambda ask: {"strategy": ["prior", "stratified", "uniform"]}, lambda ask: {}),
        takes=("sample_weight",),
    ),
    "columns": Model(
        "classes",
        lambda ask, seed: Pipeline(
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
                ("model", ask(DecisionTreeClassifier(random_state=seed))),
            ]
        ),
        (
            lambda ask: {"columns__number": ["drop", "passthrough"], "model__max_depth": [1, 3]},
            lambda ask: {"columns__word__max_categories": [None, 2], "columns__number": ["drop"]},
        ),
        takes=("model__sample_weight",),
        mixed=True,
    ),
    "ridge": Model(
        "numbers",
        lambda ask, seed: ask(Ridge()),
        (
            lambda ask: {"alpha": [0.1, 1, 10.0]},
            lambda ask: {"fit_intercept": [False], "solver": ["auto", "lsqr"]},
        ),
        takes=("sample_weight",),
    ),
    "pipeline": Model(
        "numbers",
        lambda ask, seed: Pipeline([("scale", MaxAbsScaler()), ("model", ask(Ridge()))]),
        (
            lambda ask: {"model__alpha": [0.1, 10.0], "scale": [MaxAbsScaler(), "passthrough"]},
            lambda ask: {
                "model": [ask(DecisionTreeRegressor(random_state=0))],
                "model__max_depth": [1, 3],
            },
        ),
        takes=("model__sample_weight",),
    ),
    "moody": Model(
        "numbers",
        lambda ask, seed: ask(Moody()),
        (
            lambda ask: {"slope": [0.0, 1.0]},
            lambda ask: {"mood": ["good", "bad"]},
            lambda ask: {"mood": ["good", "fickle"], "slope": [0.5, 2.0]},
        ),
        takes=("sample_weight", "shift", "note"),
        sparse=False,
    ),
    "outputs": Model(
        "outputs",
        lambda ask, seed: ask(DecisionTreeRegressor(max_features=2, random_state=seed)),
        (lambda ask: {"max_depth": [1, 3]}, lambda ask: {"min_samples_leaf": [2, 0.2]}),
        takes=("sample_weight",),
    ),
    "one for each output": Model(
        "outputs",
        lambda ask, seed: MultiOutputRegressor(Ridge()),
        (
            lambda ask: {"estimator__alpha": [0.1, 1.0]},
            lambda ask: {"estimator": [Ridge(), DecisionTreeRegressor(random_state=0)]},
        ),
    ),
    "density": Model(
        "none",
        lambda ask, seed: ask(KernelDensity()),
        (lambda ask: {"bandwidth": [0.5, 1.0]}, lambda ask: {"kernel": ["exponential"]}),
        takes=("sample_weight",),
        sparse=False,
    ),
    "components": Model(
        "none",
        lambda ask, seed: PCA(svd_solver="full"),
        (lambda ask: {"n_components": [1, 2]}, lambda ask: {"whiten": [True, False]}),
        sparse=False,
    ),
}

LABELS = {
    "classes": ("numbered", "named"),
    "numbers": ("real", "whole"),
    "outputs": ("real",),
    "none": ("none",),
}
DENSE = ("floats", "ints", "float32", "fortran", "frame", "lists")
SPLITTERS = {
    "default": lambda case: None,
    "3": lambda case: 3,
    "shuffled": lambda case: KFold(3, shuffle=True, random_state=case.seed),
    "shuffled by a state": lambda case: KFold(3, shuffle=True, random_state=case.state()),
    "stratified": lambda case: StratifiedKFold(3, shuffle=True, random_state=case.seed),
    "repeated": lambda case: RepeatedKFold(n_splits=2, n_repeats=2, random_state=case.seed),
    "random": lambda case: ShuffleSplit(3, test_size=0.3, random_state=case.seed),
    "predefined": lambda case: PredefinedSplit(np.arange(case.n_samples) % 4 - 1),
    "list": lambda case: list(KFold(3).split(range(case.n_samples))),
    "generator": lambda case: KFold(3).split(range(case.n_samples)),
    "grouped": lambda case: GroupKFold(3),
    "a group out": lambda case: LeaveOneGroupOut(),
}
GROUPED = ("grouped", "a group out")
SCORINGS = ("default", "name", "names", "made", "mapping", "function", "function of several")
SCORES = {
    "classes": (["accuracy", "f1_micro"], accuracy_score),
    "numbers": (["r2", "neg_mean_absolute_error"], mean_absolute_error),
    "outputs": (["r2", "neg_mean_squared_error"], r2_score),
}
"""For each family: metrics by name, and one that is made a scorer."""


@dataclass(frozen=True)
class Case:
    """A search, all but the class that does it. The same case builds the same search anew."""

    model: str
    grid: tuple[int, ...]
    """Which of the model's dicts; a single one is given as it is, several as a list."""
    held: str
    """What X is; y, groups and weights follow."""
    labels: str
    cv: str
    scoring: str
    refit: bool | str
    """As scikit-learn takes it, or "by a function"."""
    given: tuple[str, ...] = ()
    """Fit parameters that are passed."""
    routing: bool = False
    return_train_score: bool = False
    error_score: float = np.nan
    seed: int = 0

    @property
    def n_samples(self):
        """An even number: `Moody` and `fickle_score` cope with all the data."""
        return 36 + 2 * (self.seed % 3)

    @property
    def mixed(self):
        return MODELS[self.model].mixed

    @property
    def family(self):
        return MODELS[self.model].family

    def configured(self):
        return sklearn.config_context(enable_metadata_routing=self.routing)

    def fitted(self, search, **where):
        """The ``search`` class, made and fitted."""
        X, y, params = self.data()
        with self.configured():
            return self.search(search, **where).fit(X, y, **params)

    def search(self, search, **where):
        """The ``search`` class, made. Within `configured`."""
        grids = [MODELS[self.model].grids[number](self._ask) for number in self.grid]
        return search(
            MODELS[self.model].make(self._ask, self.seed),
            grids[0] if len(grids) == 1 else grids,
            cv=SPLITTERS[self.cv](self),
            scoring=self._scoring(),
            refit=self._refit(),
            error_score=self.error_score,
            return_train_score=self.return_train_score,
            **where,
        )

    def data(self):
        """X, y and what else ``fit`` is given."""
        rng = np.random.default_rng(self.seed)
        classes = rng.permutation(np.arange(self.n_samples) % 3)
        X = rng.normal(scale=2, size=(self.n_samples, 4))
        X[:, 0] += classes
        params = {self._name(name): self._param(name, rng) for name in self.given}
        if self.cv in GROUPED:
            groups = rng.permutation(np.arange(self.n_samples) % 7 % 4)
            params["groups"] = self._column(groups)
        return self._table(X, rng), self._labels(X, classes, rng), params

    def state(self):
        return np.random.RandomState(self.seed)

    def _name(self, param):
        """A Pipeline is given a step's name along, unless its metadata are routed."""
        return param.rpartition("__")[2] if self.routing else param

    def _param(self, name, rng):
        if name == "note":
            return "as it is"
        return self._column(rng.integers(1, 4, size=self.n_samples) / 2)

    def _table(self, X, rng):
        if self.held == "frame":
            table = pd.DataFrame(X, columns=list("abcd"), index=self._index())
            words = rng.choice(["red", "green", "blue"], size=self.n_samples)
            return table.assign(word=words) if self.mixed else table
        return {
            "floats": np.array,
            "ints": lambda X: X.astype(int),
            "float32": lambda X: X.astype(np.float32),
            "fortran": np.asfortranarray,
            "lists": lambda X: X.tolist(),
            "sparse": lambda X: csr_matrix(X * (abs(X) > 1)),
        }[self.held](X)

    def _labels(self, X, classes, rng):
        if self.labels == "none":
            return None
        if self.family == "classes":
            names = np.array(["no", "perhaps", "yes"])
            return self._column(names[classes] if self.labels == "named" else classes)
        numbers = X[:, :2] @ [[1.0, 0.0], [2.0, 1.0]] + rng.normal(size=(self.n_samples, 2))
        whole = numbers.round().astype(int) if self.labels == "whole" else numbers
        return self._column(whole if self.family == "outputs" else whole[:, 0])

    def _column(self, values):
        """``values``, held as X is."""
        if self.held == "frame":
            return (pd.DataFrame if values.ndim > 1 else pd.Series)(values, index=self._index())
        return values.tolist() if self.held == "lists" else values

    def _index(self):
        return [f"row {number}" for number in range(self.n_samples, 0, -1)]

    def _ask(self, asker):
        """Have an estimator or a scorer ask for the metadata, where that is routed."""
        if not self.routing or not self.given:
            return asker
        names = [self._name(name) for name in self.given]
        if hasattr(asker, "set_fit_request"):
            asker.set_fit_request(**dict.fromkeys(names, True))
        if hasattr(asker, "set_score_request") and "sample_weight" in names:
            asker.set_score_request(sample_weight=True)
        return asker

    def _scoring(self):
        names, score = SCORES.get(self.family, (None, None))
        made = own_score if score is None else self._ask(make_scorer(score))
        return {
            "default": None,
            "name": names and names[0],
            "names": names,
            "made": made,
            "mapping": {"made": made, "own": own_score, "fickle": fickle_score},
            "function": own_score,
            "function of several": several_scores,
        }[self.scoring]

    def _refit(self):
        return last_of_the_best if self.refit == "by a function" else self.refit


@st.composite
def cases(draw, model):
    """Cases of ``model`` that scikit-learn copes with: no error leaves its ``fit``."""
    number = list(MODELS).index(model)

    def one_of(values):
        # Each model begins elsewhere: few examples of each see, taken together, every value
        start = number % len(values)
        return draw(st.sampled_from([*values[start:], *values[:start]]))

    spec = MODELS[model]
    routing = one_of([False, True])
    given = tuple(name for name in spec.takes if one_of([True, False]))
    scoring = one_of(_scorings(spec.family, routing, "sample_weight" in str(given)))
    order = draw(st.permutations(range(len(spec.grids))))
    return Case(
        model=model,
        grid=tuple(order[: one_of(range(1, len(order) + 1))]),
        held="frame" if spec.mixed else one_of(DENSE + ("sparse",) * spec.sparse),
        labels=one_of(LABELS[spec.family]),
        cv=one_of([name for name in SPLITTERS if name != "stratified" or spec.family == "classes"]),
        scoring=scoring,
        refit=one_of([_first_metric(spec.family, scoring), False, "by a function"]),
        given=given,
        routing=routing,
        return_train_score=one_of([False, True]),
        error_score=one_of([np.nan, -1e6]),
        seed=draw(st.integers(0, 99)),
    )


def _scorings(family, routing, weighted):
    """What ``scoring`` can be."""
    impossible = set()
    if family == "none" or (weighted and routing):  # a name does not say whether it wants weights
        impossible |= {"name", "names"}
    if weighted and not routing:  # scikit-learn 1.9 takes functions in a dict for scorers then
        impossible |= {"mapping"}
    return [name for name in SCORINGS if name not in impossible]


def _first_metric(family, scoring):
    """``refit`` for a ``scoring``: the name of a metric, where there are several."""
    names = {"mapping": "made", "function of several": "own"}
    return SCORES[family][0][0] if scoring == "names" else names.get(scoring, True)
