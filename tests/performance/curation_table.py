"""The tables of stylekit/curation/README.md: `python tests/performance/curation_table.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "curation_scale.json"
CARD = Path(__file__).parents[2] / "stylekit" / "curation" / "README.md"
_BLOCK = re.compile(r"(?<=<!-- scale -->\n).*?(?=<!-- end -->)", re.DOTALL)
_ARMS = {
    "deduplicate": "deduplicate, as NeMo-Curator",
    "deduplicate_without_chains": "deduplicate, `chains: false`",
    "minilm": "deduplicate, vectors of MiniLM",
}
_COSTS = {
    "deduplicate": "deduplicate, three levels, vectors given",
    "datasketch_loop": "a loop over datasketch's MinHashLSH, fuzzy alone",
    "balance": "balance to 17 %, four levels",
    "kmeans": "k-means of the first level: ours",
    "faiss_kmeans": "the same: faiss",
    "minibatch_kmeans": "the same: MiniBatchKMeans of scikit-learn",
}


def tables(found: dict[str, dict[str, Any]]) -> str:
    """Say what was found of each kind of duplicate, and what it costs."""
    sizes = sorted(found, key=int)
    lines = [
        "| prompts | | exact | fuzzy: removed, right, of near ones | semantic: the same |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size in sizes:
        for arm, name in _ARMS.items():
            if arm in found[size]:
                lines.append(f"| {int(size):,} | {name} | {_found(found[size][arm]['levels'])} |")
    lines += ["", f"| CPU seconds (peak memory) | {' | '.join(f'{int(size):,}' for size in sizes)} |"]
    lines.append(f"| --- |{' --- |' * len(sizes)}")
    for arm, name in _COSTS.items():
        lines.append(f"| {name} | {' | '.join(_cost(found[size].get(arm)) for size in sizes)} |")
    lines += ["", *_balance(sizes[-1], found[sizes[-1]]["balance"]["levels"])]
    return "\n" + "\n".join(lines) + "\n\n"


def _balance(size: str, levels: list[dict[str, float]]) -> list[str]:
    rows = [
        f"| {int(size):,} prompts, clusters | entropy before, after | Gini before, after |",
        "| --- | --- | --- |",
    ]
    for level in levels:
        entropy = f"{level['entropy_before']:.3f}, {level['entropy_after']:.3f}"
        rows.append(
            f"| {level['clusters']:,} | {entropy} | {level['gini_before']:.3f}, {level['gini_after']:.3f} |"
        )
    return rows


def _found(levels: dict[str, dict[str, float]]) -> str:
    exact, *others = levels["exact"], levels["fuzzy"], levels["semantic"]
    parts = [f"{exact['recall_exact']:.0%} of them, {exact['precision']:.0%} right"]
    for before, level in zip((exact, others[0]), others, strict=True):
        gained = level["recall_near"] - before["recall_near"]
        parts.append(f"{level['removed']:,}, {level['precision']:.0%}, {gained:.0%}")
    return " | ".join(parts)


def _cost(arm: dict[str, Any] | None) -> str:
    if arm is None:
        return "-"
    distance = f", distance {arm['mean_distance']:.4f}" if "mean_distance" in arm else ""
    return f"{arm['all_cpu_seconds']:.1f} ({arm['peak_gb']:.1f} GB){distance}"


def block(page: str) -> str:
    """Return the tables that the page holds now."""
    (found,) = _BLOCK.findall(page)
    return str(found)


if __name__ == "__main__":
    made = tables(json.loads(RESULTS.read_text()))
    CARD.write_text(_BLOCK.sub(lambda _: made, CARD.read_text()))
