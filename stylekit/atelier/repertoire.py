"""What the mini foundations know of the atelier: a smaller vocabulary, its scenes, and a check of prompts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

from stylekit.atelier.scene import SETTINGS as ALL_SETTINGS
from stylekit.atelier.scene import Relation, Scene, SceneObject, Size, plausible_relations
from stylekit.atelier.vocabulary import VOCABULARY, Thing, index_of
from stylekit.errors import ConfigError

__all__ = ["MINI", "REPERTOIRES", "Repertoire"]


@dataclass(frozen=True)
class Repertoire:
    """Things, relations, sizes and settings; styles are not limited."""

    name: str
    things: tuple[str, ...]
    relations: tuple[Relation, ...]
    sizes: tuple[Size, ...]
    settings: tuple[str, ...]
    max_things: int

    @property
    def entries(self) -> tuple[Thing, ...]:
        """The vocabulary's entries of the things."""
        return tuple(VOCABULARY[index_of(name)] for name in self.things)

    def sample_scene(self, seed: int) -> Scene:
        """Draw a scene, every thing as often as every other, in a setting where the first is found."""
        draw = random.Random(f"scene of {self.name} {seed}")
        num_kinds = draw.choices(range(1, self.max_things + 1), (5, 4, 2, 1)[: self.max_things])[0]
        picked = draw.sample(self.entries, num_kinds)
        counts = [1] * num_kinds
        while sum(counts) < self.max_things and draw.random() < 0.2:
            counts[draw.randrange(num_kinds)] += 1
        found_in = [
            setting
            for setting in self.settings
            if not set(ALL_SETTINGS[setting]).isdisjoint(picked[0].places)
        ]
        relations: list[Relation] = []
        for thing, other in pairwise(picked):
            plausible = [one for one in plausible_relations(thing, other) if one in self.relations]
            relations.append(draw.choice(plausible))
        objects = tuple(
            SceneObject(thing.name, count, draw.choice(self.sizes))
            for thing, count in zip(picked, counts, strict=True)
        )
        return Scene(objects, tuple(relations), draw.choice(found_in))

    def check(self, scene: Scene) -> None:
        """Refuse what is beyond the repertoire, and name what comes near."""
        if sum(item.count for item in scene.objects) > self.max_things:
            raise ConfigError(
                f"The {self.name} foundations draw at most {self.max_things} things, not {scene.prompt()!r}."
            )
        for item in scene.objects:
            self._demand("thing", item.name, self.things)
            self._demand("size", item.size, self.sizes)
        for relation in scene.relations:
            self._demand("relation", relation, self.relations)
        self._demand("setting", scene.setting, self.settings)

    def _demand(self, kind: str, word: str, known: Sequence[str]) -> None:
        if word not in known:
            near = get_close_matches(word, known, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"The {self.name} foundations do not know the {kind} {word!r}. Did you mean {near!r}? "
                f"They know: {', '.join(known)}."
            )


# Things of plain outline, that can be told apart at 64 pixels.
MINI = Repertoire(
    name="mini",
    things=(
        "cat", "dog", "rabbit", "robot", "skull", "ghost", "bird", "butterfly", "fish", "tree", "pine tree",
        "cactus", "tulip", "carrot", "pair of cherries", "cake", "ice cream", "cup of coffee", "bottle",
        "wine glass", "car", "tractor", "sailboat", "airplane", "rocket", "balloon", "house", "castle tower",
        "lighthouse", "windmill", "tent", "umbrella", "hourglass", "lightbulb", "bell", "gift", "crown",
        "camera", "key", "hammer", "guitar", "trophy", "cloud", "moon", "sun", "star", "heart", "envelope",
    ),
    relations=("and", "left of", "right of", "above", "below"),
    sizes=("medium", "large"),
    settings=(
        "on a plain background", "on the grass", "on the water", "in the sky", "on a table", "in the snow",
        "in a desert", "in the mountains",
    ),
    max_things=3,
)  # fmt: skip
REPERTOIRES: dict[str, Repertoire] = {MINI.name: MINI}
