"""Exporting: what a run learned, in files of diffusers and ComfyUI, checked by loading them again."""

from stylekit.exporting.adapter_file import exported_file, load_into, read_origin
from stylekit.exporting.verification import Check, verify_export
from stylekit.exporting.writing import Export, export

__all__ = ["Check", "Export", "export", "exported_file", "load_into", "read_origin", "verify_export"]
