"""Artifacts of fits as bytes: predictions as ``.npy``, fitted models as pickles or by skops."""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from skdistsearch._outcome import ArtifactRef, is_artifact_name
from skdistsearch.exceptions import CorruptDataError
from skdistsearch.storage._store import open_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL = "estimator"
"""Key of the pickled model among the artifacts of an outcome."""
SKOPS_MODEL = "skops"
"""Key of the model that skops has written. All artifacts with other keys are arrays."""
_MODEL_SUFFIXES, _ARRAY_SUFFIX = {MODEL: ".pkl", SKOPS_MODEL: ".skops"}, ".npy"
_OTHER_SUFFIXES = {"data": ".data", "object": ".obj"}  # results of calls that are no fits


def dump_array(values: NDArray[Any]) -> bytes:
    """Return an array in numpy's file format. Arrays of objects raise `ValueError`."""
    import numpy as np  # here, because readers of journals do not need it

    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def load_array(data: bytes) -> NDArray[Any]:
    """Return the array that `dump_array` wrote. Loading never runs code."""
    import numpy as np

    array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def dump_model(model: Any) -> bytes:
    """Pickle a fitted model."""
    import cloudpickle

    data: bytes = cloudpickle.dumps(model)
    return data


def load_model(data: bytes) -> Any:
    """Unpickle a fitted model. Unpickling can run code, so only do it when the user asks for it."""
    return pickle.loads(data)


def artifact_ref(kind: str, data: bytes, stem: str) -> ArtifactRef:
    """Return the file name and the checksum of an artifact.

    The name begins with ``0-``, which listings of journal segments skip.
    """
    suffix = (_MODEL_SUFFIXES | _OTHER_SUFFIXES).get(kind, _ARRAY_SUFFIX)
    return ArtifactRef(f"0-{stem}-{kind}{suffix}", zlib.crc32(data))


def is_model_name(name: str) -> bool:
    """Return whether a name in a store is that of a fitted model."""
    return is_artifact_name(name) and name.endswith(tuple(_MODEL_SUFFIXES.values()))


def read_verified(file: bytes | ArtifactRef) -> bytes:
    """Return the content of an artifact after a check of its checksum."""
    if isinstance(file, bytes):
        return file
    data = open_store(file.url).get(file.name)
    if zlib.crc32(data) != file.crc32:
        raise CorruptDataError(
            f"{file.url}/{file.name} is corrupt: its checksum does not match. Delete this file: "
            "its fit will run again."
        )
    return data


def with_store_url(
    artifacts: Mapping[str, bytes | ArtifactRef], url: str
) -> dict[str, bytes | ArtifactRef]:
    """Return the artifacts with the URL of the store that holds them."""
    return {
        kind: ArtifactRef(file.name, file.crc32, url) if isinstance(file, ArtifactRef) else file
        for kind, file in artifacts.items()
    }
