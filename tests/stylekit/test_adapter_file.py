"""What is exported is loaded again, to the bit, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from methods.megastyle_flux import MegaStyleFlux
from stylekit.adapter_file import factors_of, load_into, scale_of
from stylekit.candidate import find_candidates
from stylekit.config import check, compose
from stylekit.errors import ConfigError, MissingError
from stylekit.exporting import Export, export
from stylekit.foundation.flux import Flux
from stylekit.foundation.locate import SHIPPED
from stylekit.learned import build_method, compose_learned, load_method
from stylekit.method import StyleMethod
from stylekit.run import Run


def rewrite(file: Path, target: Path, change: Callable[[dict[str, Tensor], dict[str, str]], None]) -> Path:
    with safe_open(file, framework="pt") as opened:
        metadata = dict(opened.metadata())
    tensors = load_file(file)
    change(tensors, metadata)
    save_file(tensors, target, metadata)
    return target


def load_exported(path: Path, *overrides: str) -> StyleMethod:
    config = compose_learned(path, overrides)
    check(config)
    return build_method(config)


def paint(method: MegaStyleFlux) -> Tensor:
    torch.manual_seed(4)
    method.num_steps = 2
    return method.render(method.extract(torch.rand(1, 3, 64, 64)), ["A cat beside a house."], None, [7])


def test_loaded_method_is_the_runs_to_the_bit(adapter_run: Run, exported: Export) -> None:
    ours, theirs = load_method(adapter_run.path), load_exported(exported.files[0].parent)
    checkpoint = torch.load(adapter_run.final_checkpoint, weights_only=True)["state_dict"]
    assert theirs.learned == set(checkpoint)
    for name, value in checkpoint.items():
        assert torch.equal(theirs.get_parameter(name), value), name
    assert isinstance(ours, MegaStyleFlux)
    assert isinstance(theirs, MegaStyleFlux)
    assert torch.equal(paint(ours), paint(theirs))
    assert not any(parameter.requires_grad for parameter in theirs.parameters())
    assert not theirs.training


def test_an_exported_folder_is_evaluated_as_the_run_is(adapter_run: Run, exported: Export) -> None:
    folder = str(exported.files[0].parent)
    (candidate,) = find_candidates([folder], ["benchmark=style_bench", "foundation.num_steps=3"], [])
    method = candidate.load(torch.device("cpu"))
    assert isinstance(method, MegaStyleFlux)
    assert method.foundation.num_steps == 3
    ours = load_method(adapter_run.path)
    assert isinstance(ours, MegaStyleFlux)
    assert torch.equal(paint(method), paint(ours))


def test_a_method_that_is_built_already_takes_the_weights_that_fit(exported: Export) -> None:
    method = MegaStyleFlux(Flux("mini_flux", repertoire="mini"), rank=3, alpha=2.0)
    load_into(method, exported.files[0])
    other = load_exported(exported.files[0])
    assert isinstance(other, MegaStyleFlux)
    assert torch.equal(paint(method.eval()), paint(other))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rank": 4, "alpha": 2.0}, "r is 3 in the file and 4 here"),
        ({"rank": 3}, r"lora_alpha is 2\.0 in the file and 3\.0 here"),
        ({"rank": 3, "alpha": 2.0, "modulation": False}, r"unexpected: .*norm.*\.linear"),
    ],
)
def test_other_settings_are_refused(settings: dict[str, float], said: str, exported: Export) -> None:
    with pytest.raises(ConfigError, match=said):
        load_into(MegaStyleFlux(Flux("mini_flux"), **settings), exported.files[0])


def test_another_width_and_another_class_are_refused(exported: Export, tmp_path: Path) -> None:
    def narrow(tensors: dict[str, Tensor], _: dict[str, str]) -> None:
        name = "transformer.transformer_blocks.0.ff.net.2.lora_B.weight"
        tensors[name] = tensors[name][:8].clone()

    file = rewrite(exported.files[0], tmp_path / "narrow.safetensors", narrow)
    with pytest.raises(ConfigError, match=r"ff\.net\.2.* is \(8, 3\) in the file and \(160, 3\) here"):
        load_exported(file)

    def rename(target: str, _: dict[str, Tensor], metadata: dict[str, str]) -> None:
        origin = json.loads(metadata["stylekit"])
        origin["method"]["_target_"] = target
        metadata["stylekit"] = json.dumps(origin)

    file = rewrite(
        exported.files[0],
        tmp_path / "other.safetensors",
        partial(rename, "methods.colour_histogram.ColourHistogram"),
    )
    with pytest.raises(ConfigError, match="ColourHistogram takes no"):
        load_exported(file)
    with pytest.raises(ConfigError, match=r"learned by methods\.colour_histogram.*, not by MegaStyleFlux"):
        load_into(MegaStyleFlux(Flux("mini_flux")), file)
    file = rewrite(exported.files[0], tmp_path / "gone.safetensors", partial(rename, "elsewhere.Method"))
    with pytest.raises(ConfigError, match=r"'elsewhere\.Method' is not allowed"):
        load_exported(file)


def test_a_key_too_few_or_too_many_is_refused_by_name(exported: Export, tmp_path: Path) -> None:
    def misname(tensors: dict[str, Tensor], _: dict[str, str]) -> None:
        tensors["surplus"] = tensors.pop("transformer.transformer_blocks.0.attn.to_q.lora_A.weight")

    file = rewrite(exported.files[0], tmp_path / "misnamed.safetensors", misname)
    with pytest.raises(ConfigError, match=r"missing: .*attn\.to_q\.lora_A.*\n  unexpected: surplus"):
        load_exported(file)


def test_files_of_others_are_refused(exported: Export, tmp_path: Path) -> None:
    def forget(_: dict[str, Tensor], metadata: dict[str, str]) -> None:
        del metadata["stylekit"]

    for file in (rewrite(exported.files[0], tmp_path / "theirs.safetensors", forget), exported.files[1]):
        with pytest.raises(ConfigError, match="was not made by `stylekit export`"):
            load_exported(file)
    (tmp_path / "broken.safetensors").write_bytes(exported.files[0].read_bytes()[:-1])
    with pytest.raises(ConfigError, match="no whole safetensors file"):
        load_exported(tmp_path / "broken.safetensors")


def test_a_foundation_from_a_folder_is_found_where_one_says(adapter_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "here" / "flux"
    folder.parent.mkdir()
    folder.symlink_to(SHIPPED / "mini_flux")
    copy = Run(shutil.copytree(adapter_run.path, tmp_path / "run"))
    copy.config_file.write_text(
        compose(str(adapter_run.path), [f"foundation.name_or_path={folder}"]).to_yaml()
    )
    file = export(copy.path, out=tmp_path / "out").files[0]
    assert str(tmp_path) not in file.read_bytes()[:100_000].decode(errors="ignore")
    with pytest.raises(MissingError, match="no foundation 'flux'"):
        load_exported(file)
    assert load_exported(file, f"foundation.name_or_path={folder}").learned


def test_another_foundation_of_the_same_shape_is_warned_of(
    exported: Export, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_exported(exported.files[0], "foundation.dtype=bfloat16")
    assert "other weights" not in caplog.text
    folder = tmp_path / "flux"
    shutil.copytree(SHIPPED / "mini_flux", folder)
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    save_file({name: value * 1.05 for name, value in state.items()}, weights)
    load_exported(exported.files[0], f"foundation.name_or_path={folder}")
    assert "was learned on a foundation of other weights" in caplog.text


def test_seed_and_place_of_what_was_exported_are_kept(adapter_run: Run, exported: Export) -> None:
    folder = exported.files[0].parent
    config = compose_learned(folder)
    assert config.values["seed"] == 3
    assert Path(config.values["learned"]).is_absolute()
    assert Path(compose_learned(adapter_run.path).values["learned"]).is_absolute()


def test_what_a_file_of_a_lora_has_no_place_for_is_refused() -> None:
    method = MegaStyleFlux(Flux("mini_flux"), rank=3)
    method.foundation.vae.decoder.conv_in.requires_grad_(True)
    method.start("paired")
    with pytest.raises(ConfigError, match=r"learns foundation\.vae\.decoder\.conv_in\.bias, which"):
        factors_of(method)
    assert scale_of(method) == 1.0
    method.foundation.denoiser.transformer_blocks[0].attn.to_q.scaling[method.adapter] = 0.5
    with pytest.raises(ConfigError, match=r"several scales: \[0\.5, 1\.0\]"):
        scale_of(method)
