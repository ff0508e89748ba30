"""A task that is under control of an attacker runs no code on the caller's machine."""

import os
from pathlib import Path

import pytest
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV
from skdistsearch.backends.metaflow._environment import import_metaflow

pytestmark = pytest.mark.slow


class Attack:
    """Leaves a file where it is unpickled. Being pickled is harmless."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return _leave_file, (self.folder,)


def _leave_file(folder):
    Path(folder, f"attacked-{os.getpid()}").touch()
    return []


class HostileRegressor(Ridge):
    """Adds artifacts to the Metaflow task that it is fitted in."""

    def __init__(self, folder=""):
        super().__init__()
        self.folder = folder

    def fit(self, X, y):
        import_metaflow()
        from metaflow.datastore import TaskDataStore

        persist = TaskDataStore.persist

        def persist_with_attack(datastore, flow):
            flow.outcomes = flow.failure = flow.tasks = flow.settings_ = Attack(self.folder)
            Path(self.folder, "hostile").touch()
            return persist(datastore, flow)

        TaskDataStore.persist = persist_with_attack
        return super().fit(X, y)


def test_artifact_of_a_task_is_not_unpickled_by_the_rest_of_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    search = DistributedSearchCV(
        HostileRegressor(), {"folder": [str(tmp_path)]}, cv=2, backend="metaflow", refit=False
    ).fit([[1], [2]] * 5, [0, 1] * 5)
    assert (tmp_path / "hostile").exists()
    metaflow = import_metaflow()
    metaflow.namespace(None)
    outcomes = metaflow.Run(search.runs_[0]).data.outcomes
    assert [outcome["fit"] for outcome in outcomes] == [0, 1]
    assert list(tmp_path.glob("attacked-*")) == []
