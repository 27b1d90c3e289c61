"""Training: a recipe and pictures become weights, the same ones every time on the same kind of processor."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from skyedge.learning.card import Recipe
from skyedge.streams import stream

BATCH = 128


def train(network: nn.Module, tiles: NDArray[np.uint8], labels: NDArray[np.int64], recipe: Recipe, seed: int) -> None:
    """Train ``network`` in place on ``tiles`` (pictures, height, width, 3) and ``labels`` (pictures,)."""
    torch.set_num_threads(1)
    draw = stream(seed, recipe.name, "training")
    initialise(network, draw)
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * max(1, len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps, pct_start=0.2)
    weights = np.bincount(labels, minlength=int(labels.max()) + 1).astype(np.float32)
    class_weights = torch.from_numpy((weights.mean() / np.maximum(weights, 1)) ** 0.5)
    loss_of = nn.CrossEntropyLoss(weight=class_weights, label_smoothing=recipe.label_smoothing)
    for _ in range(recipe.epochs):
        order = draw.permutation(len(labels))
        for step in range(max(1, len(labels) // BATCH)):
            rows = order[step * BATCH : (step + 1) * BATCH]
            batch = augment(tiles[rows], draw, recipe.augment)
            optimiser.zero_grad()
            loss = loss_of(network(as_input(batch)), torch.from_numpy(labels[rows]))
            loss.backward()
            optimiser.step()
            schedule.step()
    network.eval()


def as_input(tiles: NDArray[np.uint8]) -> torch.Tensor:
    """Pictures (tiles, height, width, 3) uint8 as the float tensor (tiles, 3, height, width) in 0..1 that nets take."""
    return torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2).float().div_(255)


def augment(tiles: NDArray[np.uint8], draw: np.random.Generator, strength: str) -> NDArray[np.uint8]:
    """Turned and mirrored; ``strong`` also shifts, brightens and sometimes compresses them, as downlinks do."""
    turned = np.rot90(tiles, int(draw.integers(4)), axes=(1, 2))
    if draw.random() < 0.5:
        turned = turned[:, :, ::-1]
    if strength != "strong":
        return turned
    shift = draw.integers(-2, 3, 2)
    turned = np.roll(turned, tuple(shift), axis=(1, 2))
    light = draw.uniform(0.85, 1.15, (len(tiles), 1, 1, 1)).astype(np.float32)
    turned = np.clip(turned * light, 0, 255).astype(np.uint8)
    if draw.random() < 0.4:
        turned = compressed(turned, int(draw.integers(20, 90)))
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
