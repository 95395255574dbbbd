"""Records: appended whole, read on from an offset, and taken back by a resumed run."""

from __future__ import annotations

import json
import os

import pytest

from workbench.runs.records import RecordWriter, current, read_records


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def write(path, *records):
    writer = RecordWriter(path)
    for record in records:
        writer.append(record)
    writer.close()


def test_reading_goes_on_where_it_was(path):
    write(path, {"step": 1}, {"step": 2})
    first = read_records(path)
    assert first.records == [{"step": 1}, {"step": 2}]
    assert read_records(path, first.offset).records == []
    write(path, {"step": 3})
    second = read_records(path, first.offset)
    assert second.records == [{"step": 3}]
    assert second.offset == path.stat().st_size


def test_a_missing_file_has_no_records(path):
    assert read_records(path) == ([], 0, False)
    assert read_records(path, 10) == ([], 0, True)


def test_a_half_written_line_is_left_for_the_next_time(path):
    write(path, {"step": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"step": 2')
    read = read_records(path)
    assert read == ([{"step": 1}], len(whole), False)
    path.write_bytes(whole + b'{"step": 2}\n')
    assert read_records(path, read.offset).records == [{"step": 2}]


def test_a_shorter_file_is_read_from_its_beginning(path):
    write(path, {"step": 1}, {"step": 2})
    offset = read_records(path).offset
    path.write_bytes(b'{"step": 9}\n')
    assert read_records(path, offset) == ([{"step": 9}], 12, True)


def test_what_a_crash_left_of_a_line_is_skipped_and_joined_to_nothing(path):
    path.write_bytes(b'{"step": 1}\n{"step": 2, "los')
    write(path, {"step": 2})
    assert read_records(path).records == [{"step": 1}, {"step": 2}]


def test_lines_that_are_no_objects_are_skipped(path):
    path.write_bytes(b'[1]\n\xff\xfe\n\n{"step": 1}\n')
    assert read_records(path).records == [{"step": 1}]


def test_numbers_that_are_none_become_null(path):
    write(path, {"step": 1, "losses": {"loss": float("nan"), "bce": float("inf")}})
    assert json.loads(path.read_text()) == {"step": 1, "losses": {"loss": None, "bce": None}}


def test_numbers_come_back_to_the_last_bit(path):
    write(path, {"step": 1, "losses": {"loss": 0.1 + 0.2}})
    assert read_records(path).records[0]["losses"]["loss"] == 0.1 + 0.2


def test_a_line_that_finds_no_room_is_taken_back(path, monkeypatch):
    write(path, {"step": 1})
    real = os.write

    def half_then_full(file, data):
        if len(data) < 8:
            raise OSError(28, "No space left on device")
        return real(file, data[: len(data) // 2])

    writer = RecordWriter(path)
    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(OSError, match="No space"):
        writer.append({"step": 2, "losses": {"loss": 1}})
    monkeypatch.undo()
    writer.append({"step": 3})
    writer.close()
    assert read_records(path).records == [{"step": 1}, {"step": 3}]


def step(number, **more):
    return {"split": "train", "step": number, **more}


def whole(split, number, **more):
    return {"split": split, "step": number, "complete": True, **more}


def test_a_resumed_run_takes_back_later_steps():
    before = [step(1), step(2), whole("train", 2), whole("valid", 2), step(3), step(4)]
    after = [{"resumed_from": 2}, step(3, again=True)]
    assert current(before + after) == [*before[:4], step(3, again=True)]


def test_what_is_made_again_at_the_same_step_is_there_once():
    """A run that was killed between a checkpoint and the record of the validation after it."""
    before = [step(2), whole("train", 2), whole("valid", 2, score=1)]
    after = [{"resumed_from": 2}, whole("train", 2), whole("valid", 2, score=2)]
    assert current(before + after) == [step(2), whole("train", 2), whole("valid", 2, score=2)]


def test_records_may_come_bit_by_bit():
    records = [step(1), step(2), {"resumed_from": 1}, step(2, again=True), step(3), {"resumed_from": 0}, step(1)]
    kept = []
    for record in records:
        kept = current([*kept, record])
    assert kept == current(records) == [step(1)]
