"""Exporting: what a run learned, in files of diffusers and ComfyUI, checked by loading them again."""

from stylekit.exporting.adapter_file import load_exported, load_into
from stylekit.exporting.verification import Check, verify_export
from stylekit.exporting.writing import Export, export

__all__ = ["Check", "Export", "export", "load_exported", "load_into", "verify_export"]
