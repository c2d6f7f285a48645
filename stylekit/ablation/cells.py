"""Points with seeds: the runs of an ablation, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stylekit.ablation.done import Done, read_done
from stylekit.ablation.plan import Ablation
from stylekit.ablation.points import Point
from stylekit.candidate import Candidate, check_fits
from stylekit.config import Config, check, check_baselines, compose, digest
from stylekit.errors import ConfigError, StylekitError
from stylekit.planning import check_trainable

__all__ = ["Cell", "Cells"]

_LONGEST = 80


@dataclass(frozen=True)
class Cell:
    """A point with a seed: one run."""

    point: Point
    seed: int
    config: Config
    file: Path
    """The resolved config, which `stylekit train` takes as well."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.point.name} seed {self.seed}"

    @property
    def done_file(self) -> Path:
        """What its task writes when it is done."""
        return self.file.with_suffix(".done.json")

    def done(self) -> Done | None:
        """Return what its task left, if it is done."""
        return read_done(self.done_file, digest(self.config))


class Cells:
    """All runs of an ablation, composed when they are asked for."""

    def __init__(self, name: str, plan: Ablation, shared: Sequence[str], config_dirs: Sequence[Path]) -> None:
        self.plan, self.shared, self.config_dirs = plan, tuple(shared), config_dirs
        self._known: dict[tuple[Point, int], Cell] = {}
        for text in self.shared:
            _refuse_seed(text, "overrides")
        self.base = self._compose(Point((), ()), plan.seeds[0])
        self.folder = Path(self.base.values["runs"]) / "ablations" / name.replace("/", "-")

    def of(self, point: Point) -> list[Cell]:
        """Return the runs of a point, one a seed."""
        return [self._cell(point, seed) for seed in self.plan.seeds]

    def check(self, points: Sequence[Point]) -> None:
        """Refuse the ablation if any point is wrong, or two are the same, naming all that are."""
        mistakes = []
        same: dict[str, Point] = {}
        for point in points:
            try:
                for text in point.overrides:
                    _refuse_seed(text, "axes")
                config = self.of(point)[0].config
                self._check(config)
                earlier = same.setdefault(digest(config), point)
                # A search may draw the present value of several keys: its points are no rows of a table.
                if earlier is not point and self.plan.search is None:
                    mistakes.append(f"{point.name}: is the same as {earlier.name}; exclude one of them")
            except StylekitError as error:
                mistakes.append(f"{point.name}: {error}")
        if mistakes:
            raise ConfigError("\n".join(["Points of the ablation cannot be run:", *mistakes]))

    def _check(self, config: Config) -> None:
        check(config, needs=("method", "benchmark", "tracking"))
        check_baselines(config, self.config_dirs)
        if config.values["stages"]:
            check_trainable(config)
        check_fits(Candidate(config, None, ""), config, self.config_dirs)

    def _cell(self, point: Point, seed: int) -> Cell:
        if (point, seed) not in self._known:
            config = self._compose(point, seed)
            file = self.folder / "points" / f"{_file_name(point)}-{digest(config)}-s{seed}.yaml"
            self._known[point, seed] = Cell(point, seed, config, file)
        return self._known[point, seed]

    def _compose(self, point: Point, seed: int) -> Config:
        texts = [*self.shared, *point.overrides, f"seed={seed}"]
        return compose(self.plan.experiment, texts, self.config_dirs)


def _refuse_seed(text: str, where: str) -> None:
    if text.startswith("seed="):
        raise ConfigError(f"{where} set {text}; the seeds of an ablation are ablation.seeds=[0,1,2].")


def _file_name(point: Point) -> str:
    name = "".join(letter if letter.isalnum() or letter in "=,.-_" else "_" for letter in point.name)
    return name[:_LONGEST]
