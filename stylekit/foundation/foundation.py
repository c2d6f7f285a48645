"""What every foundation is."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

__all__ = ["Foundation"]


class Foundation(nn.Module):
    """A pretrained model that methods stand on; the config group `foundation` chooses one."""

    beginning: ClassVar[frozenset[str]] = frozenset()
    """Settings that say how its weights begin, not which foundation it is: baselines leave them out."""
