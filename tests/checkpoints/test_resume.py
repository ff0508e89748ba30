"""Finished fits are found again if, and only if, they would be the same."""

import logging
import os
import re
import runpy
import sys
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import sklearn
from helpers.counting_estimator import CountingRegressor, RandomRegressor
from helpers.subprocesses import Script
from joblib import parallel_config
from sklearn.datasets import make_regression
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedRandomizedSearchCV,
    DistributedSearchCV,
    checkpoints,
)
from skdistsearch._outcome import Outcome, Raised
from skdistsearch.checkpoints._resume import checkpoint_url, resume_from_checkpoint
from skdistsearch.exceptions import (
    CheckpointError,
    CorruptDataError,
    NotPicklableError,
    StoreError,
)
from skdistsearch.storage._journal import JournalWriter

X, y = make_regression(40, 3, random_state=0)
WEIGHT = np.linspace(1, 2, len(y))
GRID = {"factor": [0.5, 1.0, 2.0]}


class Lab:
    """Runs searches on one checkpoint, and counts their fits."""

    def __init__(self, folder):
        self.place, self.fits = folder / "kept", folder / "fits"
        self.fits.mkdir()

    def search(self, grid=GRID, kind=DistributedSearchCV, estimator=CountingRegressor, **options):
        made = estimator(folder=str(self.fits), **options.pop("params", {}))
        options = {"cv": 2, "refit": False, "checkpoint": self.place, **options}
        return kind(made, grid, **options)

    def run(self, grid=GRID, *, data=(X, y), fit_params=None, **options):
        """The results, and how many fits there were."""
        before = self.count()
        search = self.search(grid, **options).fit(*data, **fit_params or {})
        return search.cv_results_, self.count() - before

    def count(self):
        return len(list(self.fits.iterdir()))

    def records(self):
        return sorted(self.place.glob("fits/*/*.fits.jsonl"))

    def kept(self):
        """How many outcomes have been written down."""
        return sum(path.read_bytes().count(b'"outcome"') for path in self.records())


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def assert_equal_results(results, expected, but=()):
    """To the bit, times included."""
    assert results.keys() == expected.keys()
    for name in expected:
        if not name.endswith(but):
            np.testing.assert_array_equal(results[name], expected[name], err_msg=name)


# --- The same search again. ---

WAYS = {
    "here": {},
    "processes": {"n_jobs": 2},
    "threads": {"n_jobs": 2},
}


def run_in(way, lab, *args):
    if way != "threads":
        return lab.run(*args, **WAYS[way])
    with parallel_config("threading"):
        return lab.run(*args, **WAYS[way])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("here", "here"),
        ("processes", "processes"),
        ("threads", "threads"),
        ("here", "processes"),
        ("processes", "threads"),
        ("threads", "here"),
    ],
)
def test_same_search_runs_nothing_and_gives_the_same_to_the_bit(first, second, lab):
    results, n_fits = run_in(first, lab)
    assert n_fits == 6
    again, n_fits = run_in(second, lab)
    assert n_fits == 0
    assert_equal_results(again, results)
    plain = GridSearchCV(CountingRegressor(folder=str(lab.fits)), GRID, cv=2, refit=False).fit(X, y)
    assert_equal_results(again, plain.cv_results_, but="_time")


@pytest.mark.slow
def test_metaflow_and_this_process_serve_each_other(lab):
    lab.run({"factor": [0.5]})
    results, n_fits = lab.run(backend="metaflow", n_jobs=2)
    assert n_fits == 4
    for options in ({}, {"backend": "metaflow", "n_jobs": 2}):
        again, n_fits = lab.run(**options)
        assert n_fits == 0
        assert_equal_results(again, results)
    search = lab.search().fit(X, y)
    assert len(search.runs_) == 1  # the fits' own, wherever they are found


def test_grown_grid_runs_only_what_is_new(lab, caplog):
    lab.run({"factor": [1.0, 2.0]})
    with caplog.at_level(logging.INFO, "skdistsearch"):
        results, n_fits = lab.run({"factor": [2.0, 3.0, 1.0]})
    assert n_fits == 2
    assert f"Checkpoint {lab.place} has 4 of 6 fits." in caplog.text
    assert_equal_results(lab.run({"factor": [2.0, 3.0, 1.0]})[0], results)


def test_other_candidates_are_no_reason_to_warn(lab, caplog):
    lab.run({"factor": [1.0]})
    with caplog.at_level(logging.INFO, "skdistsearch"):
        assert lab.run({"factor": [2.0, 3.0]})[1] == 4
    assert f"Checkpoint {lab.place} has 0 of 4 fits." in caplog.text
    assert "afresh" not in caplog.text


def test_more_splits_run_only_what_is_new(lab):
    splits = [(np.arange(20), np.arange(20, 30)), (np.arange(30), np.arange(30, 40))]
    assert lab.run(cv=splits[:1])[1] == 3
    assert lab.run(cv=splits)[1] == 3


@pytest.mark.parametrize("sizes", [(1, 3), (3, 1), (2, 3)])
def test_fit_is_the_same_in_a_batch_of_whatever_size(sizes, lab):
    """With one candidate and one split, all that scikit-learn hands to a fit is shared."""
    one, other = (GRID["factor"][:size] for size in sizes)
    cv = [(np.arange(20), np.arange(20, 40))]
    lab.run({"factor": one}, cv=cv)
    assert lab.run({"factor": other}, cv=cv)[1] == max(0, len(other) - len(one))


def test_equal_candidates_that_are_not_shared_stay_fits_of_their_own(lab):
    grid = {"factor": [1.0, 1.0, 2.0, 1.0]}
    results, n_fits = lab.run(grid, estimator=RandomRegressor, cache_mb=0)
    assert n_fits == 8
    assert len(set(results["mean_test_score"])) == 4
    again, n_fits = lab.run(grid, estimator=RandomRegressor, cache_mb=0)
    assert n_fits == 0
    assert_equal_results(again, results)


def test_randomized_search_finds_what_a_grid_search_has_kept(lab):
    lab.run()
    options = {"n_iter": 2, "random_state": 0}
    assert lab.run(kind=DistributedRandomizedSearchCV, **options)[1] == 0


@pytest.mark.parametrize("seed", [0, None])
def test_halving_search_resumes_in_every_round_if_it_has_a_seed(seed, lab, caplog):
    options = {"kind": DistributedHalvingGridSearchCV, "random_state": seed, "factor": 2}
    options |= {"min_resources": 10}
    results, n_fits = lab.run(**options)
    assert "afresh" not in caplog.text  # a round has splits of its own
    assert n_fits == 10
    again, n_fits = lab.run(**options)
    if seed is None:
        assert n_fits == 10
        assert re.search(
            r"afresh: the splits changed \(random splits without a random_state", caplog.text
        )
        return
    assert n_fits == 0
    assert_equal_results(again, results)
    assert len(list((lab.place / "about").iterdir())) == 2  # one a search, not one a round


def test_refit_and_callers_are_as_ever(lab):
    search = lab.search(refit=True).fit(X, y)
    before = lab.count()
    again = lab.search(refit=True).fit(X, y)
    assert lab.count() - before == 1
    np.testing.assert_array_equal(again.predict(X), search.predict(X))


# --- What makes another fit of it. ---

OTHER = {
    "X": ({}, {"data": (X * 2, y)}, r"X changed"),
    "order of X": ({}, {"data": (np.asfortranarray(X), y)}, r"X changed"),
    "y": ({}, {"data": (X, y + 1)}, r"y changed"),
    "estimator": (
        {"scoring": "r2"},  # scikit-learn's own scorer holds the estimator too
        {"scoring": "r2", "estimator": RandomRegressor},
        r"estimator changed",
    ),
    "parameter": (
        {"scoring": "r2"},
        {"scoring": "r2", "params": {"duration_s": 1e-4}},
        r"estimator changed",
    ),
    "scorer": ({}, {"scoring": "r2"}, r"scorer changed"),
    "several": (
        {"scoring": ["r2"]},
        {"scoring": ["neg_mean_squared_error"]},
        r"scorer.* changed",
    ),
    "cv": ({}, {"cv": KFold(2, shuffle=True, random_state=0)}, r"the splits changed \(.*\)"),
    "weight": (
        {"fit_params": {"sample_weight": WEIGHT}},
        {"fit_params": {"sample_weight": WEIGHT[::-1].copy()}},
        r"fit_params\['sample_weight'\] changed(; score_params\['sample_weight'\] changed)?",
    ),
    "fit parameter": (
        {"fit_params": {"power": 2}},
        {"fit_params": {"power": 3}},
        r"fit_params\['power'\] changed",
    ),
    "new fit parameter": (
        {},
        {"fit_params": {"power": 2}},
        r"fit_params changed; fit_params\['power'\] changed",
    ),
    "error_score": ({}, {"error_score": 0}, r"error_score changed"),
    "train score": ({}, {"return_train_score": True}, r"return_train_score changed"),
}


@pytest.mark.parametrize(("before", "after", "why"), OTHER.values(), ids=OTHER)
def test_change_starts_afresh_and_the_log_says_why(before, after, why, lab, caplog):
    assert lab.run(**before)[1] == 6
    assert not caplog.records
    assert lab.run(**after)[1] == 6
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert re.fullmatch(rf"Checkpoint \S+kept starts afresh: {why}\.", record.message)
    assert lab.run(**before)[1] == 0  # and what was kept before is still there


def test_setting_of_scikit_learn_is_named(lab, caplog):
    lab.run()
    with sklearn.config_context(assume_finite=True):
        assert lab.run()[1] == 6
    assert "starts afresh: config['assume_finite'] changed." in caplog.text
    with sklearn.config_context(print_changed_only=False):
        assert lab.run()[1] == 0


@pytest.mark.parametrize("module", [sklearn, np], ids=lambda module: module.__name__)
def test_version_is_named(module, lab, caplog, monkeypatch):
    lab.run()
    old = module.__version__
    monkeypatch.setattr(module, "__version__", "99.0")
    assert lab.run()[1] == 6
    assert re.search(rf"afresh: (scikit-learn|numpy) {old} became 99.0\.", caplog.text)


def test_search_is_compared_with_the_one_that_was_most_like_it(lab, caplog):
    lab.run()
    lab.run(data=(X + 1, y + 1))
    caplog.clear()
    assert lab.run(error_score=0)[1] == 6
    assert "starts afresh: error_score changed." in caplog.text


def test_what_prints_or_hurries_makes_no_other_fit_of_it(lab):
    lab.run()
    assert lab.run(verbose=3, pre_dispatch="all", n_jobs=1)[1] == 0


def test_version_behind_one_candidate_is_of_no_concern_to_another(lab, monkeypatch):
    """A value of a candidate rests on a module of the user's own."""
    home = lab.fits.parent / "modules"
    home.mkdir()
    monkeypatch.syspath_prepend(home)
    (home / "own_power.py").write_text("class Two(float):\n    pass\n")
    import own_power

    grid = {"factor": [own_power.Two(2), 1.0]}
    lab.run(grid)
    assert lab.run(grid)[1] == 0
    (home / "own_power.py").write_text("class Two(float):\n    changed = True\n")
    assert lab.run(grid)[1] == 2


def test_what_cannot_be_recognized_is_named_before_the_first_fit(lab):
    with pytest.raises(NotPicklableError, match=r"factor.*\(generator\) cannot be recognized"):
        lab.run({"factor": [1.0, (i for i in "abc")]})
    assert lab.count() == 0


SCRIPT = """
from sklearn.metrics import make_scorer
{source}
search = lab.search(scoring=make_scorer(score)).fit(X, y)
"""
SCORE = "def score(y, predicted):\n    return {}  # {}\n"


@pytest.mark.parametrize("where", ["script", "module"])
def test_function_of_the_users_own_is_known_by_what_it_does(
    where, lab, tmp_path, monkeypatch, caplog
):
    """Defined in the script itself, or in a module beside it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(result, comment=""):
        before = lab.count()
        source = SCORE.format(result, comment)
        if where == "module":
            (tmp_path / "own_score.py").write_text(source)
            source = "from own_score import score"
        (tmp_path / "script.py").write_text(SCRIPT.format(source=source))
        sys.modules.pop("own_score", None)  # as in a process that begins
        names = {"lab": lab, "X": X, "y": y}
        runpy.run_path(str(tmp_path / "script.py"), names, run_name="__main__")
        return lab.count() - before

    assert run("1.0") == 6
    assert run("1.0") == 0
    assert not caplog.records
    assert run("2.0") == 6
    changed = (
        "scorer changed" if where == "script" else "own_score [0-9a-f]{64} became [0-9a-f]{64}"
    )
    assert re.search(rf"starts afresh: {changed}\.", caplog.text)
    if where == "script":
        assert run("2.0", "a comment") == 0


# --- What is kept. ---


def test_fit_that_failed_is_kept_with_its_story(lab):
    grid = {"factor": [1.0, 2.0], "behavior": ["fit", "raise"]}
    with pytest.warns(FitFailedWarning, match="meant to fail"):
        results, n_fits = lab.run(grid, error_score=-7)
    with pytest.warns(FitFailedWarning, match="(?s)4 fits failed.*meant to fail"):
        again, n_fits = lab.run(grid, error_score=-7)
    assert n_fits == 0
    assert_equal_results(again, results)


def test_fit_that_raised_is_run_again_and_those_before_it_are_not(lab):
    grid = [{"factor": [1.0]}, {"behavior": ["raise"]}]
    for n_fits in (3, 1):
        before = lab.count()
        with pytest.raises(ZeroDivisionError):
            lab.run(grid, error_score="raise")
        assert lab.count() - before == n_fits
    assert checkpoints.inspect(lab.place).n_fits == 2


@dataclass(frozen=True)
class Unlucky:
    """A backend whose worker writes down, as all do, that each second fit is no more."""

    status: str

    def run(self, batch):
        ends = {"lost": {"reason": "no memory"}, "raised": {"raised": Raised((), "no", "")}}
        with JournalWriter(Path(batch.record), batch) as recorder:
            for number in range(len(batch)):
                outcome = batch.run_here(number)
                if number % 2:
                    outcome = Outcome(number, self.status, batch=batch.key, **ends[self.status])
                recorder.write_outcome(outcome)
                yield replace(outcome, is_persisted=True)


@pytest.mark.parametrize("status", ["lost", "raised"])
def test_outcome_without_a_result_is_no_finished_fit(status, lab):
    raises = (
        pytest.raises(RuntimeError, match="no")
        if status == "raised"
        else pytest.warns((FitFailedWarning, UserWarning), match="no memory|non-finite")
    )
    with raises:
        lab.run(backend=Unlucky(status))
    n_kept = {"lost": 3, "raised": 1}[status]
    assert checkpoints.inspect(lab.place).n_fits == n_kept
    assert lab.run()[1] == 6 - n_kept


def test_first_outcome_of_a_fit_stays_the_one(lab):
    """Two processes on one checkpoint at the same time: both run what neither has found."""
    batch = lab.search().plan(X, y).batch
    scores = iter(range(100))
    second = []

    def run(batch):
        for fit in range(len(batch)):
            yield Outcome(fit, "ok", {"test_scores": next(scores), "fit_error": None})

    def run_while_another_does(batch_):
        time.sleep(0.002)  # a clock's tick
        second.extend(scores_from(run))
        yield from run(batch_)

    def scores_from(run):
        outcomes = sorted(
            resume_from_checkpoint(run, str(lab.place))(batch), key=lambda outcome: outcome.fit
        )
        return [outcome.result["test_scores"] for outcome in outcomes]

    first = scores_from(run_while_another_does)
    assert sorted(first + second) == list(range(12))
    assert [scores_from(run) for _ in range(3)] == [first] * 3


def test_what_a_fit_has_printed_is_not_printed_again(lab):
    def run(batch):
        yield Outcome(0, "ok", {"test_scores": 1.0, "fit_error": None}, stdout="[CV] END")

    batch = lab.search().plan(X, y).batch.only([0])
    printed = [next(resume_from_checkpoint(run, str(lab.place))(batch)).stdout for _ in range(2)]
    assert printed == ["[CV] END", ""]


def test_known_times_of_a_candidate_are_expected_of_its_other_splits(lab):
    seen = []

    def run(batch):
        seen.append(batch)
        for fit in range(len(batch)):
            times = {"fit_time": 1.0 + batch.fits[fit].candidate, "score_time": 0.5}
            yield Outcome(fit, "ok", {"test_scores": 0.0, "fit_error": None, **times})

    batch = lab.search({"factor": [1.0, 2.0, 3.0]}, cv=3).plan(X, y).batch
    some = [n for n, fit in enumerate(batch.fits) if fit.split == 1 and fit.candidate < 2]
    list(resume_from_checkpoint(run, str(lab.place))(batch.only(some)))
    list(resume_from_checkpoint(run, str(lab.place))(batch))
    assert seen[0].seconds is None
    expected = {(0, 0): 1.5, (0, 2): 1.5, (1, 0): 2.5, (1, 2): 2.5}
    fits = {
        (fit.candidate, fit.split): seen[1].seconds.get(n) for n, fit in enumerate(seen[1].fits)
    }
    assert fits == {**dict.fromkeys(product([2], range(3))), **expected}


SEARCH = """
import os, resource
from sklearn.datasets import make_regression
from skdistsearch import DistributedSearchCV
from skdistsearch.exceptions import StoreError
from helpers.counting_estimator import CountingRegressor
X, y = make_regression(40, 3, random_state=0)
search = DistributedSearchCV(CountingRegressor(folder={fits!r}), {grid!r}, cv=2, refit=False,
    n_jobs={n_jobs}, checkpoint={place!r})
"""


@pytest.fixture
def script(lab, tmp_path):
    """Run a script with a search on the lab's checkpoint, in a process of its own."""
    scripts = []

    def begin(n_jobs, grid, rest):
        names = {"fits": str(lab.fits), "place": str(lab.place), "n_jobs": n_jobs, "grid": grid}
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        source = SEARCH.format(**names) + rest
        scripts.append(Script(tmp_path / "script.py", source, env))
        return scripts[-1]

    yield begin
    for each in scripts:
        each.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_that_was_killed_goes_on_where_it_was(n_jobs, lab, script):
    # Workers look for their parent once a second
    grid = {"factor": [float(n) for n in range(8)], "duration_s": [0.4]}
    killed = script(n_jobs, grid, "search.fit(X, y)")
    killed.wait_for(lambda: lab.kept() >= 3)
    killed.process.kill()
    killed.process.communicate()
    while killed.left_over():
        time.sleep(0.05)
    kept = lab.kept()
    assert 3 <= kept < 16
    results, n_fits = lab.run(grid)
    assert n_fits == 16 - kept
    plain = GridSearchCV(CountingRegressor(folder=str(lab.fits)), grid, cv=2, refit=False).fit(X, y)
    assert_equal_results(results, plain.cv_results_, but="_time")


# --- What goes wrong. ---


FULL = """
def score(estimator, X, y):
    if "LIMIT" in os.environ:  # where the fit runs, once all else has been written
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["LIMIT"]), hard))
    return float(y.sum())

search.set_params(scoring=score)
os.environ["LIMIT"] = "900"
try:
    search.fit(X, y)
except StoreError as exc:
    print("StoreError:", exc)
del os.environ["LIMIT"]
resource.setrlimit(resource.RLIMIT_FSIZE, [resource.getrlimit(resource.RLIMIT_FSIZE)[1]] * 2)
before = len(os.listdir({fits!r}))
search.set_params(n_jobs=1).fit(X, y)
print("then", len(os.listdir({fits!r})) - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_full_disk_is_one_clear_error_and_what_was_kept_stays(n_jobs, lab, script):
    grid = {"factor": [float(n) for n in range(20)]}
    said, code = script(n_jobs, grid, FULL.format(fits=str(lab.fits))).finish()
    assert code == 0, said
    assert re.search(
        r"StoreError: A finished fit cannot be kept in \S+kept/fits/\S+: .*File too large. Those "
        "before it are; make room and run the same again",
        said,
    )
    n_then = int(re.search(r"then (\d+)", said)[1])
    assert 20 <= n_then < 40
    assert lab.kept() == 40  # of no fit there are two


def edit(old, new):
    def damage(path):
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))

    return damage


def be_a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGED = {
    "score": (
        "fits",
        edit(b'"score": ', b'"score": 1'),
        CorruptDataError,
        "line 2, is corrupt",
    ),
    "status": (
        "fits",
        edit(b'"ok"', b'"okay"'),
        CorruptDataError,
        "line 2, is corrupt",
    ),
    "key": (
        "fits",
        edit(b'{"key": "', b'{"key": "0'),
        CorruptDataError,
        "Delete this file: its fits",
    ),
    "zeros": (
        "fits",
        edit(b'{"key"', b"\0\0\0\0"),
        CorruptDataError,
        "line 2, is corrupt",
    ),
    "list": ("fits", edit(b'{"key"', b'[]\n{"key"'), CorruptDataError, "line 2, is corrupt"),
    "head": (
        "fits",
        edit(b'{"format": 2', b'{"formal": 2'),
        CorruptDataError,
        "line 1, is corrupt",
    ),
    "newer": (
        "fits",
        edit(b'"format": 2', b'"format": 9'),
        CorruptDataError,
        "format 9, but this version",
    ),
    "folder": ("fits", be_a_folder, StoreError, "The journal .*fits.jsonl cannot be read"),
    "about": ("about", edit(b"{", b"["), CorruptDataError, r"about/\S+ is damaged.*Delete it"),
    "newer about": (
        "about",
        edit(b'"format": 1', b'"format": 2'),
        CorruptDataError,
        "Give the check",
    ),
    "strange": ("about", edit(b'"parts"', b'"porch"'), CorruptDataError, r"about/\S+ is damaged"),
    "empty": ("about", lambda path: path.write_bytes(b""), CorruptDataError, "is damaged"),
}


@pytest.mark.parametrize(("where", "damage", "error", "says"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_a_clear_error_before_any_fit(where, damage, error, says, lab):
    lab.run(scoring={"score": "r2"})
    (path,) = (lab.place / where).rglob("*.json*")
    damage(path)
    before = lab.count()
    with pytest.raises(error, match=says):
        lab.run({"factor": [7.0]}, scoring={"score": "r2"})
    assert lab.count() == before
    path.rmdir() if path.is_dir() else path.unlink()  # as the message has it
    assert lab.run({"factor": [7.0]}, scoring={"score": "r2"})[1] == 2


def test_record_that_was_cut_short_costs_what_was_cut(lab):
    lab.run()
    (path,) = lab.records()
    os.truncate(path, path.stat().st_size - 20)
    assert lab.run()[1] == 1
    assert lab.run()[1] == 0


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/no/such"])
def test_place_that_cannot_be_written_to_is_named_before_any_fit(place, lab):
    with pytest.raises(StoreError, match=rf"{place} cannot be written to"):
        lab.run(checkpoint=place)
    assert lab.count() == 0


def test_record_that_cannot_be_made_is_named_before_any_fit(lab):
    lab.place.mkdir()
    (lab.place / "fits").touch()
    with pytest.raises(StoreError, match="No record of the fits can be made"):
        lab.run()
    assert lab.count() == 0


def test_reading_is_enough_where_nothing_is_missing(lab):
    results, _ = lab.run()
    for path in (lab.place / "about").iterdir():
        path.unlink()
    (lab.place / "about").rmdir()
    (lab.place / "about").touch()  # nothing can be written there
    assert_equal_results(lab.run()[0], results)
    with pytest.raises(StoreError, match="cannot be written to"):
        lab.run({"factor": [9.0]})


@pytest.mark.parametrize(
    "checkpoint",
    [
        *("", "a b", "-x", "s3://", "s3:///a", "gs://b/a", "~nobody-has-this-name/x"),
        *(Path("s3://bucket/a"), b"a/b", 3, True, ["a"]),
    ],
    ids=repr,
)
def test_what_is_no_checkpoint_is_told_what_would_be(checkpoint, lab):
    with pytest.raises(CheckpointError, match=r"is no checkpoint: give a name of letters.*s3://b"):
        lab.run(checkpoint=checkpoint)
    assert lab.count() == 0


def test_place_of_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert checkpoint_url("mine-1.0") == f"{tmp_path}/skdistsearch/checkpoints/mine-1.0"
    assert checkpoint_url("mine", "s3://b/checkpoints") == "s3://b/checkpoints/mine"
    assert checkpoint_url("s3://b/a/") == "s3://b/a"
    assert (
        checkpoint_url("./a")
        == checkpoint_url(Path("a"))
        == checkpoint_url("b/../a").replace("b/../", "")
    )
    assert checkpoint_url("~/a") == str(Path.home() / "a")
