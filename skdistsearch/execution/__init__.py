"""How one process runs the fits of a chunk, with shared work done once.

Contents
--------
- `_runner`: runs the fits of a chunk in this process.
- `_shared_work`: finds out, in the caller, which work the fits of a batch have in common.
- `_transformer_slots`: the transformers within an estimator, and the data each of them gets.
- `_transform_cache`: fitted transformers and their outputs, for one split.
- `_cached_transformer`: the stand-in for a transformer that looks up the cache.
- `_split_data`: train and test data of a split, sliced once.
- `_model_extraction`: reads numbers and predictions from a fitted model, where it was fitted.

Imports `skdistsearch.storage` and `skdistsearch.scheduling`. Start reading at `_runner`.
"""

from skdistsearch.execution._model_extraction import (
    MISSING_ATTRIBUTE,
    ModelExtractor,
    Noted,
    classes,
    split_path,
)
from skdistsearch.execution._runner import Runner, with_budget
from skdistsearch.execution._shared_work import share_work, with_shared_work
from skdistsearch.execution._split_data import n_samples
from skdistsearch.execution._transformer_slots import with_parameters

__all__ = [
    "MISSING_ATTRIBUTE",
    "ModelExtractor",
    "Noted",
    "Runner",
    "classes",
    "n_samples",
    "share_work",
    "split_path",
    "with_budget",
    "with_parameters",
    "with_shared_work",
]
