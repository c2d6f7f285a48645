"""Parquet shards, read at random and streamed, whole and broken; never from the hub."""

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datamodules.parquet import ParquetSource
from stylekit.errors import ConfigError, DataError, MissingError
from stylekit.pixels import Rejection


def opened(folder, tmp_path, **settings):
    source = ParquetSource(str(folder), **settings)
    return source, source.open(16, tmp_path / "cache", 0)


@pytest.mark.parametrize("streaming", [False, True])
def test_rows_of_all_shards_with_their_prompts(parquet_folder, make, tmp_path, streaming):
    source, index = opened(parquet_folder, tmp_path, streaming=streaming)
    rows = make.rows(10, 4)
    assert [index.style_prompts[i] for i in index.style_ids[:40]] == [style for _, style, _ in rows]
    assert [index.content_prompts[i] for i in index.content_ids[:40]] == [content for _, _, content in rows]
    images = source.load([39, 0, 21, 39])
    assert [tuple(image[0, 0]) for image in images] == [(17, 1, 9), (0, 0, 9), (147, 0, 9), (17, 1, 9)]
    assert images[0].shape == ((16, 16, 3) if streaming else (32, 32, 3))
    assert source.where(21) == "b.parquet row 1"


@pytest.mark.parametrize("streaming", [False, True])
def test_damaged_shard_costs_the_shard(parquet_folder, tmp_path, caplog, streaming):
    whole = (parquet_folder / "b.parquet").read_bytes()
    (parquet_folder / "b.parquet").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray((parquet_folder / "a.parquet").read_bytes())
    damaged[30:900] = bytes(870)
    (parquet_folder / "d.parquet").write_bytes(damaged)
    _, index = opened(parquet_folder, tmp_path, streaming=streaming)
    reason = "truncated or damaged shard"
    assert index.rejections == [Rejection("b.parquet", reason), Rejection("d.parquet", reason)]
    assert (index.style_ids >= 0).sum() == 44
    assert "b.parquet is truncated or damaged" in caplog.text


@pytest.mark.parametrize("streaming", [False, True])
def test_bad_rows_are_listed_and_left_out(make, tmp_path, streaming):
    folder = tmp_path / "shards"
    folder.mkdir()
    rows = make.rows(1, 4)
    image = rows[0][0]
    make.shard(folder / "a.parquet", [*rows, (image, None, "c"), (image, "s", " "), (b"junk", "s", "c")])
    source, index = opened(folder, tmp_path, streaming=streaming)
    expected = [Rejection("a.parquet row 4", "no style"), Rejection("a.parquet row 5", "no content")]
    assert index.rejections[:2] == expected
    broken = Rejection("a.parquet row 6", "not an image of a known format")
    assert (index.rejections[2] if streaming else source.load([6])[0]) == broken


def test_shard_without_a_column_is_left_out(parquet_folder, tmp_path):
    pq.write_table(
        pa.table({"picture": [b"x"], "style": ["s"], "content": ["c"]}), parquet_folder / "d.parquet"
    )
    for streaming in (False, True):
        _, index = opened(parquet_folder, tmp_path, streaming=streaming)
        assert index.rejections == [Rejection("d.parquet", "shard without a column image")]


def test_image_feature_of_datasets_is_read(make, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    images, styles, contents = zip(*make.rows(2, 2), strict=True)
    features = datasets.Features(
        {"image": datasets.Image(), "style": datasets.Value("string"), "content": datasets.Value("string")}
    )
    columns = {
        "image": [{"bytes": image, "path": None} for image in images],
        "style": styles,
        "content": contents,
    }
    datasets.Dataset.from_dict(columns, features).to_parquet(folder / "a.parquet")
    for streaming in (False, True):
        source, _ = opened(folder, tmp_path, streaming=streaming)
        assert tuple(source.load([1])[0][0, 0]) == (7, 0, 9)


def test_image_named_by_path_is_read_inside_the_folder_only(make, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "in.png").write_bytes(make.png((1, 2, 3)))
    (tmp_path / "out.png").write_bytes(make.png((1, 2, 3)))
    images = [{"bytes": None, "path": "in.png"}, {"bytes": None, "path": "../out.png"}]
    pq.write_table(
        pa.table({"image": images, "style": ["s"] * 2, "content": ["c"] * 2}), folder / "a.parquet"
    )
    inside, outside = opened(folder, tmp_path)[0].load([0, 1])
    assert tuple(inside[0, 0]) == (1, 2, 3)
    assert outside == Rejection("a.parquet row 1", "empty file")


def test_streaming_stops_at_the_limit_and_reads_once(parquet_folder, tmp_path, monkeypatch):
    source, index = opened(parquet_folder, tmp_path, streaming=True, max_images=30)
    assert len(index.style_ids) == len(source.load(range(30))) == 30
    monkeypatch.setattr(ParquetSource, "_stream", lambda self: pytest.fail("read again"))
    again, _ = opened(parquet_folder, tmp_path, streaming=True, max_images=30)
    assert np.array_equal(again.load(range(30)), source.load(range(30)))


def test_digest_follows_the_bytes_and_not_the_place(parquet_folder, make, tmp_path):
    before = opened(parquet_folder, tmp_path)[0].digest()
    moved = parquet_folder.rename(tmp_path / "moved")
    assert opened(moved, tmp_path)[0].digest() == before
    make.shard(moved / "c.parquet", make.rows(3, 4))
    assert opened(moved, tmp_path)[0].digest() != before


def test_hub_is_asked_for_name_and_revision(make, tmp_path, monkeypatch):
    images, styles, contents = zip(*make.rows(2, 2), strict=True)
    held = datasets.Dataset.from_dict({"image": images, "style": styles, "content": contents})
    asked = []

    def load(name, **options):
        asked.append((name, options["revision"], options.get("streaming", False)))
        return held.to_iterable_dataset() if options.get("streaming") else held

    monkeypatch.setattr("datamodules.parquet.load_dataset", load)
    for streaming in (False, True):
        source = ParquetSource(hub="some/name", revision="abc", streaming=streaming)
        index = source.open(16, tmp_path / "cache", 0)
        assert len(index.style_ids) == 4
        assert tuple(source.load([1])[0][0, 0]) == (7, 0, 9)
        assert len(source.digest()) == 16
    assert asked == [("some/name", "abc", False), ("some/name", "abc", True)]


def test_unreachable_hub_says_what_to_do(tmp_path, monkeypatch):
    def load(name, **options):
        raise ConnectionError("no route")

    monkeypatch.setattr("datamodules.parquet.load_dataset", load)
    for streaming in (False, True):
        with pytest.raises(MissingError, match=r"data\.source\.path"):
            ParquetSource(hub="some/name", streaming=streaming).open(16, tmp_path, 0)


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match="either path"):
        ParquetSource()
    with pytest.raises(ConfigError, match="either path"):
        ParquetSource("a", "b")
    with pytest.raises(ConfigError, match="streaming"):
        ParquetSource("a", max_images=3)


def test_folder_without_shards_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no \*\.parquet"):
        opened(tmp_path, tmp_path)
