from contextlib import nullcontext

import numpy as np
import pyarrow as pa
import pytest

from stylekit.curation.balancing import Balancing
from stylekit.curation.deduplication import Deduplicated, Deduplication
from stylekit.curation.failure import rejects_table
from stylekit.curation.removals import Removals
from stylekit.curation.shards import Shards
from stylekit.curation.step import Inputs
from stylekit.curation.thinning import Balance, Deduplicate
from stylekit.errors import DataError


def inputs(folder, tables):
    shards = Shards(folder, folder)
    for number, rows in enumerate(tables):
        shards.write(number, pa.Table.from_pylist(rows) if rows else pa.table({}), rejects_table([]))
    return Inputs({"encode": shards}, shards)


def row(name, prompt, pool="style", vector=(1.0, 0.0)):
    return {"id": name, "pool": pool, "prompt": prompt, "vector": list(vector)}


def test_duplicates_over_shards_name_what_stays(tmp_path):
    given = inputs(
        tmp_path,
        [
            [row("a", "A red cat."), row("b", "A blue dog.", vector=(0.0, 1.0))],
            [],
            [
                row("c", "a RED  cat"),
                row("d", "A red cat.", pool="content"),
                row("e", "Unlike.", vector=(-1.0, 0.0)),
            ],
        ],
    )
    made = list(Deduplicate(Deduplication(levels=["exact"]))(given))
    assert [kept["id"].to_pylist() if len(kept) else [] for kept, _ in made] == [["a", "b"], [], ["d", "e"]]
    assert made[2][1].to_pylist() == [{"id": "c", "reason": "exact duplicate", "detail": "of a, 1.000 alike"}]
    assert made[0][0].column_names == ["id", "pool", "prompt", "vector"]


def test_the_score_belongs_to_the_row_that_is_named_with_it(tmp_path):
    removals = Removals(
        *(np.array(column) for column in ([1, 2], [0, 0], ["exact", "fuzzy"], [2, 0], [1.0, 0.8]))
    )

    def removing(texts, embed, advance):
        return Deduplicated(np.array([0]), removals)

    step = Deduplicate(Deduplication(levels=["exact"]))
    step.deduplication = type(
        "Planned", (), {"levels": (), "ready": staticmethod(nullcontext), "__call__": staticmethod(removing)}
    )()
    ((_, rejects),) = step(inputs(tmp_path, [[row(name, name) for name in "abc"]]))
    assert rejects["detail"].to_pylist() == ["of c, 1.000 alike, which went for a", "of a, 0.800 alike"]


def test_a_damaged_shard_is_told_of_once(tmp_path):
    given = inputs(tmp_path / "before", [[row("a", "x")], [row("b", "y")], [row("c", "z")]])
    given.last.part(1).write_bytes(b"PAR1 and no more")
    step = Deduplicate(Deduplication(levels=["exact"]))
    told = [name for _ in step(given) for name in given.lost()["id"].to_pylist()]
    assert told == ["before/part-00001.parquet"]


def test_duplicates_in_meaning_are_found_by_the_vectors(tmp_path):
    rows = [
        row("a", "one", vector=(1.0, 0.0)),
        row("b", "two", vector=(0.0, 1.0)),
        row("c", "three", vector=(1.0, 0.01)),
    ]
    step = Deduplicate(Deduplication(levels=["semantic"], n_clusters=1))
    assert step.compares_meaning
    ((kept, rejects),) = step(inputs(tmp_path, [rows]))
    assert "b" in kept["id"].to_pylist()
    assert len(kept) == 2
    assert rejects["reason"].to_pylist() == ["semantic duplicate"]


def test_what_is_read_shard_by_shard_is_found_as_if_it_were_read_at_once(tmp_path):
    draw = np.random.default_rng(0)
    pools, vectors = draw.choice(["style", "content"], 300), draw.normal(size=(150, 8)).repeat(2, axis=0)
    vectors = vectors.astype(np.float32)
    rows = [row(f"r{n:03d}", f"{n // 3}", pools[n], vectors[n].tolist()) for n in range(300)]
    step = Deduplicate(Deduplication(n_clusters=1))
    made = list(step(inputs(tmp_path, [rows[:40], [], rows[40:110], rows[110:]])))
    assert [len(kept) + len(rejects) for kept, rejects in made] == [40, 0, 70, 190]
    gone = {}
    for pool in ("style", "content"):
        of_pool = np.flatnonzero(pools == pool)
        texts = [rows[n]["prompt"] for n in of_pool]
        removals = step.deduplication(texts, lambda at, of_pool=of_pool: vectors[of_pool[at]]).removals
        for n, other, level in zip(removals.row, removals.through, removals.level, strict=True):
            gone[f"r{of_pool[n]:03d}"] = (f"{level} duplicate", f"of r{of_pool[other]:03d}")
    rejects = pa.concat_tables([rejects for _, rejects in made]).to_pylist()
    assert {one["id"]: (one["reason"], one["detail"].partition(",")[0]) for one in rejects} == gone
    assert {reason for reason, _ in gone.values()} == {"exact duplicate", "semantic duplicate"}


def test_a_shard_that_changes_while_it_is_read_is_heard_of(tmp_path):
    given = inputs(tmp_path, [[row("a", "x")], [row("b", "y")]])

    def reading_late(texts, embed, advance):
        given.last.part(1).write_bytes(b"PAR1 and no more")
        embed(np.arange(2))

    step = Deduplicate(Deduplication())
    step.deduplication = type(
        "Late",
        (),
        {
            "levels": ["semantic"],
            "ready": staticmethod(nullcontext),
            "__call__": staticmethod(reading_late),
        },
    )()
    with pytest.raises(DataError, match="changed while it was read"):
        list(step(given))


def test_balance_takes_what_it_is_told_from_each_pool(tmp_path):
    draw = np.random.default_rng(0)
    centres = np.repeat([(4.0, 0.0), (0.0, 4.0)], [90, 10], axis=0)
    vectors = centres + 0.1 * draw.normal(size=(100, 2))
    rows = [row(f"r{n}", str(n), vector=vector) for n, vector in enumerate(vectors.tolist())]
    rows.append(row("content", "x", pool="content"))
    step = Balance(style=Balancing(levels=[10, 2], size=20))
    ((kept, rejects),) = step(inputs(tmp_path, [rows]))
    names = kept["id"].to_pylist()
    assert len(kept) == 21
    assert "content" in names
    assert sum(name in names for name in (f"r{n}" for n in range(90, 100))) == 10  # of the rare kind, all
    assert len(rejects) == 80
    assert rejects["detail"][0].as_py() == "20 of 100 were"
    assert step.expected({"style": 100, "content": 7}) == {"style": 20, "content": 7}


def test_balance_keeps_all_where_there_are_no_more_than_it_takes(tmp_path):
    given = inputs(tmp_path, [[row("a", "x"), row("b", "y")]])
    ((kept, rejects),) = Balance(style=Balancing(levels=[1], size=2))(given)
    assert (len(kept), len(rejects)) == (2, 0)


@pytest.mark.parametrize("step", [Deduplicate(Deduplication(levels=["exact"])), Balance()])
def test_nothing_to_thin(tmp_path, step):
    ((kept, rejects),) = step(inputs(tmp_path, [[row("a", "x", pool="content")]]))
    assert (len(kept), len(rejects)) == (1, 0)
