from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from stylekit.embedding import embed
from stylekit.errors import DataError


def test_truncated_image_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import pyarrow.parquet as pq

    file = tmp_path / "half.jpg"
    Image.effect_noise((64, 64), 90).convert("RGB").save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="None of the 1 files"):
        embed("colour_histogram", images=[tmp_path], out=tmp_path / "styles.parquet")
    assert not (tmp_path / "styles.parquet").exists()
    Image.new("RGB", (20, 10), "red").save(tmp_path / "whole.png")
    table = pq.read_table(embed("colour_histogram", images=[tmp_path], out=tmp_path / "styles.parquet"))
    assert [Path(name).name for name in table["file"].to_pylist()] == ["whole.png"]
    assert "half.jpg is left out: truncated image" in caplog.text


def test_each_file_gets_a_unit_vector(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for number, colour in enumerate(("red", "blue")):
        Image.new("RGB", (20 + number, 10), colour).save(tmp_path / f"{number}.png")
    table = pq.read_table(embed("colour_histogram", images=[tmp_path], out=tmp_path / "styles.parquet"))
    assert [Path(file).name for file in table["file"].to_pylist()] == ["0.png", "1.png"]
    vectors = torch.tensor(table["embedding"].to_pylist())
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    assert vectors[0] @ vectors[1] < 0.5
