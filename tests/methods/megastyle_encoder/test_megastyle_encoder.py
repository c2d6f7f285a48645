import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import SiglipVisionModel

from methods.megastyle_encoder import MegaStyleEncoder, image_style_contrast
from stylekit.batch import StyleBatch
from stylekit.errors import ConfigError
from stylekit.foundation.siglip import Siglip
from stylekit.losses import supervised_contrast


@pytest.fixture
def batch() -> StyleBatch:
    torch.manual_seed(0)
    return StyleBatch(
        images=torch.rand(6, 3, 32, 32),
        style_ids=torch.tensor([4, 4, 9, 9, 2, 2]),
        content_ids=torch.arange(6),
        style_prompts=["word1 word2", "word1 word2", "word3", "word3", "word4 word5", "word4 word5"],
        content_prompts=["word6"] * 6,
    )


def test_gradient_reaches_the_image_tower_and_nothing_else(tiny_siglip: Path, batch: StyleBatch) -> None:
    method = MegaStyleEncoder(Siglip(str(tiny_siglip)))
    method.start("sscl")
    torch.stack(list(method.losses(batch).values())).sum().backward()
    for name, parameter in method.named_parameters():
        if "vision_model" in name:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0 or "k_proj.bias" in name, name
        else:
            assert parameter.grad is None, name
    assert method.learned == {name for name in method.state_dict() if "vision_model" in name}


def test_losses_are_the_two_terms_of_the_paper(tiny_siglip: Path, batch: StyleBatch) -> None:
    foundation = Siglip(str(tiny_siglip))
    terms = MegaStyleEncoder(foundation, temperature=0.1, scl_weight=2.0, itc_weight=0.5).losses(batch)
    z = foundation.embed_images(batch.images)
    u = foundation.embed_texts(["word1 word2", "word3", "word4 word5"])
    text_ids = torch.tensor([4, 9, 2])
    itc = image_style_contrast(z, u, batch.style_ids, text_ids, foundation.scale, foundation.bias)
    torch.testing.assert_close(terms["scl"], 2.0 * supervised_contrast(z, batch.style_ids, 0.1))
    torch.testing.assert_close(terms["itc"], 0.5 * itc)


PROCESS = """
import sys
import torch
import torch.distributed as dist
from methods.megastyle_encoder import MegaStyleEncoder
from stylekit.batch import StyleBatch
from stylekit.foundation.siglip import Siglip

folder, foundation, rank = sys.argv[1], sys.argv[2], int(sys.argv[3])
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
method = MegaStyleEncoder(Siglip(foundation))
method.start("sscl")
batch = StyleBatch(*torch.load(f"{folder}/batch{rank}.pt"))
loss = torch.stack(list(method.losses(batch).values())).sum()
loss.backward()
gradients = {"loss": loss.detach()}
for name, parameter in method.named_parameters():
    if parameter.requires_grad:
        dist.all_reduce(parameter.grad)
        gradients[name] = parameter.grad / 2  # as DDP averages
torch.save(gradients, f"{folder}/gradients{rank}.pt")
"""


def test_two_processes_learn_what_one_with_the_whole_batch_does(
    tiny_siglip: Path, tmp_path: Path, batch: StyleBatch
) -> None:
    # The first process has styles 4 and 4, the second 9 and 2: with other numbers of texts, too.
    batch = StyleBatch(
        *(part[:2] + part[3:5] if isinstance(part, list) else part[[0, 1, 3, 4]] for part in batch[:5])
    )
    for rank in (0, 1):
        torch.save([part[2 * rank : 2 * rank + 2] for part in batch[:5]], tmp_path / f"batch{rank}.pt")
    method = MegaStyleEncoder(Siglip(str(tiny_siglip)))
    method.start("sscl")
    loss = torch.stack(list(method.losses(batch).values())).sum()
    loss.backward()
    processes = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), str(tiny_siglip), str(rank)])
        for rank in (0, 1)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    for rank in (0, 1):
        gradients = torch.load(tmp_path / f"gradients{rank}.pt")
        torch.testing.assert_close(gradients["loss"], loss.detach(), rtol=1e-5, atol=1e-6)
        for name, parameter in method.named_parameters():
            if parameter.requires_grad:
                torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-5, atol=1e-5, msg=name)


def test_embed_gives_unit_vectors_whatever_the_size(tiny_siglip: Path) -> None:
    method = MegaStyleEncoder(Siglip(str(tiny_siglip)))
    embeddings = method.embed(torch.rand(3, 3, 50, 70))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("old_level", [False, True])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_released_layouts_load_with_every_key(
    tiny_siglip: Path, tmp_path: Path, old_level: bool, suffix: str
) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(5)
    trained = SiglipVisionModel(Siglip(str(tiny_siglip)).model.config.vision_config)
    prefix = "vision_model." if old_level else ""
    weights = {f"{prefix}{name}": value for name, value in trained.state_dict().items()}
    if old_level:
        weights[f"{prefix}embeddings.position_ids"] = torch.arange(16)[None]  # a counter of old releases
    path = tmp_path / f"megastyle{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    method = MegaStyleEncoder(Siglip(str(tiny_siglip)), weights=str(path))
    images = torch.rand(2, 3, 32, 32)
    expected = trained(pixel_values=images * 2 - 1).pooler_output
    torch.testing.assert_close(method.embed(images), torch.nn.functional.normalize(expected, dim=1))


def test_weights_of_another_tower_are_refused_by_name(tiny_siglip: Path, tmp_path: Path) -> None:
    weights = dict(Siglip(str(tiny_siglip)).vision.state_dict())
    weights["encoder.layers.7.mlp.fc1.weight"] = weights.pop("encoder.layers.0.mlp.fc1.weight")
    torch.save(weights, tmp_path / "wrong.pth")
    with pytest.raises(ConfigError, match=r"missing \(1\): encoder.layers.0.mlp.fc1.weight"):
        MegaStyleEncoder(Siglip(str(tiny_siglip)), weights=str(tmp_path / "wrong.pth"))


def test_saved_image_tower_is_a_plain_siglip_vision_model(tiny_siglip: Path, tmp_path: Path) -> None:
    method = MegaStyleEncoder(Siglip(str(tiny_siglip)))
    method.foundation.save_vision(tmp_path)
    plain, report = SiglipVisionModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    images = torch.rand(2, 3, 32, 32)
    pooled = plain(pixel_values=images * 2 - 1).pooler_output
    torch.testing.assert_close(method.embed(images), torch.nn.functional.normalize(pooled, dim=1))


def test_chunks_give_the_loss_and_gradients_of_the_whole_batch(tiny_siglip: Path, batch: StyleBatch) -> None:
    found = []
    for chunk in (None, 2):
        method = MegaStyleEncoder(Siglip(str(tiny_siglip)), chunk=chunk)
        method.start("sscl")
        loss = torch.stack(list(method.losses(batch).values())).sum()
        loss.backward()
        gradients = {name: one.grad for name, one in method.named_parameters() if one.requires_grad}
        found.append((loss.detach(), gradients))
    (loss, gradients), (chunked_loss, chunked_gradients) = found
    torch.testing.assert_close(chunked_loss, loss, rtol=1e-5, atol=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(chunked_gradients[name], gradient, rtol=1e-5, atol=1e-5, msg=name)
