"""What is asked for: references, prompts, contents and seeds, read and checked before weights load."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from stylekit.config import Config
from stylekit.config.target import resolve_target
from stylekit.errors import ConfigError, DataError
from stylekit.foundation.generator import Generator
from stylekit.image_files import ImageFile, find_images, open_image
from stylekit.method import StyleRenderer
from stylekit.pixels import Rejection

__all__ = ["Item", "Reference", "Request", "read_request"]


@dataclass(frozen=True)
class Reference:
    """One style: the images that it is taken from; none for a method that looks at none."""

    name: str
    images: tuple[ImageFile, ...]

    @property
    def digest(self) -> str:
        """Of the images, in their order."""
        return hashlib.sha256(" ".join(image.digest for image in self.images).encode()).hexdigest()


@dataclass(frozen=True)
class Item:
    """One image to be made."""

    reference: Reference
    prompt: str
    content: ImageFile | None
    seed: int

    def __str__(self) -> str:
        """Name what it is to be made from."""
        pictures = [*self.reference.images, *([self.content] if self.content else [])]
        said = [str(picture.path) for picture in pictures] + ([repr(self.prompt)] if self.prompt else [])
        return f"The image from {', '.join(said) or 'nothing'}, seed {self.seed},"

    def file_name(self, settings: str) -> str:
        """Return a name that says what it shows, and by eight letters what it was made from and how."""
        content = self.content.digest if self.content else ""
        parts = [settings, self.reference.digest, self.prompt, content, str(self.seed)]
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
        named = [self.reference.name, self.prompt, self.content.path.stem if self.content else ""]
        words = [word for word in map(_slug, named) if word]
        return "--".join([*words, f"seed{self.seed}", key]) + ".png"


@dataclass(frozen=True)
class Request:
    """All that was asked for and can be done, and what was left out."""

    references: tuple[Reference, ...]
    prompts: tuple[str, ...]
    contents: tuple[ImageFile | None, ...]
    seeds: tuple[int, ...]
    left_out: tuple[Rejection, ...]

    @property
    def items(self) -> list[Item]:
        """Every combination, those of one reference one after another."""
        every = product(self.references, self.prompts, self.contents, self.seeds)
        return [Item(*parts) for parts in every]


def read_request(
    config: Config,
    references: Sequence[str | Path],
    prompts: Sequence[str | Path],
    contents: Sequence[str | Path],
    seeds: Sequence[int],
    group: bool,
    *,
    out: Path,
) -> Request:
    """Read what `render` was given, and refuse what the method of the config cannot use.

    An image that cannot be decoded and a prompt that the foundation does not know cost themselves alone; if
    nothing is left, a DataError says why. What lies in `out` is looked at only where that is named itself.
    """
    method = _renderer(config)
    _check_given(config, method, references, prompts, contents)
    if len(seeds) > 1 and not method.uses_seed:
        raise ConfigError(f"{config.name} draws nothing at random: leave seeds out.")
    if not seeds or any(not 0 <= seed < 2**63 for seed in seeds):
        raise ConfigError("seeds are whole numbers of 0 or more, at least one.")
    styles, refused = _read_references(references, group, out)
    texts, unknown = _read_prompts(config, prompts)
    images, broken = _read_images(contents, out)
    left_out = (*refused, *unknown, *broken)
    for asked, found, what in (
        (references, styles, "reference"),
        (prompts, texts, "prompt"),
        (contents, images, "content"),
    ):
        if asked and not found:
            raise DataError(
                f"No {what} can be used:\n" + "\n".join(f"  {one.where}: {one.reason}" for one in left_out)
            )
    return Request(
        tuple(styles) or (Reference("", ()),),
        tuple(dict.fromkeys(texts)) or ("",),
        tuple(images) or (None,),
        tuple(dict.fromkeys(seeds)),
        left_out,
    )


def _renderer(config: Config) -> type[StyleRenderer[Any]]:
    method = resolve_target(config.values["method"]["_target_"])
    if not issubclass(method, StyleRenderer):
        raise ConfigError(
            f"{config.name} does not render images; choose a renderer (see `stylekit list method`)."
        )
    return method


def _check_given(
    config: Config,
    method: type[StyleRenderer[Any]],
    references: Sequence[Any],
    prompts: Sequence[Any],
    contents: Sequence[Any],
) -> None:
    name = config.choices.get("method", method.__name__)
    if method.uses_references and not references:
        raise ConfigError(f"{name} takes its style from pictures: give some with references=FILE_OR_FOLDER.")
    if references and not method.uses_references:
        raise ConfigError(f"{name} looks at no references: leave them out, or choose another method.")
    if "prompt" in method.needs and not prompts:
        raise ConfigError(
            f'{name} needs a prompt: "prompt=a cat beside a house", or prompts=FILE with one a line.'
        )
    for what, given in (("prompt", prompts), ("content", contents)):
        if given and what not in method.needs:
            raise ConfigError(f"{name} takes no {what}s: leave them out, or choose another method.")
    if "content" in method.needs and not contents:
        raise ConfigError(f"{name} needs a picture whose layout it keeps: contents=FILE_OR_FOLDER.")


def _read_references(
    entries: Sequence[str | Path], group: bool, out: Path
) -> tuple[list[Reference], list[Rejection]]:
    references, left_out = list[Reference](), list[Rejection]()
    single: list[ImageFile] = []
    for entry in entries:
        images, refused = _read_images([entry], out)
        left_out += refused
        if group and Path(entry).expanduser().is_dir() and images:
            references.append(Reference(Path(entry).expanduser().resolve().name, tuple(images)))
        elif group:
            single += images
        else:
            references += [Reference(image.path.stem, (image,)) for image in images]
    if single:
        references.append(Reference(single[0].path.stem, tuple(single)))
    return references, left_out


def _read_images(entries: Sequence[str | Path], out: Path) -> tuple[list[ImageFile], list[Rejection]]:
    images, left_out = list[ImageFile](), list[Rejection]()
    for entry in entries:
        found = find_images(entry, without=out)
        for one in [found] if isinstance(found, Rejection) else map(open_image, found):
            (left_out if isinstance(one, Rejection) else images).append(one)  # type: ignore[arg-type]
    return images, left_out


def _read_prompts(config: Config, prompts: Sequence[str | Path]) -> tuple[list[str], list[Rejection]]:
    """Take texts as they are and files line by line; leave out what the foundation has no words for."""
    texts: list[str] = []
    for entry in prompts:
        texts += _lines(entry) if isinstance(entry, Path) else [entry.strip()]
    if any(not text for text in texts):
        raise ConfigError("A prompt is empty: say what the image is to show.")
    node: Mapping[str, Any] = config.values.get("foundation") or {}
    kind = resolve_target(node["_target_"]) if node else None
    known, left_out = list[str](), list[Rejection]()
    for text in texts:
        try:
            if kind is not None and issubclass(kind, Generator):
                kind.read_into([text], node.get("repertoire"))
            known.append(text)
        except ConfigError as error:
            left_out.append(Rejection(f"prompt {text!r}", str(error)))
    return known, left_out


def _lines(file: Path) -> list[str]:
    try:
        lines = [line.strip() for line in file.expanduser().read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The prompts in {file} cannot be read: {error}.") from error
    if not any(lines):
        raise DataError(f"{file} holds no prompt: write one on each line.")
    return [line for line in lines if line]


def _slug(text: str) -> str:
    return re.sub(r"[^0-9a-z]+", "-", text.lower()).strip("-")[:40].strip("-")
