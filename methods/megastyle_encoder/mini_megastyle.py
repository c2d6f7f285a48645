"""Ship mini_megastyle: SigLIP towers whose image tower is what MegaStyle-Encoder learned.

    stylekit train megastyle_encoder seed=0
    python -m methods.megastyle_encoder.mini_megastyle FOLDER --run RUN

The text tower is that of the foundation that it learned from, so texts of styles are still comparable.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from stylekit.foundation.siglip import Siglip
from stylekit.learned import load_method

__all__ = ["ship"]


def ship(run: Path, folder: Path) -> None:
    """Write the towers of a run, in half precision."""
    foundation = load_method(run).foundation
    assert isinstance(foundation, Siglip)
    foundation.save(folder, torch.float16)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="a finished run of megastyle_encoder")
    arguments = parser.parse_args()
    ship(arguments.run, arguments.folder)


if __name__ == "__main__":
    main()
