import pickle
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stylekit.config import config_dirs
from stylekit.curation.audit import Audit, Embed, judge
from stylekit.curation.failure import rejects_table
from stylekit.curation.shards import Shards
from stylekit.curation.step import Inputs
from stylekit.errors import ConfigError
from stylekit.foundation.locate import SHIPPED


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_judgement_is_what_all_pairs_say():
    draw = np.random.default_rng(0)
    vectors, styles = unit(draw.normal(size=(40, 6))), draw.integers(0, 7, 40)
    styles[:1] = 99  # a style of one image
    told = list[int]()
    found = judge(vectors, styles, 2.0, told.append)
    assert sum(told) == 40
    assert len(told) == len(set(styles.tolist()))
    for row in range(40):
        cosines = vectors.astype(np.float64) @ vectors[row].astype(np.float64)
        same = (styles == styles[row]) & (np.arange(40) != row)
        if same.any():
            assert found.consistency[row] == pytest.approx(np.median(cosines[same]), abs=6e-5)
        else:
            assert np.isnan(found.consistency[row])
        assert found.elsewhere[row] == pytest.approx(cosines[styles != styles[row]].mean(), abs=6e-5)
    known = found.consistency[~np.isnan(found.consistency)]
    limit = np.median(known) - 2.0 * 1.4826 * np.median(np.abs(known - np.median(known)))
    assert found.is_outlier.tolist() == [bool(value < limit) for value in found.consistency]


def test_what_it_reads_are_the_weights_of_its_encoder(tmp_path):
    folder = shutil.copytree(SHIPPED / "mini_megastyle", tmp_path / "tower")
    step = Embed("megastyle_encoder", ["foundation=mini_megastyle", f"foundation.name_or_path={folder}"])
    before = step.inputs()
    assert before == Embed("megastyle_encoder", ["foundation=mini_megastyle"]).inputs()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert step.inputs() != before


def test_an_image_of_another_style_is_the_outlier():
    draw = np.random.default_rng(1)
    centres = np.eye(5)
    styles = np.repeat(np.arange(5), 8)
    vectors = centres[styles] + 0.05 * draw.normal(size=(40, 5))
    vectors[11] = centres[4]
    found = judge(unit(vectors), styles, 6.0)
    assert np.flatnonzero(found.is_outlier).tolist() == [11]
    assert found.consistency[0] > 0.9
    assert found.elsewhere[0] < 0.3


def test_vectors_stand_in_the_order_of_the_rows_whatever_the_sizes(picture):
    files = [picture(64, 64, 0), picture(32, 48, 1), b"broken", picture(64, 64, 2)]
    table = pa.table({"id": list("abcd"), "style_id": list("xxyy"), "image": files})
    kept, rejects = Embed("colour_histogram", batch_size=1)(table)
    assert kept["id"].to_pylist() == ["a", "b", "d"]
    assert rejects.to_pylist() == [{"id": "c", "reason": "not an image of a known format", "detail": ""}]
    for row, file in zip((0, 1, 2), (files[0], files[1], files[3]), strict=True):
        alone, _ = Embed("colour_histogram")(pa.table({"id": ["x"], "style_id": ["x"], "image": [file]}))
        assert kept["embedding"][row].as_py() == pytest.approx(alone["embedding"][0].as_py(), abs=1e-6)


def test_a_step_that_has_loaded_its_encoder_still_pickles(picture):
    step = Embed("colour_histogram")
    step(pa.table({"id": ["x"], "style_id": ["x"], "image": [picture()]}))
    assert pickle.loads(pickle.dumps(step))._loaded is None


def test_shards_of_the_audit_match_those_before(tmp_path):
    before = Shards(tmp_path, tmp_path)
    vectors = unit(np.random.default_rng(0).normal(size=(6, 4)))
    for number, rows in enumerate(([0, 1, 2], [], [3, 4, 5])):
        table = {"id": [f"r{row}" for row in rows], "style_id": [f"s{row // 2}" for row in rows]}
        before.write(
            number,
            pa.table(table | {"embedding": list(vectors[rows])}) if rows else pa.table({}),
            rejects_table([]),
        )
    told = list[int]()
    tables = [table for table, _ in Audit()(Inputs({"embed": before}, before, told.append))]
    assert [len(table) for table in tables] == [3, 0, 3]
    assert sum(told) + 6 == Audit().passes({"image": 6})
    assert tables[2]["id"].to_pylist() == ["r3", "r4", "r5"]
    expected = judge(vectors, np.arange(6) // 2, 4.0)
    assert tables[2]["consistency"].to_pylist() == expected.consistency[3:].tolist()


def test_a_shard_whose_vectors_are_damaged_shifts_no_row(tmp_path):
    """Its footer and its ids can be read."""
    before = Shards(tmp_path, tmp_path)
    vectors = unit(np.random.default_rng(0).normal(size=(6, 64)))
    for number in range(2):
        rows = range(3 * number, 3 * number + 3)
        table = {"id": [f"r{row}" for row in rows], "style_id": ["s"] * 3, "embedding": list(vectors[rows])}
        before.write(number, pa.table(table), rejects_table([]))
    group = pq.read_metadata(before.part(0)).row_group(0)
    start = next(
        group.column(at).data_page_offset
        for at in range(group.num_columns)
        if group.column(at).path_in_schema.startswith("embedding")
    )
    data = bytearray(before.part(0).read_bytes())
    data[start : start + 200] = bytes(200)
    before.part(0).write_bytes(data)
    tables = [table for table, _ in Audit()(Inputs({"embed": before}, before))]
    assert len(tables[0]) == 0
    assert tables[1]["id"].to_pylist() == ["r3", "r4", "r5"]
    assert (
        tables[1]["consistency"].to_pylist() == judge(vectors[3:], np.zeros(3, int), 4.0).consistency.tolist()
    )


def test_an_encoder_is_found_in_further_config_folders(tmp_path):
    (own,) = [one.path for one in config_dirs() if one.origin == "stylekit"]
    (tmp_path / "experiment").mkdir()
    text = (own / "experiment" / "colour_histogram.yaml").read_text()
    (tmp_path / "experiment" / "my_histogram.yaml").write_text(text)
    assert Embed("my_histogram", config_dirs=[str(tmp_path)])._load() is not None


def test_an_encoder_that_does_not_exist_is_heard_at_once():
    with pytest.raises(ConfigError, match="there is no experiment 'megastile_encoder'"):
        Embed("megastile_encoder")
