"""StyleGallery: regions of a content take their styles from regions of any references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from methods.stylegallery.energy import MaskMode
from methods.stylegallery.explanation import Content, References, explain, match_rows
from methods.stylegallery.matching import Described, compare, statistics_network
from methods.stylegallery.optimisation import Course, Optimiser
from methods.stylegallery.schedule import Schedule, optimisation_steps
from methods.stylegallery.sight import Onlooker, Partition
from stylekit.bounds import AboveZero, AtLeastTwo, NonNegative, Positive, Share, bounded
from stylekit.diffusion import self_attention_layers
from stylekit.errors import ConfigError
from stylekit.foundation.attention import attention_for
from stylekit.foundation.depth import DepthAnything
from stylekit.foundation.patch_tower import PatchTower
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.unprompted import Unprompted
from stylekit.image_files import read_labels
from stylekit.method import Explanation, Need, RegionRenderer

__all__ = ["Gallery", "StyleGallery"]

Gallery = dict[str, Tensor]
"""What `extract` takes from references: their pixels, latents and regions, and what describes these."""

_ASKEW = 0.02  # of the ratio of sides: a mask scaled to another size is off by a rounded pixel


@final
class StyleGallery(RegionRenderer[Gallery]):
    """StyleGallery (arXiv 2603.10354): semantic transfer of style from any references; training-free.

    An image is taken apart into regions by clustering what a generator sees in it on the way to noise. Every
    region of the content is matched with the region of any reference that is most like it, by statistics,
    meaning and place. Then a latent is optimised, step by step of noise, so that its attention in each region
    comes out as if it looked at the matched region (style), while its queries stay those of the content. No
    prompt takes part, and nothing is drawn at random.

    Deviations from the authors' code: directions of PCA are exact; the statistics network is drawn from a
    seed, always the same; semantic tokens see the whole image, not its middle; tokens whose region has no
    token in the reference at a layer's size are left alone; what falls outside a region is no part of the
    style energy, as it has no gradient; all regions are attended to at once (see energy.py). `min_clusters`
    and `connected` are ours; as they are by default, they do nothing.

    Args:
        foundation: The generator, whose latents are optimised.
        semantics: Whose tokens say what is where: DINOv2, or the tower of SigLIP.
        depth: Parts regions that reach far into the depth; null leaves them (the explanation says so).
        num_steps: Of the optimisation.
        iterations: Of each step.
        learning_rate: Of Adam.
        content_weight: Of the content energy, lambda_c.
        style_weight: Of the regional style energy, 1 in the paper.
        attention_scale: On the queries that look at the reference.
        mask_mode: "zero" as released, where attention is lost to what is masked; "softmax" within the region.
        schedule: Of the steps: "leading" as DDIM's, "lcm", or "trailing" from the very end.
        noise_share: Of that schedule which is walked, from the end of least noise.
        statistics: "transformer", untrained, aggregates them as released; "identity" leaves them as they are.
        matching_weights: Of statistics, semantics and position.
        matching: Of region to [reference, region], all numbered from 1, in place of what is found.
        content_mask: A picture whose colours are the regions of the content; black takes no style.
        reference_masks: One such picture for each reference.
        layers: Parts of the network whose self-attention takes part.
        feature_block: Whose output is clustered.
        inversion_steps: On the way to noise.
        num_parts: Of PCA.
        min_clusters: Of an image, before they are merged; the paper's is 2.
        max_clusters: Of an image, before they are merged.
        merge_reach: Distance of mean latents below which regions are one; 0 merges none.
        depth_span: Of depth within a region, from which it is parted.
        min_cells: Smaller pieces go to what is around them; 1 leaves all.
        connected: Whether every piece of a region that was found is a region of its own (those of masks stay
            whole); in the paper it is not.
        seed: Of k-means and of the statistics network; by default the authors'.
        kept_gib: Memory for what references and contents show at each step.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"content"})
    uses_seed: ClassVar[bool] = False
    renders_together: ClassVar[bool] = False

    @bounded
    def __init__(
        self,
        foundation: StableDiffusion,
        semantics: PatchTower,
        depth: DepthAnything | None = None,
        num_steps: Positive = 150,
        iterations: Positive = 1,
        learning_rate: AboveZero = 0.05,
        content_weight: NonNegative = 0.26,
        style_weight: NonNegative = 1.0,
        attention_scale: AboveZero = 1.5,
        mask_mode: MaskMode = "zero",
        schedule: Schedule = "leading",
        noise_share: Share = 1.0,
        statistics: Literal["transformer", "identity"] = "transformer",
        matching_weights: tuple[float, float, float] = (0.25, 1.0, 0.125),
        matching: dict[int, tuple[int, int]] | None = None,
        content_mask: str | None = None,
        reference_masks: Sequence[str] = (),
        layers: Sequence[str] = ("up_blocks.2", "up_blocks.3"),
        feature_block: str = "up_blocks.2",
        inversion_steps: AtLeastTwo = 15,
        num_parts: Positive = 60,
        min_clusters: AtLeastTwo = 2,
        max_clusters: AtLeastTwo = 10,
        merge_reach: NonNegative = 0.85,
        depth_span: AboveZero = 0.75,
        min_cells: Positive = 20,
        connected: bool = False,
        seed: int = 42,
        kept_gib: NonNegative = 4.0,
    ) -> None:
        super().__init__()
        self.foundation, self.semantics, self.depth = foundation, semantics, depth
        self.matching_weights, self.matching = matching_weights, matching or {}
        self.content_mask = None if content_mask is None else read_labels(content_mask)
        self.reference_masks = [read_labels(mask) for mask in reference_masks]
        width = int(foundation.denoiser.get_submodule(feature_block).resnets[-1].out_channels)
        is_plain = statistics == "identity"
        self.network = nn.Identity() if is_plain else statistics_network(width, seed)
        if min_clusters > max_clusters:
            raise ConfigError(
                f"method.min_clusters={min_clusters} is more than method.max_clusters={max_clusters}."
            )
        partition = Partition(
            num_parts=num_parts,
            min_clusters=min_clusters,
            max_clusters=max_clusters,
            merge_reach=merge_reach,
            depth_span=depth_span,
            min_cells=min_cells,
            connected=connected,
            seed=seed,
        )
        self._onlooker = Onlooker(
            foundation, semantics, depth, self.network, feature_block, inversion_steps, partition
        )
        course = Course(
            optimisation_steps(schedule, num_steps, foundation.num_train_steps, noise_share),
            iterations=iterations,
            learning_rate=learning_rate,
            content_weight=content_weight,
            style_weight=style_weight,
            attention_scale=attention_scale,
            mask_mode=mask_mode,
        )
        self.layers = self_attention_layers(foundation.denoiser, layers)
        self._facts = {
            "semantics": type(semantics).__name__,
            "depth": "off: no network of depth" if depth is None else type(depth).__name__,
            "mask_mode": mask_mode,
            "statistics": statistics,
        }
        self._optimiser = Optimiser(course, int(kept_gib * 2**30))

    @torch.no_grad()
    def extract(self, references: Float[Tensor, "n 3 h w"]) -> Gallery:
        masks = self.reference_masks
        if masks and len(masks) != len(references):
            raise ConfigError(
                f"method.reference_masks names {len(masks)} pictures for {len(references)} references: "
                "give one for each."
            )
        for mask in masks:
            _check_shape(mask, references)
        images = self.foundation.sized(references)
        sights = self._onlooker.look(images, masks or [None] * len(images))
        numbers = [
            (index + 1, number + 1)
            for index, sight in enumerate(sights)
            for number in range(len(sight.described.circles))
        ]
        described = zip(*(sight.described for sight in sights), strict=True)
        return {
            "images": (images * 255.0).round().byte(),
            "latents": torch.stack([sight.latents for sight in sights]),
            "labels": torch.stack([sight.labels for sight in sights]),
            "numbers": torch.tensor(numbers, device=images.device),  # its reference, and its number there
            **{name: torch.cat(parts) for name, parts in zip(Described._fields, described, strict=True)},
        }

    def render_explained(
        self,
        style: Gallery,
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> tuple[Float[Tensor, "n 3 h w"], list[Explanation]]:
        if content is None:
            raise ConfigError("StyleGallery gives styles to a content: it needs a content image for each.")
        if self.content_mask is not None:
            _check_shape(self.content_mask, content)
        # One by one: an image is not to depend on the others, and Adam makes much of how sums are rounded.
        made = [self._render(style, image) for image in self.foundation.sized(content)]
        return torch.cat([image for image, _ in made]), [explanation for _, explanation in made]

    @torch.no_grad()
    def find_regions(self, images: Float[Tensor, "n 3 h w"]) -> Int[Tensor, "n h2 w2"]:
        # One by one: what is found in an image is not to depend on the others.
        every = torch.split(self.foundation.sized(images), 1)
        return torch.stack([sight.labels for image in every for sight in self._onlooker.look(image, [None])])

    def _render(self, style: Gallery, image: Float[Tensor, "3 s s"]) -> tuple[Tensor, Explanation]:
        with torch.no_grad():
            (sight,) = self._onlooker.look(image[None], [self.content_mask])
        theirs = Described(*(style[name] for name in Described._fields))
        likeness = compare(sight.described, theirs, self.matching_weights)
        chosen = self._chosen(likeness.total.argmax(1).tolist(), style["numbers"].tolist())
        lookup = torch.tensor([0, *(region + 1 for region in chosen)], device=image.device)
        wanted, offered = lookup[sight.labels], _told_apart(style)
        with attention_for(image.device, self.foundation.image_size):
            latents, curves = self._optimiser.optimise(
                Unprompted(self.foundation, self.layers),
                sight.noisy[None],
                sight.latents[None],
                style["latents"],
                wanted,
                offered,
            )
        with torch.no_grad():
            made = self.foundation.decode(latents).clamp(0.0, 1.0)
        rows = match_rows(likeness, chosen, style["numbers"])
        facts = self._facts | {
            "matching": rows,
            "method.matching": {
                str(row["region"]): [row["reference"], row["reference_region"]] for row in rows
            },
        }
        references = References(style["images"].float() / 255.0, offered, style["numbers"])
        return made, explain(Content(image, sight.labels, wanted), references, facts, curves)

    def _chosen(self, found: list[int], numbers: list[list[int]]) -> list[int]:
        """Put what the user wants in the place of what was found."""
        for region, (reference, number) in self.matching.items():
            if not 1 <= region <= len(found) or [reference, number] not in numbers:
                there = ", ".join(str(pair) for pair in numbers)
                raise ConfigError(
                    f"method.matching asks for region {region} of the content in the style of "
                    f"[{reference}, {number}]. The content has regions 1 to {len(found)}; references "
                    f"have {there}."
                )
            found[region - 1] = numbers.index([reference, number])
        return found


def _told_apart(style: Gallery) -> Int[Tensor, "s h w"]:
    """Number the regions of all references through, from 1, as they are described."""
    counts = torch.bincount(style["numbers"][:, 0] - 1, minlength=len(style["labels"]))
    before = (counts.cumsum(0) - counts).to(style["labels"])[:, None, None]
    return torch.where(style["labels"] > 0, style["labels"] + before, style["labels"])


def _check_shape(mask: Int[Tensor, "h w"], images: Float[Tensor, "n 3 h2 w2"]) -> None:
    """Refuse a mask that would lie askew on its image."""
    (rows, columns), (height, width) = mask.shape, images.shape[-2:]
    if abs(columns / rows - width / height) > _ASKEW * width / height:
        raise ConfigError(
            f"A mask of {columns} x {rows} pixels does not fit an image of {width} x {height}: paint it on "
            "the image itself. References of several sizes are cut square first; give square ones with masks."
        )
