"""The code of a driver on AWS Batch, as archives with the SHA-256 of their content as names.

The same code makes the same bytes, so that the next job uploads nothing. Metaflow, which most
images lack, is an archive of its own: it changes less often than the user's modules. It is
extracted into a folder ``site-packages``, because modules in other folders count as the user's and
are sent along with the fits.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from skdistsearch.backends.metaflow import stage
from skdistsearch.storage import Store

_IGNORED = {"__pycache__", "tests"}


def store_code(store: Store) -> list[str]:
    """Write this package, the user's modules and Metaflow into a store; return the names."""
    import metaflow

    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder, "code")
        stage(code)
        archives = [_pack(_files_below(code, code))]
    package = Path(metaflow.__file__).parent
    site_packages = _files_below(package, package.parent)
    archives.append(_pack((f"site-packages/{name}", data) for name, data in site_packages))
    return [_store(archive, store) for archive in archives]


def _files_below(folder: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(root).parts
        if path.is_file() and not _IGNORED & set(parts):
            yield "/".join(parts), path.read_bytes()


def _pack(files: Iterable[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, data in files:  # ZipInfo has a fixed time
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _store(archive: bytes, store: Store) -> str:
    name = hashlib.sha256(archive).hexdigest()
    if not store.exists(name):
        store.put(name, archive)
    return name
