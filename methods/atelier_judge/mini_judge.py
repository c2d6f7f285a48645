"""Lay out the judge before it is trained, and ship what a run learned.

    python -m methods.atelier_judge.mini_judge FOLDER

writes the layout with the words of the atelier; `stylekit train pretrain_atelier_judge` draws random weights
for it and trains them; `python -m methods.atelier_judge.mini_judge FOLDER --run RUN` then calibrates the
thresholds of presence on drawings of the validation split, and writes the weights in half precision.
"""

from __future__ import annotations

import argparse
import json
from itertools import chain
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm import tqdm

from methods.atelier_judge.truth import read_prompts
from stylekit.atelier import MINI, draw, sample_scenes, sample_styles
from stylekit.atelier.palette import PALETTES
from stylekit.atelier.style_words import DISTRIBUTIONS, EDGES, IDENTITIES, LIGHTS, MEDIA, OUTLINES
from stylekit.foundation.judge import AtelierJudge
from stylekit.learned import load_method

__all__ = ["calibrate", "equal_error_thresholds", "lay_out", "ship"]

_NUM_CALIBRATION = 4096
_BATCH = 128


def lay_out(folder: Path, widths: tuple[int, int, int] = (32, 96, 192), style_dim: int = 256) -> None:
    """Write the layout: names of things, words of style, widths."""
    folder.mkdir(parents=True, exist_ok=True)
    of_media = list(MEDIA.values())
    words = {
        "identity": IDENTITIES,
        "palette": tuple(PALETTES),
        "distribution": DISTRIBUTIONS,
        "light": LIGHTS,
        "medium": tuple(MEDIA),
        "texture": tuple(dict.fromkeys(chain.from_iterable(one.textures for one in of_media))),
        "brushwork": tuple(dict.fromkeys(chain.from_iterable(one.brushworks for one in of_media))),
        "outline": OUTLINES,
        "edges": EDGES,
    }
    config = {"widths": widths, "style_dim": style_dim, "things": MINI.things, "words": words}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def ship(run: Path, folder: Path) -> None:
    """Write what a run learned, calibrated, in half precision."""
    judge = load_method(run).foundation
    assert isinstance(judge, AtelierJudge)
    calibrate(judge)
    judge.save(folder, torch.float16)


def calibrate(judge: AtelierJudge, num_images: int = _NUM_CALIBRATION, seed: int = 1) -> None:
    """Set the thresholds on drawings of held-out scenes and styles of the validation split."""
    scenes = sample_scenes(num_images, seed, "val", MINI.max_things, MINI)
    styles = sample_styles(num_images, seed, "val")
    presence = []
    for start in tqdm(range(0, num_images, _BATCH), desc="calibrate"):
        rows = slice(start, start + _BATCH)
        seeds = list(range(num_images)[rows])
        presence.append(judge.read(draw(scenes[rows], styles[rows], seeds, judge.image_size)).presence)
    prompts = [scene.prompt() for scene in scenes]
    counts = read_prompts(prompts, [], judge.things, {}).counts
    judge.thresholds.copy_(equal_error_thresholds(torch.cat(presence), counts > 0))


def equal_error_thresholds(
    probabilities: Float[Tensor, "n t"], is_there: Bool[Tensor, "n t"]
) -> Float[Tensor, " t"]:
    """Return for each thing the threshold at which as many images are missed as wrongly accepted."""
    thresholds = []
    for found, truth in zip(probabilities.T, is_there.T, strict=True):
        order = found.argsort()
        missed = truth[order].cumsum(0)
        accepted = (~truth).sum() - (~truth[order]).cumsum(0)
        last = int((missed - accepted).abs().argmin())
        above = found[order[min(last + 1, len(found) - 1)]]
        thresholds.append((found[order[last]] + above) / 2)
    return torch.stack(thresholds)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", type=Path, help="a finished run of pretrain_atelier_judge")
    arguments = parser.parse_args()
    if arguments.run is None:
        lay_out(arguments.folder)
    else:
        ship(arguments.run, arguments.folder)


if __name__ == "__main__":
    main()
