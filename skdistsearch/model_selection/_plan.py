"""A search in three steps, for a Metaflow flow of the user's own: plan, run chunks, assemble.

`BatchReady` is how `plan` gets the batch: an exception that leaves scikit-learn's ``fit`` at the
moment when the first fit would run. By then scikit-learn has checked the parameters, made the
splits, prepared the scorers and routed the metadata. Nothing simpler gives all that: scikit-learn
has no function for it, and a copy of its ``fit`` would break with its next release. The exception
derives from BaseException, as KeyboardInterrupt does, because scikit-learn and joblib may handle an
Exception. They would break the trick if they caught BaseException too.
``tests/model_selection/test_plan.py`` watches it.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import cloudpickle
from sklearn.utils.metadata_routing import get_routing_for_object

from skdistsearch._batch import Batch
from skdistsearch._native_logs import hide_native_logs
from skdistsearch._outcome import Outcome
from skdistsearch._typing import ArrayLike, Indices
from skdistsearch.exceptions import PlanError
from skdistsearch.execution import run_chunk
from skdistsearch.scheduling import Chunk, make_chunks

_CHUNKS_MAX = 100  # Metaflow's own limit of a foreach, --max-num-splits
_NAMED_MAX = 5  # fits that an error message names


@dataclass(frozen=True, eq=False)
class Plan:
    """The fits of a search before they run, cut into chunks.

    For a Metaflow flow of your own: `DistributedSearchCV.plan` makes the plan, `run` runs a chunk
    of it in any task, and `DistributedSearchCV.assemble` makes the fitted search from the
    outcomes. A plan survives pickling, and so Metaflow's artifacts. ``len(plan)`` is the number of
    chunks.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=5)
    >>> plan = search.plan(X, y)
    >>> plan
    Plan(15 fits in 15 chunks: 5 splits)
    >>> outcomes = [plan.run(chunk) for chunk in range(len(plan))]
    >>> search.assemble(plan, outcomes).best_params_
    {'alpha': 0.1}
    """

    batch: Batch
    """The fits, with the data."""
    chunks: tuple[Chunk, ...]
    """Numbers of the fits that run together, for each chunk."""
    X: ArrayLike
    """Training vectors, as given to ``plan``."""
    y: ArrayLike
    """Targets, as given to ``plan``."""
    params: Mapping[str, Any]
    """Parameters of ``fit``, as given to ``plan``."""

    def __len__(self) -> int:
        return len(self.chunks)

    def run(self, chunk: int) -> list[Outcome]:
        """Run one chunk of fits in this process.

        Parameters
        ----------
        chunk : int
            From 0 to ``len(plan) - 1``.

        Returns
        -------
        outcomes : list of Outcome
            Plain data. An exception that a fit raised is in its outcome.

        Raises
        ------
        PlanError
            The plan has no chunk of this number.
        """
        if not 0 <= chunk < len(self):
            raise PlanError(f"The plan has chunks 0 to {len(self) - 1}, got chunk {chunk}.")
        return run_chunk(self.batch, self.chunks[chunk])

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The parameters of each candidate, a list of dict."""
        return [dict(fit.parameters) for fit in self.batch.fits if fit.split == 0]

    @property
    def splits(self) -> list[tuple[Indices, Indices]]:
        """The indices (train, test) of each split, a list of pairs."""
        keywords = [
            self.batch.keywords_of(number)
            for number, fit in enumerate(self.batch.fits)
            if fit.candidate == 0
        ]
        return [(words["train"], words["test"]) for words in keywords]

    def __reduce__(self) -> Any:
        # cloudpickle: for lambdas, and for what is defined in __main__
        return _unpickle_plan, (cloudpickle.dumps(dict(vars(self))),)

    def __repr__(self) -> str:
        n_fits = len(self.batch)
        return f"Plan({n_fits} fits in {len(self)} chunks: {len(self.splits)} splits)"


def _unpickle_plan(fields: bytes) -> Plan:
    with hide_native_logs():  # in the log of each task
        return Plan(**pickle.loads(fields))


class BatchReady(BaseException):
    """Leaves scikit-learn's ``fit`` with the batch that it was about to run."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch


def stop_before_running(batch: Batch) -> NoReturn:
    """Raise `BatchReady`, in place of the ``run`` of a backend."""
    raise BatchReady(batch)


def make_plan(
    batch: Batch,
    fits_per_task: int | str,
    X: ArrayLike,
    y: ArrayLike,
    params: Mapping[str, Any],
) -> Plan:
    """Return a plan of ``batch`` with chunks of ``fits_per_task`` fits."""
    fits = range(len(batch))
    chunks = make_chunks(batch, fits, _CHUNKS_MAX, fits_per_chunk=fits_per_task)
    return Plan(batch.portable(), tuple(chunks), X, y, params)


def match_outcomes(plan: Plan, outcomes: Iterable[Any]) -> list[Outcome]:
    """Return one outcome for each fit of ``plan``, in the order of the fits.

    Raises
    ------
    PlanError
        Outcomes are missing, duplicated or of another plan. The message names them.
    """
    flat = list(_flatten_outcomes(outcomes))
    foreign = [outcome for outcome in flat if outcome.batch != plan.batch.key]
    if foreign:
        raise PlanError(
            f"{len(foreign)} of {len(flat)} outcomes belong to another plan, first that of its "
            f"fit {foreign[0].fit}. Pass what run() of this plan returned."
        )
    counts = Counter(outcome.fit for outcome in flat)
    duplicated = [fit for fit, count in counts.items() if count > 1]
    missing = [fit for fit in range(len(plan.batch)) if fit not in counts]
    errors = []
    if missing:
        errors.append(f"{len(missing)} outcomes are missing: {_describe_fits(plan, missing)}")
    if duplicated:
        errors.append(f"{len(duplicated)} fits have several: {_describe_fits(plan, duplicated)}")
    if errors:
        raise PlanError("; ".join(errors))
    return sorted(flat, key=lambda outcome: outcome.fit)


def _flatten_outcomes(outcomes: Iterable[Any]) -> Iterator[Outcome]:
    for item in outcomes:
        if isinstance(item, Outcome):
            yield item
        elif isinstance(item, Iterable) and not isinstance(item, str | bytes | Mapping):
            yield from _flatten_outcomes(item)
        else:
            raise PlanError(f"{item!r} is neither an outcome nor a list of outcomes.")


def _describe_fits(plan: Plan, fits: list[int]) -> str:
    more = f" and {len(fits) - _NAMED_MAX} more" if len(fits) > _NAMED_MAX else ""
    chunk_of = {fit: number for number, chunk in enumerate(plan.chunks) for fit in chunk}
    names = [f"{plan.batch.fits[fit]} (chunk {chunk_of[fit]})" for fit in fits[:_NAMED_MAX]]
    return "; ".join(names) + more


class PrecomputedSplits:
    """A splitter that returns splits made before, and routes metadata as the original one."""

    def __init__(self, splits: list[tuple[Indices, Indices]], original: object) -> None:
        self._splits, self._original = splits, original

    def split(self, *args: Any, **kwargs: Any) -> Iterator[tuple[Indices, Indices]]:
        """Return the splits."""
        return iter(self._splits)

    def get_n_splits(self, *args: Any, **kwargs: Any) -> int:
        """Return the number of splits."""
        return len(self._splits)

    def get_metadata_routing(self) -> Any:
        """Return the metadata that the original splitter asks for."""
        return get_routing_for_object(self._original)
