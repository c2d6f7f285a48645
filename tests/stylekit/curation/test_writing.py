import json

import pyarrow as pa
import pyarrow.parquet as pq

from stylekit.curation.card import evenness
from stylekit.curation.engine import ShardWork
from stylekit.curation.failure import rejects_table
from stylekit.curation.shards import Shards
from stylekit.curation.step import Inputs
from stylekit.curation.writing import Write


def test_a_data_set_of_which_every_row_was_dropped_has_a_card_nevertheless(tmp_path, picture):
    rows = {
        "pool": {"id": ["s/0"], "pool": ["style"], "source": ["s"], "licence": ["CC0-1.0"]},
        "pair": {"id": ["a"]},
        "synthesize": {
            "id": ["a"], "image": [picture()], "style": ["x"], "content": ["y"], "style_id": ["s"],
            "content_id": ["c"], "seed": [0],
        },
        "audit": {"id": ["a"], "consistency": [0.1], "elsewhere": [0.2], "is_outlier": [True]},
    }  # fmt: skip
    steps = {name: Shards(tmp_path / name, tmp_path / name) for name in rows}
    for name, columns in rows.items():
        steps[name].write(0, pa.table(columns), rejects_table([]))
    into = Shards(tmp_path / "write", tmp_path / "data")
    step = Write(drop_outliers=True)
    report = ShardWork(step, steps["synthesize"], into, steps["audit"])(0)
    step.finish(Inputs(steps, into))
    assert report == (0, 1, 0, 1)
    assert into.read_rejects()["reason"].to_pylist() == ["outlier"]
    card = (into.parts / "README.md").read_text()
    assert "0 images of 0 styles and 0 contents" in card
    assert "Not measured: no attribute" in card
    assert (into.parts / "sheet.jpg").is_file()


def test_evenness_of_each_attribute_at_each_step(tmp_path):
    media = {
        "caption": ["ink"] * 6 + ["oil"] * 2,
        "deduplicate": ["ink"] * 4 + ["oil"] * 2,
        "balance": ["ink", "oil"],
    }
    steps = {name: Shards(tmp_path / name, tmp_path / name) for name in media}
    for name, values in media.items():
        gone = {} if name == "balance" else {"finish": "matt"}
        told = [
            json.dumps({"medium": value, "note": f"{place}", "edge": None, **gone})
            for place, value in enumerate(values)
        ]
        rows = {
            "pool": ["style"] * len(told) + ["content"],
            "attributes": [*told, json.dumps({"medium": "none"})],
        }
        steps[name].write(0, pa.table(rows), rejects_table([]))
    told = evenness(Inputs(steps, steps["balance"])).splitlines()
    assert told[-4:] == [
        "| attribute | kinds | after caption | after deduplicate | after balance |",
        "|---|---|---|---|---|",
        "| medium | 2 | 1.8 | 1.9 | 2.0 |",  # exp of 0.562, 0.637 and 0.693
        "| finish | 1 | 1.0 | 1.0 | 0 |",
    ]


def test_a_shard_without_rows_has_the_columns_of_the_others(tmp_path):
    images, into = (Shards(tmp_path / name, tmp_path / name) for name in ("synthesize", "write"))
    images.write(0, pa.table({}), rejects_table([]))
    images.write(1, pa.table({}), rejects_table([]))
    images.part(1).write_bytes(b"PAR1 and no more")
    for number in range(2):
        ShardWork(Write(), images, into)(number)
        assert pq.read_schema(into.part(number)).names[:3] == ["image", "style", "content"]
    assert into.read_rejects()["id"].to_pylist() == ["synthesize/part-00001.parquet"]
