"""Exporting: what a run learned, in files of diffusers and ComfyUI, checked by loading them again."""

from stylekit.exporting.verification import Check, verify_export
from stylekit.exporting.writing import Export, export

__all__ = ["Check", "Export", "export", "verify_export"]
