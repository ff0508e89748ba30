"""The fitted models of all splits, in files until they are used."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias, cast, overload

from skdistsearch._outcome import ArtifactRef
from skdistsearch._typing import Estimator
from skdistsearch.storage import (
    MODEL,
    SKOPS_MODEL,
    FolderStore,
    artifact_ref,
    load_model,
    load_skops,
    read_verified,
    temporary_folder,
)

Position: TypeAlias = tuple[int, int]
"""Candidate, split."""


class FoldEstimators(Sequence[Sequence[Estimator | None]]):
    """Models by candidate, then by split. Each access loads a new object.

    None for a fit that failed. Files that are not in a checkpoint are in a temporary folder that is
    removed with this object. Pickles and copies of it contain the models in that folder.

    Parameters
    ----------
    kind : {MODEL, SKOPS_MODEL}
        How models are loaded. It is fixed here, so that a changed file cannot choose.
    """

    def __init__(self, kind: str = MODEL) -> None:
        self._kind = kind
        self.trusted: list[str] = []
        """Full names of further types that skops may create; see `skops_trusted_types`."""
        self._files: dict[Position, ArtifactRef] = {}
        self._n_candidates, self.n_splits = 0, 0
        self._folder: Path | None = None

    def set_shape(self, n_candidates: int, n_splits: int) -> None:
        """Set the number of candidates and of splits."""
        self._n_candidates, self.n_splits = n_candidates, n_splits

    def add(self, position: Position, file: bytes | ArtifactRef, *, is_lasting: bool) -> None:
        """Add a model. Its file is copied, unless it is ``is_lasting`` or in S3."""
        if isinstance(file, ArtifactRef) and (is_lasting or file.url.startswith("s3://")):
            self._files[position] = file
            return
        folder, data = self._own_folder(), read_verified(file)
        copied = artifact_ref(self._kind, data, "-".join(map(str, position)))
        FolderStore(folder).put(copied.name, data)
        self._files[position] = ArtifactRef(copied.name, copied.crc32, str(folder))

    def _own_folder(self) -> Path:
        if self._folder is None:
            stack = ExitStack()
            self._folder = stack.enter_context(temporary_folder())
            weakref.finalize(self, _close_in_process, stack, os.getpid())
        return self._folder

    def __len__(self) -> int:
        return self._n_candidates

    @overload
    def __getitem__(self, candidate: int) -> Sequence[Estimator | None]: ...
    @overload
    def __getitem__(self, candidate: slice) -> list[Sequence[Estimator | None]]: ...
    def __getitem__(self, candidate: int | slice) -> Any:
        if isinstance(candidate, slice):
            return [self[number] for number in range(len(self))[candidate]]
        return _CandidateEstimators(self, range(len(self))[candidate])

    def __iter__(self) -> Iterator[Sequence[Estimator | None]]:
        return map(self.__getitem__, range(len(self)))

    def load(self, position: Position) -> Estimator | None:
        """Load a model; None if there is none."""
        file = self._files.get(position)
        if file is None:
            return None
        data = read_verified(file)
        if self._kind == SKOPS_MODEL:
            return cast("Estimator", load_skops(data, self.trusted))
        return cast("Estimator", load_model(data))

    def __getstate__(self) -> dict[str, Any]:
        own = str(self._folder)
        files = {
            position: read_verified(file) if file.url == own else file
            for position, file in self._files.items()
        }
        shape = (self._n_candidates, self.n_splits)
        return {"kind": self._kind, "trusted": self.trusted, "shape": shape, "files": files}

    def __setstate__(self, state: dict[str, Any]) -> None:
        FoldEstimators.__init__(self, state.get("kind", MODEL))
        self.trusted = state.get("trusted", [])
        self.set_shape(*state["shape"])
        for position, file in state["files"].items():
            self.add(position, file, is_lasting=True)

    def __repr__(self) -> str:
        return f"<models of {self._n_candidates} candidates, {self.n_splits} splits each>"


class _CandidateEstimators(Sequence["Estimator | None"]):
    """The models of one candidate, by split."""

    def __init__(self, estimators: FoldEstimators, candidate: int) -> None:
        self._estimators, self._candidate = estimators, candidate

    def __len__(self) -> int:
        return self._estimators.n_splits

    @overload
    def __getitem__(self, split: int) -> Estimator | None: ...
    @overload
    def __getitem__(self, split: slice) -> list[Estimator | None]: ...
    def __getitem__(self, split: int | slice) -> Any:
        if isinstance(split, slice):
            return [self[number] for number in range(len(self))[split]]
        return self._estimators.load((self._candidate, range(len(self))[split]))


def _close_in_process(stack: ExitStack, pid: int) -> None:
    """Remove the folder, but not in a fork of the process that created it."""
    if os.getpid() == pid:
        stack.close()
