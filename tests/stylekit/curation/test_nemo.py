import sys

import numpy as np
import pytest

from stylekit.config import build, check, compose
from stylekit.curation.deduplication import Deduplication
from stylekit.curation.exact import normalised
from stylekit.curation.minhash import jaccard
from stylekit.curation.nemo import NemoDeduplication
from stylekit.curation.prompt_pool import make_prompt_pool
from stylekit.errors import ConfigError, DataError, MissingError
from tests.stylekit.curation import nemo_stand_in as stand_in

POOL = make_prompt_pool(600)


def embed(rows):
    of_style = np.random.default_rng(0).standard_normal((600, 16))[POOL.original]
    noise = np.random.default_rng(1).standard_normal((600, 16))
    return (3.0 * (of_style + 0.01 * noise)).astype(np.float32)[rows]


@pytest.fixture
def nemo(monkeypatch):
    stand_in.install(monkeypatch)
    monkeypatch.setattr("stylekit.curation.nemo._ROWS_PER_FILE", 100)


@pytest.fixture
def found(nemo):
    return NemoDeduplication()(POOL.texts, embed)


def test_it_finds_what_ours_finds(found):
    ours = Deduplication()(POOL.texts, embed)
    for level in ("exact", "fuzzy"):
        mine, theirs = (removals.level == level for removals in (ours.removals, found.removals))
        assert theirs.sum() == mine.sum() > 0, level
    # another row of a group may stay, and so others reach the last level
    meant = NemoDeduplication(levels=["semantic"])(POOL.texts, embed)
    assert sorted(POOL.original[meant.kept]) == np.unique(POOL.original).tolist(), "one of each original"


def test_every_removal_names_one_that_stays_and_how_alike_it_is(found):
    kept, removals = found
    assert sorted([*kept.tolist(), *removals.row.tolist()]) == list(range(600))
    assert removals.row.tolist() == sorted(removals.row.tolist())
    assert set(removals.duplicate_of.tolist()) <= set(kept.tolist())
    vectors = embed(np.arange(600))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for row, _, level, through, score in zip(*removals, strict=True):
        one, other = normalised(POOL.texts[row]), normalised(POOL.texts[through])
        if level == "exact":
            assert one == other
            assert score == 1.0
        elif level == "fuzzy":
            assert score == pytest.approx(jaccard(one, other, 24))
        else:
            assert score == pytest.approx(vectors[row] @ vectors[through], abs=1e-5)


def test_a_chain_is_followed_to_its_end(nemo):
    angles = np.array([0.0, 0.1, 0.2, 0.31, 0.41, 0.51])  # alike are neighbours, and no others
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    kept, removals = NemoDeduplication(levels=["semantic"])(list("abcdef"), lambda at: rows[at])
    assert kept.tolist() == [0, 5]
    assert removals.duplicate_of.tolist() == [0, 0, 5, 5]
    assert removals.score == pytest.approx(np.cos([0.1, 0.2, 0.2, 0.1]), abs=1e-6), "with what stays"


def test_settings_reach_the_workflows_in_one_cluster(nemo):
    settings = {
        "char_ngrams": 30,
        "num_bands": 4,
        "minhashes_per_band": 7,
        "which_to_keep": "easy",
        "seed": 3,
    }
    NemoDeduplication(**settings, n_clusters=1, eps=0.02)(POOL.texts, embed)
    assert [name for name, _ in stand_in.CALLS] == [
        "session ends", "cluster begins", "exact", "fuzzy", "semantic", "cluster ends",
    ]  # fmt: skip
    told = dict(stand_in.CALLS)
    assert {key: told["fuzzy"][key] for key in list(settings)[:3]} == {
        key: settings[key] for key in list(settings)[:3]
    }
    assert told["fuzzy"]["seed"] == told["semantic"]["random_state"] == 3
    assert told["fuzzy"]["bands_per_iteration"] == 4, "of four bands no more"
    assert (told["semantic"]["eps"], told["semantic"]["which_to_keep"]) == (0.02, "easy")
    assert told["semantic"]["n_clusters"] == 1


def test_nothing_to_find(nemo):
    kept, removals = NemoDeduplication(levels=["exact", "fuzzy"])(["one thing", "another"])
    assert kept.tolist() == [0, 1]
    assert len(removals.row) == 0


def test_what_it_says_wrongly_is_not_believed(nemo, monkeypatch):
    monkeypatch.setattr(stand_in.FuzzyDeduplicationWorkflow, "first_id", 7)
    with pytest.raises(DataError, match=r"numbered 2 rows as \[\[7, 8\]\]"):
        NemoDeduplication(levels=["fuzzy"])(["one thing", "another"])
    monkeypatch.setattr(stand_in, "_all_but_one", lambda group: np.ones(len(group), dtype=bool))
    with pytest.raises(DataError, match="removed rows that nothing stays for"):
        NemoDeduplication(levels=["exact"])(["one thing", "another"])


def test_without_a_gpu_or_the_package_it_says_what_to_do(nemo, monkeypatch):
    monkeypatch.setitem(sys.modules, "nemo_curator.core.client", None)
    with pytest.raises(MissingError, match=r"pip install 'stylekit\[nemo\]' --extra-index-url"):
        NemoDeduplication(levels=["exact"])(["a"])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"on a GPU with CUDA, and there is none here"):
        NemoDeduplication(levels=["exact"])(["a"])


def test_a_curation_chooses_it():
    chosen = "{_target_: stylekit.curation.nemo.NemoDeduplication, eps: 0.02}"
    config = compose("demo", [f"curation.deduplicate.deduplication={chosen}"], group="curation")
    check(config, needs=("curation",), group="curation")
    step = build(config.values["curation"]["deduplicate"])
    assert step.compares_meaning
    assert step.deduplication.eps == 0.02
