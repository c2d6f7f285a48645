"""Muon for matrices and AdamW for all else, as one optimiser (arXiv 2502.16982)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from stylekit.bounds import AboveZero, Fraction, NonNegative, bounded
from stylekit.errors import ConfigError

__all__ = ["MuonWithAdamW"]


class MuonWithAdamW(Optimizer):
    """Update matrices by `torch.optim.Muon`, and vectors and scalars by AdamW.

    Muon makes the momentum of a matrix orthogonal before it takes a step, so that rare directions learn as
    fast as frequent ones. What has more than two dimensions is a matrix with a row for each entry of the
    first, as kernels of convolutions have one for each channel that they give.

    Deviation: embeddings and last layers, which the paper leaves to AdamW, are matrices here. Training
    refuses it under sharded strategies, which cut parameters into vectors.

    Args:
        params: Parameters, or groups of them.
        lr: Of matrices. Updates are scaled to the size of AdamW's, so AdamW's rates are a beginning.
        adamw_lr: Of the rest; follows the schedule of `lr`.
        momentum: Of Muon.
        betas: Of AdamW.
        weight_decay: Of both.
    """

    @bounded
    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: AboveZero = 3e-3,
        adamw_lr: AboveZero = 1e-3,
        momentum: Fraction = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: NonNegative = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "adamw_share": adamw_lr / lr})
        self._kernels: list[tuple[nn.Parameter, nn.Parameter]] = []
        matrices, rest = [], []
        for group in self.param_groups:
            settings = {"lr": group["lr"], "weight_decay": group["weight_decay"]}
            matrices.append(
                {"params": [self._as_matrix(p) for p in group["params"] if p.ndim >= 2], **settings}
            )
            rest.append({"params": [p for p in group["params"] if p.ndim < 2], **settings})
        self._muon = torch.optim.Muon(matrices, momentum=momentum, adjust_lr_fn="match_rms_adamw")
        self._adamw = AdamW(rest, betas=betas)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for own, muon, adamw in zip(
            self.param_groups, self._muon.param_groups, self._adamw.param_groups, strict=True
        ):
            muon["lr"], adamw["lr"] = own["lr"], own["lr"] * own["adamw_share"]
        for kernel, matrix in self._kernels:
            matrix.data = kernel.data.view(len(kernel), -1)  # it may have been moved since
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)
        self._muon.step()  # type: ignore[no-untyped-call]
        self._adamw.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both, and the groups that a schedule changes."""
        groups = [
            {key: value for key, value in group.items() if key != "params"} for group in self.param_groups
        ]
        return {"groups": groups, "muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        for group, saved in zip(self.param_groups, state_dict["groups"], strict=True):
            group.update(saved)
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])

    def _as_matrix(self, parameter: nn.Parameter) -> nn.Parameter:
        if parameter.ndim == 2:
            return parameter
        if not parameter.is_contiguous():
            raise ConfigError("MuonWithAdamW updates kernels in place: leave them out of channels_last.")
        matrix = nn.Parameter(parameter.data.view(len(parameter), -1))  # of the same memory
        self._kernels.append((parameter, matrix))
        return matrix
