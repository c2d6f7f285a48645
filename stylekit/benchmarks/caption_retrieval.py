"""CaptionRetrieval: whether an image is nearer to its caption than to captions that differ in one thing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Annotated, Any, ClassVar, final

import torch
from annotated_types import Ge, Le
from jaxtyping import Bool, Float
from torch import Tensor

from stylekit.atelier import MINI, Scene, Style, sample_scenes, sample_style, sample_styles
from stylekit.atelier.scene import Relation
from stylekit.atelier.style_words import MEDIA
from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.board import drawn_board, embed_board, mean_by_label
from stylekit.bounds import AtLeastTwo, Positive, bounded
from stylekit.method import ImageTextEncoder

__all__ = ["CaptionRetrieval"]

NUM_CHOICES = 16
SPATIAL: tuple[Relation, ...] = ("left of", "right of", "above", "below")


@final
class CaptionRetrieval(Benchmark[ImageTextEncoder]):
    """Choose the caption of an image among captions that differ in one thing (ours).

    Held-out styles, each with the same held-out scenes of the mini foundations' repertoire: one thing beside,
    above or below another. Each image has four choices, of which one is right:

    - `thing`: 16 captions, the first thing exchanged (chance 6.25 %);
    - `relation`: 4 captions, left of, right of, above, below (chance 25 %);
    - `setting`: all 8 settings (chance 12.5 %);
    - `medium`: 16 captions of the scene and a style, the style made in another medium with that medium's
      own texture, stroke and outline, its colours and light kept (chance 6.25 %).

    Limits: captions are the atelier's sentences, which no tower trained on the web has read; the wrong media
    are drawn once for each style, the wrong things once for each scene.

    Args:
        num_styles: Held-out styles.
        num_contents: Held-out scenes, each in every style.
        image_size: Side of the drawn images in pixels; the encoder resizes as it likes.
        seed: Of the images and the choices.
        batch_size: Images drawn and embedded at once.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = ImageTextEncoder

    @bounded
    def __init__(
        self,
        num_styles: AtLeastTwo = 60,
        num_contents: AtLeastTwo = 16,
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seed: int = 0,
        batch_size: Positive = 64,
        name: str = "caption_retrieval",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        styles = sample_styles(num_styles, seed, split="test")
        scenes = _sample_pairs(num_contents, seed)
        self.batch_size = batch_size
        self._board = drawn_board(name, [styles], scenes, image_size, seed, batch_size)
        self._choices = {
            kind: [choose(scene, style, seed) for style in styles for scene in scenes]
            for kind, choose in CHOICES.items()
        }

    def run(self, method: ImageTextEncoder) -> BenchmarkResult:
        """Measure an encoder."""
        board = self._board
        images = embed_board(method, board, f"{self.name} {type(method).__name__}")
        scores: dict[str, Scores] = {}
        for kind, rows in self._choices.items():
            own = is_chosen(images, self._embed(method, rows)).double()
            per_style = mean_by_label(own, board.style_ids).tolist()
            scores[f"captions/{kind}"] = Scores(per_style, list(range(len(per_style))))
        return BenchmarkResult(scores, {board.name: dict(board.settings)})

    def _embed(self, method: ImageTextEncoder, rows: list[list[str]]) -> Float[Tensor, "n c d"]:
        """Embed every caption once."""
        place = {text: index for index, text in enumerate(dict.fromkeys(chain.from_iterable(rows)))}
        texts = list(place)
        parts = []
        with torch.inference_mode():
            for start in range(0, len(texts), self.batch_size):
                parts.append(method.embed_texts(texts[start : start + self.batch_size]).float().cpu())
        return torch.cat(parts)[torch.tensor([[place[text] for text in row] for row in rows])]


def is_chosen(images: Float[Tensor, "n d"], captions: Float[Tensor, "n c d"]) -> Bool[Tensor, " n"]:
    """Tell which images are nearer to the first of their captions than to every other."""
    cosines = torch.einsum("nd,ncd->nc", images, captions)
    return cosines[:, 0] > cosines[:, 1:].amax(dim=1)


def _sample_pairs(count: int, seed: int) -> list[Scene]:
    """Draw held-out scenes of one thing beside, above or below another."""
    scenes = sample_scenes(40 * count, seed, split="test", max_things=2, repertoire=MINI)
    return [scene for scene in scenes if set(scene.relations) & set(SPATIAL)][:count]


def _things(scene: Scene, style: Style, seed: int) -> list[str]:
    shown = {item.name for item in scene.objects}
    others = [name for name in MINI.things if name not in shown]
    first, *rest = scene.objects
    picked = random.Random(f"{seed} {scene.prompt()}").sample(others, NUM_CHOICES - 1)
    changed = [replace(scene, objects=(replace(first, name=name), *rest)) for name in picked]
    return [one.prompt() for one in (scene, *changed)]


def _relations(scene: Scene, style: Style, seed: int) -> list[str]:
    others = [relation for relation in SPATIAL if relation != scene.relations[0]]
    return [one.prompt() for one in (scene, *(replace(scene, relations=(other,)) for other in others))]


def _settings(scene: Scene, style: Style, seed: int) -> list[str]:
    others = [setting for setting in MINI.settings if setting != scene.setting]
    return [one.prompt() for one in (scene, *(replace(scene, setting=other) for other in others))]


def _media(scene: Scene, style: Style, seed: int) -> list[str]:
    kept = {name: getattr(style, name) for name in ("identity", "palette", "distribution", "light", "edges")}
    draw = random.Random(f"{seed} {style.prompt()}")
    media = draw.sample([medium for medium in MEDIA if medium != style.medium], NUM_CHOICES - 1)
    others = [sample_style(draw.getrandbits(32), medium=medium, **kept) for medium in media]
    return [f"{scene.prompt()} {one.prompt()}" for one in (style, *others)]


CHOICES: dict[str, Callable[[Scene, Style, int], list[str]]] = {
    "thing": _things,
    "relation": _relations,
    "setting": _settings,
    "medium": _media,
}
"""For each kind the captions of an image, its own first."""
