"""Draw the sheet of styles x scenes that the atelier's card shows.

python -m stylekit.atelier.sheet stylekit/atelier/sheet.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from stylekit.atelier import draw, sample_scenes, sample_styles
from stylekit.atelier.scene import Scene
from stylekit.atelier.style import Style

__all__ = ["draw_sheet"]


def draw_sheet(path: Path, count: int, size: int, seed: int) -> None:
    """Draw `count` styles of different media, a row each, by `count` scenes."""
    styles, scenes = _styles(count, seed), _scenes(count, seed)
    images = draw(
        [scene for _ in styles for scene in scenes],
        [style for style in styles for _ in scenes],
        list(range(count * count)),
        size,
    )
    grid = (
        images.reshape(count, count, 3, size, size)
        .permute(0, 3, 1, 4, 2)
        .reshape(count * size, count * size, 3)
    )
    Image.fromarray((grid * 255).round().byte().numpy()).save(path, quality=88)


def _styles(count: int, seed: int) -> list[Style]:
    chosen: dict[str, Style] = {}
    for style in sample_styles(40 * count, seed=seed):
        chosen.setdefault(style.medium, style)
    return list(chosen.values())[:count]


def _scenes(count: int, seed: int) -> list[Scene]:
    few = [scene for scene in sample_scenes(4 * count, seed=seed) if len(scene.objects) <= 2]
    return few[:count]


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    draw_sheet(arguments.path, arguments.count, arguments.size, arguments.seed)


if __name__ == "__main__":
    main()
