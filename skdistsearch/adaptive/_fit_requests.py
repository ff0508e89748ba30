"""Requests to fits: what a candidate with some of a resource is, in scikit-learn's terms."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils.multiclass import type_of_target

from skdistsearch._batch import Batch, Fit, LocalCalls, n_samples
from skdistsearch._typing import Indices, Parameters
from skdistsearch.adaptive._base import FitId, Request
from skdistsearch.adaptive._continuation import PASSES, Continuation, find_continuation
from skdistsearch.adaptive._staged_fit import StagedFit, Stages, without_refit
from skdistsearch.execution import with_parameters
from skdistsearch.model_selection import SklearnCall

ROWS = "n_samples"
"""Name of the resource that counts training rows."""
_FIT_PARAM = "sample_weight"  # others may depend on the number of iterations


@dataclass(frozen=True)
class Resource:
    """A resource, and how a search uses it."""

    name: str = ""
    """`ROWS`, `PASSES`, the name of a parameter, or empty for a search without a resource."""
    resume: bool | str = "auto"
    """True, False or "auto": the parameter of the search."""
    seed: int = 0
    """Seed of the order in which rows are used."""
    folder: str = ""
    """Folder for paused models. Empty if the fits run where it cannot be read."""


class FitMaker:
    """Makes fits from requests.

    Parameters
    ----------
    template : Batch
        One candidate without parameters, on all splits, as scikit-learn prepared it.
    resource : Resource
        The resource of the search.
    """

    def __init__(self, template: Batch, resource: Resource) -> None:
        if resource.name == PASSES:  # the refit's own ``fit`` makes all passes
            estimator, *data = template.arguments
            template = replace(template, arguments=(without_refit(estimator), *data))
        self._template, self._resource = template, resource
        self._splits = [template.keywords_of(split) for split in range(len(template))]
        self._continuations: dict[int, Continuation | None] = {}
        self._row_orders: dict[int, Any] = {}
        self._rows: dict[tuple[int, int], Indices] = {}
        self.resumed: set[FitId] = set()
        """Fits that go on from a paused model."""

    def make_batch(self, requests: Sequence[Request]) -> Batch:
        """Return the fits of some requests, in their order, as one batch."""
        fits = [self._make_fit(request) for request in requests]
        own = set(fits[0].keywords)
        common = {k: v for k, v in self._template.common_keywords.items() if k not in own}
        function = self._function
        calls = [
            SklearnCall(function, self._cloned_arguments(), {**common, **fit.keywords})
            for fit in fits
        ]
        return replace(
            self._template,
            key=uuid.uuid4().hex,
            function=function,
            common_keywords=common,
            fits=fits,
            ignored_keywords=self._template.ignored_keywords | {"stages"},
            local=LocalCalls(calls),
        )

    def _goes_on(self, request: Request) -> bool:
        """Return True if the models of a candidate go on from one amount to the next."""
        candidate = request.candidate
        if candidate not in self._continuations:
            self._continuations[candidate] = self._find_continuation(request.parameters)
        found = self._continuations[candidate]
        return found is not None and (found.is_equal or self._resource.resume is True)

    @cached_property
    def _is_staged(self) -> bool:
        """True if fits go through `StagedFit`."""
        if self._resource.name == PASSES:
            return True
        is_parameter = self._resource.name not in ("", ROWS)
        return is_parameter and self._resource.resume is not False and self._has_plain_params()

    def _has_plain_params(self) -> bool:
        names = self._splits[0].get("fit_params") or {}
        return all(name.rpartition("__")[2] == _FIT_PARAM for name in names)

    @cached_property
    def _function(self) -> Any:
        if not self._is_staged:
            return self._template.function
        return StagedFit(self._template.function, self._resource.name, self._n_rows)

    @property
    def _n_rows(self) -> int:
        return n_samples(self._template.arguments[1]) or 0

    def _cloned_arguments(self) -> tuple[Any, ...]:
        estimator, *data = self._template.arguments
        return clone(estimator), *data

    def _find_continuation(self, parameters: Parameters) -> Continuation | None:
        if not self._is_staged or self._resource.resume is False:
            return None
        try:
            estimator = with_parameters(self._template.arguments[0], parameters)
        except Exception:  # invalid parameters: the fit reports the error
            return None
        return find_continuation(estimator, self._resource.name, self._n_rows)

    def _make_fit(self, request: Request) -> Fit:
        split = self._template.fits[request.split]
        parameters = parameters_with_resource(
            request.parameters, request.amount, self._resource.name
        )
        keywords: dict[str, Any] = {
            **split.keywords,
            "parameters": parameters,
            "train": self._train_rows(request),
            "test": self._splits[request.split]["test"],
            "candidate_progress": (request.candidate, request.candidate + 1),
        }
        if self._is_staged:
            keywords |= self._stage_keywords(request)
        return Fit(request.candidate, request.split, parameters, keywords)

    def _stage_keywords(self, request: Request) -> dict[str, Any]:
        goes_on, resource = self._goes_on(request), self._resource
        if goes_on and resource.folder and len(request.stages) > 1:
            self.resumed.add(request.fit_id)
        found = self._continuations[request.candidate]
        is_exact = found is None or found.is_equal
        paused = f"{resource.folder}/{request.candidate}-{request.split}"
        stages = Stages(
            request.stages if goes_on else request.stages[-1:],
            goes_on,
            is_exact,
            paused if resource.folder and goes_on else "",
            not request.is_last,
        )
        if goes_on and not is_exact:
            return {"stages": stages, "trained_by": (resource.name, *request.stages)}
        if resource.name == PASSES:
            return {"stages": stages, "trained_by": (PASSES, request.amount)}
        return {"stages": stages}  # the result, and so the key, is that of a fit

    def _train_rows(self, request: Request) -> Indices:
        train: Indices = self._splits[request.split]["train"]
        if self._resource.name != ROWS or request.amount >= count_rows(train):
            return train
        key = request.split, request.amount
        if key not in self._rows:
            order = self._row_order(request.split)
            self._rows[key] = np.sort(order[: request.amount])
        return self._rows[key]

    def _row_order(self, split: int) -> NDArray[np.integer[Any]]:
        if split not in self._row_orders:
            train = np.asarray(self._splits[split]["train"])
            train = np.flatnonzero(train) if train.dtype == bool else train
            labels = self._labels(train)
            self._row_orders[split] = nested_order(train, labels, self._resource.seed)
        order: NDArray[np.integer[Any]] = self._row_orders[split]
        return order

    def _labels(self, train: NDArray[Any]) -> NDArray[Any] | None:
        estimator, _, y = self._template.arguments
        if y is None or not is_classifier(estimator):
            return None
        is_single = type_of_target(y) in ("binary", "multiclass")
        return np.asarray(y)[train] if is_single else None


def parameters_with_resource(
    parameters: Parameters, amount: int, resource: str
) -> dict[str, object]:
    """Return the parameters of a candidate, with the amount if the resource is a parameter."""
    return {**parameters, **({resource: amount} if resource not in ("", ROWS, PASSES) else {})}


def nested_order(rows: NDArray[Any], labels: NDArray[Any] | None, seed: int) -> NDArray[Any]:
    """Return rows in a random order in which each beginning has about the shares of all labels.

    Examples
    --------
    >>> rows, labels = np.arange(6), np.array([0, 0, 0, 0, 1, 1])
    >>> labels[nested_order(rows, labels, seed=0)]
    array([0, 1, 0, 0, 1, 0])
    """
    shuffled = np.random.RandomState(seed).permutation(len(rows))
    if labels is None:
        return rows[shuffled]
    place = np.empty(len(rows))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return rows[shuffled[np.argsort(place[shuffled], kind="stable")]]


def count_rows(rows: Any) -> int:
    """Return the number of rows that indices or a mask select."""
    rows = np.asarray(rows)
    return int(rows.sum()) if rows.dtype == bool else len(rows)
