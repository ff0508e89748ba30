"""Data that outlives a function call: stores, journals, artifacts, serialized batches.

Contents
--------
- `_store`: a folder or an S3 prefix behind one interface; translates foreign errors.
- `_serialization`: a batch to bytes and back; big arrays are memory-mapped.
- `_mapped_memory`: files that are mapped copy-on-write, and the file whose content memory is.
- `_journal`: append-only files of finished fits, one line of JSON each.
- `_journal_sync`: uploads and downloads journals.
- `_codec`: data as bytes, exactly and without pickle.
- `_artifacts`: predictions (``.npy``) and fitted models (``.pkl``) of fits.
- `_machine_memory`: memory of this machine or container.
- `_steps`: steps that the processes of a machine do together, each once.
- `_skops`: fitted models without pickle.
- `_paths`: data, cache and temporary directories.

Workers return data, not code: outcomes are JSON, and predictions are ``.npy`` files without
objects. Workers receive pickles, whose SHA-256 is verified before they are unpickled.

Imports only the modules next to the packages. Names are imported when they are first used: the
``join`` step of a Metaflow run reads journals, without scikit-learn. Start reading at `_store`,
then `_journal`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.storage._artifacts import (
        MODEL,
        SKOPS_MODEL,
        artifact_ref,
        dump_array,
        dump_model,
        is_model_name,
        load_array,
        load_model,
        read_verified,
        with_store_url,
    )
    from skdistsearch.storage._codec import NotDataError, decode, encode
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
        read_run,
    )
    from skdistsearch.storage._machine_memory import free_memory_mb, memory_mb
    from skdistsearch.storage._mapped_memory import PrivateMapping
    from skdistsearch.storage._paths import (
        cache_dir,
        default_data_dir,
        memory_folder,
        temporary_folder,
    )
    from skdistsearch.storage._serialization import (
        ModulePickler,
        StoredBatch,
        dump_batch,
        dump_json,
        dump_objects,
        load_batch,
        load_json,
        load_objects,
        release_pages,
    )
    from skdistsearch.storage._skops import dump_skops, load_skops, skops_trusted_types
    from skdistsearch.storage._steps import HAS_LOCKS, SharedSteps
    from skdistsearch.storage._store import FolderStore, S3Store, Store, aws_errors, open_store

__all__ = [
    "HAS_LOCKS",
    "MODEL",
    "SKOPS_MODEL",
    "FolderStore",
    "InterruptedFit",
    "JournalDownloader",
    "JournalReader",
    "JournalUploader",
    "JournalWriter",
    "ModulePickler",
    "NotDataError",
    "PrivateMapping",
    "S3Store",
    "SharedSteps",
    "Store",
    "StoredBatch",
    "artifact_ref",
    "aws_errors",
    "cache_dir",
    "decode",
    "default_data_dir",
    "dump_array",
    "dump_batch",
    "dump_json",
    "dump_model",
    "dump_objects",
    "dump_skops",
    "encode",
    "free_memory_mb",
    "is_model_name",
    "iter_journal_folders",
    "iter_recorded",
    "journal_names",
    "journal_prefix",
    "load_array",
    "load_batch",
    "load_json",
    "load_model",
    "load_objects",
    "load_skops",
    "memory_folder",
    "memory_mb",
    "open_local_journal",
    "open_store",
    "read_run",
    "read_verified",
    "release_pages",
    "skops_trusted_types",
    "temporary_folder",
    "with_store_url",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FolderStore": "_store",
        "HAS_LOCKS": "_steps",
        "InterruptedFit": "_journal",
        "JournalDownloader": "_journal_sync",
        "JournalReader": "_journal",
        "JournalUploader": "_journal_sync",
        "JournalWriter": "_journal",
        "MODEL": "_artifacts",
        "ModulePickler": "_serialization",
        "NotDataError": "_codec",
        "PrivateMapping": "_mapped_memory",
        "SKOPS_MODEL": "_artifacts",
        "S3Store": "_store",
        "SharedSteps": "_steps",
        "Store": "_store",
        "StoredBatch": "_serialization",
        "artifact_ref": "_artifacts",
        "aws_errors": "_store",
        "cache_dir": "_paths",
        "decode": "_codec",
        "default_data_dir": "_paths",
        "dump_array": "_artifacts",
        "dump_batch": "_serialization",
        "dump_json": "_serialization",
        "dump_objects": "_serialization",
        "dump_model": "_artifacts",
        "encode": "_codec",
        "free_memory_mb": "_machine_memory",
        "dump_skops": "_skops",
        "is_model_name": "_artifacts",
        "iter_journal_folders": "_journal_sync",
        "iter_recorded": "_journal",
        "journal_names": "_journal",
        "journal_prefix": "_journal",
        "load_array": "_artifacts",
        "load_batch": "_serialization",
        "load_json": "_serialization",
        "load_objects": "_serialization",
        "load_model": "_artifacts",
        "memory_folder": "_paths",
        "memory_mb": "_machine_memory",
        "load_skops": "_skops",
        "open_local_journal": "_journal",
        "open_store": "_store",
        "read_run": "_journal_sync",
        "read_verified": "_artifacts",
        "release_pages": "_serialization",
        "skops_trusted_types": "_skops",
        "temporary_folder": "_paths",
        "with_store_url": "_artifacts",
    },
)
