"""Predictions and fitted models as files."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skdistsearch._outcome import ArtifactRef
from skdistsearch.exceptions import CorruptDataError
from skdistsearch.storage._artifacts import (
    MODEL,
    artifact_ref,
    dump_array,
    dump_model,
    is_artifact_name,
    is_model_name,
    load_array,
    load_model,
    read_verified,
    with_store_url,
)
from skdistsearch.storage._store import FolderStore


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.array(["a", "bc"])])
def test_array_round_trip_is_exact(array):
    loaded = load_array(dump_array(array))
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == array.dtype


def test_array_of_objects_is_rejected():
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        dump_array(np.array([None]))


def test_pickle_is_not_loaded_as_an_array():
    with pytest.raises(ValueError, match=r"contain(s|ing) pickled"):
        load_array(dump_model(Ridge()))


def test_model_round_trip():
    assert load_model(dump_model(Ridge(alpha=3))).alpha == 3


@pytest.mark.parametrize("kind", [MODEL, "predict"])
def test_names_of_artifacts_are_recognized(kind):
    name = artifact_ref(kind, b"", "1-2-abc-0").name
    assert is_artifact_name(name)
    assert is_model_name(name) == (kind == MODEL)


@pytest.mark.parametrize("name", ["1700000000000-1-2-abc-000000", "0-a.json", "a.npy", "1-a.pkl"])
def test_other_names_are_not_artifacts(name):
    assert not is_artifact_name(name)
    assert not is_model_name(name)


def test_changed_artifact_is_an_error(tmp_path):
    data = dump_array(np.arange(3))
    (ref,) = with_store_url(
        {"predict": artifact_ref("predict", data, "stem")}, str(tmp_path)
    ).values()
    FolderStore(tmp_path).put(ref.name, data)
    assert read_verified(ref) == data
    (tmp_path / ref.name).write_bytes(data + b"x")
    with pytest.raises(CorruptDataError, match=r"predict\.npy is corrupt: its checksum does not"):
        read_verified(ref)


def test_bytes_need_no_store():
    assert read_verified(b"abc") == b"abc"
    assert with_store_url({"a": b"abc"}, "/folder") == {"a": b"abc"}
    assert with_store_url({"a": ArtifactRef("n", 1)}, "/f") == {"a": ArtifactRef("n", 1, "/f")}
