import math
import subprocess
import sys

import pytest
import torch
from sklearn.metrics import average_precision_score

from stylekit.metrics.retrieval import csd_map_at_k, leakage, map_full, nearest, recall_at_k, relevance


def random_units(n: int, d: int, seed: int = 0) -> torch.Tensor:
    values = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(values, dim=1).float()


def board(num_styles: int, num_contents: int) -> tuple[torch.Tensor, torch.Tensor]:
    styles = torch.arange(num_styles).repeat_interleave(num_contents)
    contents = torch.arange(num_contents).repeat(num_styles)
    return styles, contents


def brute_force_ranking(embeddings, query, groups=None):
    scores = embeddings @ embeddings[query]
    others = [
        i for i in range(len(embeddings)) if i != query and (groups is None or groups[i] == groups[query])
    ]
    return sorted(others, key=lambda i: (-scores[i].item(), i))


@pytest.mark.parametrize("grouped", [False, True])
def test_metrics_equal_brute_force(grouped):
    embeddings = random_units(60, 5)
    labels, contents = board(12, 5)
    groups = labels // 4 if grouped else None
    neighbours = nearest(embeddings, 7, groups, block_size=13)
    relevant = relevance(neighbours, labels)
    recall, csd = recall_at_k(relevant, 7), csd_map_at_k(relevant, 7)
    full, leaked = map_full(embeddings, labels, groups, block_size=13), leakage(neighbours, labels, contents)
    for query in range(60):
        ranking = brute_force_ranking(embeddings, query, groups)
        hits = [labels[i] == labels[query] for i in ranking]
        assert neighbours[query].tolist() == ranking[:7]
        assert recall[query] == any(hits[:7])
        assert csd[query] == pytest.approx(sum(sum(hits[:r]) / r for r in range(1, 8)) / 7)
        at_hits = [sum(hits[: r + 1]) / (r + 1) for r in range(len(hits)) if hits[r]]
        assert full[query] == pytest.approx(sum(at_hits) / len(at_hits))
        first = ranking[0]
        assert leaked[query] == (contents[first] == contents[query] and labels[first] != labels[query])


def test_map_full_equals_scikit_learn():
    embeddings = random_units(200, 8, seed=1)
    labels = torch.randint(0, 9, (200,), generator=torch.Generator().manual_seed(2))
    full = map_full(embeddings, labels)
    for query in range(200):
        others = torch.arange(200) != query
        expected = average_precision_score(
            (labels == labels[query])[others].numpy(), (embeddings @ embeddings[query])[others].numpy()
        )
        assert full[query].item() == pytest.approx(expected, abs=1e-6)


def test_csd_map_at_1_equals_recall_at_1():
    relevant = relevance(nearest(random_units(90, 4), 3), torch.arange(90) // 6)
    assert torch.equal(csd_map_at_k(relevant, 1), recall_at_k(relevant, 1))


def test_csd_map_averages_over_all_ranks():
    relevant = torch.tensor([[True, False, True, False]])
    assert csd_map_at_k(relevant, 4).item() == pytest.approx((1 + 1 / 2 + 2 / 3 + 2 / 4) / 4)


def test_perfect_embedding_scores_one():
    labels, contents = board(8, 5)
    embeddings = torch.eye(8)[labels]
    neighbours = nearest(embeddings, 4)
    relevant = relevance(neighbours, labels)
    for values in (recall_at_k(relevant, 1), csd_map_at_k(relevant, 4), map_full(embeddings, labels)):
        assert values.tolist() == [1.0] * 40
    assert leakage(neighbours, labels, contents).sum() == 0


def test_content_embedding_leaks_always():
    labels, contents = board(8, 5)
    neighbours = nearest(torch.eye(5)[contents], 1)
    assert leakage(neighbours, labels, contents).mean() == 1
    assert recall_at_k(relevance(neighbours, labels), 1).mean() == 0
    assert recall_at_k(relevance(neighbours, contents), 1).mean() == 1


def test_random_embedding_scores_chance():
    labels, contents = board(100, 20)
    embeddings = random_units(2000, 32, seed=3)
    neighbours = nearest(embeddings, 10)
    relevant = relevance(neighbours, labels)
    chance = 19 / 1999
    assert recall_at_k(relevant, 1).mean().item() == pytest.approx(chance, abs=0.008)
    assert recall_at_k(relevant, 10).mean().item() == pytest.approx(1 - (1 - chance) ** 10, abs=0.03)
    assert csd_map_at_k(relevant, 10).mean().item() == pytest.approx(chance, abs=0.004)
    assert leakage(neighbours, labels, contents).mean().item() == pytest.approx(99 / 1999, abs=0.02)
    assert map_full(embeddings, labels).mean().item() == pytest.approx(chance, abs=0.006)


def test_constant_embedding_is_ordered_by_index():
    labels, _ = board(10, 4)
    embeddings = torch.ones(40, 1)
    neighbours = nearest(embeddings, 3)
    assert neighbours[0].tolist() == [1, 2, 3]
    assert neighbours[2].tolist() == [0, 1, 3]
    assert neighbours[39].tolist() == [0, 1, 2]
    assert recall_at_k(relevance(neighbours, labels), 1).mean().item() == pytest.approx(4 / 40)
    expected = sum(hit / (36 + hit) for hit in (1, 2, 3)) / 3
    assert map_full(embeddings, labels)[39].item() == pytest.approx(expected)


def test_ties_across_the_last_place_go_to_the_lower_index():
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert nearest(embeddings, 2)[0].tolist() == [3, 1]
    assert nearest(embeddings, 2)[4].tolist() == [1, 2]


def test_order_of_items_does_not_matter():
    embeddings, labels = random_units(300, 6, seed=4), torch.arange(300) // 10
    groups = labels // 5
    order = torch.randperm(300, generator=torch.Generator().manual_seed(5))
    for chosen in (None, groups):
        moved = None if chosen is None else chosen[order]
        before = csd_map_at_k(relevance(nearest(embeddings, 10, chosen), labels), 10)
        after = csd_map_at_k(relevance(nearest(embeddings[order], 10, moved), labels[order]), 10)
        assert torch.equal(before[order], after)
        full = map_full(embeddings, labels, chosen)
        assert torch.allclose(full[order], map_full(embeddings[order], labels[order], moved), atol=1e-6)


@pytest.mark.parametrize("block_size", [1, 7, 1000])
def test_block_size_does_not_matter(block_size):
    embeddings, labels = random_units(120, 6, seed=6), torch.arange(120) // 8
    assert torch.equal(nearest(embeddings, 5, block_size=block_size), nearest(embeddings, 5))
    full = map_full(embeddings, labels, block_size=block_size)
    assert torch.allclose(full, map_full(embeddings, labels), atol=1e-6)


def test_groups_hide_all_other_groups():
    embeddings, groups = random_units(40, 3, seed=7), torch.arange(40) % 4
    neighbours = nearest(embeddings, 12, groups)
    assert (neighbours[:, :9] % 4 == groups[:, None]).all()
    assert (neighbours[:, 9:] == -1).all()


def test_query_without_relevant_items_has_no_average_precision():
    labels = torch.tensor([0, 0, 1])
    assert [math.isnan(value) for value in map_full(random_units(3, 4), labels)] == [False, False, True]


def test_broken_embeddings_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        nearest(torch.tensor([[1.0], [torch.nan]]), 1)


def test_k_beyond_the_search_is_refused():
    with pytest.raises(ValueError, match="3 neighbours were searched"):
        recall_at_k(torch.zeros(2, 3, dtype=torch.bool), 4)


PAPER_SIZE = """
import time, torch
from stylekit.metrics import map_full, nearest, recall_at_k, relevance
from stylekit.run import peak_memory
embeddings = torch.nn.functional.normalize(torch.randn(76_800, 1152), dim=1)
labels = torch.arange(76_800) // 32
start = time.monotonic()
recall = recall_at_k(relevance(nearest(embeddings, 10), labels), 10).mean().item()
full = map_full(embeddings, labels).mean().item()
print(time.monotonic() - start, peak_memory() / 2**30, recall, full)
"""


@pytest.mark.slow
def test_paper_size_fits_in_memory_and_minutes():
    """In a process of its own, whose peak is of this work alone."""
    ran = subprocess.run([sys.executable, "-c", PAPER_SIZE], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    seconds, gigabytes, recall, full = map(float, ran.stdout.split())
    print(f"{seconds:.0f} s, {gigabytes:.2f} GiB")
    assert recall < 0.02
    assert full < 0.01
    assert gigabytes < 4
    assert seconds < 900


def test_some_queries_find_what_they_find_among_all():
    embeddings = torch.nn.functional.normalize(
        torch.randn(40, 5, generator=torch.Generator().manual_seed(0)), dim=1
    )
    groups = torch.arange(40) % 3
    queries = torch.tensor([7, 3, 30])
    for within in (None, groups):
        expected = nearest(embeddings, 6, within)[queries]
        assert torch.equal(nearest(embeddings, 6, within, queries=queries), expected)
