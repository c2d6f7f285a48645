"""MegaStyle's data pipeline (arXiv 2604.08364, section 3): from pools of images to a data set of styles."""

from stylekit.curation.curating import curate
from stylekit.curation.curation import Curation
from stylekit.curation.dry_run import DryRun
from stylekit.curation.status import CurationStatus, curate_status

__all__ = ["Curation", "CurationStatus", "DryRun", "curate", "curate_status"]
