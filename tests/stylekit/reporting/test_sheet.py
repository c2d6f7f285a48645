import numpy as np
import pytest
from PIL import Image

from stylekit.cli import main
from stylekit.details import write_details
from stylekit.errors import ConfigError, DataError
from stylekit.reporting.sheet import draw_sheet, write_sheet

PIXELS = (np.arange(3 * 2)[:, None, None, None] * 40 + np.zeros((6, 3, 8, 8))).astype(np.uint8)
PIXELS = PIXELS.reshape(3, 2, 3, 8, 8)


def test_every_image_is_on_the_sheet_and_captions_stand_below():
    page = np.asarray(draw_sheet(PIXELS, ["one", "two words", ""], columns=2))
    assert {tuple(colour) for colour in page.reshape(-1, 3).tolist()} >= {(40 * k,) * 3 for k in range(6)}
    assert page[4, 4].tolist() == [0, 0, 0]
    assert page[4, 4 + 128 + 4].tolist() == [40, 40, 40]
    below = page[132:143, 4:20]
    assert below.min() < 128 < below.max()


def test_sheet_beside_a_result_is_written(tmp_path):
    exhibits = {"sheet/styled/pixels": PIXELS, "sheet/styled/captions": np.array(["a", "b", "c"])}
    write_details(tmp_path / "one.npz", {}, {}, exhibits)
    write_sheet(tmp_path / "one.json", "styled", tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == draw_sheet(PIXELS, ["a", "b", "c"]).size
    write_sheet(tmp_path / "one.json", "styled", tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
    with pytest.raises(ConfigError, match=r"\.jpg, \.jpeg, \.png, not as sheet\.gif"):
        write_sheet(tmp_path / "one.json", "styled", tmp_path / "sheet.gif")
    with pytest.raises(DataError, match="it has: styled"):
        write_sheet(tmp_path / "one.json", "content", tmp_path / "sheet.jpg")


def test_sheet_is_written_by_the_report_verb(tmp_path):
    write_details(tmp_path / "one.npz", {}, {}, {"sheet/styled/pixels": PIXELS})
    page = tmp_path / "sheet.jpg"
    assert main(["report", str(tmp_path / "one.json"), "--sheet", "styled", "--out", str(page)]) == 0
    assert page.is_file()
    assert main(["report", "a.json", "b.json", "--sheet", "styled"]) == ConfigError.exit_code
