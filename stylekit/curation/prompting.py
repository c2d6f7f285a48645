"""The step from pictures to prompts: of a style picture its style, of a content picture its content."""

from __future__ import annotations

import json
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from stylekit.bounds import AboveZero, NonNegative, Positive, bounded
from stylekit.curation.captioning import Captioner, CaptionImages, Instruction
from stylekit.curation.estimate import Estimate
from stylekit.curation.step import RowStep
from stylekit.file_digest import files_digest

__all__ = ["PROMPTS", "Caption"]

PROMPTS = pa.schema(
    [
        ("id", pa.string()),
        ("pool", pa.string()),
        ("prompt", pa.string()),
        ("attributes", pa.string()),  # JSON
    ]
)


@final
class Caption(RowStep):
    """Asks a captioner about each picture what its pool is there for.

    Args:
        captioner: Who answers.
        style: What is asked about style pictures.
        content: What is asked about content pictures.
        content_captioner: Who answers about content pictures, if not the same.
        attempts: How often a question is asked before its picture is rejected.
        answers_per_second: Of one worker, for estimates.
        price_per_answer: For estimates.
    """

    not_in_digest = frozenset({"answers_per_second", "price_per_answer"})

    @bounded
    def __init__(
        self,
        captioner: Captioner,
        style: Instruction,
        content: Instruction,
        content_captioner: Captioner | None = None,
        attempts: Positive = 3,
        answers_per_second: AboveZero | None = None,
        price_per_answer: NonNegative | None = None,
    ) -> None:
        common = {"answers_per_second": answers_per_second, "price_per_answer": price_per_answer}
        self.of_pool = {
            "style": CaptionImages(captioner, [style], attempts, **common),
            "content": CaptionImages(content_captioner or captioner, [content], attempts, **common),
        }

    def inputs(self) -> str:
        return files_digest(file for caption in self.of_pool.values() for file in caption.captioner.files())

    def __call__(self, table: pa.Table) -> tuple[pa.Table, pa.Table]:
        kept, rejects = [], []
        for pool, caption in self.of_pool.items():
            rows = table.filter(pc.equal(table["pool"], pool))
            if len(rows):
                captioned, failed = caption(rows)
                kept.append(_as_prompts(captioned, caption.instructions[0]))
                rejects.append(failed)
        return pa.concat_tables(kept), pa.concat_tables(rejects)

    def estimate(self, num_rows: int, num_workers: int = 1) -> Estimate:
        """Say what so many rows take if half of them are of each pool."""
        halves = [
            step.estimate(rows, num_workers)
            for step, rows in zip(self.of_pool.values(), (num_rows // 2, -(-num_rows // 2)), strict=True)
        ]
        seconds, prices = [half.seconds for half in halves], [half.price for half in halves]
        return Estimate(
            num_rows,
            None if None in seconds else sum(one or 0.0 for one in seconds),
            None if None in prices else sum(one or 0.0 for one in prices),
        )


def _as_prompts(captioned: pa.Table, instruction: Instruction) -> pa.Table:
    rows = []
    for row in captioned.to_pylist():
        attributes = {name: row[name] for name in instruction.attributes}
        said = {"prompt": row[instruction.column], "attributes": json.dumps(attributes, ensure_ascii=False)}
        rows.append({"id": row["id"], "pool": row["pool"], **said})
    return pa.Table.from_pylist(rows, schema=PROMPTS)
