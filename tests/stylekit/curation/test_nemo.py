import sys

import numpy as np
import pyarrow as pa
import pytest

import stylekit
from stylekit.config import build, check, compose
from stylekit.curation.deduplication import Deduplication
from stylekit.curation.exact import normalised
from stylekit.curation.failure import rejects_table
from stylekit.curation.minhash import jaccard
from stylekit.curation.nemo import NemoDeduplication
from stylekit.curation.prompt_pool import make_prompt_pool
from stylekit.curation.shards import Shards
from stylekit.curation.step import Inputs
from stylekit.curation.thinning import Deduplicate
from stylekit.errors import ConfigError, DataError, MissingError
from tests.stylekit.curation import nemo_stand_in as stand_in

POOL = make_prompt_pool(600)


def embed(rows):
    of_style = np.random.default_rng(0).standard_normal((600, 16))[POOL.original]
    noise = np.random.default_rng(1).standard_normal((600, 16))
    return (3.0 * (of_style + 0.01 * noise)).astype(np.float32)[rows]


def deduplicate(texts, embed=None, **settings):
    deduplication = NemoDeduplication(**settings)
    with deduplication.ready():
        return deduplication(texts, embed)


@pytest.fixture
def nemo(monkeypatch):
    stand_in.install(monkeypatch)
    monkeypatch.setattr("stylekit.curation.nemo._ROWS_PER_FILE", 100)


@pytest.fixture
def found(nemo):
    return deduplicate(POOL.texts, embed)


def test_what_the_workflows_write_is_read_as_they_mean_it(found):
    ours = Deduplication()(POOL.texts, embed)
    for level in ("exact", "fuzzy"):
        mine, theirs = (removals.level == level for removals in (ours.removals, found.removals))
        assert theirs.sum() == mine.sum() > 0, level
    # another row of a group may stay, and so others reach the last level
    meant = deduplicate(POOL.texts, embed, levels=["semantic"])
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
    kept, removals = deduplicate(list("abcdef"), lambda at: rows[at], levels=["semantic"])
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
    deduplicate(POOL.texts, embed, **settings, n_clusters=1, eps=0.02)
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
    kept, removals = deduplicate(["one thing", "another"], levels=["exact", "fuzzy"])
    assert kept.tolist() == [0, 1]
    assert len(removals.row) == 0


def test_what_it_says_wrongly_is_not_believed(nemo, monkeypatch):
    monkeypatch.setattr(stand_in.FuzzyDeduplicationWorkflow, "first_id", 7)
    with pytest.raises(DataError, match=r"numbered 2 rows as \[\[7, 8\]\]"):
        deduplicate(["one thing", "another"], levels=["fuzzy"])
    monkeypatch.setattr(stand_in, "_all_but_one", lambda group: np.ones(len(group), dtype=bool))
    with pytest.raises(DataError, match="removed rows that nothing stays for"):
        deduplicate(["one thing", "another"], levels=["exact"])


def test_pools_share_one_cluster(nemo, tmp_path):
    shards = Shards(tmp_path, tmp_path)
    rows = {"id": list("abcd"), "pool": ["style", "style", "content", "content"], "prompt": ["one"] * 4}
    shards.write(0, pa.table(rows), rejects_table([]))
    step = Deduplicate(NemoDeduplication(levels=["exact"]))
    ((kept, _),) = step(Inputs({"encode": shards}, Shards(tmp_path / "into", tmp_path / "into")))
    assert kept["pool"].to_pylist() == ["style", "content"]
    assert [name for name, _ in stand_in.CALLS] == [
        "session ends", "cluster begins", "exact", "exact", "cluster ends",
    ]  # fmt: skip


def test_half_of_a_surrogate_pair_is_no_stumbling_block(nemo):
    kept, _ = deduplicate(["one \ud800 thing", "one \ud800, thing", "one thing"], levels=["exact"])
    assert len(kept) == 2
    assert 2 in kept


def test_what_is_missing_is_heard_before_any_step(tmp_path):
    chosen = "{_target_: stylekit.curation.nemo.NemoDeduplication, folder: %s}" % (tmp_path / "none")
    with pytest.raises(
        ConfigError, match=r"There is no folder .*none for the files of NeMo-Curator: make it"
    ):
        stylekit.curate("demo", f"curation.deduplicate.deduplication={chosen}", out=tmp_path / "out")
    assert not (tmp_path / "out" / "list").exists()


def test_without_a_gpu_or_the_package_it_says_what_to_do(nemo, monkeypatch):
    monkeypatch.setitem(sys.modules, "nemo_curator.core.client", None)
    with pytest.raises(MissingError, match=r"pip install 'stylekit\[nemo\]', with the package index"):
        deduplicate(["a"], levels=["exact"])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere:6379")
    with pytest.raises(MissingError):
        deduplicate(["a"], levels=["exact"])
    monkeypatch.delenv("RAY_ADDRESS")
    with pytest.raises(ConfigError, match=r"on a GPU with CUDA, and there is none here"):
        deduplicate(["a"], levels=["exact"])


def test_a_curation_chooses_it():
    chosen = "{_target_: stylekit.curation.nemo.NemoDeduplication, eps: 0.02}"
    config = compose("demo", [f"curation.deduplicate.deduplication={chosen}"], group="curation")
    check(config, needs=("curation",), group="curation")
    step = build(config.values["curation"]["deduplicate"])
    assert step.compares_meaning
    assert step.deduplication.eps == 0.02
