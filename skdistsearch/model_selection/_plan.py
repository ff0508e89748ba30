"""A search cut in three, for a flow of the user's own: plan, run the chunks anywhere, assemble."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import cloudpickle
from sklearn.utils.metadata_routing import get_routing_for_object

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.exceptions import PlanError
from skdistsearch.execution import Runner
from skdistsearch.scheduling import (
    Chunk,
    balanced_chunks,
    consecutive_chunks,
    group_by_shared_work,
    interleaved_chunks,
    shares_work,
)

_CHUNKS_MAX = 100  # Metaflow's own limit of a foreach, --max-num-splits
_NAMED_MAX = 5  # fits that an error message names


@dataclass(frozen=True, eq=False)
class Plan:
    """The fits of a search, made but not run. Survives pickling, and so Metaflow's artifacts.

    Attributes
    ----------
    chunks : tuple of tuples of int
        Numbers of the fits that run together; ``len(plan)`` is the number of chunks.
    candidates : list of dict
        The parameters that are tried.
    splits : list of (train, test)
        The indices of each split.
    """

    batch: Batch
    chunks: tuple[Chunk, ...]
    X: Any
    y: Any
    params: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.chunks)

    def run(self, chunk: int) -> list[Outcome]:
        """Run one chunk of fits here and now.

        Parameters
        ----------
        chunk : int
            From 0 to ``len(plan) - 1``.

        Returns
        -------
        outcomes : list of Outcome
            Plain data; what a fit raised is in its outcome.
        """
        if not 0 <= chunk < len(self):
            raise PlanError(f"chunk {chunk} of a plan that has chunks 0 to {len(self) - 1}.")
        fits = self.chunks[chunk]
        return list(map(Runner(self.batch, fits).run, fits))

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The parameters that are tried."""
        return [dict(fit.parameters) for fit in self.batch.fits if fit.split == 0]

    @property
    def splits(self) -> list[tuple[Any, Any]]:
        """The indices of each split: train, test."""
        keywords = [
            self.batch.keywords_of(number)
            for number, fit in enumerate(self.batch.fits)
            if fit.candidate == 0
        ]
        return [(words["train"], words["test"]) for words in keywords]

    def instead_of(self, evaluate_candidates: Callable[..., Any]) -> Callable[..., Any]:
        """scikit-learn's ``evaluate_candidates``, given the planned candidates."""

        def evaluate(candidate_params: Any, *args: Any, **kwargs: Any) -> Any:
            return evaluate_candidates(self.candidates, *args, **kwargs)

        return evaluate

    def __reduce__(self) -> Any:
        # cloudpickle: lambdas and what lives in __main__ travel too
        return _unpickled, (cloudpickle.dumps(dict(vars(self))),)

    def __repr__(self) -> str:
        fits = len(self.batch)
        return f"Plan({fits} fits in {len(self)} chunks: {len(self.splits)} splits)"


def _unpickled(fields: bytes) -> Plan:
    return Plan(**pickle.loads(fields))


class BatchReady(BaseException):
    """Leaves scikit-learn's ``fit`` with the batch that it was about to run."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch

    @classmethod
    def raised_by(cls, batch: Batch) -> NoReturn:
        """A backend's ``run`` that runs nothing."""
        raise cls(batch)


def make_plan(
    batch: Batch, fits_per_task: int | str, X: Any, y: Any, params: Mapping[str, Any]
) -> Plan:
    """A plan of ``batch`` with chunks of ``fits_per_task`` fits."""
    fits = range(len(batch))
    if isinstance(fits_per_task, int):
        chunks = consecutive_chunks(
            [fit for group in group_by_shared_work(batch, fits) for fit in group], fits_per_task
        )
    elif shares_work(batch):
        chunks = balanced_chunks(batch, fits, _CHUNKS_MAX)
    else:
        chunks = interleaved_chunks(fits, _CHUNKS_MAX)
    return Plan(batch.travelling(far=True), tuple(chunks), X, y, params)


def match_outcomes(plan: Plan, outcomes: Iterable[Any]) -> list[Outcome]:
    """One outcome of each fit of ``plan``; `PlanError` names what is missing, doubled, foreign."""
    flat = list(_flat(outcomes))
    foreign = [outcome for outcome in flat if outcome.batch != plan.batch.key]
    if foreign:
        raise PlanError(
            f"{len(foreign)} of {len(flat)} outcomes are of another plan, first the one of its "
            f"fit {foreign[0].fit}. Hand over what run() of this very plan returned."
        )
    counts = Counter(outcome.fit for outcome in flat)
    doubled = [fit for fit, count in counts.items() if count > 1]
    missing = [fit for fit in range(len(plan.batch)) if fit not in counts]
    said = [f"{len(missing)} outcomes are missing: {_names(plan, missing)}"] * bool(missing)
    said += [f"{len(doubled)} fits have several: {_names(plan, doubled)}"] * bool(doubled)
    if said:
        raise PlanError("; ".join(said))
    return sorted(flat, key=lambda outcome: outcome.fit)


def _flat(outcomes: Iterable[Any]) -> Iterator[Outcome]:
    for item in outcomes:
        if isinstance(item, Outcome):
            yield item
        elif isinstance(item, Iterable) and not isinstance(item, str | bytes | Mapping):
            yield from _flat(item)
        else:
            raise PlanError(f"{item!r} is not an outcome, nor a list of outcomes.")


def _names(plan: Plan, fits: list[int]) -> str:
    more = f" and {len(fits) - _NAMED_MAX} more" if len(fits) > _NAMED_MAX else ""
    where = {fit: number for number, chunk in enumerate(plan.chunks) for fit in chunk}
    names = [f"{plan.batch.fits[fit]} (chunk {where[fit]})" for fit in fits[:_NAMED_MAX]]
    return "; ".join(names) + more


class PrecomputedSplits:
    """A splitter whose splits were made before, asked for as the original one would be."""

    def __init__(self, splits: list[tuple[Any, Any]], original: Any) -> None:
        self._splits, self._original = splits, original

    def split(self, *args: Any, **kwargs: Any) -> Iterator[tuple[Any, Any]]:
        """The splits."""
        return iter(self._splits)

    def get_n_splits(self, *args: Any, **kwargs: Any) -> int:
        """How many there are."""
        return len(self._splits)

    def get_metadata_routing(self) -> Any:
        """The metadata that the original splitter asks for."""
        return get_routing_for_object(self._original)
