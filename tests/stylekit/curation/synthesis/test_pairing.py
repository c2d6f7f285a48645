from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylekit.curation.synthesis import deal, join, pair, seed_of
from stylekit.errors import ConfigError


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 30), st.data(), st.integers(0, 5))
def test_contents_are_dealt_evenly_and_never_twice_to_a_style(num_styles, num_contents, data, seed):
    per_style = data.draw(st.integers(1, num_contents))
    hands = deal(num_styles, num_contents, per_style, seed)
    assert hands.shape == (num_styles, per_style)
    assert all(len(set(hand)) == per_style for hand in hands.tolist())
    uses = np.bincount(hands.reshape(-1), minlength=num_contents)
    assert uses.max(initial=0) - uses.min(initial=num_styles) <= 1


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(8, 30))
def test_more_styles_change_no_earlier_hand(few, more, num_contents):
    assert (deal(few + more, num_contents, 8, 1)[:few] == deal(few, num_contents, 8, 1)).all()


def test_another_seed_deals_other_hands():
    assert (deal(10, 100, 8, 0) != deal(10, 100, 8, 1)).mean() > 0.9


def test_a_style_cannot_have_more_contents_than_there_are():
    with pytest.raises(ConfigError, match="3 contents cannot give 8 different ones to a style"):
        deal(1, 3, 8, 0)


@pytest.mark.parametrize(
    ("content", "style", "prompt"),
    [
        ("A cat", "In the style of x.", "A cat. In the style of x."),
        ("A cat. ", "In the style of x.", "A cat. In the style of x."),
        ("A cat!", "In the style of x.", "A cat! In the style of x."),
        ("A cat.", "with thin outline. In the style of x.", "A cat with thin outline. In the style of x."),
    ],
)
def test_prompts_are_content_then_style(content, style, prompt):
    assert join(content, style) == prompt


def test_pairs_have_ids_seeds_and_where_they_come_from():
    styles = pa.table(
        {"id": ["a", "b", "c"], "style": ["In the style of x.", "In the style of y.", "In the style of z."]}
    )
    contents = pa.table(
        {"id": [f"k{index}" for index in range(9)], "content": [f"Thing {index}" for index in range(9)]}
    )
    rows = pair(styles, contents, per_style=6, seed=4)
    assert rows.column_names == ["id", "style_id", "content_id", "style", "content", "prompt", "seed"]
    assert Counter(rows["style_id"].to_pylist()) == {"a": 6, "b": 6, "c": 6}
    assert Counter(rows["content_id"].to_pylist()) == {f"k{index}": 2 for index in range(9)}
    assert len(set(rows["id"].to_pylist())) == len(set(rows["seed"].to_pylist())) == 18
    for row in rows.to_pylist():
        assert row["prompt"] == f"Thing {row['content_id'][1:]}. {row['style']}"
        assert row["id"] == f"s{'abc'.index(row['style_id']):07d}_c{int(row['content_id'][1:]):07d}"
        assert row["seed"] == seed_of(row["id"], 4)
    assert pair(styles, contents, per_style=6, seed=4).equals(rows)


def test_seeds_are_fixed_for_ever():
    # a data set that is made again is the same
    assert [seed_of("s0000000_c0000001"), seed_of("s0000000_c0000001", 1)] == [3818140292, 2740269463]
