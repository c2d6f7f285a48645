"""Moving scenes: a scene, what each kind of thing in it does, and films of it with the truth per frame."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from stylekit.atelier.arrangement import Arrangement, arrange
from stylekit.atelier.layout import lay_out
from stylekit.atelier.painter import paint
from stylekit.atelier.scene import Scene, SceneObject
from stylekit.atelier.shapes import load_atlas
from stylekit.atelier.style import Style
from stylekit.atelier.vocabulary import VOCABULARY, index_of
from stylekit.errors import ConfigError

__all__ = ["MOTIONS", "Motion", "MovingScene", "arrange_films", "draw_films", "plural_of", "sample_motions"]

Motion = Literal[
    "moves left",
    "moves right",
    "moves up",
    "moves down",
    "grows",
    "shrinks",
    "turns left",
    "turns right",
    "stays still",
]
MOTIONS: tuple[Motion, ...] = get_args(Motion)

_ALL = "everything"
_PIXELS_AT_ONCE = 64 * 64 * 64
_MARGIN = 0.02
_WAY = (0.3, 0.45)  # that things move, in image widths, where there is room
_LEAST_WAY = 0.2  # they go so far even if they leave the image
_GROWTH = (1.7, 2.3)  # from the smallest to the largest
_TURN = (1.2, 1.8)  # radians

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class MovingScene:
    """A scene and what each of its kinds of things does while we look; what lies behind stays still."""

    scene: Scene
    motions: tuple[Motion, ...]
    """One for each of the scene's objects."""

    def __post_init__(self) -> None:
        if len(self.motions) != len(self.scene.objects):
            raise ConfigError(f"Give one motion for each kind of thing in {self.scene.prompt()!r}.")
        for motion in self.motions:
            if motion not in MOTIONS:
                raise ConfigError(f"No motion is called {motion!r}. Valid: {', '.join(MOTIONS)}.")
        names = [item.name for item in self.scene.objects]
        if len(set(names)) < len(names):
            raise ConfigError(f"A moving scene names each kind of thing once: {self.scene.prompt()!r}.")

    @property
    def moves_as_one(self) -> bool:
        """Whether several kinds of things do the same, and do it together."""
        return len(self.motions) > 1 and len(set(self.motions)) == 1

    def prompt(self) -> str:
        """Say it in English, the scene first, then the motions; `from_prompt` makes the same of it."""
        if self.moves_as_one:
            return f"{self.scene.prompt()} Everything {self.motions[0]}."
        pairs = zip(self.scene.objects, self.motions, strict=True)
        return " ".join([self.scene.prompt(), *(f"The {_clause(item, motion)}." for item, motion in pairs)])

    @classmethod
    def from_prompt(cls, text: str) -> MovingScene:
        """Read prompts such as `A cat and two dogs on the grass. The cat moves left. The dogs grow`."""
        still, _, rest = " ".join(text.split()).partition(".")
        scene = Scene.from_prompt(still)
        said = [clause.strip().lower() for clause in rest.split(".") if clause.strip()]
        if len(said) == 1 and said[0].startswith(f"{_ALL} "):
            verbs = {f"{_ALL} {motion}": motion for motion in MOTIONS}
            return cls(scene, (_read(said[0], verbs, text),) * len(scene.objects))
        if len(said) != len(scene.objects):
            example = " ".join(f"The {_clause(item, 'moves left')}." for item in scene.objects)
            raise ConfigError(
                f"In {text!r}, {len(said)} sentences follow the first; say what each kind of thing does, "
                f"as in {example!r}, or 'Everything moves left.'"
            )
        motions = []
        for clause, item in zip(said, scene.objects, strict=True):
            verbs = {f"the {_clause(item, motion)}".lower(): motion for motion in MOTIONS}
            motions.append(_read(clause, verbs, text))
        return cls(scene, tuple(motions))


def sample_motions(scene: Scene, seed: int) -> MovingScene:
    """Draw what each kind of thing in a scene does: not nothing; in a third of all scenes, the same."""
    draw = random.Random(f"motion {seed} {scene.prompt()}")
    together = draw.random() < 1 / 3
    first = draw.choice(MOTIONS[:-1])
    if together:
        return MovingScene(scene, (first,) * len(scene.objects))
    motions = [first, *(draw.choice((*MOTIONS, "stays still")) for _ in scene.objects[1:])]
    draw.shuffle(motions)
    return MovingScene(scene, tuple(motions))


def draw_films(
    scenes: Sequence[MovingScene],
    styles: Sequence[Style],
    seeds: Sequence[int],
    frames: int = 8,
    size: int = 64,
) -> Float[Tensor, "n t 3 s s"]:
    """Draw a film of each moving scene in its style, in [0, 1].

    Colours, paper, strokes and light stay as they are while things move. A film depends on its own scene,
    style and seed only; each frame is what `draw` would draw with things where `arrange_films` puts them.
    """
    if not 64 <= size <= 1024:
        raise ConfigError(f"The atelier draws images of 64 to 1024 pixels, not {size}.")
    if not len(scenes) == len(styles) == len(seeds):
        raise ConfigError(
            f"Give one style and one seed for each scene, not {len(scenes)}, {len(styles)} and {len(seeds)}."
        )
    films = torch.empty(len(scenes), frames, 3, size, size)
    # films of one medium are painted together
    order = sorted(range(len(scenes)), key=lambda index: (styles[index].medium, styles[index].brushwork))
    step = max(1, _PIXELS_AT_ONCE // (frames * size**2))
    for at in range(0, len(order), step):
        members = order[at : at + step]
        found = arrange_films([scenes[i] for i in members], [seeds[i] for i in members], frames)
        of_frame = [i for i in members for _ in range(frames)]
        chosen = [seeds[i] for i in of_frame]
        maps = lay_out([scenes[i].scene for i in of_frame], chosen, size, found)
        images = paint(maps, [styles[i] for i in of_frame], chosen)
        films[members] = images.view(len(members), frames, 3, size, size)
    return films


def arrange_films(scenes: Sequence[MovingScene], seeds: Sequence[int], frames: int) -> Arrangement:
    """Return where each thing is in each frame, film after film: `frames` rows of the arrangement a film."""
    if frames < 2:
        raise ConfigError(f"A film has two frames or more, not {frames}.")
    still = arrange([scene.scene for scene in scenes], seeds)
    film = Arrangement._make(np.repeat(values, frames, axis=0) for values in still)
    time = np.linspace(0.0, 1.0, frames)
    for at, (scene, seed) in enumerate(zip(scenes, seeds, strict=True)):
        draw = random.Random(f"way {seed} {scene.prompt()}")
        row = Arrangement._make(values[at * frames : (at + 1) * frames] for values in film)
        for group, motion in _groups(scene, still.indices[at]):
            _MOVERS[motion](row, group, time, draw)
    return film


def plural_of(motion: str) -> str:
    """Return what several things do, as `move left`."""
    verb, *rest = motion.split()
    return " ".join([verb.removesuffix("s"), *rest])


def _clause(item: SceneObject, motion: str) -> str:
    if item.count == 1:
        return f"{item.thing.name} {motion}"
    return f"{item.thing.plural} {plural_of(motion)}"


def _read(clause: str, verbs: dict[str, Motion], text: str) -> Motion:
    if clause not in verbs:
        near = get_close_matches(clause, verbs, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"In {text!r}, {clause!r} is no motion that it could be. Did you mean {near!r}? "
            f"Motions: {', '.join(MOTIONS)}."
        )
    return verbs[clause]


def _groups(scene: MovingScene, indices: NDArray[np.int64]) -> Iterator[tuple[list[int], Motion]]:
    """Yield what moves together, by its places in the arrangement."""
    if scene.moves_as_one:
        yield np.flatnonzero(indices >= 0).tolist(), scene.motions[0]
        return
    for item, motion in zip(scene.scene.objects, scene.motions, strict=True):
        yield np.flatnonzero(indices == index_of(item.name)).tolist(), motion


def _halves(row: Arrangement, k: int) -> tuple[float, float]:
    """Return half the width and height that a thing takes up at the beginning."""
    left, top, right, bottom = load_atlas().boxes[row.indices[0, k]]
    width, height = (right - left) * row.scale[0, k] / 2, (bottom - top) * row.scale[0, k] / 2
    cos, sin = abs(np.cos(row.angle[0, k])), abs(np.sin(row.angle[0, k]))
    return float(width * cos + height * sin), float(width * sin + height * cos)


def _move(axis: Literal[0, 1], sign: int) -> _Mover:
    def mover(row: Arrangement, group: list[int], time: Array, draw: random.Random) -> None:
        """Move past the places of the arrangement, as far on both sides as the image has room for."""
        values = (row.x, row.y)[axis]
        first = min(values[0, k] - _halves(row, k)[axis] for k in group)
        last = max(values[0, k] + _halves(row, k)[axis] for k in group)
        low, high = min(_MARGIN - first, 0.0), max(1 - _MARGIN - last, 0.0)
        way = draw.uniform(*_WAY)
        if high - low < way:
            way = max(high - low, _LEAST_WAY)
            begin = (low + high - way) / 2
        else:
            begin = float(np.clip(-way / 2, low, high - way))
        path = begin + way * (time if sign > 0 else 1 - time)
        for k in group:
            values[:, k] += path

    return mover


def _scale(sign: int) -> _Mover:
    def mover(row: Arrangement, group: list[int], time: Array, draw: random.Random) -> None:
        """Grow or shrink round the arrangement's size; what stands on the ground keeps its foot there."""
        growth = draw.uniform(*_GROWTH)
        for k in group:
            half_x, half_y = _halves(row, k)
            largest = min(growth**0.5, (0.5 - _MARGIN) / max(half_x, half_y))
            factor = largest * growth ** ((time if sign > 0 else 1 - time) - 1)
            row.scale[:, k] *= factor
            stands = row.horizons[0] < 1 and "sky" not in VOCABULARY[row.indices[0, k]].places
            if stands:
                row.y[:, k] += half_y * (1 - factor)
            for values, half in ((row.x, half_x), (row.y, half_y)):
                values[:, k] = values[:, k].clip(half * factor + _MARGIN, 1 - _MARGIN - half * factor)

    return mover


def _turn(sign: int) -> _Mover:
    def mover(row: Arrangement, group: list[int], time: Array, draw: random.Random) -> None:
        """Turn about the middle."""
        angle = draw.uniform(*_TURN)
        for k in group:
            row.angle[:, k] += sign * angle * time

    return mover


def _stay(row: Arrangement, group: list[int], time: Array, draw: random.Random) -> None:
    """Leave things where they are."""


_Mover: TypeAlias = Callable[[Arrangement, list[int], Array, random.Random], None]
_MOVERS: dict[Motion, _Mover] = {
    "moves left": _move(0, -1),
    "moves right": _move(0, 1),
    "moves up": _move(1, -1),
    "moves down": _move(1, 1),
    "grows": _scale(1),
    "shrinks": _scale(-1),
    "turns left": _turn(-1),  # against the clock
    "turns right": _turn(1),
    "stays still": _stay,
}
