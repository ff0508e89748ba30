"""Journals of finished fits: what workers write, and what readers make of it."""

import os
import stat

import pytest
from helpers.sample_outcomes import SAMPLE_OUTCOMES

from skdistsearch._batch import Batch, Fit, FitContext
from skdistsearch._outcome import Outcome
from skdistsearch.exceptions import CorruptDataError, StoreError
from skdistsearch.storage._journal import (
    InterruptedFit,
    JournalReader,
    JournalWriter,
    iter_recorded,
    journal_names,
    open_local_journal,
)


@pytest.fixture
def batch():
    """A batch of three fits."""
    fits = [Fit(number, 0, {}, {}) for number in range(3)]
    context = FitContext(fit_keys=[f"key-{number}" for number in range(3)])
    return Batch("key", dict, (), {}, fits, context=context)


def test_reader_returns_each_outcome_once_and_tracks_running_fits(batch, tmp_path):
    reader = JournalReader(tmp_path, "key", 3)
    with (
        JournalWriter(tmp_path, batch, "F/1/fit/2") as one,
        JournalWriter(tmp_path, batch) as other,
    ):
        one.write_start(0)
        assert list(reader.read_new()) == []
        assert len(reader.running_fits()) == 1
        one.write_outcome(SAMPLE_OUTCOMES[0])
        other.write_start(2)
        assert list(reader.read_new()) == [SAMPLE_OUTCOMES[0]]
        assert list(reader.read_new()) == []
        one.write_start(1)
    assert list(reader.read_new()) == []
    interrupted = sorted(reader.pop_interrupted(), key=lambda one: one.fit)
    assert interrupted == [InterruptedFit(1, "F/1/fit/2"), InterruptedFit(2, "")]
    assert reader.pop_interrupted() == []


def test_journal_written_by_another_process_ends_the_fit_of_the_task(batch, tmp_path):
    lost = Outcome(1, "lost", reason="it took too long", batch="key")
    reader = JournalReader(tmp_path, "key", 3, task="1-2")
    with JournalWriter(tmp_path, batch, "F/1/fit/2") as writer:
        writer.write_start(1)
        assert list(reader.read_new()) == []
        name, content = writer.encode_journal(lost)
    (tmp_path / name).write_bytes(content)
    assert list(reader.read_new()) == [lost]
    assert (reader.n_retries, reader.pop_interrupted()) == (0, [])
    assert list(iter_recorded(tmp_path)) == [("key-1", lost)]


def test_retries_of_tasks_are_counted(batch, tmp_path):
    for task in ("F/1/fit/2", "F/1/fit/2", "F/1/fit/3", ""):
        with JournalWriter(tmp_path, batch, task):
            pass
    reader = JournalReader(tmp_path, "key", 3)
    list(reader.read_new())
    assert reader.n_retries == 1


def test_reader_of_one_task_ignores_other_journals(batch, tmp_path):
    for task, outcome in zip(("F/1/fit/2", "F/1/fit/20"), SAMPLE_OUTCOMES, strict=False):
        with JournalWriter(tmp_path, batch, task) as writer:
            writer.write_outcome(outcome)
    reader = JournalReader(tmp_path, "key", 3, task="1-2")
    assert list(reader.read_new()) == SAMPLE_OUTCOMES[:1]


def test_recorded_fits_have_keys(batch, tmp_path):
    with JournalWriter(tmp_path, batch) as writer:
        for outcome in SAMPLE_OUTCOMES:
            writer.write_outcome(outcome)
    assert list(iter_recorded(tmp_path)) == [
        (f"key-{outcome.fit}", outcome) for outcome in SAMPLE_OUTCOMES
    ]


def test_newer_format_is_an_error_with_advice(batch, tmp_path):
    with JournalWriter(tmp_path, batch):
        (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"format": 2', '"format": 3'))
    message = r"journal format 3, but this version of skdistsearch reads 2. Give the checkpoint a"
    with pytest.raises(CorruptDataError, match=message):
        list(iter_recorded(tmp_path))


def test_incomplete_last_line_is_ignored(batch, tmp_path):
    with JournalWriter(tmp_path, batch) as writer:
        writer.write_outcome(SAMPLE_OUTCOMES[0])
        writer.write_outcome(SAMPLE_OUTCOMES[1])
        (file,) = tmp_path.iterdir()
        os.truncate(file, file.stat().st_size - 9)
    assert [key for key, _ in iter_recorded(tmp_path)] == ["key-0"]


def test_error_names_the_corrupt_line_of_a_checkpoint(batch, tmp_path):
    with JournalWriter(tmp_path, batch) as writer:
        writer.write_outcome(SAMPLE_OUTCOMES[0])
        (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"ok"', '"okay"'))
    with pytest.raises(CorruptDataError, match=r"fits.jsonl, line 2, is corrupt.*Delete this file"):
        list(iter_recorded(tmp_path))


def test_journals_are_private(batch, tmp_path):
    with JournalWriter(tmp_path, batch):
        (file,) = tmp_path.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_incomplete_line_is_read_once_it_is_complete(batch, tmp_path):
    reader = JournalReader(tmp_path, "key", 3)
    with JournalWriter(tmp_path, batch) as writer:
        writer.write_outcome(SAMPLE_OUTCOMES[0])
        (file,) = tmp_path.iterdir()
        content = file.read_bytes()
        os.truncate(file, len(content) - 9)
        assert list(reader.read_new()) == []
        file.write_bytes(content)
        assert list(reader.read_new()) == [SAMPLE_OUTCOMES[0]]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"started": 3}',
        '{"started": true, "x": 1}\n{"started": "0"}',
        '{"started": true}',
        '{"outcome": {"fit": true, "status": "ok", "result": {}}}',
        '{"outcome": {"fit": 1.0, "status": "ok", "result": {}}}',
        '{"outcome": {"fit": -1, "status": "ok"}}',
        '{"outcome": {"fit": 0, "status": "ok", "code": "import os"}}',
        '{"outcome": {"fit": 0, "status": "well"}}',
        '{"outcome": {"fit": 0, "status": "ok", "result": "none"}}',
        '{"format": 99, "batch": "key"}',
        '{"format": 2, "batch": "another"}',
    ],
)
def test_corrupt_journal_is_an_error_that_names_the_file(line, tmp_path):
    (tmp_path / "1-x.fits.jsonl").write_text(line + "\n")
    with pytest.raises(CorruptDataError, match=r"1-x\.fits\.jsonl is corrupt"):
        list(JournalReader(tmp_path, "key", 3).read_new())


def test_endless_line_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("skdistsearch.storage._journal.LINE_MAX_BYTES", 1000, raising=False)
    (tmp_path / "1-x.fits.jsonl").write_bytes(b" " * 2000)
    with pytest.raises(CorruptDataError, match="a line has more than 1000 bytes"):
        list(JournalReader(tmp_path, "key", 3).read_new())
    with pytest.raises(CorruptDataError, match="line 1, is corrupt"):
        list(iter_recorded(tmp_path))


def test_journal_without_a_checkpoint_is_in_the_default_folder(batch, tmp_path):
    default = tmp_path / "default"
    assert open_local_journal(batch, default).folder == default


def test_missing_folder_has_no_journals(tmp_path):
    assert journal_names(tmp_path / "missing") == []


def test_folder_that_is_a_file_is_a_store_error(batch, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file cannot be read"):
        journal_names(tmp_path / "file")
    with pytest.raises(StoreError, match=r"Could not create a journal of fits in .*file"):
        JournalWriter(tmp_path / "file", batch)
