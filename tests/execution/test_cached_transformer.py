"""A cached transformer passes for the transformer that it replaces."""

import copy
import pickle

import numpy as np
import pytest
from helpers.transformers import CALLS, RecordingTransformer, make_data
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch.execution._cached_transformer import (
    CachedTransformer,
    install_cached_transformers,
)
from skdistsearch.execution._transform_cache import TransformCache
from skdistsearch.execution._transformer_slots import iter_slots


def make_stand_in(transformer):
    """Return a stand-in for the first step of a pipeline, and its cache."""
    cache = TransformCache(100.0, lambda token: 1)
    pipe = Pipeline([("a", transformer), ("model", Ridge())])
    slots = list(iter_slots(pipe))
    tokens = [0 if slot.transformer is transformer else None for slot in slots]
    install_cached_transformers(slots, tokens, cache, {})
    return pipe.steps[0][1], cache


def test_stand_in_looks_like_the_transformer():
    stand_in, _ = make_stand_in(PCA(2, random_state=0))
    assert type(stand_in) is CachedTransformer
    assert isinstance(stand_in, PCA)
    assert stand_in.get_params() == PCA(2, random_state=0).get_params()
    assert repr(stand_in) == repr(PCA(2, random_state=0))
    X, _ = make_data()
    stand_in.fit(X)
    assert stand_in.components_.shape == (2, 4)
    assert vars(stand_in)["components_"] is stand_in.components_
    assert not hasattr(clone(stand_in), "components_")


@pytest.mark.parametrize(
    "copy_of",
    [copy.copy, copy.deepcopy, lambda stand_in: pickle.loads(pickle.dumps(stand_in))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_of_a_stand_in_are_plain_transformers(copy_of):
    stand_in, _ = make_stand_in(PCA(2, random_state=0))
    X, _ = make_data()
    stand_in.fit(X)
    copied = copy_of(stand_in)
    assert type(copied) is PCA
    np.testing.assert_array_equal(copied.components_, stand_in.components_)


def test_attributes_are_set_on_the_transformer():
    transformer = PCA(2)
    stand_in, _ = make_stand_in(transformer)
    stand_in.note = "set"
    assert transformer.note == "set"
    del stand_in.note
    assert not hasattr(transformer, "note")


def test_stand_in_for_a_pipeline_has_a_length_and_steps():
    inner = Pipeline([("scale", StandardScaler()), ("pca", PCA(2))])
    stand_in, _ = make_stand_in(inner)
    assert len(stand_in) == 2
    assert stand_in["scale"] is inner["scale"]
    assert stand_in[-1] is inner[-1]


def test_clones_share_work():
    stand_in, cache = make_stand_in(RecordingTransformer())
    X = cache.share(cache.protect(make_data()[0], "train"))
    first, second = clone(stand_in), clone(stand_in)
    np.testing.assert_array_equal(first.fit_transform(X), second.fit_transform(X))
    assert CALLS == [("fit", 2.0), ("transform", 2.0)]


def test_set_params_to_other_values_ends_sharing():
    stand_in, cache = make_stand_in(RecordingTransformer())
    X, y = (cache.share(cache.protect(part, "train")) for part in make_data())
    stand_in.set_params(factor=2.0)
    stand_in.fit_transform(X, y)
    stand_in.set_params(factor=3.0)
    assert stand_in.fit_transform(X, y)[0, 0] == X[0, 0] * 3 + X.mean()
    assert type(clone(stand_in)) is RecordingTransformer


def test_second_fit_leaves_the_cached_transformer_unchanged():
    stand_in, cache = make_stand_in(RecordingTransformer())
    X = cache.share(cache.protect(make_data()[0], "train"))
    stand_in.fit_transform(X)
    first = stand_in._wrapped_transformer
    stand_in.fit_transform(X[:10].copy())
    assert first.shift_ == X.mean()
    assert stand_in.shift_ == X[:10].mean()
