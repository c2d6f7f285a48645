from collections import Counter

import numpy as np
import pytest

from stylekit.atelier import Style
from stylekit.curation.exact import normalised
from stylekit.curation.prompt_pool import KINDS, PromptPool, make_prompt_pool
from stylekit.errors import ConfigError


@pytest.fixture(scope="module")
def pool() -> PromptPool:
    return make_prompt_pool(3_000, seed=1)


def _pairs(pool: PromptPool, kind: str) -> list[tuple[str, str]]:
    rows = np.flatnonzero(pool.kind == KINDS.index(kind))
    return [(pool.texts[row], pool.texts[pool.original[row]]) for row in rows]


def test_originals_are_different_styles_of_the_atelier(pool: PromptPool) -> None:
    originals = [text for text, _ in _pairs(pool, "original")]
    assert len(set(originals)) == len(originals) == 2_100
    assert all(Style.from_prompt(text).prompt() == text for text in originals[:300])
    rows = np.flatnonzero(pool.kind == 0)
    assert np.array_equal(pool.original[rows], rows)


def test_duplicates_follow_their_originals_in_known_numbers(pool: PromptPool) -> None:
    assert np.bincount(pool.kind).tolist() == [2_100, 300, 300, 300]
    planted = np.flatnonzero(pool.kind > 0)
    assert (pool.original[planted] < planted).all()
    assert (pool.kind[pool.original] == 0).all()
    assert (pool.words == pool.words[pool.original]).all()


def test_exact_duplicates_differ_and_are_the_same_once_normalised(pool: PromptPool) -> None:
    for text, original in _pairs(pool, "exact"):
        assert text != original
        assert normalised(text) == normalised(original)


def test_near_duplicates_differ_in_a_word_or_two(pool: PromptPool) -> None:
    for text, original in _pairs(pool, "near"):
        words, others = Counter(normalised(text).split()), Counter(normalised(original).split())
        assert 1 <= max((words - others).total(), (others - words).total()) <= 4


def test_paraphrases_have_no_words_of_the_template_but_say_the_colours(pool: PromptPool) -> None:
    for text, original in _pairs(pool, "paraphrase"):
        assert not text.startswith("In the style of")
        assert normalised(text) != normalised(original)
        colours = original.split(", ", 1)[1].split(" in ")[0]
        assert colours in text


def test_frequent_words_are_far_more_frequent(pool: PromptPool) -> None:
    even = make_prompt_pool(3_000, seed=1, exponent=0.0)
    for column, times in ((0, 7.0), (1, 6.0), (2, 12.0)):
        counts = np.bincount(pool.words[:, column])
        assert counts[0] > times * counts[counts > 0].min()
        assert np.bincount(even.words[:, column]).max() < 3.0 * np.bincount(even.words[:, column]).min()


def test_same_seed_same_pool(pool: PromptPool) -> None:
    assert make_prompt_pool(3_000, seed=1).texts == pool.texts
    assert make_prompt_pool(3_000, seed=2).texts != pool.texts


def test_shares_that_leave_no_originals_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave no originals"):
        make_prompt_pool(100, exact=0.5, near=0.5, paraphrase=0.0)
