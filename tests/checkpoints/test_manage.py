"""What searches have kept can be seen and deleted, and nothing else can."""

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

X, y = make_regression(40, 3, random_state=0)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Where names are, on this machine."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "skdistsearch" / "checkpoints"


def keep(checkpoint, estimator=None, grid=None, **options):
    grid = grid or {"alpha": [0.1, 1.0]}
    search = DistributedSearchCV(estimator or Ridge(), grid, checkpoint=checkpoint, **options)
    return search.set_params(cv=2, refit=False).fit(X, y)


def test_nothing_is_listed_where_nobody_has_kept_anything():
    assert checkpoints.list() == []


def test_listed_are_names_with_the_last_used_first(root):
    keep("one")
    time.sleep(0.002)
    keep("two")
    time.sleep(0.002)
    keep("one")
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
        keep(
            "mine",
            CountingRegressor(folder=str(tmp_path)),
            {"behavior": ["fit", "raise"]},
            error_score=0,
        )
    (found,) = checkpoints.list()
    assert (found.n_fits, found.n_failed) == (4, 2)
    assert "mine: 4 fits, 2 of them failed; < 0.1 MB; last used 20" in repr(found)


def test_inspected_are_the_searches_too():
    keep("mine")
    time.sleep(0.002)
    keep("mine", grid={"alpha": [5.0]})
    time.sleep(0.002)
    keep("mine", error_score=0)
    found = checkpoints.inspect("mine")
    other, first = found.searches
    assert found.n_fits == 10
    assert (other.count, first.count) == (1, 2)
    assert first.first_use < first.last_use < other.last_use
    assert first.search == "Ridge on ndarray of shape (40, 3), candidates: 1, splits: 2"
    assert first.versions["numpy"] == np.__version__
    assert {name for name in first.digests if first.digests[name] != other.digests[name]} == {
        "error_score"
    }
    assert str(found).splitlines()[0] == repr(found)
    assert "  Ridge on ndarray of shape (40, 3), candidates: 1, splits: 2; 2 times" in str(found)
    assert np.__version__ in str(found)


def test_fit_that_two_processes_have_run_counts_once(root):
    keep("mine")
    (folder,) = (root / "mine" / "fits").iterdir()
    twin = folder.with_name(f"{'9' * 13}-{'0' * 32}")
    twin.mkdir()
    for path in folder.iterdir():
        (twin / path.name).write_bytes(path.read_bytes())
    assert checkpoints.inspect("mine").n_fits == 4


@pytest.mark.parametrize("as_text", [str, Path])
def test_place_does_as_well_as_a_name(as_text, tmp_path):
    place = as_text(tmp_path / "here")
    keep(place)
    assert checkpoints.inspect(place).name == str(place)
    checkpoints.delete(place)
    assert not (tmp_path / "here").exists()


def test_deleted_is_all_of_it_and_nothing_else(root):
    keep("one")
    keep("two")
    (root / "one" / "about" / f".{'a' * 16}").touch()  # of a process killed in the middle
    checkpoints.delete("one")
    assert [path.name for path in root.iterdir()] == ["two"]
    assert checkpoints.inspect("two").n_fits == 4


@pytest.mark.parametrize(
    "foreign",
    ["notes.txt", "fits/notes.txt", "about/notes.json", "fits/1-a/x.fits.jsonl", "data/a.csv"],
)
def test_place_with_files_of_others_is_not_deleted(foreign, root):
    keep("mine")
    (root / "mine" / foreign).parent.mkdir(exist_ok=True)
    (root / "mine" / foreign).touch()
    before = sorted(root.rglob("*"))
    with pytest.raises(CheckpointError, match=rf"not deleted: 1 of its files .* first {foreign}"):
        checkpoints.delete("mine")
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("what", ["a file", "an empty folder", "someone's folder", "nothing"])
@pytest.mark.parametrize("verb", [checkpoints.delete, checkpoints.inspect])
def test_what_is_no_checkpoint_is_left_alone(verb, what, tmp_path):
    place = tmp_path / "place"
    if what == "a file":
        place.touch()
    elif what != "nothing":
        place.mkdir()
        if what == "someone's folder":
            (place / "fits").mkdir()
            (place / "fits" / "model.pkl").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError, match="place is no checkpoint: no search has used it"):
        verb(place)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("verb", [checkpoints.delete, checkpoints.inspect])
def test_unknown_name_is_told_the_known_ones(verb):
    with pytest.raises(CheckpointError, match=r"Known names: none\.$"):
        verb("tournament")
    keep("tournament")
    keep("other")
    with pytest.raises(CheckpointError, match=r"Known names: other, tournament\. Did you mean 't"):
        verb("tournamnet")
    with pytest.raises(CheckpointError, match=r"Known names: other, tournament\.$"):
        verb("xyz")


@pytest.mark.parametrize("verb", [checkpoints.delete, checkpoints.inspect])
def test_mistaken_arguments_are_named(verb):
    with pytest.raises(CheckpointError, match="give a name of letters"):
        verb("gs://bucket/a")
    with pytest.raises(BackendConfigError, match="Did you mean 'metaflow'"):
        verb("mine", backend="metflow")


def test_damaged_one_is_named_and_can_be_deleted(root):
    keep("bad")
    keep("good")
    (path,) = root.glob("bad/fits/*/*")
    path.write_bytes(path.read_bytes().replace(b'"ok"', b'"ko"'))
    found = {one.name: one for one in checkpoints.list()}
    assert found["good"].problem == ""
    assert "bad: 0 fits, then " in repr(found["bad"])
    assert "line 2, is corrupt" in found["bad"].problem
    with pytest.raises(CorruptDataError, match="line 2, is corrupt"):
        checkpoints.inspect("bad")
    checkpoints.delete("bad")
    assert [one.name for one in checkpoints.list()] == ["good"]


def test_module_is_imported_when_it_is_asked_for():
    code = """
import sys, skdistsearch
assert "skdistsearch.checkpoints" not in sys.modules
print(skdistsearch.checkpoints.__all__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == sorted(checkpoints.__all__)
    assert "checkpoints" in skdistsearch.__all__


IN_S3 = """
import json
from helpers.counting_estimator import CountingRegressor
from sklearn.datasets import make_regression
from skdistsearch import DistributedSearchCV, checkpoints
from skdistsearch.exceptions import CheckpointError, CorruptDataError
from skdistsearch.checkpoints._resume import locate
from skdistsearch.backends import resolve

X, y = make_regression(40, 3, random_state=0)
place = locate("mine", resolve("batch").checkpoint_root())

def keep(n_jobs, **grid):
    search = DistributedSearchCV(CountingRegressor(folder={fits!r}), grid, cv=2, refit=False,
                                 n_jobs=n_jobs, checkpoint=place)
    return search.fit(X, y).cv_results_

def as_text(results):
    return json.dumps({{name: list(map(float, results[name])) for name in results
                       if name != "params" and not name.startswith("param_")}})

keep(1, factor=[1.0])
results = keep(2, factor=[1.0, 2.0])
assert as_text(keep(1, factor=[1.0, 2.0])) == as_text(results)
(found,) = checkpoints.list("batch")
assert (found.name, found.url, found.n_fits) == ("mine", place, 4), found
assert found.size_bytes > 1000
inspected = checkpoints.inspect(place)
assert inspected.n_fits == 4
assert inspected.searches[0].count == 3
assert checkpoints.inspect("mine", "batch").searches == inspected.searches
try:
    checkpoints.delete("mime", backend="batch")
except CheckpointError as exc:
    print(exc)
checkpoints.delete("mine", backend="batch")
assert checkpoints.list("batch") == []
"""


@pytest.mark.slow
@pytest.mark.xdist_group("aws")
def test_checkpoint_in_s3_is_one_like_any_other(aws, tmp_path):
    fits = tmp_path / "fits"
    fits.mkdir()
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    env = {**os.environ, **aws.environment(), "PYTHONPATH": path}
    script = Script(tmp_path / "script.py", IN_S3.format(fits=str(fits)), env)
    try:
        said, code = script.finish()
    finally:
        script.kill()
    assert code == 0, said
    assert len(list(fits.iterdir())) == 4
    assert "Known names: mine. Did you mean 'mine'?" in said
    assert [key for key in aws.objects() if "checkpoints" in key] == []
