"""Look at every image of a data set before any time goes into training on it."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from stylekit.config import build, check, compose, compose_group, config_dirs, list_group
from stylekit.config.mistake import suggestion
from stylekit.datamodule import ImageRecord, StyleDataModule
from stylekit.errors import ConfigError, DataError
from stylekit.split import Split

__all__ = ["DataReport", "data_check"]

_SPLITS: tuple[Split, ...] = ("train", "val", "test")
_LISTED = 20
_NO_CONFIG_DIRS: tuple[Path, ...] = ()


@dataclass(frozen=True)
class DataReport:
    """What `data_check` found; as text, a set of tables."""

    name: str
    digest: str
    num_rows: int
    """Rows and files that were looked at."""
    splits: dict[str, dict[str, int]]
    """Styles, contents and images that are used, per split."""
    dropped: dict[str, int]
    """Rows and files that are not used, per reason."""
    images_per_style: dict[int, int]
    """How many styles have so many decodable images."""
    num_single_image_styles: int
    """Styles with one decodable image, which can never be trained on in pairs."""
    sizes: dict[str, int]
    """Decodable images per width x height."""
    duplicates: tuple[tuple[str, ...], ...]
    """Groups of images with equal pixels."""
    num_leaking_duplicates: int
    """Groups of them that reach over two splits."""
    rejected: tuple[tuple[str, str], ...]
    """Where, and why, for each row or file that cannot be used whatever the settings."""
    problems: tuple[str, ...]
    """What would stop training, and the setting that cures it."""

    @property
    def num_kept(self) -> int:
        """Images that are used in some split."""
        return sum(counts["images"] for counts in self.splits.values())

    @property
    def num_duplicates(self) -> int:
        """Images that could go without loss."""
        return sum(len(group) - 1 for group in self.duplicates)

    def __str__(self) -> str:
        console = Console(file=io.StringIO(), width=110, highlight=False)
        for title, table in _tables(self):
            console.print(f"\n{title}", markup=False, soft_wrap=True)
            console.print(table)
        for problem in self.problems:
            console.print(f"\nTraining would stop: {problem}", markup=False, soft_wrap=True)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text.strip()


def data_check(
    target: str | Path | StyleDataModule,
    *overrides: str,
    config_dirs: Sequence[str | Path] = _NO_CONFIG_DIRS,
) -> DataReport:
    """Decode every image, count what is kept and what is dropped and why, and find duplicates.

    Args:
        target: A folder of Parquet shards or of image files with a metadata.jsonl, a data config, an
            experiment, or a data module.
        overrides: Settings such as "data.source.val_fraction=0.2".
        config_dirs: Further config folders.

    Raises:
        DataError: No style can be trained on, or another fault would stop training; holds the report.
    """
    data = target if isinstance(target, StyleDataModule) else _build(str(target), overrides, config_dirs)
    name = type(data).__name__ if isinstance(target, StyleDataModule) else str(target)
    report = _report(name, data, list(_with_bar(data.examine())))
    if report.problems:
        raise DataError(str(report))
    return report


def _build(target: str, overrides: Sequence[str], extra_dirs: Sequence[str | Path]) -> StyleDataModule:
    groups = {group: list_group(group, config_dirs(extra_dirs)) for group in ("data", "experiment")}
    if target in groups["data"]:
        config = compose_group("data", target, overrides, extra_dirs)
    elif target in groups["experiment"] or target.endswith((".yaml", ".yml")):
        config = compose(target, overrides, extra_dirs)
    elif (folder := Path(target).expanduser()).is_dir():
        name, key = _layout(folder)
        config = compose_group(
            "data", name, [f"data.source.{key}={json.dumps(str(folder))}", *overrides], extra_dirs
        )
    else:
        raise ConfigError(
            f"{target!r} is no folder, data config or experiment. "
            f"{suggestion(target, [*groups['data'], *groups['experiment']])}"
        )
    check(config)
    data = build(config.values["data"])
    if not isinstance(data, StyleDataModule):
        raise ConfigError(f"data must be a StyleDataModule, not a {type(data).__name__}.")
    return data


def _layout(folder: Path) -> tuple[str, str]:
    """Return the data config that reads such a folder, and its setting for the folder."""
    if (folder / "metadata.jsonl").is_file():
        return "image_folder", "root"
    if next(folder.rglob("*.parquet"), None) is not None:
        return "parquet_folder", "path"
    raise DataError(
        f"{folder} has neither a metadata.jsonl (one line per image: file_name, style, content) nor Parquet "
        "shards (*.parquet with the columns image, style, content)."
    )


def _report(name: str, data: StyleDataModule, records: Sequence[ImageRecord]) -> DataReport:
    kept = [record for record in records if record.split is not None]
    readable = [record for record in records if record.pixels is not None]
    styles = Counter(record.style for record in readable)
    groups: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in readable:
        groups[str(record.pixels)].append(record)
    duplicates = [group for group in groups.values() if len(group) > 1]
    return DataReport(
        name=name,
        digest=data.digest(),
        num_rows=len(records),
        splits={split: _counts([record for record in kept if record.split == split]) for split in _SPLITS},
        dropped=_ordered(Counter(str(record.reason) for record in records if record.split is None)),
        images_per_style=dict(sorted(Counter(styles.values()).items())),
        num_single_image_styles=sum(count == 1 for count in styles.values()),
        sizes=_ordered(Counter("{} x {}".format(*record.size) for record in readable if record.size)),
        duplicates=tuple(tuple(record.where for record in group) for group in duplicates),
        num_leaking_duplicates=sum(
            len({record.split for record in group if record.split}) > 1 for group in duplicates
        ),
        rejected=tuple((record.where, str(record.reason)) for record in records if record.pixels is None),
        problems=tuple(_problems(data)),
    )


def _problems(data: StyleDataModule) -> Iterator[str]:
    for ask in (lambda: data.train_batches(data.seed), data.val_batches):
        try:
            ask()
        except DataError as error:
            yield str(error)


def _counts(records: Sequence[ImageRecord]) -> dict[str, int]:
    return {
        "styles": len({record.style for record in records}),
        "contents": len({record.content for record in records}),
        "images": len(records),
    }


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())


def _tables(report: DataReport) -> Iterator[tuple[str, Table]]:
    title = f"{report.name} ({report.digest}): {report.num_kept} of {report.num_rows} images kept"
    yield (
        title,
        _table(
            ("split", "styles", "contents", "images"),
            [(split, *counts.values()) for split, counts in report.splits.items()],
        ),
    )
    if report.dropped:
        yield "Dropped", _table(("reason", "images"), report.dropped.items())
    of_styles = list(report.images_per_style.items())
    yield "Decodable images of a style", _table(("images", "styles"), _shortened(of_styles))
    yield "Sizes", _table(("width x height", "images"), _shortened(list(report.sizes.items())))
    counts = {
        "styles with one image": report.num_single_image_styles,
        "duplicate images": report.num_duplicates,
        "duplicates in two splits": report.num_leaking_duplicates,
    }
    yield "To mind", _table(("what", "number"), counts.items())
    if report.rejected:
        yield "Cannot be used", _table(("where", "reason"), _shortened(report.rejected))
    if report.duplicates:
        groups = [
            (", ".join(group[:3] + ("...",) * (len(group) > 3)), len(group)) for group in report.duplicates
        ]
        yield "Equal pixels", _table(("images", "number"), _shortened(groups))


def _table(columns: Iterable[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table


def _shortened(rows: Sequence[Sequence[object]]) -> list[Sequence[object]]:
    if len(rows) <= _LISTED:
        return list(rows)
    return [*rows[:_LISTED], (f"... and {len(rows) - _LISTED} more", "")]


def _with_bar(records: Iterator[ImageRecord]) -> Iterator[ImageRecord]:
    columns = (SpinnerColumn(), TextColumn("Looking at the images: {task.completed}"))
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        bar = bars.add_task("images", total=None)
        for record in records:
            yield record
            bars.advance(bar)
