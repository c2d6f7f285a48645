"""That what is measured at a million runs, on a thousand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stylekit.curation.deduplication import Deduplication
from stylekit.curation.prompt_pool import PromptPool, make_prompt_pool
from tests.performance import curation_scale


@pytest.fixture(scope="module")
def pool() -> PromptPool:
    return make_prompt_pool(3_000)


def test_vectors_of_words_are_near_where_words_are(pool: PromptPool) -> None:
    vectors = curation_scale.word_vectors(pool.texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3_000), abs=1e-5)
    cosines = (vectors * vectors[pool.original]).sum(axis=1)
    assert cosines[pool.kind == 1].min() == pytest.approx(1.0, abs=1e-5)
    means = [cosines[pool.kind == kind].mean() for kind in (2, 3)]
    other = (vectors[1:] * vectors[:-1]).sum(axis=1).mean()
    assert 1.0 > means[0] > means[1] > other + 0.3


@pytest.mark.parametrize("arm", sorted(set(curation_scale.ARMS) - {"minilm"}))
@pytest.mark.filterwarnings("ignore:builtin type .* has no __module__ attribute")  # faiss's bindings
def test_every_arm_says_how_long_it_took_and_what_it_found(arm: str) -> None:
    found = json.loads(json.dumps(curation_scale.measure(arm, 1_000)))
    assert found["arm"] == arm
    assert found["all_seconds"] > 0.0
    assert 0.0 < found["peak_gb"] < 100.0
    if arm.startswith("deduplicate"):
        assert 700 <= found["kept"] < 900
        assert found["levels"]["exact"]["recall_exact"] == 1.0
    if arm == "datasketch_loop":
        levels = ("exact", "fuzzy")
        kept = Deduplication(levels=levels)(make_prompt_pool(1_000).texts).kept
        assert found["removed"] == pytest.approx(1_000 - len(kept), abs=5), "other permutations"
    if arm == "balance":
        assert found["kept"] == 170
        assert [level["clusters"] for level in found["levels"]] == [50, 10, 5, 1]


def test_levels_are_megastyles_at_a_million() -> None:
    assert curation_scale.levels_of(1_000_000) == (50_000, 10_000, 5_000, 1_000)
