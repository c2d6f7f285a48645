from __future__ import annotations

import json
import math
import pickle

import pytest

from stylekit.tracking.journal import Journal, as_json


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "new" / "metrics.jsonl")


def test_records_come_back_in_order(journal):
    for step in range(5):
        journal.append({"step": step})
    assert [record["step"] for record in journal] == [0, 1, 2, 3, 4]


def test_record_is_on_disk_when_append_returns(journal):
    journal.append({"step": 1})
    assert json.loads(journal.path.read_text()) == {"step": 1}


def test_torn_last_line_is_not_read_and_dropped_by_the_next_append(journal):
    journal.append({"step": 1})
    journal.close()
    with journal.path.open("a") as file:
        file.write('{"step": 2, "metr')
    again = Journal(journal.path)
    assert [record["step"] for record in again] == [1]
    again.append({"step": 3})
    assert [record["step"] for record in again] == [1, 3]


def test_only_line_torn_leaves_an_empty_journal(journal):
    journal.path.parent.mkdir()
    journal.path.write_text('{"st' + "e" * 10_000)
    journal.append({"step": 3})
    assert [record["step"] for record in journal] == [3]


def test_damaged_line_in_the_middle_is_passed_over(journal):
    journal.path.parent.mkdir()
    journal.path.write_bytes(b'{"step":1}\n\0\0\0\0\n[]\n{"step":2}\n')
    assert [record["step"] for record in journal] == [1, 2]


def test_reading_goes_on_where_it_stopped(journal):
    journal.append({"step": 1})
    end = journal.read(0)[-1].end
    assert journal.read(end) == []
    journal.append({"step": 2})
    assert [line.record["step"] for line in journal.read(end)] == [2]


def test_line_longer_than_the_block_is_read_whole(journal):
    journal.append({"text": "x" * 100})
    journal.append({"text": "y"})
    assert [line.record["text"] for line in journal.read(0, max_bytes=16)] == ["x" * 100]


def test_keep_moves_the_place_and_returns_what_was_before_it(journal):
    for step in range(6):
        journal.append({"step": step})
    sent = journal.read(0)[4].end
    place, dropped = journal.keep(lambda record: record["step"] <= 2, sent)
    assert [record["step"] for record in dropped] == [3, 4]
    assert [record["step"] for record in journal] == [0, 1, 2]
    assert place == journal.size
    journal.append({"step": 3})
    assert [line.record["step"] for line in journal.read(place)] == [3]


def test_journal_survives_pickling(journal):
    journal.append({"step": 1})
    pickle.loads(pickle.dumps(journal)).append({"step": 2})
    assert [record["step"] for record in journal] == [1, 2]


@pytest.mark.parametrize("value", [1.5, math.inf, -math.inf])
def test_every_number_survives_json(value):
    assert float(json.loads(json.dumps(as_json(value), allow_nan=False))) == value


def test_nan_survives_json():
    assert math.isnan(float(json.loads(json.dumps(as_json(math.nan), allow_nan=False))))
