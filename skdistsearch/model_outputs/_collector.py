"""Collect what the fits of a search leave beside scikit-learn's results."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from skdistsearch._batch import Batch, Run, closing_outcomes, n_samples
from skdistsearch._cv_results import standard_error
from skdistsearch._outcome import Outcome
from skdistsearch.execution import MISSING_ATTRIBUTE, classes_per_output
from skdistsearch.model_outputs._fold_estimators import FoldEstimators
from skdistsearch.model_outputs._oof_predictions import OofPredictions
from skdistsearch.model_outputs._output_options import OutputOptions, is_classifying
from skdistsearch.storage import MODEL, SKOPS_MODEL, load_array, read_verified


class OutputCollector:
    """Extracted values, predictions and models of one search, over all its rounds."""

    def __init__(self, options: OutputOptions) -> None:
        self._options = options
        self._n_candidates, self._n_splits = 0, 0
        self._extracted: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
        self._predictions = OofPredictions()
        self._model_key = SKOPS_MODEL if "skops" in options.keep else MODEL
        self._estimators = FoldEstimators(self._model_key)

    def collect_outputs(self, run: Run) -> Run:
        """Wrap ``run`` so that fits extract what was asked for, and collect it."""

        def run_and_collect(batch: Batch) -> Generator[Outcome]:
            first_candidate = self._n_candidates
            batch = self._start_round(batch)
            errors: dict[str, list[str]] = defaultdict(list)
            n_models = 0
            with closing_outcomes(run(batch)) as outcomes:
                for outcome in outcomes:
                    self._add_outcome(batch, outcome, first_candidate)
                    for name, error in outcome.extraction_errors.items():
                        errors[name].append(f"{batch.fits[outcome.fit]}: {error}")
                    n_models += _has_model(outcome)
                    yield replace(outcome, artifacts={})
            for name, messages in errors.items():
                self._report_errors(name, messages, n_models)

        return run_and_collect

    def _start_round(self, batch: Batch) -> Batch:
        """Return the batch with the extractor, and with the models in scikit-learn's results."""
        self._n_candidates += len({fit.candidate for fit in batch.fits})
        self._n_splits = len({fit.split for fit in batch.fits})
        extractor = self._options.make_extractor(batch)
        if extractor.methods:
            self._expect_predictions(batch, extractor.methods)
        for call in batch.local.calls or ():
            call.request_model()
        batch = replace(
            batch,
            common_keywords={**batch.common_keywords, "return_estimator": True},
            ignored_keywords=batch.ignored_keywords | {"return_estimator"},
        )
        return batch.with_context(extractor=extractor)

    def _expect_predictions(self, batch: Batch, methods: tuple[str, ...]) -> None:
        _, X, y = batch.arguments
        self._predictions.methods = methods
        self._predictions.n_rows = n_samples(X) or 0
        if set(methods) - {"predict"} and y is not None:
            self._predictions.n_classes = [len(labels) for labels in classes_per_output(y)]
        _check_overlap(batch, methods, self._predictions.n_rows)

    def _add_outcome(self, batch: Batch, outcome: Outcome, first_candidate: int) -> None:
        fit = batch.fits[outcome.fit]
        candidate = first_candidate + fit.candidate
        for name, value in outcome.extracted.items():
            self._extracted[name][candidate, fit.split] = value
        for name, file in outcome.artifacts.items():
            if name == self._model_key:
                is_lasting = outcome.is_persisted
                self._estimators.add((candidate, fit.split), file, is_lasting=is_lasting)
            else:
                test = batch.keywords_of(outcome.fit)["test"]
                self._predictions.add(name, candidate, test, load_array(read_verified(file)))

    def _report_errors(self, name: str, messages: list[str], n_models: int) -> None:
        """Warn about models without an output; raise if all lack it because of a mistake."""
        n_missing = sum(MISSING_ATTRIBUTE in message for message in messages)
        option = f"keep={'estimators' if name == MODEL else name!r}"
        if name in self._options.extract:
            option = f"extract={{{name!r}: {self._options.extract[name]!r}}}"
            if n_missing == len(messages) < n_models:
                return  # other contenders have the attribute
        report = f"{option} failed for {len(messages)} of {n_models} models"
        first = f"First failure: {messages[0]}"
        # skops does not know all models: their scores count all the same
        if len(messages) == n_models and not n_missing and name != SKOPS_MODEL:
            raise ValueError(f"{report}. {first}")
        warnings.warn(f"{report}; their values are NaN or None. {first}", UserWarning, stacklevel=2)

    def extracted_columns(self) -> dict[str, Any]:
        """Return the columns of ``cv_results_`` with extracted values, of all rounds so far."""
        columns: dict[str, Any] = {}
        for name in self._options.extract:
            values = np.full((self._n_candidates, self._n_splits), math.nan)
            for position, value in self._extracted[name].items():
                values[position] = value
            columns |= {f"split{split}_{name}": column for split, column in enumerate(values.T)}
            columns[f"mean_{name}"] = values.mean(axis=1)
            columns[f"std_{name}"] = values.std(axis=1)
            columns[f"std_error_{name}"] = standard_error(values)
        return columns

    def search_attributes(self, best_index: int | None) -> dict[str, Any]:
        """Return the attributes of the fitted search."""
        attributes: dict[str, Any] = {}
        if best_index is not None:
            columns = self.extracted_columns()
            for name in self._options.extract:
                attributes[f"best_{name}_"] = float(columns[f"mean_{name}"][best_index])
        if self._predictions.methods:
            attributes["oof_predictions_"] = self._predictions.to_arrays(self._n_candidates)
        if {"estimators", "skops"} & set(self._options.keep):
            self._estimators.set_shape(self._n_candidates, self._n_splits)
            attributes["fold_estimators_"] = self._estimators
        return attributes


def _has_model(outcome: Outcome) -> bool:
    return outcome.status == "ok" and not outcome.fit_error


def _check_overlap(batch: Batch, methods: tuple[str, ...], n_rows: int) -> None:
    """Raise before any fit if a row would get several labels, which have no mean."""
    if "predict" not in methods or not is_classifying(batch):
        return
    counts = np.zeros(n_rows, int)
    for number, fit in enumerate(batch.fits):
        if fit.candidate == 0:
            counts[np.asarray(batch.keywords_of(number)["test"])] += 1
    if counts.max() > 1:
        raise ValueError(
            "keep='predict': the test parts of the splits overlap, and the labels that several "
            "models predict for a row cannot be averaged. Keep 'predict_proba', or use a cv whose "
            "test parts do not overlap."
        )
