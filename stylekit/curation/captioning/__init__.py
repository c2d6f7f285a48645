"""From images to prompts: what is asked, who answers, and what counts as an answer.

Captioners that import more than the atelier does are named by their modules: blip, endpoint, vision_language.
"""

from stylekit.curation.captioning.captioner import Captioner, Query, Subject, ask
from stylekit.curation.captioning.instruction import Instruction, Question, Reading
from stylekit.curation.captioning.limits import Limits
from stylekit.curation.captioning.megastyle import ContentInstruction, StyleInstruction
from stylekit.curation.captioning.megastyle_plus import AttributeInstruction
from stylekit.curation.captioning.step import CaptionImages
from stylekit.curation.captioning.truth import AtelierTruth

__all__ = [
    "AtelierTruth",
    "AttributeInstruction",
    "CaptionImages",
    "Captioner",
    "ContentInstruction",
    "Instruction",
    "Limits",
    "Query",
    "Question",
    "Reading",
    "StyleInstruction",
    "Subject",
    "ask",
]
