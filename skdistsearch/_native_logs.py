"""Hide the log lines that native code writes while something is imported.

TensorFlow's libraries write some twenty lines to the file descriptor of stderr while they are
loaded, before any setting of theirs has an effect: about oneDNN, missing CUDA drivers and
factories that are registered twice. Only the descriptor itself can be redirected in time.
``tests/test_native_logs.py`` watches that nothing else disappears.
"""

from __future__ import annotations

import faulthandler
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_STDERR = 2
_LOG_LINE = re.compile(
    rb"[IWE]\d{4} [\d:.]+ +\d+ \S+:\d+\] "  # absl
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IWE] \S+:\d+\] "  # TensorFlow
    rb"|WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|To enable the following instructions: "
)
_lock = RLock()  # the descriptor belongs to the whole process


@contextmanager
def hide_native_logs() -> Iterator[None]:
    """Hide log lines that are not fatal and that native code writes to stderr within the block.

    Other lines appear at the end of the block, and all lines do if it raises an exception. If the
    process crashes, Python's traceback of the crash appears.
    """
    with _lock, tempfile.TemporaryFile() as hidden:
        try:
            original = os.dup(_STDERR)
        except OSError:  # stderr is closed
            yield
            return
        _flush_stderr()
        os.dup2(hidden.fileno(), _STDERR)
        reports_crash = not faulthandler.is_enabled()
        if reports_crash:
            faulthandler.enable(original)
        has_failed = True
        try:
            yield
            has_failed = False
        finally:
            if reports_crash:
                faulthandler.disable()
            _flush_stderr()
            os.dup2(original, _STDERR)
            hidden.seek(0)
            with open(original, "wb") as stderr:
                stderr.writelines(
                    line for line in hidden if has_failed or not _LOG_LINE.match(line)
                )


def _flush_stderr() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
