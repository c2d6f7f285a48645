from typing import final

import torch
import torch.nn.functional as F
from torch import nn

from stylekit.method import StyleEncoder


@final
class TheirsMoments(StyleEncoder):
    stages = ("fit",)

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.project = nn.Linear(6, width)

    def enter(self, stage):
        self.requires_grad_(True)

    def losses(self, batch):
        z = self.embed(batch.images)
        same = (batch.style_ids[:, None] == batch.style_ids).to(z.dtype)
        return {"separation": ((z @ z.T - same) ** 2).mean()}

    def embed(self, images):
        moments = torch.cat([images.mean((2, 3)), images.std((2, 3))], dim=1)
        return F.normalize(self.project(moments), dim=1)
