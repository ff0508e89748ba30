"""Transformers, models, scorers and parameters that break what a cache likes to assume.

`CASES` has a search for each: what it is, and the arguments for `GridSearchCV`. `LIMITS` has those
that shared work is known to get wrong.
"""

import collections
import contextlib
import copy
import ctypes
import os
import tempfile

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

_rng = np.random.default_rng(0)
_X = _rng.normal(size=(36, 6))
_Y = 2 * _X[:, 0] + _X[:, 1] ** 2 + 0.3 * _rng.normal(size=36)


def arrays():
    """Return X and y as arrays."""
    return _X.copy(), _Y.copy()


def frames():
    """Return X and y as pandas objects."""
    return pd.DataFrame(_X, columns=list("abcdef")), pd.Series(_Y)


def nullables():
    """Return X as a frame of pandas' own arrays."""
    X, y = frames()
    return X.astype("Float64"), y


def csr():
    """Return X as a sparse matrix."""
    return sparse.csr_matrix(_X * (abs(_X) > 0.5)), _Y.copy()


def lists():
    """Return y as a list."""
    return _X.copy(), _Y.tolist()


class Transformer(TransformerMixin, BaseEstimator):
    """Returns its input. Has a parameter ``by``."""

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        self.y_ = None if y is None else np.array(y)
        return self

    def transform(self, X):
        return X


# --- transformers that modify their input


class SetsSparseData(Transformer):
    def transform(self, X):
        X.data = X.data * self.by + 1
        return X


class SetsSparseItems(Transformer):
    def transform(self, X):
        X[0, 0], X[1, 0] = 50.0, 60.0
        return X


class SortsSparse(Transformer):
    def transform(self, X):
        X.sum_duplicates()
        X.eliminate_zeros()
        return X


class ModifiesY(Transformer):
    def fit_transform(self, X, y=None):
        y[:] = [float(value > 0) for value in y]
        return np.asarray(X)

    def transform(self, X):
        return np.asarray(X)


class ModifiesWeights(Transformer):
    def fit(self, X, y=None, sample_weight=None):
        sample_weight[:] = sample_weight * (np.asarray(y) > 0)
        return self


class SetsShape(Transformer):
    def transform(self, X):
        X.shape = (len(X), 3, -1)
        return X.sum(axis=2)


class Unlocks(Transformer):
    def transform(self, X):
        X.flags.writeable = True
        X[:, 0] *= self.by
        return X


class UnlocksBase(Transformer):
    def transform(self, X):
        array = X
        while array.base is not None:
            array = array.base
        array.flags.writeable = True
        X.flags.writeable = True
        X[:, 0] *= self.by + 1
        return X


class WritesByAddress(Transformer):
    """Writes as a library does that ignores the flag."""

    def transform(self, X):
        X = np.asarray(X)
        copied = np.ascontiguousarray(X) * (self.by + 1)
        copied[:, 0] = 0
        ctypes.memmove(X.ctypes.data, copied.ctypes.data, X.nbytes)
        return X


class RaisesItsOwnError(Transformer):
    def transform(self, X):
        try:
            X[:, 0] = 0
        except ValueError as exc:
            raise RuntimeError("cannot process this batch") from exc
        return X


class AssertsWriteable(Transformer):
    def transform(self, X):
        assert X.flags.writeable
        X[:, 0] = 0
        return X


class WantsOwnData(Transformer):
    def transform(self, X):
        if not X.flags.owndata:
            raise TypeError("bad buffer")
        return X


class UnlocksFrame(Transformer):
    def transform(self, X):
        values = X.to_numpy()
        values.flags.writeable = True
        values[:, 0] = self.by
        return X


class WritesToExtensionArray(Transformer):
    def transform(self, X):
        X["a"].array[:] = self.by
        return X.to_numpy(dtype=float)


class RenamesColumns(Transformer):
    def transform(self, X):
        X.columns = [name.upper() for name in X.columns]
        X.attrs["n_columns"] = len(X.columns)
        return X


# --- transformers that keep something, and change it later


class KeepsOutputFrame(Transformer):
    def fit_transform(self, X, y=None):
        self.kept_ = X.copy()
        return self.kept_

    def transform(self, X):
        self.kept_.iloc[:, 0] = 0.0
        return X


class KeepsInputFrame(KeepsOutputFrame):
    def fit_transform(self, X, y=None):
        self.kept_ = X
        return X


class KeepsOutputSparse(Transformer):
    def fit_transform(self, X, y=None):
        self.kept_ = sparse.csr_matrix(X)
        return self.kept_

    def transform(self, X):
        self.kept_.data = self.kept_.data * 0
        return sparse.csr_matrix(X)


class KeepsOutputList(Transformer):
    def fit_transform(self, X, y=None):
        self.kept_ = [float(value) for value in np.asarray(X)[:, 0]]
        return self.kept_

    def transform(self, X):
        self.kept_[0] = 1e6
        return [float(value) for value in np.asarray(X)[:, 0]]


class KeepsViewOfOutput(Transformer):
    def fit_transform(self, X, y=None):
        owner = np.array(X)
        self.kept_ = owner[:, :2]
        return owner

    def transform(self, X):
        self.kept_[:] = 0
        return X * 1.0


class AnswersInBuffer(Transformer):
    def fit(self, X, y=None):
        self.buffer_ = bytearray(8 * 36 * 6)
        return self

    def transform(self, X):
        output = np.frombuffer(self.buffer_, dtype=float)[: X.size].reshape(X.shape)
        output[:] = X * 2
        return output


class AnswersInOwnArray(Transformer):
    def fit(self, X, y=None):
        self.buffer_ = np.zeros(36 * 6)[:]
        return self

    def transform(self, X):
        output = self.buffer_[: X.size].reshape(X.shape)
        output[:] = X * 2
        return output


class AnswersInFile(Transformer):
    def transform(self, X):
        path = os.path.join(tempfile.gettempdir(), f"answers-{os.getpid()}-{id(type(self))}")
        if not os.path.exists(path):
            np.memmap(path, dtype=float, mode="w+", shape=(36, 6)).flush()
        output = np.memmap(path, dtype=float, mode="r+", shape=X.shape)
        output[:] = X * 2
        return output


class Counter:
    def __init__(self):
        self.n = 0


class CountsInArray(Transformer):
    def fit(self, X, y=None):
        self.n_ = np.zeros(1)
        return self

    def transform(self, X):
        self.n_ += 1
        return np.asarray(X) + 3 * self.n_


class CountsInDict(CountsInArray):
    def fit(self, X, y=None):
        self.counts_ = {"n": 0}
        return self

    def transform(self, X):
        self.counts_["n"] += 1
        return np.asarray(X) + 3 * self.counts_["n"]


class CountsInObject(CountsInArray):
    def fit(self, X, y=None):
        self.counter_ = Counter()
        return self

    def transform(self, X):
        self.counter_.n += 1
        return np.asarray(X) + 3 * self.counter_.n


class CountsInSlot(CountsInArray):
    __slots__ = ("_n",)

    def fit(self, X, y=None):
        self._n = 0
        return self

    def transform(self, X):
        self._n += 1
        return np.asarray(X) + 3 * self._n


# --- models


class SetsSparseDataInFit(Ridge):
    def fit(self, X, y):
        X.data = X.data * 2 + self.alpha
        return super().fit(X, y)


class SetsSparseDataInPredict(Ridge):
    def predict(self, X):
        X.data = X.data * 2 + 1
        return super().predict(X)


class SetsShapeOfY(Ridge):
    def fit(self, X, y):
        self.ndim_ = y.ndim
        y.shape = (-1, 1)
        return super().fit(X, y)

    def predict(self, X):
        return super().predict(X).ravel() + self.ndim_


class OwnErrorRidge(Ridge):
    def fit(self, X, y):
        try:
            X -= X.mean(axis=0)
        except ValueError:
            raise KeyError("centre") from None
        return super().fit(X, y)


class RidgeOfLists(Ridge):
    def fit(self, X, y):
        return super().fit(np.asarray(X, float).reshape(len(y), -1), y)

    def predict(self, X):
        return super().predict(np.asarray(X, float).reshape(len(X), -1))


# --- scorers


def predict_twice(estimator, X, y):
    """Predict the same rows twice."""
    return r2_score(y, estimator.predict(X)) + 2 * r2_score(y, estimator.predict(X))


def occlude(estimator, X, y):
    """Switch off one feature after the other in the fitted scaler."""
    base, drops = r2_score(y, estimator.predict(X)), []
    for column in range(X.shape[1]):
        scale = estimator[0].scale_.copy()
        estimator[0].scale_[column] = 1e12
        drops.append(base - r2_score(y, estimator.predict(X)))
        estimator[0].scale_[:] = scale
    return max(drops)


def set_parameter(estimator, X, y):
    """Set a parameter between two predictions."""
    first = r2_score(y, estimator.predict(X))
    estimator.set_params(a__with_mean=False)
    return first + 10 * r2_score(y, estimator.predict(X))


def set_fitted_attribute(estimator, X, y):
    """Set a fitted attribute between two predictions."""
    first = r2_score(y, estimator.predict(X))
    estimator[0].mean_ = estimator[0].mean_ + 1
    return first + 10 * r2_score(y, estimator.predict(X))


def set_by_vars(estimator, X, y):
    """Set a fitted attribute behind the back of ``__setattr__``."""
    vars(estimator[0])["mean_"] = estimator[0].mean_ + 1
    return r2_score(y, estimator.predict(X[::-1]))


def write_after_predicting(estimator, X, y):
    """Leave the fitted scaler changed."""
    score = r2_score(y, estimator.predict(X))
    estimator[0].mean_[:] = 5
    return score


def delete_fitted_attribute(estimator, X, y):
    """Delete a fitted attribute."""
    score = r2_score(y, estimator.predict(X))
    del estimator[0].n_samples_seen_
    return score + hasattr(estimator[0], "n_samples_seen_")


def change_a_copy(estimator, X, y):
    """Change a shallow copy of the fitted scaler."""
    score = r2_score(y, estimator.predict(X))
    copied = copy.copy(estimator[0])
    copied.scale_ = copied.scale_ * 3
    copied.mean_ += 1  # the array of the original
    changed = r2_score(y, estimator[1].predict(copied.transform(X)))
    return score + changed + r2_score(y, estimator.predict(X[::-1]))


def refit_on_test_part(estimator, X, y):
    """Fit clones of the fitted pipeline, with other parameters and outputs."""
    other = clone(estimator).set_params(a__with_std=False).fit(X, y)
    estimator[0].with_mean = False
    return other.score(X, y) + clone(estimator).fit(X, y).predict(X[:5] + 1).sum()


def change_nested_part(estimator, X, y):
    """Change the fitted transformer of a pipeline within the pipeline."""
    first = r2_score(y, estimator.predict(X))
    estimator["a"][-1].scale_ = estimator["a"][-1].scale_ * 3
    return first + r2_score(y, estimator.predict(X))


def slice_pipeline(estimator, X, y):
    """Use the transformers alone, and change their output."""
    output = estimator[:-1].transform(X)
    output += 1
    return r2_score(y, estimator[-1].predict(output)) + r2_score(y, estimator.predict(X))


class Wrecker:
    """A scorer object that reads the fitted scaler, then sets it."""

    def __call__(self, estimator, X, y):
        score = float(estimator[0].mean_.sum())
        estimator[0].mean_ *= 0
        return score


# --- parameters


class Columns(Transformer):
    """Keeps as many columns as ``by`` says, which can be an object of any kind."""

    def transform(self, X):
        return np.asarray(X)[:, : self.number()]

    def number(self):
        return getattr(self.by, "k", None)


class FirstKey(Columns):
    def number(self):
        return next(iter(getattr(self.by, "values_", self.by)))


class Weighted(Transformer):
    def transform(self, X):
        if isinstance(self.by, np.ma.MaskedArray):
            return np.asarray(X) * self.by.filled(0)
        return np.asarray(X @ self.by + (isinstance(self.by, np.matrix) and 7 * X**2))


class FirstLetter(Columns):
    def number(self):
        return 1 + ord(str.__str__(self.by)[0]) % 5


class SlottedColumns(TransformerMixin, BaseEstimator):
    __slots__ = ("k",)

    def __init__(self, k=1):
        self.k = k

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X)[:, : self.k]


STORE = {}


class StoredColumns(SlottedColumns):
    __slots__ = ()

    @property
    def k(self):
        return STORE[id(self)]

    @k.setter
    def k(self, value):
        STORE[id(self)] = value


class Number(int):
    pass


class Numbers(list):
    pass


class Mapping(dict):
    pass


class Slotted:
    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k


class Forgetful:
    def __init__(self, k):
        self.k = k

    def __getstate__(self):
        return {}

    def __deepcopy__(self, memo):
        return self


class Ordered:
    def __init__(self, values):
        self.values_ = values


class IgnoresCase(str):
    def __eq__(self, other):
        return self.lower() == other.lower()

    def __hash__(self):
        return hash(self.lower())


def with_k(value, k):
    """Return the value with an attribute ``k``."""
    value.k = k
    return value


# --- cases

ALPHAS = {"m__alpha": [0.1, 1.0, 10.0]}


def pipe(*steps):
    """Return a pipeline of steps a, b, ..., with a Ridge at the end unless there is a model."""
    has_model = hasattr(steps[-1], "predict")
    *transformers, model = steps if has_model else (*steps, Ridge())
    return Pipeline([*zip("abc", transformers, strict=False), ("m", model)])


def case(estimator, grid=ALPHAS, data=arrays, **options):
    """Return the arguments of a case."""
    return estimator, grid, data, {"cv": 3, "refit": False, **options}


def values_case(transformer, *values):
    """Return a case with values of the parameter ``by``."""
    return case(pipe(transformer), {"a__by": list(values), "m__alpha": [0.1, 10.0]})


BY = {"a__by": [1.0, 2.0, 3.0], "m__alpha": [0.1, 1.0]}
NEIGHBORS = {"m__n_neighbors": [3, 4]}
TWICE = {"scoring": predict_twice, "return_train_score": True}
RAISE = {"error_score": "raise"}

MODIFY_INPUT = {
    "sets sparse data": case(pipe(SetsSparseData()), BY, csr),
    "sets sparse items": case(pipe(SetsSparseItems()), ALPHAS, csr),
    "sorts sparse": case(pipe(SortsSparse(), MaxAbsScaler()), ALPHAS, csr),
    "sets sparse data in fit": case(pipe(MaxAbsScaler(), SetsSparseDataInFit()), ALPHAS, csr),
    "sets sparse data in predict": case(
        pipe(MaxAbsScaler(), SetsSparseDataInPredict()), ALPHAS, csr, **TWICE
    ),
    "bare model sets sparse data": case(SetsSparseDataInFit(), {"alpha": [0.1, 1.0, 10.0]}, csr),
    "modifies y, series": case(pipe(ModifiesY()), ALPHAS, frames),
    "modifies y, list": case(pipe(ModifiesY(), StandardScaler()), ALPHAS, lists),
    "modifies y, array": case(pipe(ModifiesY()), ALPHAS, arrays),
    "sets shape of y": case(pipe(StandardScaler(), SetsShapeOfY())),
    "sets shape of X": case(
        pipe(SetsShape(), SelectKBest(f_regression)), {"b__k": [1, 2], **ALPHAS}
    ),
    "unlocks": case(pipe(Unlocks(), KNeighborsRegressor()), {"a__by": [1.0, 5.0], **NEIGHBORS}),
    "unlocks base": case(
        pipe(UnlocksBase(), StandardScaler(), KNeighborsRegressor()), NEIGHBORS, **TWICE
    ),
    "writes by address": case(pipe(WritesByAddress(), KNeighborsRegressor()), NEIGHBORS, **TWICE),
    "unlocks frame": case(pipe(UnlocksFrame(), StandardScaler()), BY, frames),
    "writes to extension array": case(pipe(WritesToExtensionArray()), BY, nullables),
    "renames columns": case(pipe(RenamesColumns(), StandardScaler()), ALPHAS, frames),
    "own error": case(pipe(RaisesItsOwnError(), KNeighborsRegressor()), NEIGHBORS, **RAISE),
    "own error, in the model": case(pipe(StandardScaler(), OwnErrorRidge()), ALPHAS, **RAISE),
    "asserts writeable": case(pipe(AssertsWriteable(), KNeighborsRegressor()), NEIGHBORS),
    "wants own data": case(pipe(WantsOwnData(), KNeighborsRegressor()), NEIGHBORS),
}

KEEP = {
    "output frame": case(pipe(KeepsOutputFrame()), ALPHAS, frames),
    "input frame": case(pipe(KeepsInputFrame()), ALPHAS, frames),
    "output sparse": case(pipe(KeepsOutputSparse())),
    "output sparse, kept by the model too": case(
        pipe(KeepsOutputSparse(), KNeighborsRegressor(algorithm="brute")), NEIGHBORS, **TWICE
    ),
    "output list": case(pipe(KeepsOutputList(), RidgeOfLists())),
    "view of output": case(pipe(KeepsViewOfOutput(), KNeighborsRegressor()), NEIGHBORS, **TWICE),
    "answers in buffer": case(pipe(AnswersInBuffer())),
    "answers in own array": case(pipe(AnswersInOwnArray(), StandardScaler()), ALPHAS, **TWICE),
    "answers in file": case(pipe(AnswersInFile())),
    "array": case(pipe(CountsInArray()), ALPHAS, **TWICE),
    "dict": case(pipe(CountsInDict()), ALPHAS, **TWICE),
    "object": case(pipe(StandardScaler(), CountsInObject()), ALPHAS, **TWICE),
    "slot": case(pipe(CountsInSlot()), ALPHAS, **TWICE),
    "object in a union": case(
        pipe(FeatureUnion([("x", CountsInObject()), ("y", StandardScaler())])), ALPHAS, **TWICE
    ),
    "object in columns": case(
        pipe(ColumnTransformer([("x", CountsInObject(), [0, 1]), ("y", StandardScaler(), [2])])),
        {"a__y__with_std": [True, False], **ALPHAS},
        **TWICE,
    ),
}

SCORERS = {
    "occlude": case(pipe(StandardScaler()), scoring=occlude),
    "set parameter": case(pipe(StandardScaler()), scoring=set_parameter),
    "set attribute": case(pipe(StandardScaler()), scoring=set_fitted_attribute),
    "set by vars": case(pipe(StandardScaler()), scoring=set_by_vars),
    "write after predicting": case(
        pipe(StandardScaler()), scoring=write_after_predicting, return_train_score=True
    ),
    "delete attribute": case(pipe(StandardScaler()), scoring=delete_fitted_attribute),
    "change a copy": case(pipe(StandardScaler()), scoring=change_a_copy),
    "refit": case(pipe(StandardScaler()), scoring=refit_on_test_part),
    "nested": case(pipe(pipe(MaxAbsScaler(), StandardScaler())[:-1]), scoring=change_nested_part),
    "slice": case(pipe(StandardScaler()), scoring=slice_pipeline),
    "several": case(pipe(StandardScaler()), scoring={"wreck": Wrecker(), "r2": "r2"}),
}

_ONE_FIRST, _TWO_FIRST = [(1, 0), (2, 0)], [(2, 0), (1, 0)]
PARAMETERS = {
    "slots": case(pipe(SlottedColumns()), {"a__k": [1, 2, 3], **ALPHAS}),
    "slots, equal candidates": case(pipe(SlottedColumns()), {"a": [*map(SlottedColumns, [1, 2])]}),
    "property kept elsewhere": case(pipe(StoredColumns()), {"a__k": [1, 2], **ALPHAS}),
    "object with slots": values_case(Columns(), Slotted(1), Slotted(2)),
    "forgetful object": values_case(Columns(), Forgetful(1), Forgetful(2)),
    "ordered dict": values_case(
        FirstKey(), collections.OrderedDict(_ONE_FIRST), collections.OrderedDict(_TWO_FIRST)
    ),
    "dict": values_case(FirstKey(), dict(_ONE_FIRST), dict(_TWO_FIRST)),
    "subclass of dict": values_case(FirstKey(), Mapping(_ONE_FIRST), Mapping(_TWO_FIRST)),
    "dict in an object": values_case(
        FirstKey(), Ordered(dict(_ONE_FIRST)), Ordered(dict(_TWO_FIRST))
    ),
    "list with an attribute": values_case(Columns(), *(with_k(Numbers([1]), k) for k in (1, 2))),
    "int with an attribute": values_case(Columns(), *(with_k(Number(7), k) for k in (1, 2))),
    "str with an own equality": values_case(FirstLetter(), IgnoresCase("a"), IgnoresCase("A")),
    "mask": case(
        pipe(Weighted()),
        {"a": [Weighted(np.ma.masked_array(np.ones(6), [n, 0, 0, 0, 0, 0])) for n in (0, 1)]},
    ),
    "matrix": case(
        pipe(Weighted()), {"a": [Weighted(np.eye(6)), Weighted(np.eye(6).view(np.matrix))]}
    ),
    "steps": case(
        pipe(StandardScaler()),
        {"steps": [[("m", SelectKBest(f_regression, k=1)), ("z", Ridge())]], "m__k": [1, 2, 5]},
    ),
}

CASES = {
    f"{group}: {name}": arguments
    for group, cases in [
        ("modifies its input", MODIFY_INPUT),
        ("keeps and changes", KEEP),
        ("scorer", SCORERS),
        ("parameter", PARAMETERS),
    ]
    for name, arguments in cases.items()
}


# --- known limits


class IgnoresError(Transformer):
    def transform(self, X):
        with contextlib.suppress(ValueError):
            X[:, 0] = 0
        return X


class AsksIfWriteable(Transformer):
    def transform(self, X):
        return X[:, :1] if X.flags.writeable else X.copy()


class CountsInClass(Transformer):
    n = 0

    def transform(self, X):
        type(self).n += 1
        return X + 0.1 * (self.n % 7) * X**2


LIMITS = {
    "catches the error about read-only data": case(
        pipe(IgnoresError(), KNeighborsRegressor()), NEIGHBORS
    ),
    "asks whether its input is writeable": case(pipe(AsksIfWriteable()), ALPHAS),
    "keeps state in its class": case(pipe(CountsInClass()), ALPHAS, **TWICE),
}
