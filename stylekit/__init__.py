"""Published image-style methods as interchangeable plug-ins, chosen by config.

The verbs of the command line are functions here, with the same arguments: `stylekit train siglip seed=1` is
`stylekit.train("siglip", "seed=1")`.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylekit.ablation import ablate as ablate
    from stylekit.curation import curate as curate
    from stylekit.curation import curate_status as curate_status
    from stylekit.data_report import data_check as data_check
    from stylekit.diagnosis import doctor as doctor
    from stylekit.embedding import embed as embed
    from stylekit.evaluation import evaluate as evaluate
    from stylekit.exporting import export as export
    from stylekit.listing import list_configs as list  # noqa: A004, F401
    from stylekit.preview import check as check
    from stylekit.preview import show as show
    from stylekit.rendering import render as render
    from stylekit.reporting import report as report
    from stylekit.scaffold import new_method as new_method
    from stylekit.training import train as train

__version__ = "0.1.0"

# Peft imports it wherever it is installed, and it warns of kernels that nothing here needs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

# Each name is imported when it is first used: torch and lightning take seconds.
_VERBS = {
    "list": ("stylekit.listing", "list_configs"),
    "show": ("stylekit.preview", "show"),
    "check": ("stylekit.preview", "check"),
    "train": ("stylekit.training", "train"),
    "embed": ("stylekit.embedding", "embed"),
    "evaluate": ("stylekit.evaluation", "evaluate"),
    "export": ("stylekit.exporting", "export"),
    "ablate": ("stylekit.ablation", "ablate"),
    "render": ("stylekit.rendering", "render"),
    "report": ("stylekit.reporting", "report"),
    "new_method": ("stylekit.scaffold", "new_method"),
    "curate": ("stylekit.curation", "curate"),
    "curate_status": ("stylekit.curation", "curate_status"),
    "data_check": ("stylekit.data_report", "data_check"),
    "doctor": ("stylekit.diagnosis", "doctor"),
}

__all__ = [
    "__version__",
    "ablate",
    "check",
    "curate",
    "curate_status",
    "data_check",
    "doctor",
    "embed",
    "evaluate",
    "export",
    "new_method",
    "render",
    "report",
    "show",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import the function of a verb."""
    if name not in _VERBS:
        raise AttributeError(f"module 'stylekit' has no attribute {name!r}")
    module, function = _VERBS[name]
    return getattr(importlib.import_module(module), function)
