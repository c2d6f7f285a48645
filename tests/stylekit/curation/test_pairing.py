import pyarrow as pa
import pytest

from stylekit.curation.failure import rejects_table
from stylekit.curation.pairing import Pair
from stylekit.curation.shards import Shards
from stylekit.curation.step import Inputs
from stylekit.errors import DataError
from stylekit.split import split_of


@pytest.fixture
def inputs(tmp_path):
    """Return 90 styles and 200 contents over two shards."""
    shards = Shards(tmp_path, tmp_path)
    styles = [{"id": f"a/s{n}", "pool": "style", "prompt": f"In the style of {n}."} for n in range(90)]
    contents = [{"id": f"a/c{n}", "pool": "content", "prompt": f"Thing {n}."} for n in range(200)]
    rows = [*contents[:100], *styles, *contents[100:]]
    shards.write(0, pa.Table.from_pylist(rows[:120]), rejects_table([]))
    shards.write(1, pa.Table.from_pylist(rows[120:]), rejects_table([]))
    return Inputs({"balance": shards}, shards)


def test_every_style_gets_so_many_different_contents(inputs):
    shards = [kept for kept, _ in Pair(4, rows_per_shard=30)(inputs)]
    assert [len(shard) for shard in shards] == [28] * 12 + [24]  # whole styles
    pairs = pa.concat_tables(shards)
    of_style = pairs.group_by("style").aggregate(
        [("content", "count_distinct"), ("style_id", "count_distinct")]
    )
    assert of_style["content_count_distinct"].to_pylist() == [4] * 90
    assert of_style["style_id_count_distinct"].to_pylist() == [1] * 90
    assert len(set(pairs["id"].to_pylist())) == 360
    assert pairs["prompt"][0].as_py() == f"{pairs['content'][0].as_py()} {pairs['style'][0].as_py()}"
    assert Pair(4).expected({"style": 90, "content": 200}) == {"image": 360}


def test_with_matching_splits_no_image_is_torn_between_two(inputs):
    shards = list(Pair(4, match_splits=True)(inputs))
    pairs = pa.concat_tables([kept for kept, _ in shards if len(kept)])
    for style, content in zip(pairs["style"].to_pylist(), pairs["content"].to_pylist(), strict=True):
        assert split_of(style) == split_of(content)
    assert len(set(pairs["id"].to_pylist())) == len(pairs) == 360
    assert len(set(pairs["seed"].to_pylist())) == 360
    torn = pa.concat_tables([kept for kept, _ in Pair(4)(inputs)])
    assert any(
        split_of(style) != split_of(content)
        for style, content in zip(torn["style"].to_pylist(), torn["content"].to_pylist(), strict=True)
    )


def test_a_style_of_a_split_with_too_few_contents_is_rejected(inputs):
    shards = list(Pair(20, match_splits=True)(inputs))
    rejects = pa.concat_tables([rejects for _, rejects in shards]).to_pylist()
    assert {row["reason"] for row in rejects} == {"too few contents in the split of the style"}
    left_out = {row["id"] for row in rejects}
    prompts = {f"a/s{n}": f"In the style of {n}." for n in range(90)}
    assert left_out == {name for name, prompt in prompts.items() if split_of(prompt) == "val"}


def test_too_few_contents_say_what_to_set(inputs):
    with pytest.raises(DataError, match=r"200 contents are too few .* 201: set curation\.pair"):
        list(Pair(201)(inputs))
