import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from methods.autoencoder.linear_start import begin_as_components, principal_components
from stylekit.foundation.locate import locate


def patches(images: torch.Tensor) -> torch.Tensor:
    return F.unfold(images.double(), 4, stride=4).transpose(1, 2).flatten(0, 1)


def some_images() -> torch.Tensor:
    torch.manual_seed(0)
    return F.interpolate(torch.rand(32, 3, 8, 8), 64, mode="bicubic").clamp(0, 1) * 2.0 - 1.0


def test_components_lose_what_the_smallest_eigenvalues_hold_and_nothing_more() -> None:
    images = some_images()
    filters, offsets = principal_components(images, 16)
    directions = filters.reshape(16, 48).double()
    scale = directions.norm(dim=1)
    torch.testing.assert_close(scale, scale[:1].expand(16))
    unit = directions / scale[:1, None]
    torch.testing.assert_close(unit @ unit.T, torch.eye(16, dtype=torch.double), atol=1e-6, rtol=0)
    of_patches = patches(images)
    centred = of_patches - of_patches.mean(0)
    lost = (centred - centred @ unit.T @ unit).square().sum() / len(centred)
    eigenvalues = torch.linalg.eigvalsh(centred.T @ centred / len(centred))
    torch.testing.assert_close(lost, eigenvalues[:-16].sum(), rtol=1e-5, atol=1e-8)
    latents = F.conv2d(images, filters, offsets, stride=4)
    assert abs(float(latents.std()) - 1.0) < 0.02
    assert float(latents.mean((0, 2, 3)).abs().max()) < 1e-4


def test_an_encoder_of_diffusers_holds_the_linear_map_exactly_enough() -> None:
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64), layers_per_block=1, latent_channels=16, norm_num_groups=8,
        mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip
    images = some_images()
    filters, offsets = principal_components(images, 16)
    begin_as_components(model, filters, offsets)
    with torch.no_grad():
        found = model.encode(images).latent_dist
    torch.testing.assert_close(
        found.mode(), F.conv2d(images, filters, offsets, stride=4), atol=2e-3, rtol=1e-3
    )
    assert float(found.std.max()) < 0.01


def test_the_shipped_encoder_is_linear() -> None:
    model = AutoencoderKL.from_pretrained(locate("mini_vae"))
    one, other = torch.rand(2, 1, 3, 64, 64) * 2.0 - 1.0
    with torch.no_grad():
        a, b, middle = (model.encode(x).latent_dist.mode() for x in (one, other, (one + other) / 2))
    torch.testing.assert_close(middle, (a + b) / 2, atol=5e-3, rtol=0)
