"""A real SQLite store of MLflow, made once, with an experiment for each test."""

import uuid

import pytest


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Return the folder of the store, which is created with the first experiment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        pytest.importorskip("sqlalchemy", reason="MLflow's SQLite store needs it")
        pytest.importorskip("alembic", reason="MLflow's SQLite store needs it")
        mlflow = pytest.importorskip("mlflow", reason="searches are logged to MLflow")
        folder = tmp_path_factory.mktemp("mlflow")
        before = mlflow.get_tracking_uri()
        yield folder
        mlflow.set_tracking_uri(before)


class Experiment:
    """Reads the runs of a new experiment."""

    def __init__(self, folder):
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        self.client = mlflow.MlflowClient()
        name = uuid.uuid4().hex
        self.id = self.client.create_experiment(name, artifact_location=str(folder / name))
        mlflow.set_experiment(name)

    @property
    def runs(self):
        """All runs, in the order in which they began."""
        found = self.client.search_runs([self.id])
        return sorted(found, key=lambda run: run.info.start_time)

    @property
    def parents(self):
        return [run for run in self.runs if "mlflow.parentRunId" not in run.data.tags]

    @property
    def children(self):
        """Child runs by name."""
        runs = [run for run in self.runs if "mlflow.parentRunId" in run.data.tags]
        return {run.info.run_name: run for run in runs}

    def steps(self, run, metric):
        """Return the values of a metric by step."""
        history = self.client.get_metric_history(run.info.run_id, metric)
        return {point.step: point.value for point in history}

    def files(self, run):
        return sorted(file.path for file in self.client.list_artifacts(run.info.run_id))


@pytest.fixture
def experiment(store):
    """Make a new experiment the active one."""
    return Experiment(store)
