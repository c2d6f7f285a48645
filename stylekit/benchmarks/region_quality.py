"""RegionQuality: whether the regions that a method finds are what an image shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, final

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from stylekit.atelier import MINI, draw, sample_scenes, sample_styles
from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.board import seed_of, to_bytes
from stylekit.benchmarks.exhibits import sheet, spread
from stylekit.benchmarks.scene_regions import FIRST_KIND, true_regions_of
from stylekit.bounds import AtLeastTwo, Positive, bounded
from stylekit.method import Need, RegionRenderer
from stylekit.metrics import Better, Unit, adjusted_rand_index, best_ious, contingency, matched_ious, to_lab
from stylekit.region_colours import paint_regions
from stylekit.resizing import resized
from stylekit.split import Split

__all__ = ["RegionQuality"]

_FORMS: dict[str, tuple[Better, Unit]] = {
    "rand_index": ("higher", "ratio"),
    "object_iou": ("higher", "percent"),
    "matched_iou": ("higher", "percent"),
    "num_regions": ("neither", "regions"),
}


@final
class RegionQuality(Benchmark[RegionRenderer[Any]]):
    """Held-out scenes of the mini repertoire, each in a held-out style of its own, taken apart into regions.

    The truth is what each pixel shows: a kind of thing, or a part of the backdrop (far, near, detail). Things
    of one kind are one region. Regions are compared with it at the pixels of the image, each cell of a
    coarser map covering its share of them, so that methods with maps of any size can be compared.

    `rand_index` is the adjusted Rand index over all pixels. `object_iou` is the mean over kinds of things of
    the IoU with the region that fits best, which one region may do for several; `matched_iou` the mean over
    all true regions under a one-to-one matching, 0 for those left over, so that too few regions and too many
    both cost. `num_regions` stands beside that of `truth`, which is what it should be.

    `found` are the method's regions. `one_region` is the whole image as one, `colours` k-means of the Lab
    colours of the same cells with the true number of clusters, which no method is told; `truth` is the
    truth, brought to the method's grid by the majority of each cell: the upper bound.

    Args:
        num_images: Scenes, each a value of the intervals.
        split: Of scenes and styles; choose settings on another than test.
        image_size: Side of the images in pixels.
        seed: Of the images.
        batch_size: Images at once.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = RegionRenderer
    needs: ClassVar[frozenset[Need] | None] = None
    unit: ClassVar[str] = "images"

    @bounded
    def __init__(
        self,
        num_images: AtLeastTwo = 128,
        split: Split = "test",
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seed: int = 0,
        batch_size: Positive = 16,
        name: str = "region_quality",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        self.num_images, self.image_size, self.batch_size = num_images, image_size, batch_size
        self.split: Split = split
        self.seed = seed
        self._drawn: tuple[Tensor, Tensor] | None = None

    def run(self, method: RegionRenderer[Any]) -> BenchmarkResult:
        """Find regions and compare."""
        images, truth = self._drawn = self._drawn or self._draw()
        was_training = method.training
        method.eval()
        bar = tqdm(total=len(images), desc=f"{self.name} {type(method).__name__}", unit="image")
        parts = []
        for batch in torch.split(images, self.batch_size):
            parts.append(method.find_regions(batch.to(method.device)).cpu())
            bar.update(len(batch))
        bar.close()
        method.train(was_training)
        groups = self._divide(images, truth, torch.cat(parts))
        scores = {
            f"{group}/{name}": Scores(values, list(range(len(images))), *_FORMS[name])
            for group, regions in groups.items()
            for name, values in region_scores(truth, _enlarged(regions, self.image_size)).items()
        }
        settings = self._settings(images)
        exhibits = self._exhibits(images, truth, groups["found"])
        return BenchmarkResult(scores, {group: dict(settings) for group in groups}, exhibits)

    def _draw(self) -> tuple[Float[Tensor, "n 3 h w"], Int[Tensor, "n h w"]]:
        scenes = sample_scenes(self.num_images, self.seed, self.split, repertoire=MINI)
        styles = sample_styles(self.num_images, self.seed, self.split)
        seeds = [seed_of(f"{self.seed}/regions/{scene.prompt()}") for scene in scenes]
        images = to_bytes(draw(scenes, styles, seeds, self.image_size)).float() / 255.0
        return images, true_regions_of(scenes, seeds, self.image_size)

    def _divide(
        self, images: Tensor, truth: Tensor, found: Int[Tensor, "n h2 w2"]
    ) -> dict[str, Int[Tensor, "n h2 w2"]]:
        """Divide the images as the method did and as the controls do, all on the method's grid."""
        height, width = found.shape[1:]
        counts = [len(one.unique()) for one in truth]
        return {
            "found": found,
            "one_region": torch.zeros_like(found),
            "colours": colour_clusters(resized(images, height, width), counts),
            "truth": majority(truth, height, width),
        }

    def _settings(self, images: Tensor) -> dict[str, Any]:
        return {
            "images": self.num_images,
            "split": self.split,
            "repertoire": MINI.name,
            "image_size": self.image_size,
            "seed": self.seed,
            "pixels": hashlib.sha256(to_bytes(images).numpy().tobytes()).hexdigest()[:16],
        }

    def _exhibits(self, images: Tensor, truth: Tensor, found: Tensor) -> dict[str, NDArray[Any]]:
        rows = spread(len(images))
        shown = _enlarged(found[rows], self.image_size)
        drawn = torch.stack([images[rows], paint_regions(truth[rows]), paint_regions(shown)], 1)
        captions = [
            f"image; {len(own.unique())} true regions; {len(theirs.unique())} found"
            for own, theirs in zip(truth[rows], shown, strict=True)
        ]
        return sheet("found", drawn, captions)


def region_scores(truth: Int[Tensor, "n h w"], found: Int[Tensor, "n h w"]) -> dict[str, list[float]]:
    """Compare each image's regions with its true ones."""
    scores: dict[str, list[float]] = {name: [] for name in _FORMS}
    for own, theirs in zip(truth, found, strict=True):
        table = contingency(own, theirs)
        is_thing = own.unique() >= FIRST_KIND
        scores["rand_index"].append(adjusted_rand_index(table))
        scores["object_iou"].append(float(best_ious(table)[is_thing].mean()))
        scores["matched_iou"].append(float(matched_ious(table).mean()))
        scores["num_regions"].append(float(table.shape[1]))
    return scores


def majority(regions: Int[Tensor, "n h w"], height: int, width: int) -> Int[Tensor, "n h2 w2"]:
    """Bring regions to another grid: of each cell what covers most of it, the lowest number of several."""
    names: Tensor = torch.unique(regions)
    shares = F.interpolate((regions[:, None] == names.view(-1, 1, 1)).float(), (height, width), mode="area")
    found: Tensor = names[shares.argmax(1)]
    return found


def colour_clusters(images: Float[Tensor, "n 3 h w"], counts: Sequence[int]) -> Int[Tensor, "n h w"]:
    """Divide each image into so many clusters of Lab colours."""
    from sklearn.cluster import KMeans

    found = []
    for colours, count in zip(to_lab(images.double()).flatten(2), counts, strict=True):
        points = colours.T.numpy()
        fitted = KMeans(min(count, len({*map(tuple, points.tolist())})), n_init=4, random_state=0).fit(points)
        found.append(torch.from_numpy(fitted.labels_).long())
    return torch.stack(found).view(len(images), *images.shape[2:])


def _enlarged(regions: Int[Tensor, "n h2 w2"], size: int) -> Int[Tensor, "n h w"]:
    # In double: whole numbers stay whole.
    return F.interpolate(regions[:, None].double(), (size, size), mode="nearest-exact")[:, 0].long()
