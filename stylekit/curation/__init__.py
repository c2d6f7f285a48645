"""MegaStyle's data pipeline (arXiv 2604.08364, section 3): from pools of images to a data set of styles."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylekit.curation.curating import curate
    from stylekit.curation.curation import Curation
    from stylekit.curation.dry_run import DryRun
    from stylekit.curation.status import CurationStatus, curate_status

__all__ = ["Curation", "CurationStatus", "DryRun", "curate", "curate_status"]

# Imported when they are first used: the processes that an engine starts need little of it.
_MODULES = {
    "curate": "curating",
    "Curation": "curation",
    "DryRun": "dry_run",
    "CurationStatus": "status",
    "curate_status": "status",
}


def __getattr__(name: str) -> Any:
    """Import what is public."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
