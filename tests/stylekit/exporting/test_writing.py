"""What is in the files that a run is exported to, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from stylekit import cli
from stylekit.adapter_file import fingerprint
from stylekit.config import compose
from stylekit.errors import ConfigError, MissingError
from stylekit.exporting import Export, export
from stylekit.exporting.bfl import to_bfl
from stylekit.learned import load_method
from stylekit.run import Run, RunState

DOUBLE = [
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn.{name}" for name in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
    "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2",
    "norm1.linear", "norm1_context.linear",
]  # fmt: skip
SINGLE = ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp", "proj_out", "norm.linear"]
JOINED_DOUBLE = [
    f"{side}_{name}"
    for side in ("img", "txt")
    for name in ("attn_qkv", "attn_proj", "mlp_0", "mlp_2", "mod_lin")
]
JOINED_SINGLE = ["linear1", "linear2", "modulation_lin"]


def metadata(file: Path) -> dict[str, str]:
    with safe_open(file, framework="pt") as opened:
        return dict(opened.metadata())


def test_files_hold_every_adapted_map_and_nothing_else(exported: Export) -> None:
    ours, comfyui = exported.files
    layers = [f"transformer_blocks.0.{name}" for name in DOUBLE]
    layers += [f"single_transformer_blocks.{index}.{name}" for index in range(5) for name in SINGLE]
    assert set(load_file(ours)) == {
        f"transformer.{layer}.lora_{letter}.weight" for layer in layers for letter in "AB"
    }
    joined = [f"double_blocks_0_{name}" for name in JOINED_DOUBLE]
    joined += [f"single_blocks_{index}_{name}" for index in range(5) for name in JOINED_SINGLE]
    assert set(load_file(comfyui)) == {
        f"lora_unet_{name}.{kind}"
        for name in joined
        for kind in ("lora_down.weight", "lora_up.weight", "alpha")
    }
    assert sorted(file.name for file in ours.parent.iterdir()) == sorted([ours.name, comfyui.name])


def test_metadata_says_how_it_was_made_and_names_no_folder_of_the_machine(
    adapter_run: Run, exported: Export
) -> None:
    held = metadata(exported.files[0])
    origin, state = json.loads(held["stylekit"]), adapter_run.read()
    assert state is not None
    assert origin == {
        "experiment": "megastyle_flux",
        "method": compose(str(adapter_run.path)).values["method"],
        "choices": compose(str(adapter_run.path)).choices,
        "foundation": fingerprint(load_method(adapter_run.path)),
        "stages": ["paired"],
        "seed": 3,
        "config_digest": state.config_digest,
        "data_digest": "0f0f",
        "stylekit": state.environment["stylekit"],
        "git": state.environment["git"],
    }
    settings = json.loads(held["lora_adapter_metadata"])
    assert (settings["transformer.r"], settings["transformer.lora_alpha"]) == (3, 2.0)
    text = json.dumps([held, metadata(exported.files[1])])
    assert str(adapter_run.path) not in text
    assert str(Path.home()) not in text


def test_weights_are_stored_as_asked_and_alphas_exactly(
    adapter_run: Run, exported: Export, tmp_path: Path
) -> None:
    halved = export(adapter_run.path, out=tmp_path, dtype="bfloat16")
    for whole, half in zip(exported.files, halved.files, strict=True):
        found = load_file(half)
        for name, value in load_file(whole).items():
            stored = value if name.endswith(".alpha") else value.bfloat16()
            assert found[name].dtype == stored.dtype, name
            assert torch.equal(found[name], stored), name


def test_a_failure_leaves_the_old_file(
    adapter_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = export(adapter_run.path, out=tmp_path).files
    before = [file.read_bytes() for file in files]

    def fail(tensors: object, path: Path, *rest: object) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr("stylekit.exporting.writing.save_file", fail)
    with pytest.raises(OSError, match="full"):
        export(adapter_run.path, out=tmp_path, dtype="bfloat16")
    assert [file.read_bytes() for file in files] == before
    assert len(list(tmp_path.iterdir())) == len(files)


def test_runs_without_an_adapter_or_an_end_are_refused(adapter_run: Run, tmp_path: Path) -> None:
    for experiment in ("colour_histogram", "pretrain_mini_siglip"):
        other = Run(tmp_path / experiment)
        other.write(RunState(name="other", experiment=experiment, method="other"))
        other.config_file.write_text(compose(experiment).to_yaml())
        with pytest.raises(ConfigError, match=r"cannot be exported: methods\.\w+\.\w+ learns no adapter"):
            export(other.path, out=tmp_path / "out")
    unfinished = Run(tmp_path / "unfinished")
    unfinished.write(RunState(name="other", experiment="megastyle_flux", method="megastyle_flux"))
    unfinished.config_file.write_text(adapter_run.config_file.read_text())
    with pytest.raises(MissingError, match="has not finished"):
        export(unfinished.path, out=tmp_path / "out")
    with pytest.raises(ConfigError, match="is not a run"):
        export(tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_verb_says_what_was_written_and_found(
    adapter_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli.main(["export", str(adapter_run.path), "--out", str(tmp_path), "--dtype", "bfloat16", "--verify"])
        == 0
    )
    written, _, table = capsys.readouterr().out.partition("\n\n")
    assert [line.split()[1] for line in written.splitlines()] == [
        str(tmp_path / "pytorch_lora_weights.safetensors"),
        str(tmp_path / "comfyui.safetensors"),
    ]
    rows = [line.split() for line in table.splitlines()[1:]]
    assert [(row[0], row[1], row[2], row[3], row[-1]) for row in rows] == [
        ("pytorch_lora_weights.safetensors", "diffusers", "88", "44", "PASS"),
        ("comfyui.safetensors", "stylekit", "75", "44", "PASS"),
    ]


def test_the_verb_fails_where_a_file_is_wrong(
    adapter_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "stylekit.exporting.writing.to_bfl", lambda factors, scale: to_bfl(factors, 2.0 * scale)
    )
    assert cli.main(["export", str(adapter_run.path), "--out", str(tmp_path), "--verify"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "comfyui.safetensors does not hold what the run learned: lora_unet" in captured.err
