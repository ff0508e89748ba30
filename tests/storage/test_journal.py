import json
import os
import stat
from decimal import Decimal

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV
from skdistsearch._batch import Batch, Fit
from skdistsearch._outcome import Outcome, Raised
from skdistsearch.exceptions import RecordError
from skdistsearch.storage._journal import (
    InterruptedFit,
    JournalReader,
    JournalWriter,
    iter_recorded,
)
from skdistsearch.storage._paths import temporary_folder
from skdistsearch.storage._serialization import dump, load
from skdistsearch.storage._store import FolderStore


@pytest.fixture
def batch():
    X = np.asfortranarray(np.arange(60.0).reshape(20, 3))
    return DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2).plan(X, X[:, 0]).batch


def batch_of(rows):
    X = np.asfortranarray(np.arange(3.0 * rows).reshape(rows, 3))
    return DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2).plan(X, X[:, 0]).batch


@pytest.mark.parametrize("addressed", [True, False])
@pytest.mark.parametrize("rows", [20, 100_000], ids=["in the head", "apart"])
def test_loaded_batch_maps_its_arrays_and_may_write_to_them(rows, addressed, tmp_path):
    batch = batch_of(rows)
    head = dump(batch, FolderStore(tmp_path), addressed=addressed).head
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    X = load(str(tmp_path), head).arguments[1]
    np.testing.assert_array_equal(X, batch.arguments[1])
    assert not X.flags.owndata
    assert X.flags.aligned
    assert X.flags.f_contiguous
    X[0, 0] = -1  # the mapping is copy-on-write
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_same_data_is_written_once(tmp_path):
    for batch in (batch_of(100_000), batch_of(100_000)):
        dump(batch, FolderStore(tmp_path), addressed=True)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sizes.count(3 * 8 * 100_000) == 1
    assert len(sizes) == 3  # and a head for each
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


@pytest.mark.parametrize("which", ["head", "X"])
def test_batch_with_other_bytes_is_not_unpickled(which, tmp_path):
    head = dump(batch_of(100_000), FolderStore(tmp_path), addressed=True).head
    (big,) = (path for path in tmp_path.iterdir() if path.stat().st_size == 3 * 8 * 100_000)
    path = big if which == "X" else tmp_path / head
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        RecordError, match=r"is not what the search wrote.*Nothing of it was loaded"
    ):
        load(str(tmp_path), head)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"format": 2', b'"format": 9', "A batch of format 9; this version reads 2"),
        (b'{"format"', b'x"format"', "No batch of fits: it begins with"),
    ],
)
def test_batch_of_another_format_is_refused(old, new, message, batch, tmp_path):
    dump(batch, FolderStore(tmp_path), addressed=False)
    (tmp_path / "head").write_bytes((tmp_path / "head").read_bytes().replace(old, new, 1))
    with pytest.raises(RecordError, match=message):
        load(str(tmp_path), "head")


def test_temporary_files_are_the_users_own_and_gone_afterwards(batch):
    with temporary_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        dump(batch, FolderStore(folder), addressed=False)
    assert not folder.exists()


def test_joblib_temp_folder_is_honoured(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    with temporary_folder() as folder:
        assert folder.parent == tmp_path


OUTCOMES = [
    Outcome(0, "ok", {"test_scores": {"a": 0.1 + 0.2, "b": float("inf")}, "fit_error": None}),
    Outcome(1, "raised", raised=Raised(("builtins:KeyError",), "'x'", "Traceback ...\n")),
    Outcome(
        2, "lost", reason="é\n", stdout="[CV] END\n", task_pathspec="Flow/1/fit/2", batch="key"
    ),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.status)
def test_outcome_survives_json_bit_for_bit(outcome):
    assert Outcome.from_fields(json.loads(json.dumps(outcome.to_fields()))) == outcome


def test_numpy_scores_become_plain_numbers():
    scores = {"f": np.float64(0.1), "g": np.float32(0.5), "i": np.int64(3), "d": Decimal("0.25")}
    plain = json.loads(json.dumps(Outcome(0, "ok", scores).to_fields()))["result"]
    assert plain == {"f": 0.1, "g": 0.5, "i": 3, "d": 0.25}


def test_score_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="cannot be sent back"):
        Outcome(0, "ok", {"test_scores": object()}).to_fields()


@pytest.fixture
def three():
    """A batch of three fits."""
    fits = [Fit(number, 0, {}, {}, key=f"key-{number}") for number in range(3)]
    return Batch("key", dict, (), {}, fits)


def test_record_gives_each_outcome_once_and_knows_what_was_running(three, tmp_path):
    record = JournalReader(tmp_path, "key", 3)
    with (
        JournalWriter(tmp_path, three, "F/1/fit/2") as one,
        JournalWriter(tmp_path, three) as other,
    ):
        one.started(0)
        assert list(record.new()) == []
        assert record.running == 1
        one.finished(OUTCOMES[0])
        other.started(2)
        assert list(record.new()) == [OUTCOMES[0]]
        assert list(record.new()) == []
        one.started(1)
    assert list(record.new()) == []
    interrupted = sorted(record.interrupted(), key=lambda one: one.fit)
    assert interrupted == [InterruptedFit(1, "F/1/fit/2"), InterruptedFit(2, "")]
    assert record.interrupted() == []


def test_finished_fits_are_found_by_key(three, tmp_path):
    with JournalWriter(tmp_path, three) as recorder:
        for outcome in OUTCOMES:
            recorder.finished(outcome)
    assert list(iter_recorded(tmp_path)) == [
        (f"key-{outcome.fit}", outcome) for outcome in OUTCOMES
    ]


def test_record_of_a_newer_format_says_what_to_do(three, tmp_path):
    with JournalWriter(tmp_path, three):
        (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(RecordError, match=r"format 3; this version reads 2. Give the checkpoint a"):
        list(iter_recorded(tmp_path))


def test_last_line_that_was_cut_short_counts_as_not_written(three, tmp_path):
    with JournalWriter(tmp_path, three) as recorder:
        recorder.finished(OUTCOMES[0])
        recorder.finished(OUTCOMES[1])
        (file,) = tmp_path.iterdir()
        os.truncate(file, file.stat().st_size - 9)
    assert [key for key, _ in iter_recorded(tmp_path)] == ["key-0"]


def test_damage_in_a_kept_record_is_named_with_its_line(three, tmp_path):
    with JournalWriter(tmp_path, three) as recorder:
        recorder.finished(OUTCOMES[0])
        (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"ok"', '"okay"'))
    with pytest.raises(RecordError, match=r"fits.jsonl, line 2, is damaged.*Delete that file"):
        list(iter_recorded(tmp_path))


def test_record_files_are_the_users_own(three, tmp_path):
    with JournalWriter(tmp_path, three):
        (file,) = tmp_path.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_line_cut_short_by_a_death_waits(three, tmp_path):
    record = JournalReader(tmp_path, "key", 3)
    with JournalWriter(tmp_path, three) as recorder:
        recorder.finished(OUTCOMES[0])
        (file,) = tmp_path.iterdir()
        whole = file.read_bytes()
        os.truncate(file, len(whole) - 9)
        assert list(record.new()) == []
        file.write_bytes(whole)
        assert list(record.new()) == [OUTCOMES[0]]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"started": 3}',
        '{"started": true, "x": 1}\n{"started": "0"}',
        '{"outcome": {"fit": -1, "status": "ok"}}',
        '{"outcome": {"fit": 0, "status": "ok", "code": "import os"}}',
        '{"outcome": {"fit": 0, "status": "well"}}',
        '{"outcome": {"fit": 0, "status": "ok", "result": "none"}}',
        '{"format": 99, "batch": "key"}',
        '{"format": 2, "batch": "another"}',
    ],
)
def test_damaged_record_is_one_clear_error(line, tmp_path):
    (tmp_path / "1-x.fits.jsonl").write_text(line + "\n")
    with pytest.raises(RecordError, match=r"1-x\.fits\.jsonl is damaged or was tampered with"):
        list(JournalReader(tmp_path, "key", 3).new())


class _Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b

    def __str__(self):
        return f"odd {self.b}"


@pytest.mark.parametrize(
    "error", [ValueError("v"), _Odd(1, 2), KeyError("k"), OSError(2, "no"), SystemExit(3)]
)
def test_exception_keeps_its_type_and_tells_both_sides(error):
    try:
        raise error
    except BaseException as exc:
        rebuilt = Raised.from_exception(exc).to_exception()
    assert isinstance(rebuilt, type(error))
    assert type(rebuilt).__name__ == type(error).__name__
    assert str(error) in str(rebuilt)
    assert "Traceback" in str(rebuilt)


def test_exception_of_an_unknown_class_becomes_its_nearest_known_base():
    raised = Raised(("gone.module:Mine", "builtins:LookupError", "builtins:Exception"), "m", "t")
    assert type(raised.to_exception()).__mro__[1] is LookupError


def test_reading_an_outcome_imports_nothing():
    raised = Raised(("antigravity:Evil", "os:system", "builtins:Exception"), "m", "t")
    assert type(raised.to_exception()).__mro__[1] is Exception
