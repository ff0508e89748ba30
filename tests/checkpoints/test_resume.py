"""Fits of a checkpoint are reused exactly when they would have the same result."""

import json
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
from skdistsearch.backends import Backend
from skdistsearch.checkpoints import checkpoint_url, resume_from_checkpoint
from skdistsearch.exceptions import (
    CheckpointError,
    CorruptDataError,
    NotPicklableError,
    StoreError,
)
from skdistsearch.storage._journal import JournalWriter

SCRIPTS = Path(__file__).parents[1] / "scripts"
X, y = make_regression(40, 3, random_state=0)
WEIGHT = np.linspace(1, 2, len(y))
GRID = {"factor": [0.5, 1.0, 2.0]}


class Lab:
    """Run searches on one checkpoint, and count their fits."""

    def __init__(self, folder):
        self.checkpoint, self.fits = folder / "kept", folder / "fits"
        self.fits.mkdir()

    def search(self, grid=GRID, kind=DistributedSearchCV, estimator=CountingRegressor, **options):
        model = estimator(folder=str(self.fits), **options.pop("params", {}))
        options = {"cv": 2, "refit": False, "checkpoint": self.checkpoint, **options}
        return kind(model, grid, **options)

    def run(self, grid=GRID, *, data=(X, y), fit_params=None, **options):
        """Return the results and the number of fits that ran."""
        before = self.count()
        search = self.search(grid, **options).fit(*data, **fit_params or {})
        return search.cv_results_, self.count() - before

    def count(self):
        return len(list(self.fits.iterdir()))

    def journals(self):
        return sorted(self.checkpoint.glob("fits/*/*.fits.jsonl"))

    def n_saved(self):
        """Return the number of outcomes in the journals."""
        return sum(path.read_bytes().count(b'"outcome"') for path in self.journals())


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def assert_equal_results(results, expected, but=()):
    """Assert that results are identical, including the times."""
    assert results.keys() == expected.keys()
    for name in expected:
        if not name.endswith(but):
            np.testing.assert_array_equal(results[name], expected[name], err_msg=name)


# --- The same search again ---

WAYS = {
    "in process": {},
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
        ("in process", "in process"),
        ("processes", "processes"),
        ("threads", "threads"),
        ("in process", "processes"),
        ("processes", "threads"),
        ("threads", "in process"),
    ],
)
def test_repeated_search_runs_nothing_and_has_identical_results(first, second, lab):
    results, n_fits = run_in(first, lab)
    assert n_fits == 6
    again, n_fits = run_in(second, lab)
    assert n_fits == 0
    assert_equal_results(again, results)
    plain = GridSearchCV(CountingRegressor(folder=str(lab.fits)), GRID, cv=2, refit=False).fit(X, y)
    assert_equal_results(again, plain.cv_results_, but="_time")


@pytest.mark.slow
def test_metaflow_and_this_process_share_a_checkpoint(lab):
    lab.run({"factor": [0.5]})
    results, n_fits = lab.run(backend="metaflow", n_jobs=2)
    assert n_fits == 4
    for options in ({}, {"backend": "metaflow", "n_jobs": 2}):
        again, n_fits = lab.run(**options)
        assert n_fits == 0
        assert_equal_results(again, results)
    search = lab.search().fit(X, y)
    assert len(search.runs_) == 1  # the run of the fits, although they are in the checkpoint


def test_larger_grid_runs_only_new_fits(lab, caplog):
    lab.run({"factor": [1.0, 2.0]})
    with caplog.at_level(logging.INFO, "skdistsearch"):
        results, n_fits = lab.run({"factor": [2.0, 3.0, 1.0]})
    assert n_fits == 2
    assert f"Checkpoint {lab.checkpoint} has 4 of 6 fits." in caplog.text
    assert_equal_results(lab.run({"factor": [2.0, 3.0, 1.0]})[0], results)


def test_other_candidates_do_not_warn(lab, caplog):
    lab.run({"factor": [1.0]})
    with caplog.at_level(logging.INFO, "skdistsearch"):
        assert lab.run({"factor": [2.0, 3.0]})[1] == 4
    assert f"Checkpoint {lab.checkpoint} has 0 of 4 fits." in caplog.text
    assert "afresh" not in caplog.text


def test_more_splits_run_only_new_fits(lab):
    splits = [(np.arange(20), np.arange(20, 30)), (np.arange(30), np.arange(30, 40))]
    assert lab.run(cv=splits[:1])[1] == 3
    assert lab.run(cv=splits)[1] == 3


@pytest.mark.parametrize("sizes", [(1, 3), (3, 1), (2, 3)])
def test_key_does_not_depend_on_the_size_of_the_batch(sizes, lab):
    """With one candidate and one split, scikit-learn passes the same arguments to all fits."""
    one, other = (GRID["factor"][:size] for size in sizes)
    cv = [(np.arange(20), np.arange(20, 40))]
    lab.run({"factor": one}, cv=cv)
    assert lab.run({"factor": other}, cv=cv)[1] == max(0, len(other) - len(one))


def test_equal_candidates_are_separate_fits_without_shared_work(lab):
    grid = {"factor": [1.0, 1.0, 2.0, 1.0]}
    results, n_fits = lab.run(grid, estimator=RandomRegressor, cache_mb=0)
    assert n_fits == 8
    assert len(set(results["mean_test_score"])) == 4
    again, n_fits = lab.run(grid, estimator=RandomRegressor, cache_mb=0)
    assert n_fits == 0
    assert_equal_results(again, results)


def test_randomized_search_reuses_fits_of_a_grid_search(lab):
    lab.run()
    options = {"n_iter": 2, "random_state": 0}
    assert lab.run(kind=DistributedRandomizedSearchCV, **options)[1] == 0


@pytest.mark.parametrize("seed", [0, None])
def test_halving_search_with_a_seed_resumes_in_every_round(seed, lab, caplog):
    options = {"kind": DistributedHalvingGridSearchCV, "random_state": seed, "factor": 2}
    options |= {"min_resources": 10}
    results, n_fits = lab.run(**options)
    assert "afresh" not in caplog.text  # each round has its own splits
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
    assert len(list((lab.checkpoint / "about").iterdir())) == 2  # one per search, not per round


def test_refit_runs_again_with_equal_predictions(lab):
    search = lab.search(refit=True).fit(X, y)
    before = lab.count()
    again = lab.search(refit=True).fit(X, y)
    assert lab.count() - before == 1
    np.testing.assert_array_equal(again.predict(X), search.predict(X))


# --- What changes a key ---

CHANGES = {
    "X": ({}, {"data": (X * 2, y)}, r"X changed"),
    "order of X": ({}, {"data": (np.asfortranarray(X), y)}, r"X changed"),
    "y": ({}, {"data": (X, y + 1)}, r"y changed"),
    "estimator": (
        {"scoring": "r2"},  # scikit-learn's default scorer contains the estimator too
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


@pytest.mark.parametrize(("before", "after", "reason"), CHANGES.values(), ids=CHANGES)
def test_change_is_logged_and_runs_all_fits(before, after, reason, lab, caplog):
    assert lab.run(**before)[1] == 6
    assert not caplog.records
    assert lab.run(**after)[1] == 6
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert re.fullmatch(rf"Checkpoint \S+kept starts afresh: {reason}\.", record.message)
    assert lab.run(**before)[1] == 0  # earlier fits are still there


def test_changed_setting_of_scikit_learn_is_logged(lab, caplog):
    lab.run()
    with sklearn.config_context(assume_finite=True):
        assert lab.run()[1] == 6
    assert "starts afresh: config['assume_finite'] changed." in caplog.text
    with sklearn.config_context(print_changed_only=False):
        assert lab.run()[1] == 0


@pytest.mark.parametrize("module", [sklearn, np], ids=lambda module: module.__name__)
def test_changed_version_is_logged(module, lab, caplog, monkeypatch):
    lab.run()
    old = module.__version__
    monkeypatch.setattr(module, "__version__", "99.0")
    assert lab.run()[1] == 6
    assert re.search(rf"afresh: (scikit-learn|numpy) {old} became 99.0\.", caplog.text)


def test_log_compares_with_the_most_similar_search(lab, caplog):
    lab.run()
    lab.run(data=(X + 1, y + 1))
    caplog.clear()
    assert lab.run(error_score=0)[1] == 6
    assert "starts afresh: error_score changed." in caplog.text


def test_verbosity_and_n_jobs_do_not_change_the_key(lab):
    lab.run()
    assert lab.run(verbose=3, pre_dispatch="all", n_jobs=1)[1] == 0


def test_key_depends_on_code_of_its_own_candidate_only(lab, monkeypatch):
    """A value of one candidate depends on a module of the user's own."""
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


def test_undigestible_parameter_is_an_error_before_any_fit(lab):
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
def test_user_function_is_identified_by_its_code(where, lab, tmp_path, monkeypatch, caplog):
    """The function is defined in the script itself or in a module next to it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(result, comment=""):
        before = lab.count()
        source = SCORE.format(result, comment)
        if where == "module":
            (tmp_path / "own_score.py").write_text(source)
            source = "from own_score import score"
        (tmp_path / "script.py").write_text(SCRIPT.format(source=source))
        sys.modules.pop("own_score", None)  # as in a new process
        names = {"lab": lab, "X": X, "y": y}
        runpy.run_path(str(tmp_path / "script.py"), names, run_name="__main__")
        return lab.count() - before

    assert run("1.0") == 6
    assert run("1.0") == 0
    assert not caplog.records
    assert run("2.0") == 6
    changed = "scorer changed"
    if where == "module":
        changed += "; own_score [0-9a-f]{64} became [0-9a-f]{64}"
    assert re.search(rf"starts afresh: {changed}\.", caplog.text)
    if where == "script":
        assert run("2.0", "a comment") == 0


# --- What is saved ---


def test_failed_fit_is_saved_with_its_traceback(lab):
    grid = {"factor": [1.0, 2.0], "behavior": ["fit", "raise"]}
    with pytest.warns(FitFailedWarning, match="meant to fail"):
        results, n_fits = lab.run(grid, error_score=-7)
    with pytest.warns(FitFailedWarning, match="(?s)4 fits failed.*meant to fail"):
        again, n_fits = lab.run(grid, error_score=-7)
    assert n_fits == 0
    assert_equal_results(again, results)


def test_fit_that_raised_runs_again_and_earlier_fits_do_not(lab):
    grid = [{"factor": [1.0]}, {"behavior": ["raise"]}]
    for n_fits in (3, 1):
        before = lab.count()
        with pytest.raises(ZeroDivisionError):
            lab.run(grid, error_score="raise")
        assert lab.count() - before == n_fits
    assert checkpoints.inspect(lab.checkpoint).n_fits == 2


@dataclass(frozen=True)
class UnreliableBackend(Backend):
    """A backend in which every second fit is lost or raises. Its worker writes a journal."""

    status: str

    def run(self, batch):
        ends = {"lost": {"reason": "no memory"}, "raised": {"raised": Raised((), "no", "")}}
        with JournalWriter(Path(batch.context.journal_url), batch) as writer:
            for number in range(len(batch)):
                outcome = batch.run_in_process(number)
                if number % 2:
                    outcome = Outcome(number, self.status, batch=batch.key, **ends[self.status])
                writer.write_outcome(outcome)
                yield replace(outcome, is_persisted=True)


@pytest.mark.parametrize("status", ["lost", "raised"])
def test_outcome_without_a_result_is_not_a_finished_fit(status, lab):
    raises = (
        pytest.raises(RuntimeError, match="no")
        if status == "raised"
        else pytest.warns((FitFailedWarning, UserWarning), match="no memory|non-finite")
    )
    with raises:
        lab.run(backend=UnreliableBackend(status))
    n_saved = {"lost": 3, "raised": 1}[status]
    assert checkpoints.inspect(lab.checkpoint).n_fits == n_saved
    assert lab.run()[1] == 6 - n_saved


def test_first_outcome_of_a_fit_is_kept(lab):
    """Two processes use a checkpoint at the same time, and both run the same fits."""
    batch = lab.search().plan(X, y).batch
    scores = iter(range(100))
    second = []

    def run(batch):
        for fit in range(len(batch)):
            yield Outcome(fit, "ok", {"test_scores": next(scores), "fit_error": None})

    def run_while_another_does(batch_):
        time.sleep(0.002)  # a tick of the clock
        second.extend(scores_from(run))
        yield from run(batch_)

    def scores_from(run):
        outcomes = sorted(
            resume_from_checkpoint(run, str(lab.checkpoint))(batch), key=lambda outcome: outcome.fit
        )
        return [outcome.result["test_scores"] for outcome in outcomes]

    first = scores_from(run_while_another_does)
    assert sorted(first + second) == list(range(12))
    assert [scores_from(run) for _ in range(3)] == [first] * 3


def test_output_of_a_fit_is_printed_once(lab):
    def run(batch):
        yield Outcome(0, "ok", {"test_scores": 1.0, "fit_error": None}, stdout="[CV] END")

    batch = lab.search().plan(X, y).batch.subset([0])
    printed = [
        next(resume_from_checkpoint(run, str(lab.checkpoint))(batch)).stdout for _ in range(2)
    ]
    assert printed == ["[CV] END", ""]


def test_known_times_of_a_candidate_are_expected_for_other_splits(lab):
    seen = []

    def run(batch):
        seen.append(batch)
        for fit in range(len(batch)):
            times = {"fit_time": 1.0 + batch.fits[fit].candidate, "score_time": 0.5}
            yield Outcome(fit, "ok", {"test_scores": 0.0, "fit_error": None, **times})

    batch = lab.search({"factor": [1.0, 2.0, 3.0]}, cv=3).plan(X, y).batch
    some = [n for n, fit in enumerate(batch.fits) if fit.split == 1 and fit.candidate < 2]
    list(resume_from_checkpoint(run, str(lab.checkpoint))(batch.subset(some)))
    list(resume_from_checkpoint(run, str(lab.checkpoint))(batch))
    assert seen[0].context.expected_seconds == {}
    expected = {(0, 0): 1.5, (0, 2): 1.5, (1, 0): 2.5, (1, 2): 2.5}
    fits = {
        (fit.candidate, fit.split): seen[1].context.expected_seconds.get(n)
        for n, fit in enumerate(seen[1].fits)
    }
    assert fits == {**dict.fromkeys(product([2], range(3))), **expected}


@pytest.fixture
def start_script(lab, tmp_path):
    """Run a script of tests/scripts on the lab's checkpoint, in a process of its own."""
    scripts = []

    def start(name, n_jobs, grid):
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        arguments = [str(lab.fits), str(lab.checkpoint), str(n_jobs), json.dumps(grid)]
        source = (SCRIPTS / name).read_text()
        scripts.append(Script(tmp_path / "script.py", source, env, arguments))
        return scripts[-1]

    yield start
    for script in scripts:
        script.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_killed_search_resumes(lab, start_script):
    # With worker processes: tests/backends/metaflow/test_stopped_caller.py
    grid = {"factor": [float(n) for n in range(8)], "duration_s": [0.2]}
    killed = start_script("run_counting_search.py", 1, grid)
    killed.wait_for(lambda: lab.n_saved() >= 3)
    killed.process.kill()
    killed.process.communicate()
    while killed.left_over():
        time.sleep(0.05)
    n_saved = lab.n_saved()
    assert 3 <= n_saved < 16
    results, n_fits = lab.run(grid)
    assert n_fits == 16 - n_saved
    plain = GridSearchCV(CountingRegressor(folder=str(lab.fits)), grid, cv=2, refit=False).fit(X, y)
    assert_equal_results(results, plain.cv_results_, but="_time")


# --- Errors ---


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_full_disk_is_an_error_and_saved_fits_survive(n_jobs, lab, start_script):
    grid = {"factor": [float(n) for n in range(20)]}
    output, code = start_script("fill_disk.py", n_jobs, grid).finish()
    assert code == 0, output
    message = (
        r"StoreError: Could not save a finished fit to \S+kept/fits/\S+: .*File too large. Earlier "
        "fits are saved: free some disk space and run the search again."
    )
    assert re.search(message, output)
    n_then = int(re.search(r"then (\d+)", output)[1])
    assert 20 <= n_then < 40
    assert lab.n_saved() == 40  # no fit is saved twice


def replace_bytes(old, new):
    def corrupt(path):
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))

    return corrupt


def replace_by_a_folder(path):
    path.unlink()
    path.mkdir()


CORRUPTIONS = {
    "score": (
        "fits",
        replace_bytes(b'"score": ', b'"score": 1'),
        CorruptDataError,
        "line 2, is corrupt",
    ),
    "status": (
        "fits",
        replace_bytes(b'"ok"', b'"okay"'),
        CorruptDataError,
        "line 2, is corrupt",
    ),
    "key": (
        "fits",
        replace_bytes(b'{"key": "', b'{"key": "0'),
        CorruptDataError,
        "Delete this file: its fits",
    ),
    "zeros": (
        "fits",
        replace_bytes(b'{"key"', b"\0\0\0\0"),
        CorruptDataError,
        "line 2, is corrupt",
    ),
    "list": (
        "fits",
        replace_bytes(b'{"key"', b'[]\n{"key"'),
        CorruptDataError,
        "line 2, is corrupt",
    ),
    "head": (
        "fits",
        replace_bytes(b'{"format": 2', b'{"formal": 2'),
        CorruptDataError,
        "line 1, is corrupt",
    ),
    "newer": (
        "fits",
        replace_bytes(b'"format": 2', b'"format": 9'),
        CorruptDataError,
        "format 9, but this version",
    ),
    "folder": ("fits", replace_by_a_folder, StoreError, "The journal .*fits.jsonl cannot be read"),
    "about": (
        "about",
        replace_bytes(b"{", b"["),
        CorruptDataError,
        r"about/\S+ is corrupt.*Delete it",
    ),
    "newer about": (
        "about",
        replace_bytes(b'"format": 1', b'"format": 2'),
        CorruptDataError,
        "Give the check",
    ),
    "strange": (
        "about",
        replace_bytes(b'"digests"', b'"digest5"'),
        CorruptDataError,
        r"about/\S+ is corrupt",
    ),
    "empty": ("about", lambda path: path.write_bytes(b""), CorruptDataError, "is corrupt"),
}


@pytest.mark.parametrize(
    ("prefix", "corrupt", "error", "message"), CORRUPTIONS.values(), ids=CORRUPTIONS
)
def test_corruption_is_an_error_before_any_fit(prefix, corrupt, error, message, lab):
    lab.run(scoring={"score": "r2"})
    (path,) = (lab.checkpoint / prefix).rglob("*.json*")
    corrupt(path)
    before = lab.count()
    with pytest.raises(error, match=message):
        lab.run({"factor": [7.0]}, scoring={"score": "r2"})
    assert lab.count() == before
    path.rmdir() if path.is_dir() else path.unlink()  # as the message advises
    assert lab.run({"factor": [7.0]}, scoring={"score": "r2"})[1] == 2


def test_truncated_journal_costs_the_truncated_fit(lab):
    lab.run()
    (path,) = lab.journals()
    os.truncate(path, path.stat().st_size - 20)
    assert lab.run()[1] == 1
    assert lab.run()[1] == 0


@pytest.mark.parametrize("folder", ["/dev/null/x", "/proc/no/such"])
def test_unwritable_location_is_an_error_before_any_fit(folder, lab):
    with pytest.raises(StoreError, match=rf"{folder} cannot be written to"):
        lab.run(checkpoint=folder)
    assert lab.count() == 0


def test_uncreatable_journal_is_an_error_before_any_fit(lab):
    lab.checkpoint.mkdir()
    (lab.checkpoint / "fits").touch()
    with pytest.raises(StoreError, match="Could not create the journal folder"):
        lab.run()
    assert lab.count() == 0


def test_read_only_checkpoint_suffices_if_nothing_is_missing(lab):
    results, _ = lab.run()
    for path in (lab.checkpoint / "about").iterdir():
        path.unlink()
    (lab.checkpoint / "about").rmdir()
    (lab.checkpoint / "about").touch()  # a file, so that nothing can be written there
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
def test_invalid_checkpoint_is_an_error_with_the_valid_forms(checkpoint, lab):
    with pytest.raises(CheckpointError, match=r"is not valid. Give a name of letters.*s3://b"):
        lab.run(checkpoint=checkpoint)
    assert lab.count() == 0


def test_location_of_a_checkpoint(tmp_path, monkeypatch):
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
