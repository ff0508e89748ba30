"""What a fit leaves beside its outcome, as bytes: predictions as ``.npy``, models as pickles."""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Mapping
from typing import Any

import cloudpickle
import numpy as np

from skdistsearch._outcome import ArtifactRef
from skdistsearch.exceptions import RecordError
from skdistsearch.storage._store import open_store

MODEL = "estimator"
"""Under this name an outcome has the fitted model; under all others arrays."""
_SUFFIXES = {True: ".pkl", False: ".npy"}


def array_bytes(values: Any) -> bytes:
    """An array without objects, as numpy saves it."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def load_array(data: bytes) -> Any:
    """What `array_bytes` made bytes of. Runs no code that is in them."""
    return np.load(io.BytesIO(data), allow_pickle=False)


def model_bytes(model: Any) -> bytes:
    """A fitted model, pickled."""
    data: bytes = cloudpickle.dumps(model)
    return data


def load_model(data: bytes) -> Any:
    """The model. Unpickling runs what is in it: for a user who asks only."""
    return pickle.loads(data)


def artifact_ref(what: str, data: bytes, stem: str) -> ArtifactRef:
    """A file's name, which begins with ``0-`` for listings to skip, and its checksum."""
    return ArtifactRef(f"0-{stem}-{what}{_SUFFIXES[what == MODEL]}", zlib.crc32(data))


def is_file(name: str) -> bool:
    """Whether an object of a store is what `artifact_ref` names."""
    return name.startswith("0-") and name.endswith(tuple(_SUFFIXES.values()))


def is_model(name: str) -> bool:
    """Whether it is a model."""
    return is_file(name) and name.endswith(_SUFFIXES[True])


def read_verified(file: bytes | ArtifactRef) -> bytes:
    """The bytes, checked against their checksum."""
    if isinstance(file, bytes):
        return file
    data = open_store(file.url).get(file.name)
    if zlib.crc32(data) != file.crc32:
        raise RecordError(
            f"{file.url}/{file.name} is damaged or was tampered with: its checksum is another. "
            "Delete that file: its fit will be run again."
        )
    return data


def with_store_url(
    files: Mapping[str, bytes | ArtifactRef], url: str
) -> dict[str, bytes | ArtifactRef]:
    """The files, which are in the store at ``url``."""
    return {
        what: ArtifactRef(file.name, file.crc32, url) if isinstance(file, ArtifactRef) else file
        for what, file in files.items()
    }
