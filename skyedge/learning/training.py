"""Training: a recipe and pictures become weights, the same ones every time on the same kind of processor."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from skyedge.learning.card import Recipe

BATCH = 128

Batches = Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]
"""Pictures (batch, height, width, 3) and the chance of each class (batch, classes), without end."""


def train(network: nn.Module, batches: Batches, recipe: Recipe, draw: np.random.Generator) -> None:
    """Train ``network`` in place on ``recipe.steps`` of ``batches``.

    The targets are chances and not labels: a footprint that is half savanna and half forest teaches both.
    """
    torch.set_num_threads(1)
    initialise(network, draw)
    network.train()
    layout = memory_format(network)
    network.to(memory_format=layout)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.15)
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    for tiles, chances in islice(batches, recipe.steps):
        pictures = as_input(augment(tiles, draw, recipe.augment)).contiguous(memory_format=layout)
        optimiser.zero_grad()
        loss_of(network(pictures), torch.from_numpy(chances)).backward()
        optimiser.step()
        schedule.step()
    network.eval()


def memory_format(network: nn.Module) -> torch.memory_format:
    """Channels last, which is quicker, unless ``network`` has a narrow strided 1x1 convolution.

    The backward pass of one with 8 input channels ends the process with torch 2.13 on tiles of 48 pixels and more.
    """
    for module in network.modules():
        if (
            isinstance(module, nn.Conv2d)
            and module.kernel_size == (1, 1)
            and module.stride != (1, 1)
            and module.in_channels < 16
        ):
            return torch.contiguous_format
    return torch.channels_last


def as_input(tiles: NDArray[np.uint8]) -> torch.Tensor:
    """Pictures (tiles, height, width, 3) uint8 as the float tensor (tiles, 3, height, width) in 0..1 that nets take."""
    return torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2).float().div_(255)


def augment(tiles: NDArray[np.uint8], draw: np.random.Generator, strength: str) -> NDArray[np.uint8]:
    """Turned and mirrored; ``strong`` also shifts them, tints them and compresses half of them, as downlinks do."""
    turned = np.rot90(tiles, int(draw.integers(4)), axes=(1, 2))
    if draw.random() < 0.5:
        turned = turned[:, :, ::-1]
    if strength != "strong":
        return turned
    turned = np.roll(turned, tuple(draw.integers(-2, 3, 2)), axis=(1, 2))
    light = draw.uniform(0.9, 1.1, (len(tiles), 1, 1, 1)) * draw.uniform(0.95, 1.05, (len(tiles), 1, 1, 3))
    turned = np.clip(turned * light.astype(np.float32), 0, 255).astype(np.uint8)
    if draw.random() < 0.5:
        turned = compressed(turned, int(draw.integers(10, 90)))
    return turned


def compressed(tiles: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The tiles after JPEG, side by side in one picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(tiles), axis=1)).save(buffer, "JPEG", quality=quality, subsampling=0)
    with Image.open(buffer) as image:
        return np.stack(np.split(np.asarray(image.convert("RGB"), np.uint8), len(tiles), axis=1))


def initialise(network: nn.Module, draw: np.random.Generator) -> None:
    """He initialisation (He et al. 2015) drawn with numpy: torch's own draws depend on the processor."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            values = draw.standard_normal(tuple(module.weight.shape), np.float32) * np.float32(np.sqrt(2 / fan_in))
            module.weight.data = torch.from_numpy(values)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
