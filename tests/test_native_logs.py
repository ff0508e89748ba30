"""Log lines of native code are hidden while something is imported, and nothing else is."""

import os
import subprocess
import sys

import pytest

from skdistsearch._native_logs import hide_native_logs

NOISE = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795687252.616450   11013 port.cc:153] oneDNN custom operations are on.",
    "E0000 00:00:1795687252.6   11013 cuda_dnn.cc:8579] Unable to register cuDNN factory",
    "2026-11-26 10:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] optimized",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow",
]


def write_natively(*lines):
    """Write to the file descriptor of stderr, past Python."""
    os.write(2, "".join(f"{line}\n" for line in lines).encode())


def test_log_lines_are_hidden(capfd):
    with hide_native_logs():
        write_natively(*NOISE)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "line", ["Illegal instruction", "F0000 00:00:1795687252.6   11013 port.cc:153] no AVX2"]
)
def test_other_lines_appear(line, capfd):
    with hide_native_logs():
        write_natively(NOISE[0], line, NOISE[1])
    assert capfd.readouterr().err == f"{line}\n"


def test_lines_written_by_python_appear(capfd):
    with hide_native_logs():
        sys.stderr.write("an old version\n")
    assert capfd.readouterr().err == "an old version\n"


def import_broken_module():
    with hide_native_logs():
        write_natively(*NOISE)
        raise ImportError


def test_all_lines_appear_after_an_error(capfd):
    with pytest.raises(ImportError):
        import_broken_module()
    assert capfd.readouterr().err.splitlines() == NOISE


def test_later_lines_appear(capfd):
    with hide_native_logs():
        pass
    write_natively(NOISE[0])
    assert NOISE[0] in capfd.readouterr().err


def test_traceback_of_a_crash_appears():
    source = """
import os
from skdistsearch._native_logs import hide_native_logs
with hide_native_logs():
    os.abort()
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode
    assert 'File "<string>", line 5' in done.stderr


def test_stderr_may_be_closed():
    source = """
import os
from skdistsearch._native_logs import hide_native_logs
os.close(2)
with hide_native_logs():
    print("imported")
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.stdout == "imported\n"
