from __future__ import annotations

import pickle
from collections.abc import Sequence

import pyarrow as pa
import pytest

from stylekit.atelier import sample_scenes, sample_styles
from stylekit.curation.captioning import (
    AtelierTruth,
    AttributeInstruction,
    Captioner,
    CaptionImages,
    ContentInstruction,
    Query,
    StyleInstruction,
)  # fmt: skip
from stylekit.curation.failure import REJECTS
from stylekit.errors import ConfigError

STYLES, SCENES = sample_styles(6, 0), sample_scenes(6, 0)


class Plain(Captioner):
    reads_instructions = False

    def answer(self, queries: Sequence[Query]) -> list[str]:
        return [f"a cat {query.subject.image.decode()}" for query in queries]


@pytest.fixture
def rows():
    truths = [f"{scene.prompt()} {style.prompt()}" for scene, style in zip(SCENES, STYLES, strict=True)]
    truths[2] = None
    return pa.table(
        {
            "id": [f"row{index}" for index in range(6)],
            "image": pa.array([b"png"] * 6, pa.binary()),
            "truth": pa.array(truths, pa.string()),
            "licence": ["CC0"] * 6,
        }
    )


def test_rows_get_prompts_and_attributes_and_the_rest_is_rejected(rows):
    kept, rejects = CaptionImages(AtelierTruth(), [StyleInstruction(), ContentInstruction()])(rows)
    assert kept["id"].to_pylist() == ["row0", "row1", "row3", "row4", "row5"]
    known = [index for index in range(6) if index != 2]
    assert kept["style"].to_pylist() == [STYLES[index].prompt() for index in known]
    assert kept["content"].to_pylist() == [SCENES[index].prompt() for index in known]
    assert kept["medium"].to_pylist() == [STYLES[index].medium for index in known]
    assert kept.column_names == [
        "id", "truth", "licence", "style", *StyleInstruction.attributes, "content",
    ]  # fmt: skip
    assert rejects.schema == REJECTS
    assert rejects.to_pylist() == [
        {
            "id": "row2",
            "reason": "no drawing of the atelier",
            "detail": "The row has no truth: choose a captioner that looks at images.",
        }
    ]


def test_a_row_is_captioned_the_same_in_any_company(rows):
    step = pickle.loads(pickle.dumps(CaptionImages(AtelierTruth(), [AttributeInstruction()])))
    kept, rejects = step(rows)
    backwards, _ = step(rows.take([5, 4, 3, 2, 1, 0]))
    assert backwards.to_pylist() == kept.to_pylist()[::-1]
    halves = [step(rows.slice(0, 3)), step(rows.slice(3))]
    assert pa.concat_tables([half[0] for half in halves]).equals(kept)
    assert pa.concat_tables([half[1] for half in halves]).equals(rejects)


def test_the_columns_are_there_when_nothing_is_kept(rows):
    step = CaptionImages(AtelierTruth(), [AttributeInstruction()])
    kept, rejects = step(rows.drop_columns(["truth"]))
    assert (len(kept), len(rejects)) == (0, 6)
    assert kept.column_names == ["id", "licence", "style", *AttributeInstruction.attributes]
    assert kept["style"].type == pa.string()
    empty, none = step(rows.slice(0, 0))
    assert (len(empty), len(none)) == (0, 0)


def test_plain_captions_are_for_contents(rows):
    with pytest.raises(ConfigError, match="Plain says what is shown and reads no instructions"):
        CaptionImages(Plain(), [ContentInstruction(), StyleInstruction()])
    kept, _ = CaptionImages(Plain(), [ContentInstruction()])(rows)
    assert kept["content"].to_pylist() == ["a cat png"] * 6


def test_two_instructions_for_one_column_are_refused():
    for instructions in ([], [StyleInstruction(), AttributeInstruction()]):
        with pytest.raises(ConfigError, match="one instruction for the style, one for the content"):
            CaptionImages(AtelierTruth(), instructions)


def test_questions_are_counted_for_estimates():
    step = CaptionImages(
        AtelierTruth(),
        [AttributeInstruction(), ContentInstruction()],
        answers_per_second=5.0,
        price_per_answer=0.001,
    )
    estimate = step.estimate(1000, num_workers=2)
    assert (estimate.count, estimate.seconds, estimate.price) == (9000, 900.0, 9.0)
    assert estimate.describe() == "9,000, about 15 minutes, for 9.00"
