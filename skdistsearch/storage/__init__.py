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
    artifact_ref,
    is_model,
    load_array,
    load_model,
    model_bytes,
    read_verified,
    with_store_url,
)
from skdistsearch.storage._journal import (
    InterruptedFit,
    JournalReader,
    JournalWriter,
    iter_recorded,
    journal_names,
    journal_prefix,
    open_local_journal,
)
from skdistsearch.storage._journal_sync import (
    JournalDownloader,
    JournalUploader,
    iter_journal_folders,
)
from skdistsearch.storage._paths import cache_dir, default_data_dir, temporary_folder
from skdistsearch.storage._serialization import dump, dump_json, load, load_json
from skdistsearch.storage._store import FolderStore, S3Store, Store, aws_errors, open_store

__all__ = [
    "MODEL",
    "FolderStore",
    "InterruptedFit",
    "JournalDownloader",
    "JournalReader",
    "JournalUploader",
    "JournalWriter",
    "S3Store",
    "Store",
    "array_bytes",
    "artifact_ref",
    "aws_errors",
    "cache_dir",
    "default_data_dir",
    "dump",
    "dump_json",
    "is_model",
    "iter_journal_folders",
    "iter_recorded",
    "journal_names",
    "journal_prefix",
    "load",
    "load_array",
    "load_json",
    "load_model",
    "model_bytes",
    "open_local_journal",
    "open_store",
    "read_verified",
    "temporary_folder",
    "with_store_url",
]
