import platform
from typing import Any

import pytest
import torch

from stylekit.precision import faster_precision


@pytest.mark.parametrize(
    ("asked", "accelerator", "capability", "expected"),
    [
        ("bf16-mixed", "cpu", "AVX2", "32-true"),
        ("bf16", "cpu", "DEFAULT", "32-true"),
        ("16-mixed", "cpu", "AVX2", "32-true"),
        (16, "cpu", "AVX2", "32-true"),
        ("bf16-mixed", "cpu", "AVX512", "bf16-mixed"),
        ("32-true", "cpu", "AVX2", "32-true"),
        ("bf16-true", "cpu", "AVX2", "bf16-true"),  # asked for to save memory
        (None, "cpu", "AVX2", None),
        ("bf16-mixed", "gpu", "AVX2", "bf16-mixed"),
        ("bf16-mixed", "auto", "AVX2", "bf16-mixed" if torch.accelerator.is_available() else "32-true"),
    ],
)
def test_mixed_precision_is_left_where_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, asked: Any, accelerator: str, capability: str, expected: Any
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert faster_precision({"precision": asked, "accelerator": accelerator}) == expected


def test_other_processors_are_not_judged_by_their_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert faster_precision({"precision": "bf16-mixed", "accelerator": "cpu"}) == "bf16-mixed"
