"""The fitted models of the splits, in files until somebody asks for one."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from skdistsearch._outcome import ArtifactRef
from skdistsearch.storage import (
    MODEL,
    FolderStore,
    artifact_ref,
    load_model,
    read_verified,
    temporary_folder,
)

Where = tuple[int, int]
"""Candidate, split."""


class FoldModels(Sequence[Sequence[Any]]):
    """Models by candidate, then by split; each is read when it is asked for, anew each time.

    ``None`` stands where a fit failed. Files that no checkpoint keeps are in a temporary folder
    that goes with this object. Its pickle and its copies bring the models in them along.
    """

    def __init__(self) -> None:
        self._files: dict[Where, ArtifactRef] = {}
        self._shape = 0, 0
        self._folder: Path | None = None

    def of_shape(self, n_candidates: int, n_splits: int) -> FoldModels:
        """This, for so many candidates and splits."""
        self._shape = n_candidates, n_splits
        return self

    def take(self, where: Where, file: bytes | ArtifactRef, *, lasting: bool) -> None:
        """Keep a model, or where it is, if that place is ``lasting`` or far away."""
        if isinstance(file, ArtifactRef) and (lasting or file.url.startswith("s3://")):
            self._files[where] = file
            return
        folder, data = self._own_folder(), read_verified(file)
        kept = artifact_ref(MODEL, data, "-".join(map(str, where)))
        FolderStore(folder).put(kept.name, data)
        self._files[where] = ArtifactRef(kept.name, kept.crc32, str(folder))

    def _own_folder(self) -> Path:
        if self._folder is None:
            stack = ExitStack()
            self._folder = stack.enter_context(temporary_folder())
            weakref.finalize(self, _closed, stack, os.getpid())
        return self._folder

    def __len__(self) -> int:
        return self._shape[0]

    def __getitem__(self, candidate: Any) -> Any:
        if isinstance(candidate, slice):
            return [self[number] for number in range(len(self))[candidate]]
        return _Folds(self, range(len(self))[candidate])

    def __iter__(self) -> Iterator[Sequence[Any]]:
        return map(self.__getitem__, range(len(self)))

    def load(self, where: Where) -> Any:
        """The model; None if there is none."""
        file = self._files.get(where)
        return None if file is None else load_model(read_verified(file))

    @property
    def n_splits(self) -> int:
        """How many splits there are."""
        return self._shape[1]

    def __getstate__(self) -> dict[str, Any]:
        own = str(self._folder)
        files = {
            where: read_verified(file) if file.url == own else file
            for where, file in self._files.items()
        }
        return {"shape": self._shape, "files": files}

    def __setstate__(self, state: dict[str, Any]) -> None:
        FoldModels.__init__(self)
        self._shape = state["shape"]
        for where, file in state["files"].items():
            self.take(where, file, lasting=True)

    def __repr__(self) -> str:
        n_candidates, n_splits = self._shape
        return f"<models of {n_candidates} candidates, {n_splits} splits each>"


class _Folds(Sequence[Any]):
    """The models of one candidate."""

    def __init__(self, models: FoldModels, candidate: int) -> None:
        self._models, self._candidate = models, candidate

    def __len__(self) -> int:
        return self._models.n_splits

    def __getitem__(self, split: Any) -> Any:
        if isinstance(split, slice):
            return [self[number] for number in range(len(self))[split]]
        return self._models.load((self._candidate, range(len(self))[split]))


def _closed(stack: ExitStack, pid: int) -> None:
    """Remove the folder, in the process that made it: a fork is no owner."""
    if os.getpid() == pid:
        stack.close()
