import errno
import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.shards import Shards, read_shard, write_shard
from stylekit.curation.state import StepState, write_state
from stylekit.errors import DataError
from stylekit.pixels import Rejection


def test_a_shard_comes_back_with_its_rejects(tmp_path):
    shards = Shards(tmp_path, tmp_path)
    shards.write(0, pa.table({"id": ["a", "b"], "x": [1, 2]}), rejects_table([("c", Failure("bad", "why"))]))
    shards.write(1, pa.table({}), rejects_table([]))
    assert len(shards) == 2
    assert shards.is_done(1)
    assert not shards.is_done(2)
    assert shards.read(["x"]).to_pydict() == {"x": [1, 2]}
    assert shards.read_rejects().to_pylist() == [{"id": "c", "reason": "bad", "detail": "why"}]


def test_the_same_rows_give_the_same_bytes_and_nothing_else_is_left(tmp_path):
    table = pa.table({"id": [str(number) for number in range(1000)], "x": range(1000)})
    write_shard(table, tmp_path / "a.parquet")
    write_shard(pa.concat_tables([table[:3], table[3:700], table[700:]]), tmp_path / "b.parquet")
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.iterdir()}
    assert len(digests) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_a_damaged_shard_is_a_rejection_and_the_others_are_read(tmp_path):
    shards = Shards(tmp_path, tmp_path)
    for number in range(2):
        shards.write(number, pa.table({"id": [str(number)]}), rejects_table([]))
    whole = shards.part(0).read_bytes()
    shards.part(0).write_bytes(whole[: len(whole) // 2])
    assert read_shard(shards.part(0)) == Rejection("part-00000.parquet", "truncated or damaged shard")
    assert shards.read(["id"]).to_pydict() == {"id": ["1"]}
    assert shards.count(0) == 0
    folder = tmp_path.name
    assert shards.lost == {
        f"{folder}/part-00000.parquet": Failure("truncated or damaged shard", "its rows are left out")
    }


def test_a_missing_shard_shifts_nothing_and_is_named(tmp_path):
    shards = Shards(tmp_path, tmp_path)
    for number in range(3):
        shards.write(number, pa.table({"id": [str(number)]}), rejects_table([]))
    write_state(tmp_path, StepState("d", num_shards=3))
    shards.part(2).unlink()
    assert (len(shards), shards.num_done()) == (3, 2)
    assert [table.to_pydict() for table in shards.tables(["id"])] == [{"id": ["0"]}, {"id": ["1"]}, {}]
    assert [failure.reason for failure in shards.lost.values()] == ["missing shard"]


def test_damaged_rejects_cost_themselves_and_are_named(tmp_path):
    shards = Shards(tmp_path / "pool", tmp_path / "pool")
    for number in range(2):
        shards.write(number, pa.table({}), rejects_table([(f"r{number}", Failure("endpoint busy", ""))]))
    assert (shards.asked_in_vain(0), shards.asked_in_vain(1)) == (1, 1)
    shards.rejects(0).write_bytes(b"PAR1 and no more")
    assert shards.read_rejects()["id"].to_pylist() == ["pool/rejects-00000.parquet", "r1"]
    assert shards.asked_in_vain(0) == 0


def test_shards_finished_out_of_order_are_counted_and_read_while_their_number_is_unknown(tmp_path):
    shards = Shards(tmp_path, tmp_path)
    shards.write(2, pa.table({"id": ["2"]}), rejects_table([]))
    assert (len(shards), shards.num_done()) == (3, 1)
    assert shards.read(["id"]).to_pydict() == {"id": ["2"]}


def test_a_shard_without_a_column_says_so(tmp_path):
    write_shard(pa.table({"x": [1]}), tmp_path / "a.parquet")
    assert read_shard(tmp_path / "a.parquet", ["id"]) == Rejection("a.parquet", "shard without a column id")


def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(table, path, **_):
        path.write_bytes(b"PAR1 half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(DataError, match=r"is full\. What is finished is kept: free some space"):
        write_shard(pa.table({"x": [1]}), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []
