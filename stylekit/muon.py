"""Muon for matrices and AdamW for all else, as one optimiser (arXiv 2502.16982)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from stylekit.bounds import AboveZero, Fraction, NonNegative, bounded
from stylekit.precision import is_bfloat16_slow

__all__ = ["MuonWithAdamW", "nearest_orthogonal"]

# The quintic of https://kellerjordan.github.io/posts/muon and how often it is iterated: it lifts small
# singular values fast, and those that are not tiny end between 0.68 and 1.21.
_LINEAR, _CUBIC, _QUINTIC = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_SIZE = 0.2  # times the root of the longer side: as large as AdamW's updates (arXiv 2502.16982, section 2.2)
_STACKED_AT_ONCE = 2**24  # entries: 64 MB, beside which the copies are small


class MuonWithAdamW(Optimizer):
    """Update matrices by Muon, and vectors and scalars by AdamW.

    Muon makes the momentum of a matrix orthogonal before it takes a step, so that rare directions learn as
    fast as frequent ones. What has more than two dimensions is a matrix with a row for each entry of the
    first, as kernels of convolutions have one for each channel that they give.

    Deviation: embeddings and last layers, which the paper leaves to AdamW, are matrices here. Training
    refuses it under sharded strategies, which cut parameters into vectors.

    `torch.optim.Muon` computes in bfloat16 wherever it is, which takes seconds a step on processors without
    instructions for it, and takes one matrix after another. Here matrices of one shape go together, on such
    processors in float32.

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
        matrices, rest = [], []
        for group in self.param_groups:
            settings = {"lr": group["lr"], "weight_decay": group["weight_decay"]}
            matrices.append({"params": [p for p in group["params"] if p.ndim >= 2], **settings})
            rest.append({"params": [p for p in group["params"] if p.ndim < 2], **settings})
        self._muon = _Muon(matrices, momentum)
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
        self._muon.step()
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


def nearest_orthogonal(matrices: Float[Tensor, "n rows columns"]) -> Float[Tensor, "n rows columns"]:
    """Return about the orthogonal matrices nearest to these: same axes, and singular values near one."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    flat = matrices.mT if is_tall else matrices
    flat = flat / torch.linalg.matrix_norm(flat, keepdim=True).clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = flat @ flat.mT
        odd = torch.baddbmm(gram, gram, gram, beta=_CUBIC, alpha=_QUINTIC)
        flat = torch.baddbmm(flat, odd, flat, beta=_LINEAR)
    return flat.mT if is_tall else flat


class _Muon(Optimizer):
    """Muon alone, of parameters with two dimensions or more."""

    def __init__(self, params: Iterable[dict[str, Any]], momentum: float) -> None:
        super().__init__(params, {"momentum": momentum})

    def step(self) -> None:  # type: ignore[override]
        """Take one step, outside of autograd."""
        for group in self.param_groups:
            for parameters in _alike(group["params"]):
                self._step_together(parameters, group["lr"], group["weight_decay"], group["momentum"])

    def _step_together(
        self, parameters: list[nn.Parameter], lr: float, weight_decay: float, momentum: float
    ) -> None:
        rows, columns = parameters[0].flatten(1).shape
        directions = []
        for parameter in parameters:
            state, gradient = self.state[parameter], parameter.grad
            assert gradient is not None
            matrix = gradient.flatten(1)
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(matrix)
            state["momentum_buffer"].lerp_(matrix, 1.0 - momentum)
            directions.append(matrix.lerp(state["momentum_buffer"], momentum))  # as Nesterov's
        is_slow = directions[0].device.type == "cpu" and is_bfloat16_slow()
        updates = nearest_orthogonal(torch.stack(directions).to(torch.float32 if is_slow else torch.bfloat16))
        size = _SIZE * math.sqrt(max(rows, columns))
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1.0 - lr * weight_decay)
            parameter.add_(update.reshape(parameter.shape).to(parameter.dtype), alpha=-lr * size)


def _alike(parameters: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Take parameters that have a gradient together where shape, device and dtype are the same."""
    kinds: dict[Any, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            kinds.setdefault((parameter.shape, parameter.device, parameter.dtype), []).append(parameter)
    for kind in kinds.values():
        together = max(1, _STACKED_AT_ONCE // max(1, kind[0].numel()))
        for start in range(0, len(kind), together):
            yield kind[start : start + together]
