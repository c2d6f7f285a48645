from __future__ import annotations

from pathlib import Path

import pytest

from stylekit.errors import ConfigError
from stylekit.finding import Finding
from stylekit.fitting import CONTEXT, MARGIN, Device, Use, fit

GB = 1e9


@pytest.fixture
def configs(tmp_path: Path, tiny_pipeline: Path) -> Path:
    folder = tmp_path / "configs" / "foundation"
    folder.mkdir(parents=True)
    (folder / "tiny_one.yaml").write_text(f"_target_: torch.nn.Identity\nname_or_path: {tiny_pipeline}\n")
    (folder / "sd_one.yaml").write_text(
        "_target_: torch.nn.Identity\nname_or_path: stable-diffusion-v1-5/stable-diffusion-v1-5\n"
        "dtype: bfloat16\n"
    )
    (folder / "odd_one.yaml").write_text("_target_: torch.nn.Identity\nname_or_path: nobody/knows-it\n")
    return tmp_path / "configs"


def look(configs: Path, name: str, use: Use, free: float) -> list[Finding]:
    return list(fit(name, use, [configs], Device("a test", free)))


def text_of(findings: list[Finding], section: str, name: str) -> tuple[str, str]:
    return next(
        (one.state, one.text) for one in findings if one.section.startswith(section) and one.name == name
    )


def test_sd15_is_told_from_its_architecture(configs: Path) -> None:
    findings = look(configs, "sd_one", Use(size=256, rank=16), 24 * GB)
    assert text_of(findings, "foundation", "weights")[0] == "absent"
    assert "859.5 M parameters, 3.4 GB on disk (float32)" in text_of(findings, "foundation", "unet")[1]
    assert text_of(findings, "foundation", "download")[1].startswith("4.3 GB into")
    state, text = text_of(findings, "inference (256 px, batch 1, bfloat16)", "as asked")
    assert state == "fine"
    assert "weights 2.1 GB" in text
    # 16 attentions twice, rank 16: as peft makes them.
    assert "3.2 M learned" in text_of(findings, "LoRA training", "as asked")[1]


def test_what_does_not_fit_is_a_fault_with_what_would(configs: Path) -> None:
    """Memory that is free is set between what two ways of training take."""
    use = Use(size=64, batch=4, rank=4)
    roomy = look(configs, "tiny_one", use, 8 * GB)
    asked = [one for one in roomy if one.section.startswith("LoRA training")]
    assert [(one.name, one.state) for one in asked] == [("as asked", "fine")]
    total = float(asked[0].text.partition(" MB")[0]) * 1e6
    short = look(configs, "tiny_one", use, total * MARGIN * 0.95 + CONTEXT)
    training = [one for one in short if one.section.startswith("LoRA training")]
    assert [(one.name, one.state) for one in training] == [
        ("as asked", "fault"),
        ("gradient checkpointing", "fine"),
    ]
    assert "does not fit" in training[0].text
    nothing = look(configs, "tiny_one", use, CONTEXT)
    training = [one for one in nothing if one.section.startswith("LoRA training")]
    assert [one.name for one in training] == [
        "as asked",
        "gradient checkpointing",
        "gradient checkpointing, cached encodings",
        "gradient checkpointing, cached encodings, bfloat16",
        "gradient checkpointing, cached encodings, bfloat16, batch 1",
        "so",
    ]
    sizes = [float(one.text.partition(" MB")[0]) for one in training[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert [one.state for one in training].count("fault") == 1
    inference = [one.name for one in nothing if one.section.startswith("inference")]
    assert inference == ["as asked", "as asked, offloaded", "in bfloat16", "in bfloat16, offloaded", "so"]


def test_folder_needs_no_download(configs: Path) -> None:
    findings = look(configs, "tiny_one", Use(rank=4), 8 * GB)
    assert text_of(findings, "foundation", "download") == ("fine", "nothing: it is there")
    assert any(one.section.startswith("inference (16 px") for one in findings)
    assert {one.state for one in findings} == {"fine"}


def test_unknown_architecture_is_said(configs: Path) -> None:
    findings = look(configs, "odd_one", Use(), 8 * GB)
    assert "is not among those that stylekit brings" in text_of(findings, "foundation", "architecture")[1]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (Use(size=250), "multiple of 16"),
        (Use(batch=0), "at least 1"),
        (Use(dtype="int8"), "dtype must be one of"),
    ],
)
def test_wrong_use_is_refused(configs: Path, use: Use, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        look(configs, "sd_one", use, 8 * GB)


def test_encoders_have_one_size_and_are_trained_whole_too() -> None:
    findings = list(fit("siglip_base", Use(), (), Device("a test", 8 * GB)))
    sections = {one.section.partition(" (")[0] for one in findings}
    assert {"inference", "LoRA training", "training of the whole image tower"} <= sections
    with pytest.raises(ConfigError, match="sees 224 px"):
        list(fit("siglip_base", Use(size=512), ()))


def test_towers_are_looked_through_at_the_size_of_their_config() -> None:
    for name, size in (("dinov2_base", 224), ("depth_anything_v2_large", 518)):
        findings = list(fit(name, Use(), (), Device("a test", 8 * GB)))
        sections = {one.section for one in findings}
        assert f"inference ({size} px, batch 1, float32)" in sections
        assert not any("training" in section for section in sections)
    with pytest.raises(ConfigError, match="multiple of 14, not 256"):
        list(fit("dinov2_base", Use(size=256), ()))


def test_package_without_weights_to_locate() -> None:
    (only,) = fit("efficientnet_lite0", Use())
    assert "come with a Python package" in only.text


def test_autoencoder_is_trained_whole(configs: Path, tiny_pipeline: Path) -> None:
    file = configs / "foundation" / "vae_one.yaml"
    file.write_text(f"_target_: torch.nn.Identity\nname_or_path: {tiny_pipeline}/vae\n")
    findings = look(configs, "vae_one", Use(), 8 * GB)
    sections = {one.section.partition(" (")[0] for one in findings}
    assert "training of the whole model" in sections
    assert "LoRA training" not in sections
