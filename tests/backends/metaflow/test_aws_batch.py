"""Fits on AWS Batch, on loopback: what comes back, what is counted, what is left."""

import json
import os

import pytest
from helpers.subprocesses import Script

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("aws")]

SHOP = """
import prices
from sklearn.base import BaseEstimator, TransformerMixin

class Markup(TransformerMixin, BaseEstimator):
    def __init__(self, rate=1.0):
        self.rate = rate

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return prices.scaled(X, self.rate)
"""
PRICES = """
def scaled(X, rate):
    return X * rate
"""
BEGIN = """
import json, logging, os, sys, warnings
from pathlib import Path
import numpy as np
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.testing import FaultyRegressor

FITS = Path(os.environ["FITS"])
X, y = make_regression(60, 4, random_state=0)

class Mine(FaultyRegressor):
    "Lives in the script: it travels by value."

def on_batch(**options):
    return MetaflowBackend(compute="batch", image="any", **options)

def assert_same(search, expected):
    for key, values in expected.cv_results_.items():
        if not key.endswith("_time") and not key.startswith("param"):
            np.testing.assert_array_equal(search.cv_results_[key], values, err_msg=key)
"""


@pytest.fixture
def fits(tmp_path):
    """Each fit leaves a file here."""
    folder = tmp_path / "fits"
    folder.mkdir()
    return folder


@pytest.fixture
def run(tmp_path, aws, fits):
    """Run a script as a user of AWS would; its output."""

    def run(source, code=0, **environment):
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        env = {**os.environ, **aws.environment(), "FITS": str(fits), **environment}
        script = Script(work / "script.py", BEGIN + source, env)
        output, found = script.finish(280)
        assert found == code, output
        assert script.left_over() == []
        assert aws.live_jobs() == []
        return output

    return run


def lines_of(aws, prefix):
    """All lines that workers have recorded below a prefix, in the order in which they came."""
    client = aws.client("s3")
    for key in sorted(aws.objects(prefix)):
        if "/fits/" in key:
            body = client.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
            yield from map(json.loads, body.splitlines())


def test_search_with_machines_that_die_is_grid_searchs_to_the_bit(aws, fits, run, tmp_path):
    """Two spot reclaims, a container out of memory, an image that cannot be pulled."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "shop.py").write_text(SHOP)
    (tmp_path / "work" / "prices.py").write_text(PRICES)
    # Each in its own task's first try, once that has begun to fit
    for task, fault in (("2", "spot"), ("3", "spot"), ("4", "oom")):
        aws.fail_jobs(f"-fit-{task}-0", fault=fault, after_s=6.0)
    aws.fail_jobs("-fit-5-0", fault="image")
    run(
        """
from shop import Markup

model = make_pipeline(Markup(), Mine(folder=str(FITS), duration_s=1.5))
grid = {"markup__rate": [0.5, 1.0, 2.0, 4.0], "mine__factor": [1.0, 1.5]}
search = DistributedSearchCV(
    model, grid, cv=2, backend=on_batch(fits_per_task=4), checkpoint="night", refit=False
).fit(X, y)
model.set_params(mine__folder=None, mine__duration_s=0)
assert_same(search, GridSearchCV(model, grid, cv=2).fit(X, y))
assert len(search.runs_) == 1
"""
    )
    assert aws.faults() == [1, 1, 1, 1]
    lines = list(lines_of(aws, "metaflow/skdistsearch/checkpoints/night"))
    recorded = [line["outcome"]["fit"] for line in lines if "outcome" in line]
    assert sorted(recorded) == list(range(16))  # each once
    begun = [line["started"] for line in lines if "started" in line]
    assert len(begun) - len(recorded) <= 3  # those in which a machine died
    assert len(list(fits.iterdir())) <= len(begun) + 3


def test_flaky_network_costs_time_only(aws, run):
    """Errors, throttling, dropped connections, at every stage: upload, start, record, download."""
    rules = [
        aws.fail_requests("s3", "PutObject", fault="500", match="skdistsearch/data", times=2),
        aws.fail_requests("s3", "HeadObject", fault="503", match="skdistsearch/data", times=2),
        aws.fail_requests("batch", "SubmitJob", fault="throttle", times=2),
        aws.fail_requests("batch", "DescribeJobs", fault="throttle", times=3),
        aws.fail_requests("s3", "GetObject", fault="503", match="skdistsearch/data", times=2),
        aws.fail_requests("s3", "PutObject", fault="500", match="skdistsearch/runs", times=2),
        aws.fail_requests("s3", "ListObjectsV2", fault="503", times=2),
        aws.fail_requests("s3", "GetObject", fault="drop", match="skdistsearch/runs", times=2),
    ]
    run(
        """
grid = {"factor": [1.0, 1.5, 2.0]}
search = DistributedSearchCV(Mine(), grid, cv=2, backend=on_batch(fits_per_task=3)).fit(X, y)
assert_same(search, GridSearchCV(Mine(), grid, cv=2).fit(X, y))
"""
    )
    assert len(aws.faults()) == len(rules)
    assert all(aws.faults()), f"delivered: {aws.faults()}"
    # Only data that a next search can use is left: this one's was small
    assert [key for key in aws.objects() if "/skdistsearch/" in key] == []


def test_environment_that_does_not_fit_is_one_error(aws, run):
    output = run(
        """
import importlib.metadata as metadata
version = metadata.version
metadata.version = lambda name: "0.1" if name == "scikit-learn" else version(name)
backend = on_batch(fits_per_task=1)
DistributedSearchCV(Mine(), {"factor": [1.0, 2.0]}, cv=2, backend=backend).fit(X, y)
""",
        code=1,
    )
    assert "BackendError: The tasks' environment cannot run this search: scikit-learn is " in output
    assert "not 0.1. Give the tasks an image (image=...)" in output


def test_absent_configuration_is_one_error_before_anything_is_sent(aws, run):
    unset = ("METAFLOW_DATASTORE_SYSROOT_S3", "METAFLOW_BATCH_JOB_QUEUE")
    output = run(
        """
DistributedSearchCV(Mine(), {"factor": [1.0]}, cv=2, backend="batch").fit(X, y)
""",
        code=1,
        **dict.fromkeys(unset, ""),
    )
    for name in unset:
        assert name in output
    assert not aws.requests()


def test_poisoned_chunk_loses_its_culprits_alone_and_says_why(aws, fits, run):
    """A fit that kills every container it meets, and one that hangs, amid others."""
    output = run(
        """
warnings.simplefilter("always")
model = FaultyRegressor(folder=str(FITS), duration_s=0.5)
grid = [{"factor": [1.0, 2.0]}, {"behavior": ["kill", "sleep"]}, {"factor": [4.0]}]
backend = on_batch(fits_per_task=5, fit_timeout_s=4)
one_split = ShuffleSplit(1, random_state=0)
search = DistributedSearchCV(model, grid, cv=one_split, backend=backend, refit=False).fit(X, y)
factors = {"factor": [1.0, 2.0, 4.0]}
expected = GridSearchCV(FaultyRegressor(), factors, cv=one_split).fit(X, y).cv_results_
scores = search.cv_results_["mean_test_score"]
np.testing.assert_array_equal(scores[[0, 1, 4]], expected["mean_test_score"])
assert np.isnan(scores[[2, 3]]).all()
assert len(search.runs_) == 1
"""
    )
    assert (
        "candidate 2 (behavior='kill'), split 0: its worker died 2 times. Metaflow task " in output
    )
    assert "candidate 3 (behavior='sleep'), split 0: it ran longer than fit_timeout_s=4" in output
    assert "Essential container in task exited, exit code" in output
    begun = sorted(path.name.split("-")[0] for path in fits.iterdir())
    assert begun == ["fit"] * 3 + ["kill"] * 2 + ["sleep"]


def test_predictions_come_back_and_models_when_asked_for(run, aws):
    run(
        """
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeRegressor

tree, grid = DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2]}
wanted = {"record": {"leaves": "tree___n_leaves"}, "keep": ("predictions", "estimators")}
expected = [cross_val_predict(tree.set_params(max_depth=n), X, y, cv=2) for n in (1, 2)]
for where in ("none", "night", "night", str(Path("here").absolute())):
    kept = {} if where == "none" else {"checkpoint": where}
    search = DistributedSearchCV(tree, grid, cv=2, backend=on_batch(), **kept, **wanted).fit(X, y)
    np.testing.assert_array_equal(search.oof_predictions_["predict"], expected)
    leaves = [[model.get_n_leaves() for model in folds] for folds in search.fold_estimators_]
    np.testing.assert_array_equal(search.cv_results_["mean_leaves"], np.mean(leaves, axis=1))
    assert [model.url.startswith("s3://") for model in search.fold_estimators_._files.values()] == [
        where in ("none", "night")
    ] * 4
"""
    )
    left = [name for name in aws.objects("") if "/skdistsearch/runs/" in name]
    assert len(left) == 4
    assert all(name.endswith(".pkl") for name in left)
