"""Models without pickle: trusted types, and what is refused."""

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdistsearch import EarlyStopping, skops_trusted_types
from skdistsearch.exceptions import UntrustedTypeError
from skdistsearch.storage import dump_skops, load_skops

pytest.importorskip("skops", reason="the format of the models")

X, y = load_diabetes(return_X_y=True)
X, y = X[:60], y[:60]


class OwnRegressor(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def boosting(**params):
    return HistGradientBoostingRegressor(max_iter=3, **params)


MODELS = [
    make_pipeline(StandardScaler(), Ridge()),
    RandomForestRegressor(2, random_state=0),
    boosting(),
    KNeighborsRegressor(),
    StackingRegressor([("ridge", Ridge())], final_estimator=Ridge()),
    EarlyStopping(boosting()),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_loaded_model_predicts_the_same(model):
    data = dump_skops(model.fit(X, y))
    assert np.array_equal(load_skops(data).predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("package", "name", "params"),
    [
        ("lightgbm", "LGBMRegressor", {"verbose": -1}),
        ("xgboost", "XGBRegressor", {}),
        ("catboost", "CatBoostRegressor", {"allow_writing_files": False, "verbose": 0}),
    ],
)
def test_model_of_a_known_package_predicts_the_same(package, name, params):
    module = pytest.importorskip(package, reason="its models are saved")
    model = getattr(module, name)(n_estimators=3, **params).fit(X, y)
    assert np.array_equal(load_skops(dump_skops(model)).predict(X), model.predict(X))


def test_early_stopping_of_lightgbm_predicts_the_same():
    lightgbm = pytest.importorskip("lightgbm", reason="its models are saved")
    model = EarlyStopping(lightgbm.LGBMRegressor(n_estimators=5, verbose=-1)).fit(X, y)
    assert np.array_equal(load_skops(dump_skops(model)).predict(X), model.predict(X))


def test_types_are_found_in_a_file(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(dump_skops(RandomForestRegressor(1).fit(X, y)))
    assert skops_trusted_types(path) == ["sklearn.tree._tree.Tree"]


def test_own_class_is_refused_until_it_is_trusted():
    data, name = dump_skops(OwnRegressor().fit(X, y)), f"{__name__}.OwnRegressor"
    with pytest.raises(UntrustedTypeError, match=f"not trusted: {name}."):
        load_skops(data)
    assert load_skops(data, [name]).mean_ == y.mean()


def with_type(data, old, new):
    """Return a file in which one type has been replaced by another."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(file, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "schema.json":
                for a, b in zip(old, new, strict=True):
                    content = content.replace(f'"{a}"'.encode(), f'"{b}"'.encode())
            after.writestr(name, content)
    return file.getvalue()


FAKE = ("skdistsearch.early_stopping._estimator", "EarlyStopping")


@pytest.mark.parametrize(
    "other",
    [
        ("os", "system"),
        ("subprocess", "Popen"),
        ("skdistsearch.backends._local", "LocalBackend"),
        ("skdistsearch.model_outputs._fold_estimators", "FoldEstimators"),
        ("sklearn.metrics._regression", "r2_score"),  # a function
        ("sklearn.base", "defaultdict"),  # defined in another module
    ],
    ids=".".join,
)
def test_other_types_stay_untrusted(other):
    data = with_type(dump_skops(EarlyStopping(boosting()).fit(X, y)), FAKE, other)
    assert ".".join(other) not in skops_trusted_types(data)
    with pytest.raises(UntrustedTypeError, match=r"not trusted: .*" + other[1]):
        load_skops(data)


def test_no_module_is_imported_for_a_file(tmp_path):
    name = ("lightgbm.sklearn", "LGBMRegressor")
    path = tmp_path / "model.skops"
    path.write_bytes(with_type(dump_skops(EarlyStopping(boosting()).fit(X, y)), FAKE, name))
    code = (
        "import sys; from skdistsearch import skops_trusted_types;"
        f"print(skops_trusted_types({str(path)!r}), 'lightgbm' in sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "LGBMRegressor" not in output
    assert output.endswith("False\n")


def test_lambda_cannot_be_saved():
    model = make_pipeline(FunctionTransformer(lambda X: X), Ridge()).fit(X, y)
    with pytest.raises(Exception, match=r"lambda|function"):
        dump_skops(model)


def test_missing_skops_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(ImportError, match=r'pip install "skdistsearch\[skops\]"'):
        dump_skops(Ridge())
