"""Captioning as a step over rows."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from stylekit.bounds import AboveZero, NonNegative, Positive, bounded
from stylekit.curation.captioning.captioner import Captioner, Subject, ask
from stylekit.curation.captioning.instruction import Instruction
from stylekit.curation.estimate import Estimate, Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.errors import ConfigError

__all__ = ["CaptionImages"]


class CaptionImages:
    """Gives rows with an image their prompts; what cannot be captioned is rejected with the reason.

    The rows kept have the columns that they had but for `image`, and for each instruction a column with the
    prompt (`style`, `content`) and one for each attribute.

    Args:
        captioner: Who answers.
        instructions: What is asked: for a style, for a content, or both.
        attempts: How often a question is asked before its image is rejected.
        answers_per_second: Of one worker, for estimates.
        price_per_answer: For estimates.
    """

    @bounded
    def __init__(
        self,
        captioner: Captioner,
        instructions: Sequence[Instruction],
        attempts: Positive = 3,
        answers_per_second: AboveZero | None = None,
        price_per_answer: NonNegative | None = None,
    ) -> None:
        columns = [instruction.column for instruction in instructions]
        if not columns or len(set(columns)) < len(columns):
            raise ConfigError(
                "Give captions one instruction for the style, one for the content, or one of each."
            )
        if not captioner.reads_instructions and any(instruction.attributes for instruction in instructions):
            raise ConfigError(
                f"{type(captioner).__name__} says what is shown and reads no instructions: it can caption "
                "contents only. Choose another captioner for styles."
            )
        self.captioner, self.instructions = captioner, tuple(instructions)
        self.attempts = attempts if captioner.reads_instructions else 1  # it would say the same again
        self.rate = Rate(answers_per_second, price_per_answer)

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the rows kept, and the rejects."""
        truths = rows["truth"] if "truth" in rows.column_names else pa.nulls(len(rows))
        columns = (rows["id"].to_pylist(), rows["image"].to_pylist(), truths.to_pylist())
        subjects = [Subject(name, image or b"", truth) for name, image, truth in zip(*columns, strict=True)]
        made: dict[int, dict[str, str | None]] = {row: {} for row in range(len(subjects))}
        failures: dict[int, Failure] = {}
        for instruction in self.instructions:
            open_rows = list(made)
            answers = ask(self.captioner, instruction, [subjects[row] for row in open_rows], self.attempts)
            for row, answer in zip(open_rows, answers, strict=True):
                if isinstance(answer, Failure):
                    failures[row] = answer
                    del made[row]
                else:
                    made[row] |= {**answer, instruction.column: instruction.phrase(answer)}
        kept = rows.drop_columns(["image"]).take(pa.array(made, pa.int64()))
        for name in self._new_columns():
            column = pa.array([made[row][name] for row in made], pa.string())
            if name in kept.column_names:
                kept = kept.drop_columns([name])
            kept = kept.append_column(name, column)
        return kept, rejects_table((subjects[row].id, failures[row]) for row in sorted(failures))

    def estimate(self, num_rows: int, num_workers: int = 1) -> Estimate:
        """Say what captioning so many rows takes, if no question is asked twice."""
        questions = sum(len(instruction.questions) for instruction in self.instructions)
        return self.rate.estimate(num_rows * questions, num_workers)

    def _new_columns(self) -> list[str]:
        return [name for one in self.instructions for name in (one.column, *one.attributes)]
