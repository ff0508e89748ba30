"""Data, cache and temporary directories."""

import os
import stat
import time

from skdistsearch.storage._paths import cache_dir, default_data_dir, temporary_folder


def test_temporary_folder_is_private_and_removed():
    with temporary_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "file").touch()
    assert not folder.exists()


def test_temporary_folder_is_in_joblib_temp_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    with temporary_folder() as folder:
        assert folder.parent == tmp_path


def test_temporary_folder_within_another(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", "/nowhere")
    with temporary_folder(str(tmp_path)) as folder:
        assert folder.parent == tmp_path
    assert not folder.exists()


def test_old_files_of_the_cache_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = cache_dir(tmp_path / "fallback")
    assert cache == tmp_path / "skdistsearch" / "data"
    (cache / "new").touch()
    (cache / "old").touch()
    eight_days_ago = time.time() - 8 * 24 * 3600
    os.utime(cache / "old", (eight_days_ago, eight_days_ago))
    assert cache_dir(tmp_path / "fallback") == cache
    assert [path.name for path in cache.iterdir()] == ["new"]


def test_cache_falls_back_to_the_given_folder(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_dir(tmp_path) == tmp_path / "data"


def test_data_directory_follows_xdg_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "skdistsearch"
