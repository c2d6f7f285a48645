"""What diffusers' LoRA script for FLUX.1 Kontext computes, written anew, for our training step to be held to.

The computation, and none of the code, of examples/dreambooth/train_dreambooth_lora_flux_kontext.py (diffusers
0.42) by its default settings, on one device, by its own means: accelerate, the scheduler's noise levels, the
transformer's default attention. The targets of the LoRA and its rank are not the script's but those that the
transformer has already. Left out, in its favour, is the tracker.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import FluxPipeline
from diffusers.optimization import get_scheduler
from diffusers.training_utils import compute_density_for_timestep_sampling, compute_loss_weighting_for_sd3
from jaxtyping import Float
from lightning.fabric.utilities import move_data_to_device
from peft import get_peft_model_state_dict
from torch import Tensor
from tqdm import tqdm

from stylekit.batch import PairBatch
from stylekit.foundation.flux import Flux

MAX_NORM = 1.0
_WEIGHTING = "none"


class Draw(NamedTuple):
    """What is drawn for a step."""

    noise: Float[Tensor, "n c h w"]
    sigmas: Float[Tensor, " n"]
    weights: Float[Tensor, " n"]


class KontextLoop:
    """The script's loop over batches of pairs, for the LoRA that the transformer has already.

    Args:
        foundation: Its autoencoder and text encoders are asked where a batch has no latents or conditions.
        adapter: The name of the LoRA.
        learning_rate: Of AdamW.
        precision: "no" or "bf16", as accelerate calls them.
    """

    def __init__(self, foundation: Flux, adapter: str, learning_rate: float, precision: str = "no") -> None:
        self.foundation, self.adapter = foundation, adapter
        scheduler = foundation.pipeline.scheduler
        self.levels: Tensor = scheduler.sigmas[: scheduler.config.num_train_timesteps]
        self.accelerator = Accelerator(mixed_precision=precision, cpu=not torch.cuda.is_available())
        foundation.to(self.accelerator.device)
        learned = [one for one in foundation.denoiser.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(learned, lr=learning_rate, weight_decay=1e-4)
        self.learned = learned
        self.transformer, self.optimizer, self.schedule = self.accelerator.prepare(
            foundation.denoiser, optimizer, get_scheduler("constant", optimizer)
        )
        self.accelerator.register_save_state_pre_hook(self._save_adapter)

    def train(self, batches: Iterable[PairBatch], num_steps: int, first: int) -> float:
        """Take so many steps and return the seconds of one, on average of those from `first` on."""
        self.transformer.train()
        began = 0.0
        bar = tqdm(total=num_steps)
        for step, batch in zip(range(num_steps), batches, strict=False):
            if step == first:
                began = time.perf_counter()
            bar.set_postfix(loss=self.step(batch))
            bar.update(1)
        return (time.perf_counter() - began) / (num_steps - first)

    def step(self, batch: PairBatch) -> float:
        """Learn from a batch and return its loss."""
        batch = move_data_to_device(batch, self.accelerator.device)
        with self.accelerator.accumulate(self.transformer):
            with torch.no_grad():
                clean, condition = self._encoded(batch)
                text = batch.conditions or self.foundation.condition(batch.content_prompts)
            loss = mean_error(self.transformer, clean, condition, text, self.draw(clean), places(clean))
            self.accelerator.backward(loss)
            if self.accelerator.sync_gradients:
                self.accelerator.clip_grad_norm_(self.learned, MAX_NORM)
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad()
        return float(loss.detach())

    def draw(self, clean: Float[Tensor, "n c h w"]) -> Draw:
        """Draw noise, and levels of the scheduler by their density."""
        noise = torch.randn_like(clean)
        quantiles = compute_density_for_timestep_sampling(_WEIGHTING, len(clean), 0.0, 1.0, 1.29)
        sigmas = self.levels[(quantiles * len(self.levels)).long()].to(clean)
        return Draw(noise, sigmas, compute_loss_weighting_for_sd3(_WEIGHTING, sigmas))

    def save(self, folder: Path) -> None:
        """Write what the script writes every so many steps: the LoRA, and the state of all that goes on."""
        self.accelerator.save_state(str(folder))

    def _encoded(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        if batch.latents is not None and batch.reference_latents is not None:
            return batch.latents, batch.reference_latents
        vae = self.foundation.vae
        shift, factor = vae.config.shift_factor or 0.0, vae.config.scaling_factor
        pixels = [(images * 2.0 - 1.0).to(vae.dtype) for images in (batch.images, batch.references)]
        clean, condition = ((vae.encode(one).latent_dist.mode() - shift) * factor for one in pixels)
        return clean, condition

    def _save_adapter(self, models: list[Any], weights: list[Any], folder: str) -> None:
        (model,) = models
        layers = get_peft_model_state_dict(model, adapter_name=self.adapter)
        FluxPipeline.save_lora_weights(folder, transformer_lora_layers=layers)
        weights.clear()  # accelerate would write the frozen ones, too


def mean_error(
    transformer: Any,
    clean: Float[Tensor, "n c h w"],
    condition: Float[Tensor, "n c h w"],
    text: Any,
    draw: Draw,
    img_ids: Float[Tensor, "t 3"],
    guidance: float = 3.5,
) -> Float[Tensor, ""]:
    """Return the weighted squared error of the velocity, of the first part of the sequence alone."""
    share = draw.sigmas[:, None, None, None]
    noisy = _packed((1.0 - share) * clean + share * draw.noise)
    told = torch.full((len(clean),), guidance, device=clean.device)
    answer = transformer(
        hidden_states=torch.cat([noisy, _packed(condition)], 1).to(text["prompt_embeds"].dtype),
        timestep=draw.sigmas.to(text["prompt_embeds"].dtype),
        guidance=told if transformer.config.guidance_embeds else None,
        pooled_projections=text["pooled_prompt_embeds"],
        encoder_hidden_states=text["prompt_embeds"],
        txt_ids=torch.zeros(text["prompt_embeds"].shape[1], 3, device=clean.device),
        img_ids=img_ids,
        return_dict=False,
    )[0]
    rows, columns = clean.shape[2] // 2, clean.shape[3] // 2
    grid = answer[:, : noisy.shape[1]].mT.unflatten(2, (rows, columns))
    errors = F.pixel_shuffle(grid, 2).float() - (draw.noise - clean).float()
    return (draw.weights * errors.square().flatten(1).mean(1)).mean()


def places(latents: Float[Tensor, "n c h w"], first: float = 1.0, shift: int = 0) -> Float[Tensor, "t 3"]:
    """Return the places of an image and of a condition of its size.

    Args:
        latents: Of the image.
        first: Where the condition lies on the first axis; the script's is 1.
        shift: By how many columns it lies to the right; the script's is 0.
    """
    rows, columns = torch.arange(latents.shape[2] // 2), torch.arange(latents.shape[3] // 2)
    image = torch.cartesian_prod(torch.zeros(1), rows.float(), columns.float())
    return torch.cat([image, image + torch.tensor([first, 0.0, float(shift)])]).to(latents.device)


def _packed(latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t d"]:
    return F.pixel_unshuffle(latents, 2).flatten(2).mT
