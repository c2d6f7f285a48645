"""A folder of image files with metadata.jsonl, as its owner may have left it."""

import json

import pytest

from datamodules.folder import FolderSource
from stylekit.errors import DataError
from stylekit.pixels import Rejection
from stylekit.split import split_of


def opened(folder, tmp_path, **settings):
    source = FolderSource(str(folder), **settings)
    return source, source.open(16, tmp_path / "cache", 0)


def test_rows_with_their_prompts_and_pixels(make, tmp_path):
    make.folder(tmp_path / "f", make.rows(3, 4))
    source, index = opened(tmp_path / "f", tmp_path)
    assert [index.style_prompts[i] for i in index.style_ids] == [style for _, style, _ in make.rows(3, 4)]
    assert tuple(source.load([5])[0][0, 0]) == (35, 0, 9)
    assert source.where(5) == "0005.png"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{not json", "line is not JSON"),
        (b"\xff\xfe", "line is not JSON"),
        ("[1, 2]", "line is not a JSON object"),
        ({"style": "s", "content": "c"}, "no file_name"),
        ({"file_name": "a.png", "style": None, "content": "c"}, "no style"),
        ({"file_name": "a.png", "style": "s", "content": "  "}, "no content"),
        ({"file_name": "b.png", "style": "s", "content": "c"}, "missing file"),
        ({"file_name": "../a.png", "style": "s", "content": "c"}, "file outside the folder"),
        ({"file_name": "a\0.png", "style": "s", "content": "c"}, "missing file"),
        ({"file_name": "a" * 5000, "style": "s", "content": "c"}, "missing file"),
    ],
)
def test_bad_line_is_listed_and_left_out(make, tmp_path, line, reason):
    folder = tmp_path / "f"
    make.folder(folder, make.rows(1, 2))
    (tmp_path / "a.png").write_bytes(make.png((0, 0, 0)))
    text = json.dumps(line) if isinstance(line, dict) else line
    with (folder / "metadata.jsonl").open("ab") as file:
        file.write(b"\n\n" + (text if isinstance(text, bytes) else text.encode()) + b"\n")
    _, index = opened(folder, tmp_path)
    assert index.rejections == [Rejection("metadata.jsonl line 4", reason)]
    assert index.style_ids.tolist() == [0, 0, -1]


def test_image_without_a_line_is_listed(make, tmp_path):
    make.folder(tmp_path / "f", make.rows(1, 2))
    (tmp_path / "f" / "deeper").mkdir()
    (tmp_path / "f" / "deeper" / "more.JPG").write_bytes(b"")
    _, index = opened(tmp_path / "f", tmp_path)
    assert index.rejections == [Rejection("deeper/more.JPG", "no line in metadata.jsonl")]


def test_file_that_goes_away_is_a_rejection(make, tmp_path):
    make.folder(tmp_path / "f", make.rows(1, 2))
    source, _ = opened(tmp_path / "f", tmp_path)
    (tmp_path / "f" / "0001.png").unlink()
    assert source.load([1]) == [Rejection("0001.png", "unreadable file (No such file or directory)")]


@pytest.mark.parametrize("hold_out_contents", [True, False])
def test_split_of_an_image(make, tmp_path, hold_out_contents):
    rows = [(make.png((0, 0, 0)), f"s{i % 20}", f"c{i // 20}") for i in range(400)]
    make.folder(tmp_path / "f", rows)
    _, index = opened(
        tmp_path / "f", tmp_path, val_fraction=0.2, test_fraction=0.3, hold_out_contents=hold_out_contents
    )
    names = {"train": 0, "val": 1, "test": 2}
    for row, (_, style, content) in enumerate(rows):
        of_style, of_content = split_of(style, 0.2, 0.3), split_of(content, 0.2, 0.3)
        mixed = hold_out_contents and of_style != of_content
        assert index.splits[row] == (-1 if mixed else names[of_style])


def test_digest_follows_prompts_and_images(make, tmp_path):
    make.folder(tmp_path / "f", make.rows(2, 2))
    make.folder(tmp_path / "g", make.rows(2, 2))
    first, second = (opened(tmp_path / name, tmp_path)[0] for name in "fg")
    assert first.digest() == second.digest()
    (tmp_path / "g" / "0001.png").write_bytes(make.png((9, 9, 9)))
    assert opened(tmp_path / "g", tmp_path)[0].digest() != first.digest()


def test_missing_metadata_says_what_to_write(tmp_path):
    with pytest.raises(DataError, match="file_name, style"):
        opened(tmp_path, tmp_path)
