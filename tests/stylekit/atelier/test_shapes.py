from __future__ import annotations

import numpy as np
import torch

from stylekit.atelier import shapes
from stylekit.atelier.shapes import ASSET, REACH, TILE, load_atlas, sample_shapes
from stylekit.atelier.vocabulary import VOCABULARY, index_of


def _sample(names: list[str], size: int, zoom: float = 1.0) -> torch.Tensor:
    axis = ((torch.arange(size) + 0.5) / size - 0.5) * zoom + 0.5
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    indices = torch.tensor([index_of(name) for name in names])
    return sample_shapes(indices, u.expand(len(names), -1, -1), v.expand(len(names), -1, -1))


def test_asset_is_small_and_complete() -> None:
    atlas = load_atlas()
    assert ASSET.stat().st_size < 2.5e6
    assert len(atlas.boxes) == len(atlas.inner_boxes) == len(VOCABULARY)


def test_line_and_tone_lie_within_the_silhouette() -> None:
    fields = _sample([thing.name for thing in VOCABULARY], 64)
    silhouette, tone, line = (fields > 0).unbind(1)
    slack = fields[:, 0] > -1 / TILE
    assert not (line & ~slack).any()
    assert not (tone & ~slack).any()
    area = silhouette.float().mean((1, 2))
    assert (area > 0.03).all(), [VOCABULARY[i].name for i in torch.where(area <= 0.03)[0]]
    assert (line.float().mean((1, 2)) > 0.02).all()


def test_fields_are_distances() -> None:
    size = 256
    field = _sample(["box"], size)[0, 0]
    slope = torch.hypot(field[1:, 1:] - field[:-1, 1:], field[1:, 1:] - field[1:, :-1]) * size
    near_edge = field[1:, 1:].abs() < 0.05
    assert abs(slope[near_edge].median().item() - 1) < 0.1


def test_lines_have_the_width_of_the_icon_family() -> None:
    deepest = _sample(["house", "cat", "sun"], 256)[:, 2].amax((1, 2))
    assert ((deepest > 7 / 256) & (deepest < 14 / 256)).all()  # drawn 16 of 256 wide; more where lines meet


def test_distances_go_on_falling_beyond_the_tile_and_do_not_leak_from_neighbours() -> None:
    fields = _sample(["cat", "sun"], 96, zoom=3.0)
    outside = torch.ones(96, 96, dtype=torch.bool)
    outside[32:64, 32:64] = False
    assert fields[:, :, outside].max() < 0.02
    assert (fields[:, :, 0, 0] < -1.0).all()


def test_boxes_bound_the_silhouettes() -> None:
    fields = _sample([thing.name for thing in VOCABULARY], TILE)[:, 0] > 0
    for index, (left, top, right, bottom) in enumerate(load_atlas().boxes):
        rows, columns = torch.where(fields[index])
        found = torch.stack((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)) / TILE
        assert np.allclose(found, (left, top, right, bottom), atol=1.5 / TILE)


def test_inner_boxes_lie_inside() -> None:
    fields = _sample([thing.name for thing in VOCABULARY], TILE)[:, 0]
    for index, box in enumerate(load_atlas().inner_boxes):
        left, top, right, bottom = (int(edge) for edge in np.rint(box * TILE))
        assert (fields[index, top + 1 : bottom - 1, left + 1 : right - 1] > 0).all(), VOCABULARY[index].name


def test_encoding_is_finest_at_the_edge() -> None:
    values = np.linspace(-REACH, REACH, 1001, dtype=np.float32)
    error = np.abs(shapes._decode(shapes.encode(values)) - values)
    assert error[np.abs(values) < 0.25 / TILE].max() < 0.0002
    assert error.max() < 0.0011
