"""Runs of MLflow: start, write in few requests, end.

Most of MLflow's public functions work on the active run of the thread. Candidates need runs with
times in the past, which only `mlflow.MlflowClient` makes. Two things have no public name and are
used by MLflow's own autologging too: the experiment that a new run belongs to, and the tags for the
user and the source of a run. ``tests/report/test_mlflow.py`` watches them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from skdistsearch._text import truncate
from skdistsearch.exceptions import ReportError
from skdistsearch.storage import dump_skops, skops_trusted_types

MetricRow: TypeAlias = tuple[str, float, int]
"""Name, value and step."""

# MLflow refuses longer texts, and requests with more entries
_PARAM_LENGTH, _TAG_LENGTH, _NAME_LENGTH = 6000, 5000, 250
_MAX_PARAMS, _MAX_METRICS = 100, 800
_PARENT_TAG = "mlflow.parentRunId"


def import_mlflow() -> Any:
    """Return the package ``mlflow``; raise an error that says how to install it."""
    try:
        import mlflow
    except ImportError as exc:
        raise ImportError('to_mlflow needs MLflow: pip install "skdistsearch[mlflow]"') from exc
    return mlflow


@contextmanager
def search_run(
    mlflow: Any,
    name: str | None,
    started_at: float,
    params: Mapping[str, object],
    tags: Mapping[str, str],
) -> Iterator[MlflowRun]:
    """Yield the active run, or a new one that ends with the block; a named one is always new."""
    client, active = mlflow.MlflowClient(), mlflow.active_run()
    tags = {name: truncate(text, _TAG_LENGTH) for name, text in tags.items()}
    if active is not None and name is None:
        run = MlflowRun(client, active.info.experiment_id, active.info.run_id, started_at)
        _check_other_params(client.get_run(run.id).data.params, params)
        run.log({}, (), tags)
        yield run
        return
    if active is None:
        experiment_id = mlflow.tracking.fluent._get_experiment_id()
    else:
        experiment_id, tags = active.info.experiment_id, {**tags, _PARENT_TAG: active.info.run_id}
    tags = mlflow.tracking.context.registry.resolve_tags(tags)
    run = MlflowRun.start(client, experiment_id, name, started_at, tags)
    try:
        yield run
    except BaseException:
        run.end(failed=True)
        raise
    run.end()


def _check_other_params(existing: Mapping[str, str], params: Mapping[str, object]) -> None:
    """Raise an error before a parameter would change, which MLflow refuses."""
    texts = {_valid_name(name): _param_text(value) for name, value in params.items()}
    if changed := [name for name in texts if existing.get(name, texts[name]) != texts[name]]:
        raise ReportError(
            f"The active run of MLflow has other values of {', '.join(changed)} already, as after "
            "another search. With run_name= the search is logged to a run of its own within it."
        )


@dataclass(frozen=True)
class MlflowRun:
    """A run that is being written."""

    client: Any
    """The client of MLflow."""
    experiment_id: str
    """Id of the experiment."""
    id: str
    """Id of the run."""
    started_at: float
    """Time of the start and of the metrics, in seconds since 1970."""

    @classmethod
    def start(
        cls,
        client: Any,
        experiment_id: str,
        name: str | None,
        started_at: float,
        tags: Mapping[str, str],
    ) -> MlflowRun:
        """Create a run."""
        run = client.create_run(experiment_id, _to_ms(started_at), dict(tags), name)
        return cls(client, experiment_id, run.info.run_id, started_at)

    def start_child(self, name: str, started_at: float, tags: Mapping[str, str]) -> MlflowRun:
        """Create a run within this one."""
        tags = {**tags, _PARENT_TAG: self.id}
        return self.start(self.client, self.experiment_id, name, started_at, tags)

    def log(
        self,
        params: Mapping[str, object],
        metrics: Iterable[MetricRow],
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log parameters, those metrics that are finite, and tags, in as few requests as can be."""
        from mlflow.entities import Metric, Param, RunTag

        time_ms = _to_ms(self.started_at)
        finite = iter([row for row in metrics if math.isfinite(row[1])])
        texts = iter(params.items())
        labels = [RunTag(name, text) for name, text in (tags or {}).items()]
        while True:
            numbers = [
                Metric(_valid_name(name), value, time_ms, step)
                for name, value, step in islice(finite, _MAX_METRICS)
            ]
            values = [
                Param(_valid_name(name), _param_text(value))
                for name, value in islice(texts, _MAX_PARAMS)
            ]
            if not (numbers or values or labels):
                return
            self.client.log_batch(self.id, numbers, values, labels)
            labels = []

    def log_model(self, model: Any, serialization: str) -> None:
        """Log a model in one of the formats of ``mlflow.sklearn``."""
        import mlflow.sklearn

        active = mlflow.active_run()
        is_active = active is not None and active.info.run_id == self.id
        trusted = skops_trusted_types(dump_skops(model)) if serialization == "skops" else None
        run = nullcontext() if is_active else mlflow.start_run(run_id=self.id, nested=True)
        with run:
            mlflow.sklearn.log_model(
                model,
                name="best_estimator",
                serialization_format=serialization,
                skops_trusted_types=trusted,
            )

    def end(self, ended_at: float | None = None, *, failed: bool = False) -> None:
        """End the run, now by default."""
        status = "FAILED" if failed else "FINISHED"
        ended_ms = None if ended_at is None else _to_ms(ended_at)
        self.client.set_terminated(self.id, status, ended_ms)


def _to_ms(seconds: float) -> int:
    return int(1000 * seconds)


def _param_text(value: object) -> str:
    return truncate(str(value), _PARAM_LENGTH)


def _valid_name(name: str) -> str:
    """Return a name with the characters that MLflow allows."""
    return re.sub(r"[^\w./ -]", "_", name)[:_NAME_LENGTH]
