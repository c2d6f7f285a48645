"""A scene: what is to be seen, without a word about style, as data and as a plain English prompt."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from itertools import pairwise
from typing import Literal, cast, get_args

from stylekit.atelier.vocabulary import VOCABULARY, Place, Thing, index_of
from stylekit.errors import ConfigError

__all__ = [
    "COUNTS",
    "MAX_INSTANCES",
    "RELATIONS",
    "SETTINGS",
    "Relation",
    "Scene",
    "SceneObject",
    "Size",
    "plausible_relations",
    "sample_scene",
]

MAX_INSTANCES = 4
Size = Literal["small", "medium", "large"]  # medium goes without saying in a prompt
Relation = Literal["and", "left of", "right of", "above", "below", "in front of", "behind", "inside"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)  # "and" relates nothing
COUNTS = ("", "one", "two", "three", "four")

# What is found where. Anything of the vocabulary may be asked for anywhere; a sampled scene keeps to this.
SETTINGS: dict[str, tuple[Place, ...]] = {
    "on the grass": ("ground", "sky"),
    "on a hill": ("ground", "sky"),
    "on the water": ("water", "sky"),
    "under the sea": ("water",),
    "in the sky": ("sky",),
    "in space": ("sky",),
    "on a table": ("table",),
    "on a stage": ("table", "ground"),
    "in a room": ("table", "ground"),
    "in the snow": ("ground", "sky"),
    "on a road": ("ground", "sky"),
    "in a desert": ("ground", "sky"),
    "on the beach": ("ground", "sky"),
    "in a forest": ("ground", "sky"),
    "in a city": ("ground", "sky"),
    "in the mountains": ("ground", "sky"),
    "in a garden": ("ground", "table"),
    "on a plain background": ("ground", "sky", "water", "table"),
}


@dataclass(frozen=True)
class SceneObject:
    """One kind of thing in a scene, `count` times."""

    name: str
    count: int = 1
    size: Size = "medium"

    def __post_init__(self) -> None:
        _check("thing", self.name, (thing.name for thing in VOCABULARY))
        _check("size", self.size, get_args(Size))
        if not 1 <= self.count <= MAX_INSTANCES:
            raise ConfigError(f"A scene shows one to four of a thing, not {self.count} ({self.name}).")

    @property
    def thing(self) -> Thing:
        """The vocabulary's entry."""
        return VOCABULARY[index_of(self.name)]

    def prompt(self) -> str:
        """Say it in English, as in `two small houses`."""
        noun = self.thing.name if self.count == 1 else self.thing.plural
        words = noun if self.size == "medium" else f"{self.size} {noun}"
        if self.count > 1:
            return f"{COUNTS[self.count]} {words}"
        return f"an {words}" if words[0] in "aeiou" or words.startswith("hour") else f"a {words}"


@dataclass(frozen=True)
class Scene:
    """Things in a setting; `relations[i]` says how object i stands to object i + 1."""

    objects: tuple[SceneObject, ...]
    relations: tuple[Relation, ...] = ()
    setting: str = "on a plain background"

    def __post_init__(self) -> None:
        _check("setting", self.setting, SETTINGS)
        for relation in self.relations:
            _check("relation", relation, RELATIONS)
        if not self.objects or len(self.relations) != len(self.objects) - 1:
            raise ConfigError("A scene needs objects, and one relation between each and the next.")
        if sum(item.count for item in self.objects) > MAX_INSTANCES:
            raise ConfigError(f"A scene shows at most four things in all: {self.prompt()!r} has more.")
        for relation, (_, outer) in zip(self.relations, pairwise(self.objects), strict=True):
            if relation == "inside" and (outer.count > 1 or not outer.thing.is_container):
                containers = ", ".join(thing.name for thing in VOCABULARY if thing.is_container)
                raise ConfigError(f"Things can be inside one {containers}; not inside {outer.prompt()}.")
        if self.relations.count("inside") > 1:
            raise ConfigError(f"Only one 'inside' in a scene: {self.prompt()!r} has more.")

    def prompt(self) -> str:
        """Say it in one English sentence, from which `from_prompt` makes the same scene."""
        words = [self.objects[0].prompt()]
        for relation, item in zip(self.relations, self.objects[1:], strict=True):
            words += [relation, item.prompt()]
        sentence = " ".join([*words, self.setting])
        return f"{sentence[0].upper()}{sentence[1:]}."

    @classmethod
    def from_prompt(cls, text: str) -> Scene:
        """Read a sentence such as `A large cat left of two small houses on the grass` back into its scene."""
        rest = " ".join(text.split()).removesuffix(".").lower()
        objects, relations = [], list[Relation]()
        while True:
            item, rest = _read_object(rest, text)
            objects.append(item)
            if rest in SETTINGS:
                return cls(tuple(objects), tuple(relations), rest)
            found = _match(RELATIONS, rest)
            if not found:
                raise _unreadable(text, "a relation or the setting", rest, (*RELATIONS, *SETTINGS))
            relations.append(cast(Relation, found))
            rest = rest[len(found) :].strip()


def sample_scene(seed: int) -> Scene:
    """Draw a scene that could be: one to four things that are found in its setting."""
    draw = random.Random(f"scene {seed}")
    setting = draw.choice(list(SETTINGS))
    num_objects = draw.choices((1, 2, 3), (4, 6, 2))[0]
    picked = [_draw_thing(draw, setting, standing=True)]
    for _ in range(num_objects - 1):
        picked.append(_draw_thing(draw, setting, standing=False))
    if len({thing.name for thing in picked}) < len(picked):
        picked = picked[:1]
    counts = [1] * len(picked)
    while sum(counts) < MAX_INSTANCES and draw.random() < 0.3:
        counts[draw.randrange(len(counts))] += 1
    relations: list[Relation] = []
    for index, thing in enumerate(picked[:-1]):
        if draw.random() < 0.12 and "inside" not in relations and setting != "under the sea":
            picked[index + 1] = draw.choice([t for t in VOCABULARY if t.is_container and t not in picked])
            counts[index + 1] = 1
            relations.append("inside")
        else:
            relations.append(draw.choice(plausible_relations(thing, picked[index + 1])))
    sizes = [draw.choices(get_args(Size), (1, 3, 1))[0] for _ in picked]
    objects = (SceneObject(t.name, count, size) for t, count, size in zip(picked, counts, sizes, strict=True))
    return Scene(tuple(objects), tuple(relations), setting)


def _draw_thing(draw: random.Random, setting: str, standing: bool) -> Thing:
    """Draw a thing of the setting: first of what stands there, then also of what is above it."""
    places = SETTINGS[setting][:1] if standing or draw.random() < 0.6 else SETTINGS[setting]
    if setting == "on a plain background":
        places = SETTINGS[setting]
    return draw.choice([thing for thing in VOCABULARY if not set(places).isdisjoint(thing.places)])


def plausible_relations(thing: Thing, other: Thing) -> list[Relation]:
    """Return how two things can stand to each other, the likelier several times."""
    flies, other_flies = "sky" in thing.places, "sky" in other.places
    relations: list[Relation] = ["and", "left of", "right of", "left of", "right of"]
    if flies == other_flies:
        relations += ["in front of", "behind"]
    if flies:
        relations += ["above", "above"]
    if other_flies:
        relations += ["below", "below"]
    return relations


@cache
def _nouns() -> dict[str, tuple[str, bool, bool]]:
    """Map every noun to its thing and to whether it can be singular and plural."""
    nouns: dict[str, tuple[str, bool, bool]] = {}
    for thing in VOCABULARY:
        nouns[thing.plural] = (thing.name, False, True)
        nouns[thing.name] = (thing.name, True, thing.name == thing.plural)
    return nouns


def _read_object(rest: str, text: str) -> tuple[SceneObject, str]:
    match = re.match(r"(an?|one|two|three|four) +(?:(small|large) +)?(.*)", rest)
    if not match:
        raise _unreadable(text, "a, an, two, three or four", rest, ("a", "an", *COUNTS[1:]))
    number, word, rest = match.groups()
    size = cast(Size, word or "medium")
    count = COUNTS.index(number) if number in COUNTS else 1
    noun = _match(_nouns(), rest)
    if not noun:
        raise _unreadable(text, "a thing of the vocabulary", rest, _nouns())
    name, is_singular, is_plural = _nouns()[noun]
    if not (is_singular if count == 1 else is_plural):
        right = SceneObject(name, count, size).prompt()
        raise ConfigError(f"In {text!r}, '{number} {noun}' should be '{right}'.")
    return SceneObject(name, count, size), rest[len(noun) :].strip()


def _match(phrases: Iterable[str], rest: str) -> str:
    """Return the longest phrase with which the rest begins."""
    return max((p for p in phrases if rest == p or rest.startswith(p + " ")), key=len, default="")


def _unreadable(text: str, expected: str, rest: str, valid: Iterable[str]) -> ConfigError:
    where = f"In {text!r}, expected {expected} " + (f"at {rest!r}." if rest else "at the end.")
    valid = list(valid)
    words = rest.split()
    tries = [" ".join(words[: length + 1]) for length in range(min(5, len(words)))]
    near = [(attempt, word) for attempt in tries for word in get_close_matches(attempt, valid, n=1)]
    if near:
        nearest = max(near, key=lambda pair: SequenceMatcher(None, *pair).ratio())[1]
        return ConfigError(f"{where} Did you mean {nearest!r}?")
    shown = ", ".join(valid) if len(valid) < 40 else f"{', '.join(valid[1:40:2])} and more"
    return ConfigError(f"{where} Valid: {shown}.")


def _check(kind: str, value: str, valid: Iterable[str]) -> None:
    valid = list(valid)
    if value in valid:
        return
    near = get_close_matches(value, valid, n=1, cutoff=0)
    listing = f" Valid: {', '.join(valid)}." if len(valid) < 40 else ""
    raise ConfigError(f"No {kind} is called {value!r}. Did you mean {near[0]!r}?{listing}")
