from __future__ import annotations

import re

import pytest
import yaml

import stylekit
from stylekit.config import compose
from stylekit.errors import ConfigError


def test_shown_config_is_the_resolved_one() -> None:
    text = stylekit.show("siglip", "trainer.devices=2")
    assert yaml.safe_load(text) == compose("siglip", ["trainer.devices=2"]).values
    assert text.startswith("# resolved config of: stylekit train siglip trainer.devices=2\n")


def test_origins_stand_behind_values_and_change_nothing() -> None:
    text = stylekit.show("siglip", "trainer.devices=2", origins=True)
    assert yaml.safe_load(text) == compose("siglip", ["trainer.devices=2"]).values
    assert re.search(r"  devices: 2 +# override 'trainer.devices=2'\n", text)
    assert re.search(r"  accelerator: auto +# .*configs/trainer/default.yaml:\d+\n", text)


def test_check_lists_what_is_wrong() -> None:
    assert stylekit.check("siglip").choices["method"] == "siglip"
    with pytest.raises(
        ConfigError, match=r"(?s)2 mistakes.*'sed=1'.*'trainer.device=2'.*Did you mean 'devices'"
    ):
        stylekit.check("siglip", "sed=1", "trainer.device=2")
    with pytest.raises(ConfigError, match="names no method"):
        stylekit.check("siglip", "method=null")
