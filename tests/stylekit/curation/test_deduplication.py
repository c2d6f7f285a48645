import pickle

import numpy as np
import pytest

from stylekit.curation.deduplication import Deduplication
from stylekit.curation.exact import exact_duplicates
from stylekit.curation.fuzzy import fuzzy_duplicates
from stylekit.curation.prompt_pool import PromptPool, make_prompt_pool
from stylekit.curation.semantic import semantic_duplicates
from stylekit.errors import ConfigError


@pytest.fixture(scope="module")
def pool() -> PromptPool:
    return make_prompt_pool(2_000)


@pytest.fixture(scope="module")
def embeddings(pool: PromptPool) -> np.ndarray:
    """Rows that point the same way where a style is the same, whatever the wording."""
    draw = np.random.default_rng(0)
    of_style = draw.standard_normal((len(pool.texts), 32))[pool.original]
    return (of_style + 0.01 * draw.standard_normal(of_style.shape)).astype(np.float32)


@pytest.mark.parametrize("chains", [True, False])
def test_every_removal_leads_to_a_row_that_stays(
    pool: PromptPool, embeddings: np.ndarray, chains: bool
) -> None:
    kept, removals = Deduplication(chains=chains)(pool.texts, lambda rows: embeddings[rows])
    assert sorted([*kept.tolist(), *removals.row.tolist()]) == list(range(2_000))
    assert set(removals.duplicate_of.tolist()) <= set(kept.tolist())
    assert set(removals.level.tolist()) == {"exact", "fuzzy", "semantic"}
    # one row of each original stays: paraphrases are found by what they mean
    assert len(np.unique(pool.original[kept])) == len(kept)


def test_each_level_sees_what_the_one_before_has_left(pool: PromptPool, embeddings: np.ndarray) -> None:
    asked = []

    def embed(rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return embeddings[rows]

    _, removals = Deduplication()(pool.texts, embed)
    exact = exact_duplicates(pool.texts)
    assert np.array_equal(removals.row[removals.level == "exact"], exact.row)
    left = np.setdiff1d(np.arange(2_000), exact.row)
    fuzzy = fuzzy_duplicates([pool.texts[row] for row in left])
    assert np.array_equal(removals.row[removals.level == "fuzzy"], left[fuzzy.row])
    left = np.setdiff1d(left, left[fuzzy.row])
    assert np.array_equal(asked[0], left)
    assert len(asked) == 1
    semantic = semantic_duplicates(embeddings[left])
    at = removals.level == "semantic"
    assert np.array_equal(removals.row[at], left[semantic.row])
    assert np.array_equal(removals.through[at], left[semantic.through])


def test_settings_reach_their_levels(pool: PromptPool, embeddings: np.ndarray) -> None:
    def count(**settings) -> int:
        return len(Deduplication(**settings)(pool.texts, lambda rows: embeddings[rows]).kept)

    assert count(levels=("exact",)) == 1_800
    assert count(levels=("exact", "fuzzy"), char_ngrams=5) < count(levels=("exact", "fuzzy"))
    assert count(levels=("fuzzy",), minhashes_per_band=20) > count(levels=("fuzzy",))
    assert count(levels=("semantic",), eps=1e-7) == 2_000
    assert count(levels=("semantic",), n_clusters=1) == 1_400


def test_same_answer_again_and_from_a_copy(pool: PromptPool, embeddings: np.ndarray) -> None:
    deduplication = Deduplication(which_to_keep="random", seed=7)
    one = deduplication(pool.texts, lambda rows: embeddings[rows])
    same = pickle.loads(pickle.dumps(deduplication))(pool.texts, lambda rows: embeddings[rows])
    assert np.array_equal(one.kept, same.kept)
    assert all(np.array_equal(a, b) for a, b in zip(one.removals, same.removals, strict=True))


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ConfigError, match="give `embed`"):
        Deduplication()(["a", "b"])
    for levels in ((), ("fuzzy", "exact"), ("near",)):
        with pytest.raises(ConfigError, match="exact, fuzzy, semantic"):
            Deduplication(levels=levels)
    with pytest.raises(ConfigError, match="char_ngrams must be at least 1"):
        Deduplication(char_ngrams=0)
    with pytest.raises(ConfigError, match="eps must be at least 0 and below 1, not 1"):
        Deduplication(eps=1.0)


def test_no_texts_and_one_are_fine() -> None:
    for count in (0, 1):
        kept, removals = Deduplication()(["a"] * count, lambda rows: np.ones((len(rows), 4), np.float32))
        assert kept.tolist() == list(range(count))
        assert len(removals.row) == 0
