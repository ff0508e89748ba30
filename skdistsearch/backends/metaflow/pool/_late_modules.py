"""Modules that this process imported after a run began: they travel with the wave.

The code package of a run has the modules that were imported when it began. A notebook imports more
later, and estimators that are defined there must be importable in workers that stay. A module that
has changed cannot be replaced in a running worker: it gets another pool (`_table`).
"""

from __future__ import annotations

import hashlib
import importlib
import io
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from skdistsearch.backends.metaflow._packaging import copy_code
from skdistsearch.storage import Store


def pack_modules(modules: Mapping[str, Path], store: Store) -> str:
    """Write modules into a store as an archive; return its name, or "" if there are none."""
    if not modules:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        for source in modules.values():
            copy_code(source, Path(folder))
        data = _zip_folder(Path(folder))
    name = f"{hashlib.sha256(data).hexdigest()}.zip"
    store.put(name, data)
    return name


def unpack_modules(name: str, store: Store, folder: Path) -> None:
    """Make the modules of an archive importable in this process."""
    target = folder / name.removesuffix(".zip")
    if target.exists():
        return
    data = store.get(name)
    if f"{hashlib.sha256(data).hexdigest()}.zip" != name:
        raise ImportError(f"{store.url}/{name} is corrupt: its SHA-256 is another one.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(target)
    add_import_paths([str(target)])


def add_import_paths(paths: list[str] | tuple[str, ...]) -> None:
    """Import modules also from other folders, and notice files that are new."""
    sys.path += [path for path in paths if path not in sys.path]
    importlib.invalidate_caches()


def _zip_folder(folder: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            # Without the time of the file: equal modules have the same name
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            archive.writestr(info, path.read_bytes())
    return file.getvalue()
