"""A stand-in for the atelier, and small data sets on disk."""

import io
import json
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from stylekit.split import split_of


@dataclass(frozen=True)
class Named:
    name: str

    def prompt(self):
        return self.name


def _sample(kind):
    def sample(count, seed, split=None, max_things=4, medium=""):
        found, number = [], 0
        while len(found) < count:
            item = Named(f"{kind} {seed}.{number}{medium}")
            if split is None or split_of(item.name) == split:
                found.append(item)
            number += 1
        return found

    return sample


@pytest.fixture
def fake_atelier(monkeypatch, tmp_path):
    """A module in place of stylekit.atelier, whose images say in their colour what was asked for."""
    module = ModuleType("stylekit.atelier")
    folder = tmp_path / "fake_atelier"
    folder.mkdir()
    (folder / "__init__.py").write_text("# painter, version 1\n")
    module.__file__ = str(folder / "__init__.py")
    module.calls = []

    def draw(scenes, styles, seeds, size=64):
        module.calls.append(len(scenes))
        colours = [
            [hash_byte(style.prompt()), hash_byte(scene.prompt()), seed % 256]
            for style, scene, seed in zip(styles, scenes, seeds, strict=True)
        ]
        return (torch.tensor(colours) / 255.0)[:, :, None, None].expand(-1, 3, size, size)

    module.draw = draw
    module.sample_styles = _sample("In the style of")
    module.sample_scenes = _sample("A scene of")
    monkeypatch.setitem(sys.modules, "stylekit.atelier", module)
    return module


def hash_byte(text):
    return sum(text.encode()) % 251


def png(colour, size=(32, 32), mode="RGB", **options):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, options.pop("format", "PNG"), **options)
    return buffer.getvalue()


def rows_of(num_styles, images, num_contents=3, split="train"):
    """Rows (png, style, content) of one split, every image in a colour of its own."""
    styles = [style.name for style in _sample("style")(num_styles, 0, split)]
    contents = [content.name for content in _sample("content")(num_contents, 0, split)]
    return [
        (png((i * 7 % 256, i // 36, 9)), styles[i // images], contents[i % num_contents])
        for i in range(num_styles * images)
    ]


def write_shard(path, rows, as_struct=True):
    images = [{"bytes": image, "path": None} if as_struct else image for image, _, _ in rows]
    styles, contents = [style for _, style, _ in rows], [content for _, _, content in rows]
    pq.write_table(pa.table({"image": images, "style": styles, "content": contents}), path)


def write_folder(folder, rows):
    folder.mkdir(exist_ok=True)
    lines = []
    for i, (image, style, content) in enumerate(rows):
        (folder / f"{i:04}.png").write_bytes(image)
        lines.append(json.dumps({"file_name": f"{i:04}.png", "style": style, "content": content}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))


def colours(images):
    return (images[:, :, 0, 0] * 255).round().int().tolist()


@pytest.fixture
def parquet_folder(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    rows = rows_of(10, 4)
    write_shard(folder / "a.parquet", rows[:20])
    write_shard(folder / "b.parquet", rows[20:], as_struct=False)
    write_shard(folder / "c.parquet", rows_of(3, 4, split="val") + rows_of(3, 4, split="test"))
    return folder


@pytest.fixture
def make():
    """Functions that build data sets, and one that reads batches of them."""
    return SimpleNamespace(png=png, rows=rows_of, shard=write_shard, folder=write_folder, colours=colours)
