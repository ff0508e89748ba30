import json
import os
import stat
from decimal import Decimal

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV
from skdistsearch._bytes import dump, load, private_folder
from skdistsearch._fit import Outcome, Raised
from skdistsearch._record import Record, Recorder
from skdistsearch.exceptions import RecordError


@pytest.fixture
def batch():
    X = np.asfortranarray(np.arange(60.0).reshape(20, 3))
    return DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2).plan(X, X[:, 0]).batch


def test_loaded_batch_maps_its_arrays_and_may_write_to_them(batch, tmp_path):
    digest = dump(batch, tmp_path)
    before = (tmp_path / "batch").read_bytes()
    X = load(tmp_path, digest).arguments[1]
    np.testing.assert_array_equal(X, batch.arguments[1])
    assert not X.flags.owndata
    assert X.flags.f_contiguous
    X[0, 0] = -1  # the mapping is copy-on-write
    assert (tmp_path / "batch").read_bytes() == before


def test_batch_with_other_bytes_is_not_unpickled(batch, tmp_path):
    digest = dump(batch, tmp_path)
    data = bytearray((tmp_path / "batch").read_bytes())
    data[-1] ^= 1
    (tmp_path / "batch").write_bytes(data)
    with pytest.raises(
        RecordError, match=r"is not what the search wrote.*Nothing of it was loaded"
    ):
        load(tmp_path, digest)


def test_batch_of_a_newer_format_is_refused(batch, tmp_path):
    dump(batch, tmp_path)
    data = (tmp_path / "batch").read_bytes().replace(b'"format": 1', b'"format": 9', 1)
    (tmp_path / "batch").write_bytes(data)
    with pytest.raises(RecordError, match="A batch of format 9; this version reads 1"):
        load(tmp_path)


def test_temporary_files_are_the_users_own_and_gone_afterwards(batch):
    with private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        dump(batch, folder)
    assert not folder.exists()


def test_joblib_temp_folder_is_honoured(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    with private_folder() as folder:
        assert folder.parent == tmp_path


OUTCOMES = [
    Outcome(0, "ok", {"test_scores": {"a": 0.1 + 0.2, "b": float("inf")}, "fit_error": None}),
    Outcome(1, "raised", raised=Raised(("builtins:KeyError",), "'x'", "Traceback ...\n")),
    Outcome(2, "lost", reason="é\n", printed="[CV] END\n", origin="Flow/1/fit/2", batch="key"),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.status)
def test_outcome_survives_json_bit_for_bit(outcome):
    assert Outcome.from_json(json.loads(outcome.to_json())) == outcome


def test_numpy_scores_become_plain_numbers():
    scores = {"f": np.float64(0.1), "g": np.float32(0.5), "i": np.int64(3), "d": Decimal("0.25")}
    plain = json.loads(Outcome(0, "ok", scores).to_json())["result"]
    assert plain == {"f": 0.1, "g": 0.5, "i": 3, "d": 0.25}


def test_score_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="cannot be sent back"):
        Outcome(0, "ok", {"test_scores": object()}).to_json()


def test_record_gives_each_outcome_once_and_knows_what_was_running(tmp_path):
    record = Record(tmp_path, "key", 3)
    with Recorder(tmp_path, "key") as one, Recorder(tmp_path, "key") as other:
        one.started(0)
        assert list(record.new()) == []
        one.finished(OUTCOMES[0])
        other.started(2)
        assert list(record.new()) == [OUTCOMES[0]]
        assert list(record.new()) == []
    assert record.interrupted() == {2}
    assert record.interrupted() == set()


def test_record_files_are_the_users_own(tmp_path):
    with Recorder(tmp_path, "key"):
        (file,) = tmp_path.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_line_cut_short_by_a_death_waits(tmp_path):
    record = Record(tmp_path, "key", 3)
    with Recorder(tmp_path, "key") as recorder:
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
        '{"format": 99, "batch": "key"}',
        '{"format": 1, "batch": "another"}',
    ],
)
def test_damaged_record_is_one_clear_error(line, tmp_path):
    (tmp_path / "1-x.fits.jsonl").write_text(line + "\n")
    with pytest.raises(RecordError, match=r"1-x\.fits\.jsonl is damaged or was tampered with"):
        list(Record(tmp_path, "key", 3).new())


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
