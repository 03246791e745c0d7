"""Several processes that train one model: gradients averaged after every step."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as distributed
from torch import nn


class Group:
    """The processes of a run; with one process every call is free."""

    def __init__(self, rank: int, world: int, meeting: Path) -> None:
        """``meeting`` is a file that all ranks can reach and that does not exist yet."""
        self.rank, self.world = rank, world
        if world > 1:
            distributed.init_process_group(
                "gloo", init_method=f"file://{meeting.resolve()}", rank=rank, world_size=world
            )

    def average(self, parameters: Iterable[nn.Parameter], wish: int = 0) -> int:
        """Averages gradients over the ranks; returns the largest ``wish`` of any rank.

        The wish travels with the gradients, so that all ranks stop after the same step.
        """
        if self.world == 1:
            return wish
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients] + [torch.zeros(self.world)])
        flat[flat.numel() - self.world + self.rank] = wish
        distributed.all_reduce(flat)
        largest = int(flat[-self.world :].max().item())
        start = 0
        for gradient in gradients:
            count = gradient.numel()
            part = flat[start : start + count].view_as(gradient)
            gradient.copy_(part / self.world)
            start += count
        return largest

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in order, on every rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        distributed.all_gather_object(values, value)
        return values

    def broadcast(self, modules: list[nn.Module]) -> None:
        """Gives every rank the parameters of rank 0."""
        if self.world > 1:
            for module in modules:
                for parameter in module.parameters():
                    distributed.broadcast(parameter.data, 0)

    def close(self) -> None:
        """Leaves the group."""
        if self.world > 1:
            distributed.destroy_process_group()
