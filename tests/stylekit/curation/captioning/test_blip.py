from __future__ import annotations

import json

import pyarrow as pa
import pytest

from stylekit.config import build, compose
from stylekit.curation.pool import POOL
from stylekit.errors import ConfigError, MissingError


def caption_step(*overrides: str):
    return build(compose("demo", overrides, group="curation").values["curation"]["caption"])


def pictures(picture):
    rows = [
        {"id": f"{pool}/{seed}", "pool": pool, "image": picture(seed=seed)}
        for pool in ("style", "content")
        for seed in range(2)
    ]
    return pa.Table.from_pylist(rows, schema=POOL)


def test_a_curation_has_blip_caption_its_contents_and_nothing_else(tiny_blip, picture):
    chosen = ("content_captioner=blip", f"content_captioner.name_or_path={tiny_blip}")
    kept, rejects = caption_step(*chosen, "content_captioner.max_tokens=6")(pictures(picture))
    assert kept["id"].to_pylist() == ["content/0", "content/1"]
    assert all(word.startswith("word") for prompt in kept["prompt"].to_pylist() for word in prompt.split())
    assert [json.loads(text) for text in kept["attributes"].to_pylist()] == [{}, {}]
    assert rejects["reason"].to_pylist() == ["no drawing of the atelier"] * 2, "styles are another's to read"


def test_without_a_captioner_of_their_own_contents_have_that_of_styles():
    step = caption_step()
    assert step.of_pool["content"].captioner is step.of_pool["style"].captioner


def test_blip_is_no_captioner_of_styles():
    blip = "{_target_: stylekit.curation.captioning.blip.Blip, name_or_path: nobody/nothing}"
    with pytest.raises(ConfigError, match="Blip says what is shown and reads no instructions"):
        caption_step(f"captioner={blip}")


def test_weights_that_are_not_there_are_explained(picture):
    with pytest.raises(MissingError, match=r"hf download Salesforce/blip.* its name_or_path to the folder"):
        caption_step("content_captioner=blip")(pictures(picture))
