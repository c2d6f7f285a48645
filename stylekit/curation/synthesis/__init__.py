"""From style and content prompts to images: pairs, their prompts and seeds, and who draws them.

The generator that imports diffusers is named by its module, diffusers_pipeline.
"""

from stylekit.curation.synthesis.atelier import AtelierDrawings
from stylekit.curation.synthesis.pairing import deal, join, pair, seed_of
from stylekit.curation.synthesis.step import SynthesizeImages
from stylekit.curation.synthesis.synthesizer import Synthesizer

__all__ = [
    "AtelierDrawings",
    "SynthesizeImages",
    "Synthesizer",
    "deal",
    "join",
    "pair",
    "seed_of",
]
