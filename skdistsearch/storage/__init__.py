"""Bytes that outlive a function call: stores, journals, artifacts, serialized batches.

Contents
--------
- `_store`: a folder or a prefix in S3, behind one interface; foreign errors are translated here.
- `_serialization`: a batch to bytes and back; large arrays are memory-mapped.
- `_journal`: append-only record of finished fits, one line of JSON each.
- `_journal_sync`: uploads and downloads journals.
- `_artifacts`: predictions (``.npy``) and fitted models (``.pkl``) that a fit leaves behind.
- `_paths`: data, cache and temporary directories.

What comes back from a worker is data, not code: outcomes are JSON, predictions are ``.npy`` files
without objects. What goes out is pickled and checked against its SHA-256 before it is unpickled.

Imports the modules beside the packages only. Start reading at `_store`, then `_journal`.
"""

from skdistsearch.storage._artifacts import (
    MODEL,
    array_bytes,
    array_of,
    content,
    is_model,
    located,
    model_bytes,
    model_of,
    named,
)
from skdistsearch.storage._journal import (
    Interrupted,
    Record,
    Recorder,
    files_of,
    kept_in,
    label_of,
    recorded_near,
)
from skdistsearch.storage._journal_sync import Pull, Push, fetch
from skdistsearch.storage._paths import data_folder, private_folder, private_root
from skdistsearch.storage._serialization import dump, dump_json, load, load_json
from skdistsearch.storage._store import FolderStore, S3Store, Store, aws_errors, open_store

__all__ = [
    "MODEL",
    "FolderStore",
    "Interrupted",
    "Pull",
    "Push",
    "Record",
    "Recorder",
    "S3Store",
    "Store",
    "array_bytes",
    "array_of",
    "aws_errors",
    "content",
    "data_folder",
    "dump",
    "dump_json",
    "fetch",
    "files_of",
    "is_model",
    "kept_in",
    "label_of",
    "load",
    "load_json",
    "located",
    "model_bytes",
    "model_of",
    "named",
    "open_store",
    "private_folder",
    "private_root",
    "recorded_near",
]
