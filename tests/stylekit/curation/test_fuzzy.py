from itertools import combinations

import numpy as np
import pytest

from stylekit.curation.exact import normalised
from stylekit.curation.fuzzy import components, fuzzy_duplicates
from stylekit.curation.minhash import jaccard


def _groups(count: int, links: list[tuple[int, int]]) -> list[int]:
    """Name the first member of each row's group, by union-find."""
    root = list(range(count))

    def find(row: int) -> int:
        while root[row] != row:
            row = root[row]
        return row

    for one, other in links:
        first, second = sorted((find(one), find(other)))
        root[second] = first
    return [find(row) for row in range(count)]


def _text(draw: np.random.Generator, length: int = 800) -> str:
    return "".join(draw.choice(list("abcdefghij "), size=length))


@pytest.mark.parametrize("seed", [0, 1])
def test_columns_are_linked_as_union_find_links_them(seed: int) -> None:
    draw = np.random.default_rng(seed)
    bands = draw.integers(120, size=(3, 100), dtype=np.uint64)
    links = [(i, j) for i, j in combinations(range(100), 2) if (bands[:, i] == bands[:, j]).any()]
    assert components(bands).tolist() == _groups(100, links)


@pytest.mark.parametrize("chains", [True, False])
def test_what_goes_is_what_all_pairs_say(chains: bool) -> None:
    draw = np.random.default_rng(5)
    texts: list[str] = []
    for _ in range(25):
        text = _text(draw)
        # a letter changed costs 24 shingles: J of about 0.94 and 0.89
        texts += [text, f"{text[:400]}#{text[401:]}"][: draw.integers(1, 3)]
    texts = [texts[row] for row in draw.permutation(len(texts))]
    pairs = combinations(range(len(texts)), 2)
    links = [(i, j) for i, j in pairs if jaccard(normalised(texts[i]), normalised(texts[j]), 24) > 0.79]
    expected = _groups(len(texts), links)
    found = fuzzy_duplicates(texts, chains=chains)
    assert len(links) > 5
    assert found.row.tolist() == [row for row, first in enumerate(expected) if first != row]
    assert found.duplicate_of.tolist() == [first for row, first in enumerate(expected) if first != row]
    for row, other, score in zip(found.row, found.through, found.score, strict=True):
        exact = jaccard(normalised(texts[row]), normalised(texts[other]), 24)
        assert score == pytest.approx(exact)


def test_a_chain_is_one_group_or_goes_only_as_far_as_texts_are_alike() -> None:
    text = _text(np.random.default_rng(2), 1_000)
    # each shares about nine tenths with the one before
    chain = [text[at : at + 500] for at in range(0, 250, 25)]
    assert jaccard(normalised(chain[0]), normalised(chain[-1]), 24) < 0.5
    linked = fuzzy_duplicates(chain)
    assert linked.row.tolist() == list(range(1, 10))
    assert set(linked.duplicate_of.tolist()) == {0}
    direct = fuzzy_duplicates(chain, chains=False)
    assert 0 < len(direct.row) < 9
    assert direct.score.min() >= 0.79
    assert not set(direct.row.tolist()) & set(direct.duplicate_of.tolist())


def test_short_texts_go_for_their_equals_alone() -> None:
    found = fuzzy_duplicates(["a cat", "a cap", "A  cat.", "", "a cat on a mat in the very last sun"])
    assert found.row.tolist() == [2]
    assert found.duplicate_of.tolist() == [0]


def test_no_texts_are_fine() -> None:
    assert len(fuzzy_duplicates([]).row) == 0


def test_same_seed_same_answer() -> None:
    draw = np.random.default_rng(3)
    texts = [_text(draw, 60) + "the same end of quite some length for all of them" for _ in range(200)]
    one, same = (fuzzy_duplicates(texts, char_ngrams=4) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
