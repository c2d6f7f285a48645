import io
import json
import os
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stylekit.curation.atelier_pool import AtelierPool
from stylekit.curation.descriptors import Descriptors
from stylekit.curation.packed import ParquetImages, TarImages
from stylekit.curation.pool import POOL, Listing, Pool
from stylekit.curation.shards import Shards
from stylekit.curation.source import Found, ImageFolder, ImageSource, Place
from stylekit.curation.step import Inputs
from stylekit.errors import ConfigError
from stylekit.pixels import Rejection


class Fixed(ImageSource):
    """Pictures given by the test, one place for each."""

    def __init__(self, found, pool=None, name="fixed"):
        self.found, self.pool, self.name, self.licence = found, pool, name, "CC0-1.0"

    def places(self):
        for number in range(len(self.found)):
            yield Place(str(number), str(number), "", 1, self.pool)

    def read(self, where):
        yield self.found[int(where)]


def listed(sources, rows_per_shard=100):
    nothing = Shards("none", "none")
    return [table for table, _ in Listing(sources, rows_per_shard)(Inputs({}, nothing))]


def pooled(*sources, **settings):
    pool = Pool(list(sources), **settings)
    return pool(listed(sources)[0])


def test_captions_decide_where_a_source_does_not(picture):
    rows = [
        Found("0", picture(), "an oil painting of a cat"),
        Found("1", picture(seed=1), "a cat on a mat"),
        Found("2", picture(seed=2)),
        Found("3", picture(seed=3), "a cat", "style"),
    ]
    kept, rejects = pooled(Fixed(rows), min_side=32)
    assert kept.schema == POOL
    assert list(zip(kept["id"].to_pylist(), kept["pool"].to_pylist(), strict=True)) == [
        ("fixed/0", "style"),
        ("fixed/1", "content"),
        ("fixed/2", "content"),
        ("fixed/3", "style"),
    ]
    assert kept["licence"].to_pylist() == ["CC0-1.0"] * 4
    assert len(rejects) == 0
    kept, _ = pooled(Fixed(rows, pool="content"), min_side=32)
    assert kept["pool"].to_pylist() == ["content", "content", "content", "style"]
    kept, _ = pooled(Fixed(rows), min_side=32, descriptors=Descriptors(words=["mat"]))
    assert kept["pool"].to_pylist() == ["content", "style", "content", "style"]


def test_what_cannot_be_used_is_rejected_with_its_reason(picture):
    rows = [
        Found("good", picture(64, 64)),
        Found("empty", b""),
        Found("text", b"hello"),
        Found("half", picture(64, 64)[:5000]),
        Found("small", picture(64, 20)),
        Found("long", picture(160, 64)),
        Found("just", picture(128, 64)),
        Rejection("gone", "unreadable file"),
    ]
    kept, rejects = pooled(Fixed(rows), min_side=32, max_aspect=2.0)
    assert kept["id"].to_pylist() == ["fixed/good", "fixed/just"]
    assert [tuple(row.values()) for row in rejects.to_pylist()] == [
        ("fixed/empty", "empty file", "0 bytes"),
        ("fixed/text", "not an image of a known format", "5 bytes"),
        ("fixed/half", "truncated image", "5000 bytes"),
        ("fixed/small", "a side below 32 pixels", "64 x 20"),
        ("fixed/long", "longer than 2 times its width", "160 x 64"),
        ("fixed/gone", "unreadable file", ""),
    ]


def of_parquet(folder, picture):
    captions = pa.StringArray.from_buffers(2, *pa.array([b"caf\xe9", b"a cat"]).buffers()[1:])
    pq.write_table(
        pa.table({"image": [picture(), picture(seed=1)], "caption": captions}), folder / "a.parquet"
    )
    return ParquetImages(str(folder), name="s")


def of_folder(folder, picture):
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(picture())
    (folder / os.fsdecode(b"caf\xe8.png")).write_bytes(b"no picture")
    return ImageFolder(str(folder), name="s")


def of_tar(name, data):
    def make(folder, picture):
        with tarfile.open(folder / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
            for member, content in (("caf\xe9.png", picture()), (name, data)):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return TarImages(str(folder), name="s")

    return make


BAD_INPUT = {
    "Latin-1 in Parquet": (of_parquet, {"s/a.parquet#0-0": "caf\ufffd", "s/a.parquet#0-1": "a cat"}),
    "Latin-1 names of files": (of_folder, {"s/caf\\udce9.png": None}),
    "Latin-1 names in a tar": (of_tar("b.txt", b"x"), {"s/a.tar/caf\\udce9": None}),
    "half a surrogate": (of_tar("caf\xe9.json", b'{"caption": "a \\ud83d"}'), {"s/a.tar/caf\\udce9": "a ?"}),
    "deep JSON": (of_tar("caf\xe9.json", b"[" * 100_000), {"s/a.tar/caf\\udce9": None}),
}


@pytest.mark.parametrize("bad", BAD_INPUT)
def test_ordinary_bad_input_is_written_as_rows_and_rejects(bad, tmp_path, picture):
    make, expected = BAD_INPUT[bad]
    (tmp_path / "source").mkdir()
    shards = Shards(tmp_path / "pool", tmp_path / "pool")
    shards.write(0, *pooled(make(tmp_path / "source", picture), min_side=32))
    rows = shards.read(["id", "caption"])
    assert dict(zip(*rows.to_pydict().values(), strict=True)) == expected


def test_repeated_names_of_a_place_are_rejected(picture):
    source = Fixed([])
    source.places = lambda: iter([Place("a.tar", "a.tar", "", 2)])
    source.read = lambda where: iter([Found(f"{where}/0", picture()), Found(f"{where}/0", picture(seed=1))])
    kept, rejects = pooled(source, min_side=32)
    assert kept["image"].to_pylist() == [picture()]
    assert rejects.to_pylist() == [{"id": "fixed/a.tar/0", "reason": "repeated name", "detail": ""}]


def test_places_are_dealt_to_shards_of_about_equal_size():
    tars = Fixed([Found("a", b"")] * 3, name="tars")
    tars.places = lambda: (Place(f"{number}.tar", "", "", None) for number in range(2))
    tables = listed([Fixed([Found("a", b"")] * 5), tars, Fixed([Found("a", b"")], name="more")], 2)
    assert [table["name"].to_pylist() for table in tables] == [
        ["0", "1"], ["2", "3"], ["4"], ["0.tar"], ["1.tar"], ["0"],
    ]  # fmt: skip
    assert [table["source"].to_pylist()[0] for table in tables] == [0, 0, 0, 1, 1, 2]


def test_a_changed_file_changes_the_digest_of_what_is_read(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture())
    before = Listing([ImageFolder(str(tmp_path))], 4).inputs()
    assert Listing([ImageFolder(str(tmp_path))], 4).inputs() == before
    (tmp_path / "b.png").write_bytes(picture())
    assert Listing([ImageFolder(str(tmp_path))], 4).inputs() != before


def test_sources_have_names_of_their_own():
    with pytest.raises(ConfigError, match="Two sources are called 'fixed'"):
        Pool([Fixed([]), Fixed([])])
    with pytest.raises(ConfigError, match="has no slash, unlike 'a/b'"):
        Pool([Fixed([], name="a/b")])
    with pytest.raises(ConfigError, match="sources must name one"):
        Pool([])


def test_expected_counts_know_the_pools_of_the_sources():
    atelier = AtelierPool(num_style=70, num_content=30)
    listing = Listing([atelier, Fixed([Found("a", b"")] * 5)], 50)
    assert listing.expected({}) == {"style": 70, "content": 30, "picture": 5}
    assert Pool([atelier]).expected(listing.expected({})) == {"style": 75, "content": 35}  # at most


def test_drawn_pictures_are_skewed_repeat_one_another_and_are_what_their_truth_says():
    source = AtelierPool(num_style=600, num_content=40, duplicates=0.25, repertoire="mini", seed=3)
    styles = [source.style("style", number) for number in range(600)]
    prompts = [style.prompt() for style in styles]
    assert 0.15 < 1 - len(set(prompts)) / 600 < 0.35
    media = sorted(sum(style.medium == name for style in styles) for name in {s.medium for s in styles})
    assert media[-1] > 4 * np.median(media)
    places = list(source.places())
    assert [place.images for place in places][-2:] == [24, 40]
    found = list(source.read(json.dumps(["style", 64, 68])))
    assert [one.name for one in found] == [f"style-{number:06d}" for number in range(64, 68)]
    assert found[0].truth == f"{source.scene('style', 64).prompt()} {prompts[64]}"
    assert found == list(source.read(places[1].where))[:4]  # alone or among others
    assert Image.open(io.BytesIO(found[0].image)).size == (64, 64)


def test_rows_go_through_as_a_table_of_parquet(picture, tmp_path):
    kept, rejects = pooled(Fixed([Found("0", picture())]), min_side=32)
    shards = Shards(tmp_path, tmp_path)
    shards.write(0, kept, rejects)
    assert shards.read(POOL.names).cast(POOL).equals(pa.concat_tables([kept]))
