"""The architectures of the zoo: small, plain networks for thumbnails of 16 by 16 pixels and the like."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class TinyNet(nn.Module):
    """Convolutions with ReLU, a global average, one dense layer: what the int8 forward pass can run.

    Input (tiles, 3, height, width) in 0..1, output logits (tiles, classes).
    """

    def __init__(self, classes: int, widths: tuple[int, ...] = (8, 12), strides: tuple[int, ...] = (2, 1)) -> None:
        super().__init__()
        inputs = (3, *widths[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=stride, padding=1)
            for before, after, stride in zip(inputs, widths, strides, strict=True)
        )
        self.dense = nn.Linear(widths[-1], classes)

    def forward(self, tiles: Tensor) -> Tensor:
        for convolution in self.convolutions:
            tiles = torch.relu(convolution(tiles))
        logits: Tensor = self.dense(tiles.mean(dim=(2, 3)))
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a short cut (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        self.short_cut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.short_cut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, tiles: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(tiles)) + self.short_cut(tiles))


class ResidualNet(nn.Module):
    """A residual network with one block a width, halving the picture from the second on."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (48, 96, 192)) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(before, after, 1 if number == 0 else 2)
                for number, (before, after) in enumerate(zip((widths[0], *widths[:-1]), widths, strict=True))
            )
        )
        self.drop = nn.Dropout(0.2)
        self.dense = nn.Linear(widths[-1], classes)

    def forward(self, tiles: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.drop(self.blocks(self.stem(tiles)).mean(dim=(2, 3))))
        return logits


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {"tiny": TinyNet, "residual": ResidualNet}
"""Architectures by the name that a card gives."""


def multiply_accumulates(network: nn.Module, height: int, width: int) -> int:
    """Multiply-accumulates of one tile in convolutions and dense layers, counted by running one."""
    total = 0

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += module.weight.numel()

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    network.eval()
    with torch.inference_mode():
        network(torch.zeros(1, 3, height, width))
    for hook in hooks:
        hook.remove()
    return total
