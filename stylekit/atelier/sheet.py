"""Draw the sheet of styles x scenes that the atelier's card shows.

python -m stylekit.atelier.sheet stylekit/atelier/sheet.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from stylekit.atelier import draw
from stylekit.atelier.scene import Scene
from stylekit.atelier.style import Style

__all__ = ["draw_sheet"]

SCENES = (
    "A large cat on the grass.",
    "A house left of a tree on a hill.",
    "A sailboat on the water.",
    "A guitar on a stage.",
    "Two fish under the sea.",
    "A cup of coffee on a table.",
    "A rocket in space.",
    "A bicycle on a road.",
)
STYLES = (
    "In the style of mid-century modern, apricot with mint, rose, snow white and plum "
    "in dominant background, even light, cut paper, smooth paper, clean scissor cuts, no outline, sharp edges.",
    "In the style of minimalism, azure with ivory, sand, scarlet and navy "
    "in accents on objects, even light, watercolour, paper grain, wet-in-wet washes, no outline, sharp edges.",
    "In the style of impressionism, mustard with ivory, azure, rust and forest green "
    "in uniform distribution, soft left light, oil paint, canvas weave, long form strokes, no outline, sharp edges.",
    "In the style of ukiyo-e, sage with ivory, crimson, pine and tan "
    "in accents on objects, even light, woodcut, smooth paper, contour gouges, bold dark outline, sharp edges.",
    "In the style of art deco, indigo with mint, magenta, aqua and ivory "
    "in dominant background, even light, stained glass, clear glass, large panes, bold dark outline, sharp edges.",
    "In the style of minimalism, forest green with snow white, crimson, mist and ochre "
    "in dominant background, even light, chalk on board, dusty board, side-on strokes, white outline, sharp edges.",
    "In the style of pop art, lime with snow white, tangerine, forest green and lemon "
    "in dominant background, even light, halftone, smooth paper, round dot screen, bold dark outline, sharp edges.",
    "In the style of bauhaus, jade with cream, tangerine, maroon and mustard "
    "in dominant subject, even light, pixel art, clean screen, flat pixels, thin dark outline, sharp edges.",
)


def draw_sheet(path: Path, size: int) -> None:
    """Draw a row for each style and a column for each scene."""
    styles = [Style.from_prompt(prompt) for prompt in STYLES]
    scenes = [Scene.from_prompt(prompt) for prompt in SCENES]
    images = draw(
        [scene for _ in styles for scene in scenes],
        [style for style in styles for _ in scenes],
        list(range(len(styles) * len(scenes))),
        size,
    )
    rows = images.reshape(len(styles), len(scenes), 3, size, size).permute(0, 3, 1, 4, 2)
    sheet = rows.reshape(len(styles) * size, len(scenes) * size, 3)
    Image.fromarray((sheet * 255).round().byte().numpy()).save(path, quality=85)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--size", type=int, default=128)
    arguments = parser.parse_args()
    draw_sheet(arguments.path, arguments.size)


if __name__ == "__main__":
    main()
