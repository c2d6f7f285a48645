"""What tests of rendering read from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from stylekit.rendering import Rendered

PROMPTS = ["A cat and a house on the grass.", "Two trees in the snow."]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def manifest(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def by_item(rendered: Rendered) -> dict[tuple, np.ndarray]:
    """Pixels by what they were asked for."""
    return {
        (row["prompt"], row["seed"], tuple(one["sha256"] for one in row["references"])): pixels(
            rendered.folder / row["file"]
        )
        for row in manifest(rendered.folder)
    }
