"""What data check finds in a folder as users have them."""

import io
import json

import pytest
from PIL import Image

from stylekit.data_report import data_check
from stylekit.errors import ConfigError, DataError
from stylekit.split import split_of


def png(number, size=(16, 16)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256, 7)).save(buffer, "PNG")
    return buffer.getvalue()


def prompts(kind, split, count):
    found, number = [], 0
    while len(found) < count:
        if split_of(f"{kind} {number}") == split:
            found.append(f"{kind} {number}")
        number += 1
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """64 + 2 + 2 styles of the three splits with 2 images each, and one of everything that can be wrong."""
    monkeypatch.setenv("STYLEKIT_CACHE", str(tmp_path / "cache"))
    rows = []
    for split, count in (("train", 64), ("val", 2), ("test", 2)):
        contents = prompts("content", split, 2)
        rows += [(style, contents[i]) for style in prompts("style", split, count) for i in range(2)]
    path = tmp_path / "my images"
    path.mkdir()
    files = [png(i) for i in range(len(rows))]
    rows += [("lonely " + prompts("lonely", "train", 1)[0], prompts("content", "train", 1)[0])]
    rows += [(prompts("style", "train", 1)[0], prompts("content", "test", 1)[0])]
    rows += [(prompts("style", "train", 1)[0], prompts("content", "train", 1)[0])] * 3
    files += [png(1000), png(1001, (20, 16)), png(0), png(1002)[:60], b"junk"]
    for i, data in enumerate(files):
        (path / f"{i}.png").write_bytes(data)
    lines = [
        json.dumps({"file_name": f"{i}.png", "style": style, "content": content})
        for i, (style, content) in enumerate(rows)
    ]
    (path / "metadata.jsonl").write_text("\n".join([*lines, "{"]))
    (path / "extra.png").write_bytes(png(5))
    return path


def lonely_split():
    return split_of("lonely " + prompts("lonely", "train", 1)[0])


def test_report_counts_everything(folder):
    report = data_check(folder)
    assert report.num_rows == 136 + 5 + 2
    assert report.splits["train"] == {"styles": 64, "contents": 2, "images": 129}
    assert report.splits["val"] == {"styles": 2, "contents": 2, "images": 4}
    assert report.splits["test"] == {"styles": 2, "contents": 2, "images": 4}
    few = {"style and content in different splits": 1}
    few["too few images of the style in the split"] = int(lonely_split() == "train")
    few["style and content in different splits"] += int(lonely_split() != "train")
    assert report.dropped == {reason: count for reason, count in few.items() if count} | {
        "truncated image": 1,
        "not an image of a known format": 1,
        "line is not JSON": 1,
        "no line in metadata.jsonl": 1,
    }
    assert report.num_kept + sum(report.dropped.values()) == report.num_rows
    assert report.num_single_image_styles == 1
    assert report.images_per_style == {1: 1, 2: 67, 4: 1}
    assert report.sizes == {"16 x 16": 138, "20 x 16": 1}
    assert report.duplicates == (("0.png", "138.png"),)
    assert (report.num_duplicates, report.num_leaking_duplicates) == (1, 0)
    assert report.rejected == (
        ("metadata.jsonl line 142", "line is not JSON"),
        ("extra.png", "no line in metadata.jsonl"),
        ("139.png", "truncated image"),
        ("140.png", "not an image of a known format"),
    )
    assert report.problems == ()


def test_report_as_text_shows_the_numbers(folder):
    text = str(data_check(str(folder)))
    for words in (
        "137 of 143 images kept",
        "truncated image",
        "139.png",
        "duplicates in two splits",
        "0.png, 138.png",
    ):
        assert words in text


def test_duplicates_over_two_splits_are_counted(folder):
    (folder / "134.png").write_bytes(png(0))  # of a test style
    report = data_check(str(folder))
    assert report.num_leaking_duplicates == 1
    assert report.duplicates == (("0.png", "134.png", "138.png"),)


def test_what_would_stop_training_is_an_error_that_names_the_settings(folder):
    with pytest.raises(DataError) as caught:
        data_check(str(folder), "data.styles_per_batch=100", "data.source.val_fraction=0.0")
    assert "data.styles_per_batch to 66 or less" in str(caught.value)
    assert "data.source.val_fraction" in str(caught.value)
    assert "images kept" in str(caught.value)


def test_no_usable_style_is_an_error_that_names_the_setting(folder):
    with pytest.raises(DataError, match=r"No style of the train split.*data\.images_per_style"):
        data_check(str(folder), "data.images_per_style=9")


def test_data_config_and_its_settings(folder):
    report = data_check(
        "image_folder", f"data.source.root={json.dumps(str(folder))}", "data.styles_per_batch=8"
    )
    assert report.digest == data_check(folder).digest


def test_folder_of_something_else_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match=r"metadata\.jsonl"):
        data_check(tmp_path)


def test_unknown_target_suggests_the_nearest():
    with pytest.raises(ConfigError, match="image_folder"):
        data_check("image_foldr")


def test_missing_setting_is_a_config_error():
    with pytest.raises(ConfigError, match=r"data\.source\.root"):
        data_check("image_folder")
