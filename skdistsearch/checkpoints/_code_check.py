"""Check that the processes that run fits have the code that the keys of the fits stand for.

A worker imports the user's modules from the disk, where they may have changed, and does not see
classes that were changed at run time.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from skdistsearch._loaded_source import loaded_sources
from skdistsearch.checkpoints._digest import Digester
from skdistsearch.checkpoints._fingerprint import FitKeys
from skdistsearch.exceptions import BackendError

_log = logging.getLogger("skdistsearch")


@dataclass(frozen=True)
class CodeCheck:
    """Digests of code in the process that computed the keys. Called in those that run fits."""

    sources: Mapping[str, str]
    """Digests of the user's modules, by name."""
    code: Mapping[str, str]
    """Digests of importable classes and functions, by ``module:qualname``."""

    def __call__(self) -> None:
        """Raise `BackendError` if this process has other code."""
        own = loaded_sources()
        differing = [
            name
            for name, digest in self.sources.items()
            if name in own and own[name].digest != digest
        ]
        differing += [name for name in self.code if _digest_by_name(name) != self.code[name]]
        if differing:
            raise BackendError(
                f"The fits cannot be saved to the checkpoint: {', '.join(sorted(differing))} "
                "changed at run time or on disk, and a process that runs fits has other code than "
                "this one. Reload edited modules with importlib.reload, or restart Python."
            )


def _digest_by_name(name: str) -> str:
    module, _, qualname = name.partition(":")
    digester = Digester()
    try:
        value: object = importlib.import_module(module)
        for part in qualname.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return ""
    digester.digest(value)
    return digester.code.get(name, "")


def make_code_check(keys: FitKeys) -> CodeCheck:
    """Return the check for fits with these keys. Warn of modules that were edited."""
    sources = {
        name: source
        for name, source in loaded_sources().items()
        if name.partition(".")[0] in keys.versions
    }
    if edited := [name for name, source in sources.items() if source.edited is not None]:
        _log.warning(
            "%s was edited after it was imported: later searches will not reuse the fits of this "
            "one. Reload it with importlib.reload, or restart Python.",
            ", ".join(edited),
        )
    return CodeCheck({name: source.digest for name, source in sources.items()}, keys.code)
