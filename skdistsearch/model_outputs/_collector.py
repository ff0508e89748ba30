"""What a search learns of its fitted models, gathered from the outcomes of its fits."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from skdistsearch._batch import Batch
from skdistsearch._cv_results import standard_error
from skdistsearch._outcome import Outcome, closeable
from skdistsearch.execution import MISSING_ATTRIBUTE, classes, n_samples
from skdistsearch.model_outputs._fold_estimators import FoldModels
from skdistsearch.model_outputs._oof_predictions import Made, _alike, _assembled
from skdistsearch.model_outputs._output_options import OutputOptions, _classifies
from skdistsearch.storage import MODEL, load_array, read_verified

Run = Callable[[Batch], Iterator[Outcome]]


class OutputCollector:
    """What came of the fits of one search beside scikit-learn's record of them."""

    def __init__(self, wanted: OutputOptions) -> None:
        self._wanted = wanted
        self.times: list[tuple[int, int, float, float, str]] = []
        """Of each fit: candidate, split, when it began and ended in seconds since 1970, worker."""
        self.models = FoldModels()
        self._n_candidates, self._n_splits, self._n_rows = 0, 0, 0
        self._methods: tuple[str, ...] = ()
        self._widths: list[int] = []
        self._notes: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
        self._made: dict[str, list[Made]] = defaultdict(list)

    def watching(self, run: Run) -> Run:
        """``run``, with what its outcomes tell gathered."""

        def watch(batch: Batch) -> Generator[Outcome]:
            first = self._n_candidates
            batch = self._begun(batch)
            extraction_errors: dict[str, list[str]] = defaultdict(list)
            n_models = 0
            with closing(closeable(run(batch))) as outcomes:
                for outcome in outcomes:
                    self._take(batch, outcome, first)
                    for name, trouble in outcome.extraction_errors.items():
                        extraction_errors[name].append(f"{batch.fits[outcome.fit]}: {trouble}")
                    n_models += _has_model(outcome)
                    yield outcome if batch.keep is None else replace(outcome, files={})
            for name, found in extraction_errors.items():
                self._tell(name, found, n_models)

        return watch

    def _begun(self, batch: Batch) -> Batch:
        """Take note of a round; the batch, for its fits to tell what is wanted."""
        self._n_candidates += len({fit.candidate for fit in batch.fits})
        self._n_splits = len({fit.split for fit in batch.fits})
        if not self._wanted:
            return batch
        keep = self._wanted.of_batch(batch)
        self._methods = keep.methods
        if keep.methods:
            self._n_rows = n_samples(batch.arguments[1]) or 0
            if (set(keep.methods) - {"predict"}) and batch.arguments[2] is not None:
                self._widths = [len(labels) for labels in classes(batch.arguments[2])]
            _check_overlap(batch, keep.methods, self._n_rows)
        for call in batch.here or ():
            call.with_model()  # type: ignore[attr-defined]
        return replace(
            batch,
            keep=keep,
            shared={**batch.shared, "return_estimator": True},
            aside=batch.aside | {"return_estimator"},
        )

    def _take(self, batch: Batch, outcome: Outcome, first: int) -> None:
        fit = batch.fits[outcome.fit]
        candidate = first + fit.candidate
        if outcome.finished_at:
            times = outcome.started_at, outcome.finished_at, outcome.worker
            self.times.append((candidate, fit.split, *times))
        for name, note in outcome.extracted.items():
            self._notes[name][candidate, fit.split] = note
        for what, file in outcome.files.items():
            if what == MODEL:
                self.models.take((candidate, fit.split), file, lasting=outcome.is_persisted)
            else:
                rows = np.asarray(batch.keywords_of(outcome.fit)["test"])
                rows = np.flatnonzero(rows) if rows.dtype == bool else rows
                self._made[what].append((candidate, rows, load_array(read_verified(file))))

    def _tell(self, name: str, found: list[str], n_models: int) -> None:
        """Say what could not be had of how many models; an error if of all, by a mistake."""
        n_absent = sum(MISSING_ATTRIBUTE in trouble for trouble in found)
        asked = f"keep={'estimators' if name == MODEL else name!r}"
        if name in self._wanted.extract:
            asked = f"extract={{{name!r}: {self._wanted.extract[name]!r}}}"
            if n_absent == len(found) < n_models:
                return  # other contenders have it
        said = f"{asked} could not be had of {len(found)} of {n_models} models. First {found[0]}"
        if len(found) == n_models and not n_absent:
            raise ValueError(said)
        warnings.warn(f"{said}. There it is NaN, or None.", UserWarning, stacklevel=2)

    def instead_of(self, evaluate_candidates: Callable[..., Any]) -> Callable[..., Any]:
        """scikit-learn's ``evaluate_candidates``, whose results have our columns too."""

        def evaluate(*args: Any, **kwargs: Any) -> Any:
            results = evaluate_candidates(*args, **kwargs)
            results.update(self._columns())
            return results

        return evaluate

    def _columns(self) -> dict[str, Any]:
        """For ``cv_results_``, of all rounds so far."""
        columns: dict[str, Any] = {}
        for name in self._wanted.extract:
            values = np.full((self._n_candidates, self._n_splits), math.nan)
            for where, note in self._notes[name].items():
                values[where] = note
            columns |= {f"split{split}_{name}": column for split, column in enumerate(values.T)}
            columns[f"mean_{name}"] = values.mean(axis=1)
            columns[f"std_{name}"] = values.std(axis=1)
            columns[f"std_error_{name}"] = standard_error(values)
        return columns

    def attributes(self, best_index: int | None) -> dict[str, Any]:
        """What the fitted search gets."""
        found: dict[str, Any] = {"_fit_times": self.times}
        if best_index is not None:
            columns = self._columns()
            for name in self._wanted.extract:
                found[f"best_{name}_"] = float(columns[f"mean_{name}"][best_index])
        if self._methods:
            found["oof_predictions_"] = dict(self._all_predictions())
        if "estimators" in self._wanted.keep:
            found["fold_estimators_"] = self.models.of_shape(self._n_candidates, self._n_splits)
        return found

    def _all_predictions(self) -> Iterator[tuple[str, Any]]:
        for method in self._methods:
            made = self._alike(method)
            shapes = {values.shape[1:] for _, _, values in made}
            if len(shapes) > 1:  # all is fitted: nothing of it is lost
                warnings.warn(
                    f"keep={method!r}: candidates predict arrays of different shapes for a row, "
                    f"{' and '.join(map(str, sorted(shapes)))}, which make no array together: "
                    "oof_predictions_ has none of them.",
                    UserWarning,
                    stacklevel=2,
                )
            else:
                yield method, self._predictions(method, made)

    def _alike(self, method: str) -> list[Made]:
        made, n_columns = self._made[method], sum(self._widths)
        several = len(self._widths) > 1 and set(self._widths) == {2} and method == "predict_proba"
        return _alike(made, pairs=n_columns if several else 0)

    def _predictions(self, method: str, made: list[Made]) -> Any:
        whole = _assembled(made, (self._n_candidates, self._n_rows))
        widths = self._widths
        if method == "predict" or len(widths) < 2 or whole.shape[2:] != (sum(widths),):
            return whole
        return np.split(whole, np.cumsum(widths)[:-1], axis=2)  # several outputs


def _has_model(outcome: Outcome) -> bool:
    return outcome.status == "ok" and not (outcome.result or {}).get("fit_error")


def _check_overlap(batch: Batch, methods: tuple[str, ...], n_rows: int) -> None:
    """Labels have no mean: refuse before any fit to keep several of a row."""
    if "predict" not in methods or not _classifies(batch):
        return
    counts = np.zeros(n_rows, int)
    for number, fit in enumerate(batch.fits):
        if fit.candidate == 0:
            counts[np.asarray(batch.keywords_of(number)["test"])] += 1
    if counts.max() > 1:
        raise ValueError(
            "keep='predict': the test parts of the splits overlap, and of several labels that are "
            "predicted for a row there is no mean. Keep 'predict_proba', or give the search a cv "
            "whose test parts do not overlap."
        )
