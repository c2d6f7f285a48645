import io
import json

import pyarrow as pa
import pytest

from stylekit.curation.atelier_pool import AtelierPool
from stylekit.curation.captioning import AtelierTruth, ContentInstruction, StyleInstruction
from stylekit.curation.pool import POOL
from stylekit.curation.prompting import PROMPTS, Caption


def rows(pool, number, **changes):
    source = AtelierPool(num_style=8, num_content=8)
    style, scene = source.style(pool, number), source.scene(pool, number)
    row = {"id": f"atelier/{pool}-{number}", "pool": pool, "image": io.BytesIO().getvalue(), "caption": None}
    row |= {"source": "atelier", "licence": "", "truth": f"{scene.prompt()} {style.prompt()}"}
    return row | changes, style, scene


def test_each_picture_is_asked_what_its_pool_is_for():
    (one, style, _), (other, _, scene), (lost, _, _) = (
        rows("style", 0), rows("content", 1), rows("style", 2, truth=None),
    )  # fmt: skip
    step = Caption(AtelierTruth(), StyleInstruction(), ContentInstruction())
    kept, rejects = step(pa.Table.from_pylist([other, one, lost], schema=POOL))
    assert kept.schema == PROMPTS
    assert [(row["id"], row["pool"], row["prompt"]) for row in kept.to_pylist()] == [
        ("atelier/style-0", "style", style.prompt()),
        ("atelier/content-1", "content", scene.prompt()),
    ]
    assert json.loads(kept["attributes"][0].as_py())["medium"] == style.medium
    assert [(row["id"], row["reason"]) for row in rejects.to_pylist()] == [
        ("atelier/style-2", "no drawing of the atelier")
    ]


def test_a_shard_of_one_pool_has_the_same_columns():
    step = Caption(AtelierTruth(), StyleInstruction(), ContentInstruction())
    for pool in ("style", "content"):
        kept, _ = step(pa.Table.from_pylist([rows(pool, 0)[0]], schema=POOL))
        assert kept.schema == PROMPTS


def test_time_and_price_of_answers():
    step = Caption(
        AtelierTruth(), StyleInstruction(), ContentInstruction(), answers_per_second=4, price_per_answer=0.5
    )
    estimate = step.estimate(100, 5)
    assert (estimate.count, estimate.seconds, estimate.price) == (100, pytest.approx(5.0), 50.0)
