"""Build shapes.npz.xz from the Phosphor icons: `python -m stylekit.atelier.build_shapes ICONS_JSON`.

ICONS_JSON is `icons.json` of the npm package @iconify-json/ph (1.2.2 made the shipped file). Needs, at
build time only, scipy and `rsvg-convert` (Debian: librsvg2-bin).
"""

from __future__ import annotations

import io
import json
import lzma
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from stylekit.atelier.shapes import ASSET, REACH, TILE, encode
from stylekit.atelier.vocabulary import VOCABULARY, Thing

__all__ = ["build"]

_RASTER = 1024  # pixels a side at which distances are measured
_PATH = re.compile(r"<(?:path|rect|circle)[^>]*?/>")
_SHADE = 0.11  # shift of the shaded crescent, in tile widths
Mask = NDArray[np.bool_]


def build(icons_json: Path, asset: Path = ASSET) -> None:
    """Rasterise every icon of the vocabulary and write distances, boxes and inner boxes."""
    icons = json.loads(icons_json.read_text())["icons"]
    missing = [thing.icon for thing in VOCABULARY if f"{thing.icon}-duotone" not in icons]
    if missing:
        raise SystemExit(f"No such Phosphor icon: {', '.join(missing)}.")
    distances = np.empty((len(VOCABULARY), 3, TILE, TILE), np.float32)
    boxes = np.empty((len(VOCABULARY), 4), np.float32)
    inner_boxes = np.empty((len(VOCABULARY), 4), np.float32)
    for index, thing in enumerate(VOCABULARY):
        masks = _masks(icons[f"{thing.icon}-duotone"]["body"], thing)
        distances[index] = [_distance(mask) for mask in masks]
        boxes[index] = _bounding_box(masks[0])
        inner_boxes[index] = _inner_box(masks[0])
    with lzma.open(asset, "wb", preset=9) as stream:
        np.savez(stream, distances=encode(distances), boxes=boxes, inner_boxes=inner_boxes)
    print(f"{asset}: {len(VOCABULARY)} shapes, {asset.stat().st_size / 1e6:.2f} MB")


def _masks(body: str, thing: Thing) -> tuple[Mask, Mask, Mask]:
    """Split a duotone icon into silhouette, tone and line."""
    paths = _PATH.findall(body)
    tone = _rasterise([path.replace('opacity=".2"', "") for path in paths if 'opacity=".2"' in path])
    line = _rasterise([path for path in paths if 'opacity=".2"' not in path])
    enclosed = ndimage.binary_fill_holes(line) & ~line
    if thing.is_open:
        enclosed &= _cells_with(enclosed, tone)
    silhouette = line | tone | enclosed
    tone = tone & ~line
    if tone.sum() > 0.8 * (silhouette & ~line).sum() or not tone.any():
        tone = _details(silhouette & ~line, silhouette)
    # the tone runs under the line, so that no gap opens between them
    tone = ndimage.binary_dilation(tone, iterations=_RASTER // 64) & silhouette
    return silhouette, tone, line


def _rasterise(paths: list[str]) -> Mask:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256" width="{_RASTER}" height="{_RASTER}" '
        f'color="black">{"".join(paths)}</svg>'
    )
    png = subprocess.run(["rsvg-convert"], input=svg.encode(), capture_output=True, check=True).stdout
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., 3] > 127


def _cells_with(cells: Mask, tone: Mask) -> Mask:
    """Keep the connected cells that are mostly tone."""
    labels, count = ndimage.label(cells)
    share = ndimage.mean(tone, labels, np.arange(count + 1))
    kept = np.asarray(share) > 0.3
    kept[0] = False
    return np.asarray(kept[labels], dtype=np.bool_)


def _details(interior: Mask, silhouette: Mask) -> Mask:
    """Find a second tone for an icon that is all one tone: its minor cells, or else a shaded side."""
    labels, count = ndimage.label(interior)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    if (
        count > 1
        and np.sort(areas)[-2] < 0.4 * areas.max()
        and areas.sum() - areas.max() > 0.12 * areas.sum()
    ):
        return np.asarray((labels > 0) & (labels != 1 + int(areas.argmax())), dtype=np.bool_)
    step = round(_SHADE * _RASTER)
    lit = np.zeros_like(silhouette)
    lit[:-step, :-step] = silhouette[step:, step:]
    shade = interior & ~lit
    return np.asarray(ndimage.binary_opening(shade, iterations=_RASTER // 128), dtype=np.bool_)


def _distance(mask: Mask) -> NDArray[np.float32]:
    """Measure the signed distance to the edge, in tile widths, positive inside."""
    if not mask.any():
        return np.full((TILE, TILE), -REACH, np.float32)
    padded = np.pad(mask, 1)
    signed = ndimage.distance_transform_edt(padded) - ndimage.distance_transform_edt(~padded)
    signed = (signed - 0.5 * np.sign(signed))[1:-1, 1:-1] / _RASTER
    step = _RASTER // TILE
    middle = signed.reshape(TILE, step, TILE, step)[
        :, step // 2 - 1 : step // 2 + 1, :, step // 2 - 1 : step // 2 + 1
    ]
    return np.asarray(middle.mean((1, 3)), np.float32)


def _bounding_box(mask: Mask) -> NDArray[np.float32]:
    """Return left, top, right, bottom in tile widths."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return np.asarray(box / _RASTER, np.float32)


def _inner_box(mask: Mask) -> NDArray[np.float32]:
    """Return the largest box (by its shorter side, then its area) that lies within the silhouette."""
    step = _RASTER // 64
    inside: Mask = np.asarray(mask.reshape(64, step, 64, step).all((1, 3)), np.bool_)
    best, box = 0.0, (0, 0, 0, 0)
    for top in range(64):
        columns = np.ones(64, np.bool_)
        for bottom in range(top, 64):
            columns = columns & inside[bottom]
            edges = np.flatnonzero(np.diff(np.concatenate(([0], columns.view(np.int8), [0]))))
            for left, right in zip(edges[::2], edges[1::2], strict=True):
                width, height = float(right - left), float(bottom + 1 - top)
                score = min(width, height) + 0.1 * max(width, height)
                if score > best:
                    best, box = score, (int(left), top, int(right), bottom + 1)
    return np.asarray(np.array(box) / 64, np.float32)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m stylekit.atelier.build_shapes ICONS_JSON")
    build(Path(sys.argv[1]))
