"""Run the fits of a chunk in one process, with shared work done once.

Contents
--------
- `_runner`: runs the fits of a chunk in this process.
- `_shared_work`: finds out, in the caller, which work the fits of a batch have in common.
- `_transformer_slots`: the transformers within an estimator, and the work that each of them does.
- `_value_key`: keys of parameter values, equal only if no code can tell the values apart.
- `_protected_value`: values in a form in which fits can share them.
- `_state_summary`: summaries of objects, to notice that one has been changed.
- `_transform_cache`: fitted transformers and their outputs, for one split.
- `_cached_transformer`: the stand-in for a transformer that looks up the cache.
- `_path_fit`: fits the longest model of a path, and makes the others from it.
- `_slice_files`: slices of large data, in files that the processes of a machine map.
- `_split_data`: train and test data of a split, sliced once.
- `_model_extraction`: reads numbers and predictions from a fitted model, where it was fitted.

Imports `skdistsearch.storage`, `skdistsearch.scheduling`, `skdistsearch.model_paths` and
`skdistsearch.report`. Start reading at `_runner`.
"""

from skdistsearch.execution._model_extraction import (
    MISSING_ATTRIBUTE,
    Extractions,
    KeepModel,
    ModelExtractor,
    classes_per_output,
    split_path,
)
from skdistsearch.execution._runner import Runner, run_chunk
from skdistsearch.execution._shared_work import divide_cache, share_work, with_shared_work
from skdistsearch.execution._slice_files import SliceFolders, open_slice_folders
from skdistsearch.execution._transformer_slots import iter_slots, with_parameters

__all__ = [
    "MISSING_ATTRIBUTE",
    "Extractions",
    "KeepModel",
    "ModelExtractor",
    "Runner",
    "SliceFolders",
    "classes_per_output",
    "divide_cache",
    "iter_slots",
    "open_slice_folders",
    "run_chunk",
    "share_work",
    "split_path",
    "with_parameters",
    "with_shared_work",
]
