"""Muon for matrices, AdamW for the rest, and averaged weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

#: Keller Jordan's quintic for the Newton-Schulz iteration of Muon, and its number of rounds.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


def orthogonalized(matrix: Tensor) -> Tensor:
    """Nearly ``U·Vᵀ`` of ``matrix = U·S·Vᵀ``, by five rounds of Newton-Schulz."""
    a, b, c = _QUINTIC
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    # Half precision is enough: what counts are the directions (as in Jordan's own code).
    x = (x / (x.norm() + 1e-7)).bfloat16()
    for _ in range(_ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose step is orthogonalised (Jordan et al. 2024); kernels count as matrices."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One step; every parameter has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient, state = parameter.grad, self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(gradient, 1 - group["momentum"])
                update = gradient.lerp(state["momentum"], group["momentum"])
                matrix = update.reshape(update.shape[0], -1)
                scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                step = orthogonalized(matrix).reshape(parameter.shape)
                parameter.add_(step, alpha=-group["lr"] * scale)


class Optimizers:
    """The optimisers of a stage under one learning rate schedule."""

    def __init__(
        self, modules: list[nn.Module], kind: str, matrix_rate: float, rate: float
    ) -> None:
        matrices, rest = [], []
        for module in modules:
            for name, parameter in module.named_parameters():
                is_edge = any(word in name for word in ("embedding", "conv_in", "conv_out"))
                by_muon = kind == "muon" and parameter.ndim >= 2 and not is_edge
                (matrices if by_muon else rest).append(parameter)
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
        ]
        if matrices:
            self.parts.append(Muon(matrices, lr=matrix_rate))
        self._rates = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def step(self, factor: float) -> None:
        """One step with ``factor`` of the full learning rates, then no gradients."""
        for part, rates in zip(self.parts, self._rates):
            for group, rate in zip(part.param_groups, rates):
                group["lr"] = rate * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state(self) -> list[dict]:
        """What :meth:`load` takes."""
        return [part.state_dict() for part in self.parts]

    def load(self, state: list[dict]) -> None:
        """Continues from a state; the rates are still those of the constructor."""
        for part, values in zip(self.parts, state):
            part.load_state_dict(values)


def rate_factor(step: int, steps: int, warmup: int, decay_share: float) -> float:
    """Rises over ``warmup`` steps, stays at 1, falls to 0 over the last ``decay_share``."""
    rise = min(1.0, (step + 1) / max(1, warmup))
    fall = (steps - step) / max(1.0, steps * decay_share)
    return rise * min(1.0, fall)


class Average:
    """An exponential moving average of modules' parameters."""

    def __init__(self, modules: list[nn.Module], decay: float) -> None:
        self._sources = [p for module in modules for p in module.parameters()]
        self._decay = decay
        self.values = [p.detach().clone() for p in self._sources]
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Takes the parameters in; the first thousands weigh less than the decay says."""
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.values, [p.detach() for p in self._sources], 1 - decay)

    @torch.no_grad()
    def copy_to(self, modules: list[nn.Module]) -> None:
        """Writes the averages into modules of the same shape."""
        targets = [p for module in modules for p in module.parameters()]
        for target, value in zip(targets, self.values, strict=True):
            target.copy_(value)

    def state(self) -> dict:
        """What :meth:`load` takes."""
        return {"values": self.values, "updates": self.updates}

    @torch.no_grad()
    def load(self, state: dict) -> None:
        """Continues from a state."""
        for value, saved in zip(self.values, state["values"], strict=True):
            value.copy_(saved)
        self.updates = state["updates"]
