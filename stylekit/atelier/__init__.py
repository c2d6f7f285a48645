"""The embedded text-to-image generator: a prompt names a scene and a style, and the picture follows it.

It stands where MegaStyle (arXiv 2604.08364) puts Qwen-Image: the same style words give the same style
whatever the scene, by construction, and every image carries its truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count as count_up
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.layout import SceneMaps, lay_out
from stylekit.atelier.motion import MOTIONS, Motion, MovingScene, arrange_films, draw_films, sample_motions
from stylekit.atelier.painter import paint
from stylekit.atelier.repertoire import MINI, REPERTOIRES, Repertoire
from stylekit.atelier.scene import MAX_INSTANCES, Scene, SceneObject, sample_scene
from stylekit.atelier.style import Style, count_styles, palette_matched_group, sample_style
from stylekit.errors import ConfigError
from stylekit.split import Split, split_of

__all__ = [
    "MINI",
    "MOTIONS",
    "REPERTOIRES",
    "STYLE_BEGINS",
    "Motion",
    "MovingScene",
    "Repertoire",
    "Scene",
    "SceneMaps",
    "SceneObject",
    "Style",
    "arrange_films",
    "count_styles",
    "draw",
    "draw_films",
    "draw_prompts",
    "lay_out",
    "paint",
    "palette_matched_group",
    "sample_motions",
    "sample_palette_groups",
    "sample_scene",
    "sample_scenes",
    "sample_style",
    "sample_styles",
]

_PIXELS_AT_ONCE = 64 * 64 * 64
STYLE_BEGINS = "In the style of "
"""Where the words of style begin in a prompt."""
_PATIENCE = 20_000  # draws without a new one

Described = TypeVar("Described", Scene, Style)


def draw(
    scenes: Sequence[Scene], styles: Sequence[Style], seeds: Sequence[int], size: int = 64
) -> Float[Tensor, "n 3 s s"]:
    """Draw each scene in its style, in [0, 1]; an image depends on its own scene, style and seed only."""
    if not 64 <= size <= 1024:
        raise ConfigError(f"The atelier draws images of 64 to 1024 pixels, not {size}.")
    if not len(scenes) == len(styles) == len(seeds):
        raise ConfigError(
            f"Give one style and one seed for each scene, not {len(scenes)}, {len(styles)} and {len(seeds)}."
        )
    images = torch.empty(len(scenes), 3, size, size)
    # images of one medium are painted together
    order = sorted(range(len(scenes)), key=lambda index: (styles[index].medium, styles[index].brushwork))
    step = max(1, _PIXELS_AT_ONCE // size**2)
    for at in range(0, len(order), step):
        members = order[at : at + step]
        chosen = [seeds[index] for index in members]
        maps = lay_out([scenes[index] for index in members], chosen, size)
        images[members] = paint(maps, [styles[index] for index in members], chosen)
    return images


def draw_prompts(prompts: Sequence[str], seeds: Sequence[int], size: int = 64) -> Float[Tensor, "n 3 s s"]:
    """Draw prompts that name a scene, then a style, as `f"{scene.prompt()} {style.prompt()}"` does."""
    scenes, styles = [], []
    for prompt in prompts:
        content, found, style = prompt.partition(STYLE_BEGINS)
        if not found:
            raise ConfigError(
                f"A prompt names a scene, then a style that begins {STYLE_BEGINS!r}: {prompt!r}."
            )
        scenes.append(Scene.from_prompt(content.strip()))
        styles.append(Style.from_prompt(found + style))
    return draw(scenes, styles, seeds, size)


def sample_scenes(
    count: int,
    seed: int,
    split: Split | None = None,
    max_things: int = MAX_INSTANCES,
    repertoire: Repertoire | None = None,
) -> list[Scene]:
    """Draw distinct scenes of at most `max_things`, all of the split and the repertoire if they are given."""

    def is_wanted(scene: Scene) -> bool:
        return sum(item.count for item in scene.objects) <= max_things

    sample = sample_scene if repertoire is None else repertoire.sample_scene
    return _distinct(sample, count, seed, split, is_wanted)


def sample_styles(count: int, seed: int, split: Split | None = None, **fixed: str) -> list[Style]:
    """Draw distinct styles, all of one split if it is given; `fixed` words, as medium="ink line", stay."""
    return _distinct(lambda attempt: sample_style(attempt, **fixed), count, seed, split)


def sample_palette_groups(
    num_groups: int, group_size: int, seed: int, split: Split | None = None
) -> list[list[Style]]:
    """Draw groups of styles that share palette and colour distribution; every member is of the split."""
    return [palette_matched_group(seed * 1_000_003 + index, group_size, split) for index in range(num_groups)]


def _distinct(
    sample: Callable[[int], Described],
    count: int,
    seed: int,
    split: Split | None,
    is_wanted: Callable[[Described], bool] = lambda _: True,
) -> list[Described]:
    found: dict[str, Described] = {}
    last_new = 0
    for attempt in count_up():
        if len(found) == count:
            break
        if attempt - last_new > _PATIENCE:
            raise ConfigError(
                f"The atelier knows hardly more than {len(found)} of that kind, not {count}: ask for fewer."
            )
        item = sample(seed * 1_000_003 + attempt)
        prompt = item.prompt()
        if is_wanted(item) and (split is None or split_of(prompt) == split) and prompt not in found:
            found[prompt], last_new = item, attempt
    return list(found.values())
