import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stylekit.curation.packed import HubImages, ParquetImages, TarImages
from stylekit.curation.source import Found
from stylekit.errors import ConfigError, DataError, MissingError
from stylekit.pixels import Rejection


def read_all(source):
    return [one for place in source.places() for one in source.read(place.where)]


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_parquet_of_bytes_and_of_structs_in_row_groups(tmp_path, picture):
    files = [picture(seed=seed) for seed in range(3)]
    pq.write_table(
        pa.table({"image": files, "caption": ["a", None, " c "]}), tmp_path / "a.parquet", row_group_size=2
    )
    pq.write_table(
        pa.table({"image": [{"bytes": files[0], "path": "x"}], "caption": ["d"]}), tmp_path / "b.parquet"
    )
    source = ParquetImages(str(tmp_path))
    assert [(place.name, place.images) for place in source.places()] == [
        ("a.parquet#0", 2),
        ("a.parquet#1", 1),
        ("b.parquet#0", 1),
    ]
    assert read_all(source) == [
        Found("a.parquet#0-0", files[0], "a"),
        Found("a.parquet#0-1", files[1], None),
        Found("a.parquet#1-0", files[2], "c"),
        Found("b.parquet#0-0", files[0], "d"),
    ]


def test_a_truncated_parquet_file_costs_itself(tmp_path, picture):
    for name in "ab":
        pq.write_table(pa.table({"image": [picture()], "caption": [name]}), tmp_path / f"{name}.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:-40])
    assert read_all(ParquetImages(str(tmp_path))) == [
        Rejection("a.parquet#0", "truncated or damaged file"),
        Found("b.parquet#0-0", picture(), "b"),
    ]


def test_parquet_with_a_hole_keeps_what_can_be_read(tmp_path, picture):
    """The footer promises rows whose pages are gone."""
    rows = {"image": [picture(seed=seed) for seed in range(200)], "caption": ["x"] * 200}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet", compression="none", row_group_size=100)
    whole = bytearray((tmp_path / "a.parquet").read_bytes())
    start = len(whole) // 2 + 20_000
    whole[start:-20_000] = bytes(len(whole) - 20_000 - start)
    (tmp_path / "a.parquet").write_bytes(whole)
    found = read_all(ParquetImages(str(tmp_path)))
    assert [one for one in found if isinstance(one, Found)][:100] == [
        Found(f"a.parquet#0-{row}", data, "x") for row, data in enumerate(rows["image"][:100])
    ]


def test_parquet_without_the_column_says_so(tmp_path):
    pq.write_table(pa.table({"picture": [b""]}), tmp_path / "a.parquet")
    assert read_all(ParquetImages(str(tmp_path))) == [Rejection("a.parquet#0", "no column image")]


def test_tar_samples_with_text_or_json(tmp_path, picture):
    write_tar(
        tmp_path / "a.tar",
        {
            "0001.jpg": picture(),
            "0001.txt": b"a cat",
            "0002.png": picture(seed=1),
            "0002.json": json.dumps({"caption": "a dog", "width": 64}).encode(),
            "0003.txt": b"no picture",
            "0004.png": picture(seed=2),
            "0004.cls": b"5",
        },
    )
    source = TarImages(str(tmp_path))
    assert [place.images for place in source.places()] == [None]
    assert read_all(source) == [
        Found("a.tar/0001", picture(), "a cat"),
        Found("a.tar/0002", picture(seed=1), "a dog"),
        Rejection("a.tar/0003", "no image in the sample"),
        Found("a.tar/0004", picture(seed=2), None),
    ]


def test_a_sample_of_two_images_gives_the_first(tmp_path, picture):
    files = {"0001.jpg": picture(), "0001.png": picture(seed=1), "0001.txt": b"a cat"}
    write_tar(tmp_path / "a.tar", files)
    assert read_all(TarImages(str(tmp_path))) == [
        Rejection("a.tar/0001.png", "not the first such file of its sample"),
        Found("a.tar/0001", picture(), "a cat"),
    ]


def test_a_truncated_tar_keeps_the_samples_before(tmp_path, picture):
    write_tar(tmp_path / "a.tar", {f"{number}.png": picture(seed=number) for number in range(3)})
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: 512 + 13_000 + 512 + 20])
    found = read_all(TarImages(str(tmp_path / "a.tar")))
    assert found[0] == Found("a.tar/0", picture(), None)
    assert all(isinstance(one, Rejection) for one in found[1:])
    assert "longer than the tar" in found[1].reason


def test_a_tar_that_lies_about_a_size_asks_for_no_memory(tmp_path, picture):
    write_tar(tmp_path / "a.tar", {"0.png": picture(), "1.png": picture(seed=1)})
    raw = bytearray((tmp_path / "a.tar").read_bytes())
    second = 512 + -(-len(picture()) // 512) * 512
    info = tarfile.TarInfo("1.png")
    info.size = 2**40
    raw[second : second + 512] = info.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(raw)
    found = read_all(TarImages(str(tmp_path)))
    assert found[:2] == [
        Found("a.tar/0", picture(), None),
        Rejection("a.tar/1.png", "longer than the tar, or than any picture"),
    ]


def test_not_a_tar_at_all(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"hello")
    assert read_all(TarImages(str(tmp_path))) == [
        Rejection("a.tar", "truncated or damaged file; what comes after its name is lost")
    ]


def test_a_data_set_of_hugging_face(tmp_path, picture):
    (tmp_path / "data").mkdir()
    rows = {
        "picture": [picture(seed=seed) for seed in range(5)],
        "text": [f"caption {seed}" for seed in range(5)],
    }
    pq.write_table(pa.table(rows), tmp_path / "data" / "train.parquet")
    source = HubImages(
        str(tmp_path / "data"), image_column="picture", caption_column="text", rows_at_once=2, name="hf"
    )
    assert [place.images for place in source.places()] == [2, 2, 1]
    assert read_all(source) == [
        Found(str(row), data, f"caption {row}") for row, data in enumerate(rows["picture"])
    ]
    with pytest.raises(ConfigError, match="has no column 'image'; it has picture, text"):
        list(HubImages(str(tmp_path / "data")).places())


def test_a_data_set_whose_files_are_damaged_meanwhile_costs_its_rows(tmp_path, picture, monkeypatch):
    pq.write_table(pa.table({"image": [picture()], "caption": ["x"]}), tmp_path / "train.parquet")
    source = HubImages(str(tmp_path))
    (place,) = source.places()

    def damaged(self, key):
        raise pa.ArrowInvalid("Unexpected end of stream")

    monkeypatch.setattr(type(source._load()), "__getitem__", damaged)
    assert list(source.read(place.where)) == [Rejection("0-1", "truncated or damaged file")]


def test_a_data_set_that_cannot_be_reached_says_what_to_do():
    with pytest.raises(MissingError, match=r"could not be read .* Check its name, split and the network"):
        list(HubImages("nobody/nothing").places())


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"There is no \*\.tar in"):
        list(TarImages(str(tmp_path)).places())
    with pytest.raises(DataError, match="to take pictures from"):
        list(ParquetImages(str(tmp_path / "none")).places())
