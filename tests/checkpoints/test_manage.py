"""Listing, inspecting and deleting checkpoints."""

import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from helpers.counting_estimator import CountingRegressor
from helpers.subprocesses import Script
from sklearn.datasets import make_regression
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge

import skdistsearch
from skdistsearch import DistributedSearchCV, checkpoints
from skdistsearch.exceptions import BackendConfigError, CheckpointError, CorruptDataError

SCRIPTS = Path(__file__).parents[1] / "scripts"
X, y = make_regression(40, 3, random_state=0)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Folder of the named checkpoints on this machine."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "skdistsearch" / "checkpoints"


def run_search(checkpoint, estimator=None, grid=None, **options):
    grid = grid or {"alpha": [0.1, 1.0]}
    search = DistributedSearchCV(estimator or Ridge(), grid, checkpoint=checkpoint, **options)
    return search.set_params(cv=2, refit=False).fit(X, y)


def test_list_is_empty_without_checkpoints():
    assert checkpoints.list() == []


def test_list_has_the_last_used_checkpoint_first(root):
    run_search("one")
    time.sleep(0.002)
    run_search("two")
    time.sleep(0.002)
    run_search("one")
    (root / "no-checkpoint").mkdir()
    (root / "no-checkpoint" / "notes.txt").touch()
    one, two = checkpoints.list()
    assert (one.name, two.name) == ("one", "two")
    assert one.url == str(root / "one")
    assert one.n_fits == two.n_fits == 4
    assert one.first_use < two.first_use == two.last_use < one.last_use
    assert abs(one.last_use - datetime.now().astimezone()) < timedelta(minutes=5)
    assert one.size_bytes == sum(path.stat().st_size for path in root.glob("one/fits/*/*"))


def test_failed_fits_are_counted(tmp_path):
    with pytest.warns(FitFailedWarning):
        run_search(
            "mine",
            CountingRegressor(folder=str(tmp_path)),
            {"behavior": ["fit", "raise"]},
            error_score=0,
        )
    (checkpoint,) = checkpoints.list()
    assert (checkpoint.n_fits, checkpoint.n_failed) == (4, 2)
    assert "mine: 4 fits, 2 of them failed; < 0.1 MB; last used 20" in repr(checkpoint)


def test_inspect_returns_the_searches():
    run_search("mine")
    time.sleep(0.002)
    run_search("mine", grid={"alpha": [5.0]})
    time.sleep(0.002)
    run_search("mine", error_score=0)
    checkpoint = checkpoints.inspect("mine")
    other, first = checkpoint.searches
    assert checkpoint.n_fits == 10
    assert (other.count, first.count) == (1, 2)
    assert first.first_use < first.last_use < other.last_use
    assert first.search == "Ridge on ndarray of shape (40, 3), candidates: 1, splits: 2"
    assert first.versions["numpy"] == np.__version__
    assert {name for name in first.digests if first.digests[name] != other.digests[name]} == {
        "error_score"
    }
    assert str(checkpoint).splitlines()[0] == repr(checkpoint)
    assert "  Ridge on ndarray of shape (40, 3), candidates: 1, splits: 2; 2 times" in str(
        checkpoint
    )
    assert np.__version__ in str(checkpoint)


def test_fit_run_by_two_processes_counts_once(root):
    run_search("mine")
    (folder,) = (root / "mine" / "fits").iterdir()
    twin = folder.with_name(f"{'9' * 13}-{'0' * 32}")
    twin.mkdir()
    for path in folder.iterdir():
        (twin / path.name).write_bytes(path.read_bytes())
    assert checkpoints.inspect("mine").n_fits == 4


@pytest.mark.parametrize("as_text", [str, Path])
def test_folder_can_be_given_instead_of_a_name(as_text, tmp_path):
    folder = as_text(tmp_path / "folder")
    run_search(folder)
    assert checkpoints.inspect(folder).name == str(folder)
    checkpoints.delete(folder)
    assert not (tmp_path / "folder").exists()


def test_delete_removes_one_checkpoint_completely(root):
    run_search("one")
    run_search("two")
    (root / "one" / "about" / f".{'a' * 16}").touch()  # left by a killed process
    checkpoints.delete("one")
    assert [path.name for path in root.iterdir()] == ["two"]
    assert checkpoints.inspect("two").n_fits == 4


@pytest.mark.parametrize(
    "foreign",
    ["notes.txt", "fits/notes.txt", "about/notes.json", "fits/1-a/x.fits.jsonl", "data/a.csv"],
)
def test_checkpoint_with_foreign_files_is_not_deleted(foreign, root):
    run_search("mine")
    (root / "mine" / foreign).parent.mkdir(exist_ok=True)
    (root / "mine" / foreign).touch()
    before = sorted(root.rglob("*"))
    with pytest.raises(CheckpointError, match=rf"not deleted: 1 of its files .* first {foreign}"):
        checkpoints.delete("mine")
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("content", ["a file", "an empty folder", "a foreign folder", "nothing"])
@pytest.mark.parametrize("function", [checkpoints.delete, checkpoints.inspect])
def test_other_files_are_left_alone(function, content, tmp_path):
    path = tmp_path / "place"
    if content == "a file":
        path.touch()
    elif content != "nothing":
        path.mkdir()
        if content == "a foreign folder":
            (path / "fits").mkdir()
            (path / "fits" / "model.pkl").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError, match="place is not a checkpoint: no search has used it"):
        function(path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("function", [checkpoints.delete, checkpoints.inspect])
def test_unknown_name_raises_an_error_with_the_known_names(function):
    with pytest.raises(CheckpointError, match=r"Known names: none\.$"):
        function("tournament")
    run_search("tournament")
    run_search("other")
    with pytest.raises(CheckpointError, match=r"Known names: other, tournament\. Did you mean 't"):
        function("tournamnet")
    with pytest.raises(CheckpointError, match=r"Known names: other, tournament\.$"):
        function("xyz")


@pytest.mark.parametrize("function", [checkpoints.delete, checkpoints.inspect])
def test_invalid_arguments_are_named(function):
    with pytest.raises(CheckpointError, match="Give a name of letters"):
        function("gs://bucket/a")
    with pytest.raises(BackendConfigError, match="Did you mean 'metaflow'"):
        function("mine", backend="metflow")


def test_corrupt_checkpoint_is_reported_and_can_be_deleted(root):
    run_search("bad")
    run_search("good")
    (path,) = root.glob("bad/fits/*/*")
    path.write_bytes(path.read_bytes().replace(b'"ok"', b'"ko"'))
    listed = {checkpoint.name: checkpoint for checkpoint in checkpoints.list()}
    assert listed["good"].problem == ""
    assert "bad: 0 fits, then " in repr(listed["bad"])
    assert "line 2, is corrupt" in listed["bad"].problem
    with pytest.raises(CorruptDataError, match="line 2, is corrupt"):
        checkpoints.inspect("bad")
    checkpoints.delete("bad")
    assert [checkpoint.name for checkpoint in checkpoints.list()] == ["good"]


def test_module_is_imported_on_first_use():
    code = """
import sys, skdistsearch
assert "skdistsearch.checkpoints" not in sys.modules
print(skdistsearch.checkpoints.__all__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == sorted(checkpoints.__all__)
    assert "checkpoints" in skdistsearch.__all__


@pytest.mark.slow
@pytest.mark.xdist_group("aws")
def test_checkpoint_in_s3_behaves_like_a_local_one(aws, tmp_path):
    fits = tmp_path / "fits"
    fits.mkdir()
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    env = {**os.environ, **aws.environment(), "PYTHONPATH": path}
    source = (SCRIPTS / "manage_checkpoint_in_s3.py").read_text()
    script = Script(tmp_path / "script.py", source, env, [str(fits)])
    try:
        output, code = script.finish()
    finally:
        script.kill()
    assert code == 0, output
    assert len(list(fits.iterdir())) == 4
    assert "Known names: mine. Did you mean 'mine'?" in output
    assert [key for key in aws.objects() if "checkpoints" in key] == []
