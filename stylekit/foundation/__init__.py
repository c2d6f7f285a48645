"""Frozen pretrained models behind one config key: the real ones and the shipped mini ones."""

import logging


def _is_wanted(record: logging.LogRecord) -> bool:
    return "requires torchvision" not in record.getMessage()


# Said of image processors that pipelines list and stylekit does not use.
logging.getLogger("transformers.utils.import_utils").addFilter(_is_wanted)
