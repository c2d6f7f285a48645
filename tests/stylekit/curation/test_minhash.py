import numpy as np
import pytest

from stylekit.curation.minhash import band_hashes, jaccard, shingle_hashes, signatures


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 24])
def test_hashes_are_equal_where_runs_of_characters_are(length: int) -> None:
    draw = np.random.default_rng(length)
    texts = ["".join(draw.choice(list("abć"), size=size)) for size in (40, 31, 24, length, 60)]
    hashes, starts = shingle_hashes(texts, length)
    runs = [text[at : at + length] for text in texts for at in range(len(text) - length + 1)]
    assert len(hashes) == len(runs)
    assert starts.tolist() == np.cumsum([0, *(len(text) - length + 1 for text in texts[:-1])]).tolist()
    of_run = dict(zip(runs, hashes.tolist(), strict=True))
    assert [of_run[run] for run in runs] == hashes.tolist()
    assert len(set(of_run.values())) == len(of_run)


def test_a_text_shorter_than_a_shingle_is_one_of_its_own() -> None:
    hashes, starts = shingle_hashes(["cat", "", "cat", "dog"], 24)
    assert starts.tolist() == [0, 1, 2, 3]
    assert hashes[0] == hashes[2]
    assert len(set(hashes.tolist())) == 3


def test_signatures_are_the_minima_under_each_permutation() -> None:
    draw = np.random.default_rng(0)
    hashes = draw.integers(2**32, size=30, dtype=np.uint32)
    factors, offsets = draw.integers(2**32, size=(2, 4), dtype=np.uint32)
    found = signatures(hashes, np.array([0, 7, 8]), factors, offsets)
    for row, (factor, offset) in enumerate(zip(factors.tolist(), offsets.tolist(), strict=True)):
        permuted = [(value * factor + offset) % 2**32 for value in hashes.tolist()]
        assert found[row].tolist() == [min(permuted[:7]), permuted[7], min(permuted[8:])]


def test_as_many_minima_agree_as_the_jaccard_index_says() -> None:
    draw = np.random.default_rng(1)
    words = [f"word{index}" for index in range(300)]
    for share in (0.2, 0.5, 0.9):
        one = list(draw.permutation(words[:150]))
        other = [word if draw.random() < share else f"other{word}" for word in one]
        pair = [" ".join(one), " ".join(other)]
        # bands of one minimum: the share of equal ones estimates J
        bands = band_hashes(pair, 4, 4_000, 1, seed=42)
        expected = jaccard(*pair, 4)
        error = (expected * (1 - expected) / 4_000) ** 0.5
        assert (bands[0] != bands[1]).any()
        assert abs((bands[:, 0] == bands[:, 1]).mean() - expected) < 4 * error


def test_jaccard_counts_shingles() -> None:
    assert jaccard("abcd", "abce", 2) == 2 / 4
    assert jaccard("abab", "ab", 2) == 1 / 2
    assert jaccard("a", "b", 2) == 0.0
    assert jaccard("a", "a", 2) == 1.0


def test_hashes_do_not_depend_on_what_stands_beside() -> None:
    texts = [f"a text of some length, number {index} of many" for index in range(700)]
    together = band_hashes(texts, 24, 5, 3, seed=42)
    alone = np.concatenate([band_hashes([text], 24, 5, 3, seed=42) for text in texts], axis=1)
    assert np.array_equal(together, alone)
    assert not np.array_equal(together, band_hashes(texts, 24, 5, 3, seed=43))
