"""Fingerprints of searches: digests of everything that their fits depend on.

The key of a fit is the part of the fingerprint that identifies the fit. It is made of the fit's
own values only, and so is the same in batches of any size.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from itertools import chain, count
from typing import Any, TypeGuard

import numpy as np
import sklearn

from skdistsearch._batch import Batch
from skdistsearch.checkpoints._digest import Digester
from skdistsearch.checkpoints._versions import find_versions

# Requirements of scikit-learn and others that do not affect results
_IRRELEVANT_PACKAGES = {"cloudpickle", "joblib", "loky", "narwhals", "packaging", "threadpoolctl"}


class FitKeys:
    """Keys of the fits of a batch, and digests of what the fits depend on."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        # By id, which the batch keeps in use by keeping the values alive
        self._digests_by_id: dict[int, tuple[str, str]] = {}
        self._fingerprints: dict[int, str] = {}
        self.versions = _core_versions()
        """Names and versions of the packages and modules that compute the fits."""
        self.code: dict[str, str] = {}
        """Digests of importable classes and functions, by ``module:qualname``."""
        self._digest_versions = cache(self._find_versions)
        settings = batch.sklearn_config
        extractor = batch.context.extractor
        ignored, varying = batch.ignored_keywords, batch.per_fit_keywords
        names = chain(["estimator", "X", "y"], (f"argument {n}" for n in count(3)))
        arguments = dict(zip(names, batch.arguments, strict=False)) | {"config": settings}
        if extractor is not None:
            arguments |= vars(extractor)
        keywords = {
            name: value for name, value in batch.common_keywords.items() if name not in ignored
        }
        self.digests = {
            path: self._digest(part, path)[0]
            for name, value in (arguments | keywords).items()
            if name not in varying
            for path, part in _named_parts(name, value)
        }
        """Digest of each value that all fits depend on."""
        arguments_part = {name: self._fingerprint(part, name) for name, part in arguments.items()}
        self._arguments_part = sha256_of_json([arguments_part, _core_versions()])
        self._keywords_part = self._fingerprint_keywords(keywords)
        self.keys = list(_deduplicate(self._key(fit) for fit in range(len(batch))))
        """Key of each fit."""

    def __len__(self) -> int:
        return len(self._batch)

    def _key(self, fit: int) -> str:
        keywords = self._batch.fits[fit].keywords
        ignored = self._batch.ignored_keywords
        own = {name: value for name, value in keywords.items() if name not in ignored}
        parts = self._keywords_part + self._fingerprint_keywords(own)
        text = "\n".join([self._arguments_part, *sorted(parts)])
        return sha256(text.encode()).hexdigest()[:32]

    def _fingerprint_keywords(self, keywords: dict[str, Any]) -> list[str]:
        return [f"{name} {self._fingerprint(value, name)}" for name, value in keywords.items()]

    def _fingerprint(self, value: object, name: str) -> str:
        """Return the fingerprint of a value, independent of its name.

        Each value is visited once: many fits share a dict, and many dicts share a value.
        """
        if id(value) not in self._fingerprints:
            parts = [self._digest(part, path) for path, part in _named_parts(name, value)]
            names = list(value) if _has_named_parts(value) else 0
            self._fingerprints[id(value)] = sha256_of_json([names, parts])
        return self._fingerprints[id(value)]

    def _digest(self, value: object, name: str) -> tuple[str, str]:
        """Return the digests of a value, and of the versions of the code that it depends on.

        A key covers the code behind the candidate's own values, not behind those of other
        candidates.
        """
        if id(value) not in self._digests_by_id:
            digester = Digester()
            digest = digester.digest(value, name)
            self.code |= digester.code
            versions = self._digest_versions(frozenset(digester.modules))
            self._digests_by_id[id(value)] = digest, versions
        return self._digests_by_id[id(value)]

    def _find_versions(self, modules: frozenset[str]) -> str:
        versions = {
            name: version
            for name, version in find_versions(modules).items()
            if name not in _IRRELEVANT_PACKAGES
        }
        self.versions = versions | self.versions
        return sha256_of_json(versions)

    @property
    def splits(self) -> str:
        """Digest of the training and test indices of all splits."""
        keywords = (self._batch.keywords_of(fit) for fit in range(len(self)))
        pairs = {
            tuple(self._fingerprint(each[name], name) for name in ("train", "test"))
            for each in keywords
        }
        return sha256_of_json(sorted(pairs))

    def __str__(self) -> str:
        estimator, X = (*self._batch.arguments, None)[:2]
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        n_candidates = len({fit.candidate for fit in self._batch.fits})
        n_splits = len({fit.split for fit in self._batch.fits})
        model = f"{type(estimator).__name__} on {type(X).__name__}{shape}"
        return f"{model}, candidates: {n_candidates}, splits: {n_splits}"


def sha256_of_json(value: object) -> str:
    """Return the SHA-256 of plain data. The order of keys does not count."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _has_named_parts(value: object) -> TypeGuard[dict[str, object]]:
    return type(value) is dict and bool(value) and all(type(key) is str for key in value)


def _named_parts(name: str, value: object) -> list[tuple[str, object]]:
    """Return the parts of a keyword by the names users know, as ``fit_params['sample_weight']``."""
    if not _has_named_parts(value):
        return [(name, value)]
    return [(f"{name}[{key!r}]", part) for key, part in value.items()]


def _deduplicate(keys: Iterable[str]) -> Iterator[str]:
    """Append numbers to equal keys.

    Equal candidates are separate fits, because their results can be random.
    """
    n_equal: Counter[str] = Counter()
    for key in keys:
        yield f"{key}-{n_equal[key]}" if n_equal[key] else key
        n_equal[key] += 1


def _core_versions() -> dict[str, str]:
    """Return the versions that every key depends on.

    Patch releases of Python change neither bytecode nor results, so they are left out.
    """
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
    }
