"""A scene: what is to be seen, without a word about style, as data and as a plain English prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Scene", "SceneObject", "Size"]

Size = Literal["small", "medium", "large"]


@dataclass(frozen=True)
class SceneObject:
    """One kind of thing in a scene, `count` times."""

    name: str
    count: int = 1
    size: Size = "medium"


@dataclass(frozen=True)
class Scene:
    """Things, the relation of each to the next, and where they are."""

    objects: tuple[SceneObject, ...]
    relations: tuple[str, ...] = ()
    setting: str = "on the grass"
