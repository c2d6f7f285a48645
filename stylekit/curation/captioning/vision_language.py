"""Vision-language models that follow instructions: Qwen3-VL and others with a chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from PIL import Image
from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig, AutoModelForImageTextToText
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from stylekit.curation.captioning.local_model import LocalModel
from stylekit.errors import ConfigError

__all__ = ["VisionLanguage", "for_images"]


@final
class VisionLanguage(LocalModel):
    """A model that takes images in a chat, as Qwen3-VL does, which captioned MegaStyle's pools."""

    def _load(self, where: str) -> tuple[Any, Any]:
        config = _config(where, self.revision)
        kind = type(config)
        if kind not in PROCESSOR_MAPPING or kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            raise ConfigError(
                f"'{where}' is a {config.model_type} checkpoint: it reads no images with a text."
            )
        reader = for_images(PROCESSOR_MAPPING[kind])
        # answers follow the prompt, so that prompts of a batch have to end together
        processor = reader.from_pretrained(where, revision=self.revision, padding_side="left")
        return self._load_whole(AutoModelForImageTextToText, where), processor

    def _prepare(self, processor: Any, pictures: Sequence[Image.Image], texts: Sequence[str]) -> Any:
        chats = [
            [
                {
                    "role": "user",
                    "content": [{"type": "image", "image": picture}, {"type": "text", "text": text}],
                }
            ]
            for picture, text in zip(pictures, texts, strict=True)
        ]
        return processor.apply_chat_template(
            chats,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )


def _config(where: str, revision: str | None) -> Any:
    try:
        return AutoConfig.from_pretrained(where, revision=revision)
    except ValueError as error:  # of no kind, or of one that is newer than transformers
        raise ConfigError(f"'{where}' is no checkpoint that transformers can read: {error}") from error


def for_images(kind: type[Any]) -> type[Any]:
    """Leave out of a processor what reads films: it needs torchvision, and is not needed here."""

    class ForImages(kind):  # type: ignore[misc]
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in kind.get_attributes() if name != "video_processor"]

    return ForImages
