"""Render references x prompts x contents x seeds to a folder of images."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NoReturn

from torch import Tensor
from tqdm import tqdm

from stylekit.errors import ConfigError, DataError, StylekitError
from stylekit.explanation import write_explanation
from stylekit.image_files import ImageFile, read_image, save_png
from stylekit.painting import Painted, Painter, Row
from stylekit.pixels import Rejection
from stylekit.rendering.contact_sheet import write_contact_sheets
from stylekit.rendering.manifest import Manifest, mend_manifest
from stylekit.rendering.request import Item, Reference, read_request
from stylekit.rendering.settings import Settings, find_settings
from stylekit.rendering.styles import extract_style
from stylekit.run import write_atomically
from stylekit.weights_digest import weights_digest

__all__ = ["Rendered", "render"]

log = logging.getLogger("stylekit")

_OPEN = 256
"""Rows whose contents are in memory at once."""


@dataclass(frozen=True)
class Rendered:
    """What a rendering has left in its folder."""

    folder: Path
    files: tuple[Path, ...]
    """All images that were asked for and are there."""
    num_made: int
    """Of these, how many were not there before."""
    sheets: tuple[Path, ...]
    left_out: tuple[Rejection, ...]
    """What could not be used or made, and why."""


def render(
    target: str | Path,
    *overrides: str,
    references: Sequence[str | Path] = (),
    prompts: Sequence[str | Path] = (),
    contents: Sequence[str | Path] = (),
    seeds: Sequence[int] = (0,),
    out: str | Path = "renders",
    group: bool = False,
    batch_size: int | None = None,
    config_dirs: Sequence[Path] = (),
) -> Rendered:
    """Render every prompt in the style of every reference, and write a manifest and contact sheets.

    Of a method that explains its images, the explanation of each lies beside it, in two files that open with
    its name.

    An image that is there already, made from the same by the same code and settings, is not made again. What
    cannot be used is named before weights load, what the method refuses (a StylekitError) when it is its
    turn, and the rest is rendered. A batch is of one style: many prompts and seeds of few styles are fastest.

    Args:
        target: A finished run, a file or folder that `export` wrote, or an experiment.
        overrides: `group=file` or `dotted.key=value`, such as `method.num_steps=50`.
        references: Files, folders and patterns; every image is a style of its own.
        prompts: Texts; a Path is a file with one on each line.
        contents: Pictures whose layout is kept, for methods that take them.
        seeds: Of the noise; an image depends on its own alone.
        out: The folder to write to.
        group: The images of a folder are references of one style, and so are all files given singly.
        batch_size: Images at once; as many as fit by default.
        config_dirs: Further config folders.
    """
    if batch_size is not None and batch_size < 1:
        raise ConfigError(f"batch_size must be 1 or more, not {batch_size}.")
    for name, value in (("references", references), ("prompts", prompts), ("contents", contents)):
        if isinstance(value, str | Path):
            raise ConfigError(f"{name} must be a list, as [{str(value)!r}].")
    settings = find_settings(target, overrides, config_dirs)
    folder, digest = Path(out).expanduser(), settings.digest
    request = read_request(settings.config, references, prompts, contents, seeds, group, out=folder)
    for one in request.left_out:
        log.warning("%s is left out: %s.", one.where, one.reason.rstrip("."))
    # The same picture and name under two paths make one image.
    by_name = {item.file_name(digest): item for item in request.items}
    paths = {item: folder / name for name, item in by_name.items()}
    waiting = [item for item, path in paths.items() if not path.is_file()]
    refused = _Studio(settings, folder, digest, batch_size).make(paths, waiting) if waiting else []
    files = tuple(path for path in paths.values() if path.is_file())
    if not files:
        raise DataError(
            "No image could be rendered:\n" + "\n".join(f"  {one.where}: {one.reason}" for one in refused)
        )
    mend_manifest(folder)
    sheets = write_contact_sheets(folder, paths)
    return Rendered(folder, files, len(waiting) - len(refused), tuple(sheets), (*request.left_out, *refused))


class _Studio:
    """A loaded method that fills a folder."""

    def __init__(self, settings: Settings, folder: Path, digest: str, batch_size: int | None) -> None:
        name = f"settings-{digest}.yaml"
        write_atomically(folder / name, settings.to_yaml())
        self.digest = digest
        self.method = settings.load()
        self.painter = Painter(self.method, batch_size)
        self.manifest = Manifest(folder, name, weights_digest(self.method))

    def make(self, paths: dict[Item, Path], waiting: Sequence[Item]) -> list[Rejection]:
        """Render what is waiting, style by style; return what the method refused."""
        refused = list[Rejection]()
        bar: tqdm[NoReturn] = tqdm(
            total=len(waiting),
            desc="render",
            unit="image",
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 15.0,
        )
        with bar:
            for reference, of_one in groupby(waiting, lambda item: item.reference):
                for item, made in self._paint(reference, list(of_one)):
                    bar.update()
                    if isinstance(made, Painted):
                        self._keep(item, made, paths[item])
                    else:
                        if str(made) not in {one.reason for one in refused}:
                            log.warning("%s cannot be made: %s", item, made)
                        refused.append(Rejection(str(item), str(made)))
        return refused

    def _paint(
        self, reference: Reference, items: list[Item]
    ) -> Iterator[tuple[Item, Painted | StylekitError]]:
        try:
            style = extract_style(self.method, reference, self.digest)
        except StylekitError as error:
            yield from ((item, error) for item in items)
            return
        for start in range(0, len(items), _OPEN):
            some = items[start : start + _OPEN]
            opened = {file: _read(file) for file in {item.content for item in some}}
            rows = [Row(item.prompt, item.seed, opened[item.content]) for item in some]
            for place, made in self.painter.paint(style, rows):
                yield some[place], made

    def _keep(self, item: Item, made: Painted, path: Path) -> None:
        # The explanation first: an image that is there is not made again.
        beside = write_explanation(made.explanation, path) if made.explanation else []
        row = self.manifest.row(item, path.name, [file.name for file in beside])
        save_png(made.image, path, json.dumps(row, ensure_ascii=False))
        self.manifest.add(row)


def _read(file: ImageFile | None) -> Tensor | None:
    if file is None:
        return None
    image = read_image(file.path)
    assert isinstance(image, Tensor), "it was decoded before"
    return image
