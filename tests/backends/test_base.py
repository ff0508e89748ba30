"""The base class of backends, and backends by name."""

from dataclasses import dataclass

import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV, checkpoints
from skdistsearch.backends import Backend, LocalBackend, MetaflowBackend, get_backend
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.testing import FaultyRegressor

X, y = load_diabetes(return_X_y=True)
GRID = {"alpha": [0.1, 1.0, 10.0]}


class MinimalBackend(Backend):
    """Only the method that every backend must have."""

    def run(self, batch):
        return map(batch.run, range(len(batch)))


class DuckTypedBackend:
    def run(self, batch):
        return map(batch.run, range(len(batch)))


@dataclass(frozen=True)
class ConfiguredBackend(MinimalBackend):
    """A backend with settings in place of the defaults."""

    root: str = ""
    fits_per_task: int | str = 4
    is_remote: bool = True
    error: str = ""

    def check(self):
        if self.error:
            raise BackendConfigError(self.error)

    def checkpoint_root(self):
        return self.root


def assert_same_scores(search):
    expected = GridSearchCV(Ridge(), GRID).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert list(scores) == list(expected.cv_results_["mean_test_score"])


def test_class_without_run_cannot_be_instantiated():
    class WithoutRun(Backend):
        pass

    for cls in (Backend, WithoutRun):
        with pytest.raises(TypeError, match="abstract"):
            cls()


def test_all_members_but_run_have_defaults():
    backend = MinimalBackend()
    assert backend.check() is None
    assert backend.checkpoint_root() == ""
    assert backend.fits_per_task == "auto"
    assert backend.is_remote is False


def test_defaults_can_be_replaced_by_fields():
    backend = ConfiguredBackend("s3://bucket/prefix")
    assert backend.checkpoint_root() == "s3://bucket/prefix"
    assert backend.fits_per_task == 4
    assert backend.is_remote is True
    assert backend == ConfiguredBackend("s3://bucket/prefix")


def test_minimal_backend_fits_a_search():
    search = DistributedSearchCV(Ridge(), GRID, backend=MinimalBackend()).fit(X, y)
    assert_same_scores(search)


def test_minimal_backend_plans_one_fit_per_chunk():
    search = DistributedSearchCV(Ridge(), GRID, backend=MinimalBackend())
    plan = search.plan(X, y)
    assert len(plan) == len(plan.batch) == 15
    assert_same_scores(search.assemble(plan, map(plan.run, range(len(plan)))))


def test_plan_has_fits_per_task_of_the_backend():
    plan = DistributedSearchCV(Ridge(), GRID, backend=ConfiguredBackend()).plan(X, y)
    assert [len(chunk) for chunk in plan.chunks] == [4, 4, 4, 3]


@pytest.mark.parametrize("has_own_root", [False, True])
def test_checkpoint_by_name_resumes_the_search(has_own_root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    fits, root = tmp_path / "fits", tmp_path / "root"
    fits.mkdir()
    backend = ConfiguredBackend(str(root)) if has_own_root else MinimalBackend()
    for _ in range(2):
        DistributedSearchCV(
            FaultyRegressor(folder=str(fits)),
            {"factor": [1.0, 2.0]},
            cv=2,
            refit=False,
            backend=backend,
            checkpoint="night",
        ).fit(X, y)
        assert FaultyRegressor.fits_begun(str(fits), "fit") == 4
    folder = root if has_own_root else tmp_path / "data" / "skdistsearch" / "checkpoints"
    assert checkpoints.inspect(folder / "night").n_fits == 4


def test_configuration_is_checked_before_any_fit(tmp_path):
    search = DistributedSearchCV(
        FaultyRegressor(folder=str(tmp_path)),
        {"factor": [1.0]},
        backend=ConfiguredBackend(error="the queue is missing"),
    )
    with pytest.raises(BackendConfigError, match="the queue is missing"):
        search.fit(X, y)
    assert FaultyRegressor.fits_begun(str(tmp_path), "fit") == 0


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("local", LocalBackend()),
        ("metaflow", MetaflowBackend(compute="local")),
        ("batch", MetaflowBackend(compute="batch")),
        ("kubernetes", MetaflowBackend(compute="kubernetes")),
    ],
)
def test_backend_by_name(name, backend):
    assert get_backend(name) == backend


@pytest.mark.parametrize("backend", [MinimalBackend(), LocalBackend()])
def test_backend_object_is_returned(backend):
    assert get_backend(backend) is backend


@pytest.mark.parametrize(
    ("name", "hint"),
    [("metflow", "Did you mean 'metaflow'?"), ("LOCAL", ""), ("locl", "Did you mean 'local'?")],
)
def test_unknown_name_is_an_error_that_suggests_the_nearest(name, hint):
    known = "Known: batch, kubernetes, local, metaflow, or an object"
    with pytest.raises(BackendConfigError, match=known) as info:
        get_backend(name)
    assert hint in str(info.value)


@pytest.mark.parametrize("backend", [None, 3, object(), LocalBackend, DuckTypedBackend()])
def test_object_of_another_class_is_an_error(backend):
    with pytest.raises(BackendConfigError) as info:
        get_backend(backend)
    assert f"backend={backend!r} is not a backend. It must be an instance of a class" in str(
        info.value
    )
    assert "derived from skdistsearch.backends.Backend" in str(info.value)


def test_search_with_a_duck_typed_backend_raises():
    with pytest.raises(BackendConfigError, match=r"derived from skdistsearch\.backends\.Backend"):
        DistributedSearchCV(Ridge(), GRID, backend=DuckTypedBackend()).fit(X, y)
