"""a key for each fit."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from itertools import chain, count
from typing import Any

import numpy as np
import sklearn

from skdistsearch._batch import Batch
from skdistsearch.checkpoints._digest import Digester
from skdistsearch.checkpoints._versions import versions

# Required by scikit-learn or by what computes, and no number depends on them
_NO_NUMBERS = {"cloudpickle", "joblib", "loky", "narwhals", "packaging", "threadpoolctl"}


class FitKeys:
    """What the fits of a batch depend on, as digests.

    A fit's key is made of its own values alone: it is the same in whatever batch the fit is.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._known: dict[int, tuple[str, str]] = {}  # by id: the batch keeps the values alive
        self._seals: dict[int, str] = {}
        self.versions = _versions_of_numbers()
        """What computes the fits: names and versions."""
        self._versions_of = cache(self._look_up)
        names = chain(["estimator", "X", "y"], (f"argument {n}" for n in count(3)))
        arguments = dict(zip(names, batch.arguments, strict=False)) | {
            "config": batch.sklearn_config
        }
        if batch.context.extractor is not None:
            arguments |= vars(batch.context.extractor)
        shared = {
            name: value
            for name, value in batch.common_keywords.items()
            if name not in batch.ignored_keywords
        }
        self.parts = {
            path: self._look_at(part, path)[0]
            for name, value in (arguments | shared).items()
            if name not in batch.per_fit_keywords
            for path, part in _paths(name, value)
        }
        """Digest of each thing that all fits depend on."""
        seals = {name: self._seal(value, name) for name, value in arguments.items()}
        self._common = _sha256([seals, _versions_of_numbers()])
        self._shared = [f"{name} {self._seal(value, name)}" for name, value in shared.items()]
        self.keys = list(_told_apart(self._key(fit) for fit in range(len(batch))))
        """A key for each fit."""

    def __len__(self) -> int:
        return len(self._batch)

    def _key(self, fit: int) -> str:
        own = self._batch.fits[fit].keywords
        apart = own.keys() - self._batch.ignored_keywords
        seals = self._shared + [f"{name} {self._seal(own[name], name)}" for name in apart]
        text = "\n".join([self._common, *sorted(seals)])
        return sha256(text.encode()).hexdigest()[:32]

    def _seal(self, value: Any, name: str) -> str:
        """What stands for a value in a key, whatever its name is.

        Each value is looked at once: many fits have one dict, and many dicts one value.
        """
        if id(value) not in self._seals:
            parts = [self._look_at(part, path) for path, part in _paths(name, value)]
            self._seals[id(value)] = _sha256([list(value) if _is_named(value) else 0, parts])
        return self._seals[id(value)]

    def _look_at(self, value: Any, name: str) -> tuple[str, str]:
        """Digests of a value and of the versions behind it.

        A candidate's key has the versions behind its own values: another's are of no concern.
        """
        if id(value) not in self._known:
            digester = Digester()
            digest = digester.digest(value, name)
            self._known[id(value)] = digest, self._versions_of(frozenset(digester.modules))
        return self._known[id(value)]

    def _look_up(self, modules: frozenset[str]) -> str:
        found = {name: what for name, what in versions(modules).items() if name not in _NO_NUMBERS}
        self.versions = found | self.versions
        return _sha256(found)

    @property
    def splits(self) -> str:
        """A digest of all indices."""
        words = (self._batch.keywords_of(fit) for fit in range(len(self)))
        pairs = {
            tuple(self._seal(each[name], name) for name in ("train", "test")) for each in words
        }
        return _sha256(sorted(pairs))

    def __str__(self) -> str:
        estimator, X = (*self._batch.arguments, None)[:2]
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        candidates = len({fit.candidate for fit in self._batch.fits})
        splits = len({fit.split for fit in self._batch.fits})
        of = f"{type(estimator).__name__} on {type(X).__name__}{shape}"
        return f"{of}, candidates: {candidates}, splits: {splits}"


def _is_named(value: Any) -> bool:
    return type(value) is dict and bool(value) and all(type(key) is str for key in value)


def _paths(name: str, value: Any) -> list[tuple[str, Any]]:
    """What a keyword holds, under the names that a user knows: ``fit_params['sample_weight']``."""
    if not _is_named(value):
        return [(name, value)]
    return [(f"{name}[{key!r}]", part) for key, part in value.items()]


def _told_apart(keys: Iterable[str]) -> Iterator[str]:
    """Fits that are alike in all stay fits of their own: where chance is in it, they differ."""
    alike: Counter[str] = Counter()
    for key in keys:
        yield f"{key}-{alike[key]}" if alike[key] else key
        alike[key] += 1


def _sha256(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _versions_of_numbers() -> dict[str, str]:
    """Python's patch releases keep bytecode and numbers; the others are kept to the letter."""
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
    }
