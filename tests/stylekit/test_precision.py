import pytest
import torch

from stylekit.precision import is_slow


@pytest.mark.parametrize(
    ("precision", "accelerator", "capability", "expected"),
    [
        ("bf16-mixed", "cpu", "AVX2", True),
        ("bf16", "cpu", "AVX2", True),
        ("bf16-mixed", "cpu", "AVX512", False),
        ("bf16-mixed", "cpu", "DEFAULT", False),  # ARM
        ("32-true", "cpu", "AVX2", False),
        ("bf16-true", "cpu", "AVX2", False),  # asked for to save memory
        (None, "cpu", "AVX2", False),
        ("bf16-mixed", "gpu", "AVX2", False),
        ("bf16-mixed", "auto", "AVX2", not torch.accelerator.is_available()),
    ],
)
def test_bfloat16_is_slow_where_a_processor_has_no_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, precision: str | None, accelerator: str, capability: str, expected: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert is_slow(precision, accelerator) is expected
