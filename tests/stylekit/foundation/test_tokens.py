from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.text_to_image.mini import NUM_TOKENS, clip_tokenizer
from stylekit.foundation import tokens
from stylekit.foundation.tokens import tokenize

CAT, TREES = "A cat on the grass.", "Three trees in the snow."


@pytest.fixture
def tokenizer(monkeypatch):
    """A tokenizer that notes what it is asked to read."""
    own = clip_tokenizer(NUM_TOKENS)
    asked: list[str] = []

    class Noting(type(own)):
        def __call__(self, texts, **settings):
            asked.extend(texts)
            return super().__call__(texts, **settings)

    own.__class__ = Noting
    monkeypatch.setattr(own, "asked", asked, raising=False)
    return own


def test_as_the_tokenizer_and_once(tokenizer):
    texts = [CAT, TREES, CAT, ""]
    for length in (NUM_TOKENS, 4):
        expected = tokenizer(
            texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        for _ in range(2):
            found = tokenize(tokenizer, texts, nn.Linear(1, 1), length)
            assert found.input_ids.dtype == torch.int64
            assert torch.equal(found.input_ids, expected.input_ids)
            assert torch.equal(found.attention_mask, expected.attention_mask)
    assert tokenizer.asked == [*texts, CAT, TREES, ""] * 2


def test_keeps_little(tokenizer, monkeypatch):
    monkeypatch.setattr(tokens, "_KEEP", 2 * NUM_TOKENS)
    first = tokenize(tokenizer, [CAT, TREES], nn.Linear(1, 1)).input_ids
    tokenize(tokenizer, [""], nn.Linear(1, 1))
    again = tokenize(tokenizer, [CAT, TREES], nn.Linear(1, 1)).input_ids
    assert torch.equal(first, again)
    assert tokenizer.asked == [CAT, TREES, "", CAT, TREES]
