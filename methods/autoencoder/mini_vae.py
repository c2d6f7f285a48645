"""Lay out mini_vae before its decoder is trained: architecture, and an encoder of principal components.

    python -m methods.autoencoder.mini_vae FOLDER

`stylekit train pretrain_mini_vae` trains the decoder, and

    python -m methods.autoencoder.mini_vae FOLDER --run RUN

writes what it learned into the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from methods.autoencoder.linear_start import begin_as_components, principal_components
from stylekit.atelier import MINI, draw, sample_scenes, sample_styles
from stylekit.foundation.vae import Vae
from stylekit.learned import load_method
from stylekit.seeding import drawing_from

__all__ = ["lay_out", "ship"]

NUM_IMAGES = 4096  # whose patches the components are of
NUM_CHANNELS = 16  # as many as FLUX has


def lay_out(folder: Path) -> None:
    """Write config and weights: the encoder final, the decoder drawn at random."""
    with drawing_from(0):
        model = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(16, 32, 64),
            layers_per_block=1,
            latent_channels=NUM_CHANNELS,
            norm_num_groups=8,
            sample_size=64,
            scaling_factor=1.0,  # the components have unit variance as they are
            shift_factor=0.0,
            mid_block_add_attention=False,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
    scenes = sample_scenes(NUM_IMAGES, 0, "train", repertoire=MINI)
    styles = sample_styles(NUM_IMAGES, 0, "train")
    images = draw(scenes, styles, range(NUM_IMAGES), model.config.sample_size)
    begin_as_components(model, *principal_components(images * 2.0 - 1.0, NUM_CHANNELS))
    model.half().save_pretrained(folder)  # as it is shipped, so that its latents stay what they are


def ship(run: Path, folder: Path) -> None:
    """Write what a run learned, in half precision."""
    foundation = load_method(run).foundation
    assert isinstance(foundation, Vae)
    foundation.save(folder, torch.float16)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", type=Path, help="a finished run of pretrain_mini_vae")
    arguments = parser.parse_args()
    if arguments.run is None:
        lay_out(arguments.folder)
    else:
        ship(arguments.run, arguments.folder)


if __name__ == "__main__":
    main()
