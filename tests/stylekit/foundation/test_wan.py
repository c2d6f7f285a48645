from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylekit.foundation.wan import Wan


@pytest.fixture(scope="module")
def tiny_wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real `WanPipeline` of random weights."""
    from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
    from transformers import UMT5Config, UMT5EncoderModel

    from stylekit.atelier.tokenizer import t5_tokenizer

    torch.manual_seed(0)
    tokenizer = t5_tokenizer(512)
    text = UMT5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_ff=37,
        d_kv=8,
        num_heads=4,
        num_layers=1,
        feed_forward_proj="gated-gelu",
    )
    transformer = WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16, text_dim=32,
        freq_dim=32, ffn_dim=32, num_layers=2, rope_max_seq_len=32,
    )  # fmt: skip
    vae = AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    folder = tmp_path_factory.mktemp("tiny_wan")
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    WanPipeline(tokenizer, UMT5EncoderModel(text), vae, scheduler, transformer).save_pretrained(folder)
    return folder


def make(folder: Path, **settings: object) -> Wan:
    return Wan(str(folder), num_steps=2, num_frames=5, image_size=16, **settings)  # type: ignore[arg-type]


def test_films_come_from_their_seeds(tiny_wan: Path) -> None:
    wan = make(tiny_wan)
    films = wan.generate(["a red cat", "a red cat"], [1, 2])
    assert films.shape == (2, 5, 3, 16, 16)
    assert not torch.equal(films[0], films[1])
    torch.testing.assert_close(wan.generate(["a red cat"], [2])[0], films[1], atol=1e-5, rtol=1e-4)
    assert float(films.min()) >= 0.0
    assert float(films.max()) <= 1.0


def test_latents_are_normalised_and_shrunk(tiny_wan: Path) -> None:
    wan = make(tiny_wan)
    films = torch.rand(1, 5, 3, 16, 16)
    latents = wan.encode(films)
    assert latents.shape == (1, 2, 16, 2, 2)
    config = wan.vae.config
    raw = wan.vae.encode(films.transpose(1, 2) * 2 - 1).latent_dist.mode()
    channel = (raw[0, 3] - config.latents_mean[3]) / config.latents_std[3]
    torch.testing.assert_close(latents[0, :, 3], channel)


def test_error_is_that_of_the_velocity_and_reaches_the_denoiser(tiny_wan: Path) -> None:
    wan = make(tiny_wan)
    wan.denoiser.requires_grad_(True)
    clean, condition = torch.randn(2, 2, 16, 2, 2), wan.condition(["a cat", "a dog"])
    torch.manual_seed(0)
    errors = wan.errors(clean, condition)
    torch.manual_seed(0)
    noise = torch.randn_like(clean)
    quantiles = (torch.randperm(2) + torch.rand(2)) / 2
    sigmas = torch.sigmoid(torch.special.ndtri(quantiles))
    sigmas = 3.0 * sigmas / (1.0 + 2.0 * sigmas)
    share = sigmas.view(-1, 1, 1, 1, 1)
    found = wan.predict((1 - share) * clean + share * noise, sigmas, condition)
    torch.testing.assert_close(errors, (found - (noise - clean)).square().mean((1, 2, 3, 4)))
    errors.sum().backward()
    assert all(one.grad is not None for one in wan.denoiser.blocks.parameters())
    assert all(one.grad is None for one in wan.vae.parameters())


def test_autoencoder_stays_in_float32(tiny_wan: Path) -> None:
    wan = make(tiny_wan, dtype="bfloat16")
    assert {one.dtype for one in wan.vae.parameters()} == {torch.float32}
    assert wan.denoiser.blocks[0].attn1.to_q.weight.dtype == torch.bfloat16
    assert wan.pipeline.vae is wan.vae
    assert wan.generate(["a cat"], [0]).isfinite().all()
