"""A data module of their own."""

from typing import final

import numpy as np

from datamodules.source import StyleSource, advice_on_fractions, index_prompts
from datamodules.synthesized import SynthesizedStyleDataModule


class StripesSource(StyleSource):
    def __init__(self, num_styles: int) -> None:
        self.num_styles, self.size = num_styles, 0

    def open(self, image_size, cache_dir, num_workers):
        self.size = image_size
        rows = range(4 * self.num_styles)
        styles = [f"stripes of colour {row // 4}" for row in rows]
        return index_prompts(styles, [f"number {row % 4}" for row in rows], [], 0.1, 0.1, False)

    def load(self, rows):
        images = []
        for row in rows:
            colour = np.random.default_rng(row // 4).integers(0, 255, 3)
            image = np.tile(colour.astype(np.uint8), (self.size, self.size, 1))
            image[:: 2 + row % 4] = 255
            images.append(image)
        return images

    def where(self, row):
        return f"stripe {row}"

    def advice(self, split):
        return advice_on_fractions(split)

    def digest(self):
        return f"stripes{self.num_styles}"


@final
class StripesDataModule(SynthesizedStyleDataModule):
    def __init__(self, num_styles: int = 40, styles_per_batch: int = 4, seed: int = 0) -> None:
        super().__init__(
            StripesSource(num_styles), styles_per_batch=styles_per_batch, val_styles=0, seed=seed
        )
