"""Synthesis as a step over rows."""

from __future__ import annotations

import io

import pyarrow as pa
from PIL import Image

from stylekit.bounds import AboveZero, NonNegative, bounded
from stylekit.curation.estimate import Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.step import RowStep
from stylekit.curation.synthesis.synthesizer import Synthesizer
from stylekit.file_digest import files_digest

__all__ = ["SynthesizeImages"]


class SynthesizeImages(RowStep):
    """Draws the images of rows with a `prompt` and a `seed`, as `pair` makes them.

    The rows kept have a column `image` more, of PNG bytes.

    Args:
        generator: Who draws.
        images_per_second: Of one worker, for estimates.
        price_per_image: For estimates.
    """

    not_in_digest = frozenset({"images_per_second", "price_per_image"})

    @bounded
    def __init__(
        self,
        generator: Synthesizer,
        images_per_second: AboveZero | None = None,
        price_per_image: NonNegative | None = None,
    ) -> None:
        self.generator = generator
        self.rate = Rate(images_per_second, price_per_image)

    def inputs(self) -> str:
        return files_digest(self.generator.files())

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the rows kept, and the rejects."""
        made = self.generator.draw(rows["prompt"].to_pylist(), rows["seed"].to_pylist())
        images = {at: _png(image) for at, image in enumerate(made) if not isinstance(image, Failure)}
        kept = rows.take(pa.array(images, pa.int64()))
        kept = kept.append_column("image", pa.array(images.values(), pa.binary()))
        failed = [
            (name, image)
            for name, image in zip(rows["id"].to_pylist(), made, strict=True)
            if isinstance(image, Failure)
        ]
        return kept, rejects_table(failed)


def _png(image: Image.Image) -> bytes:
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()
