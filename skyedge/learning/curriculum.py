"""`skyedge train`: from a card's recipe to weights on disk and measured figures in the card.

Trained on train blocks, quantised on calibrate blocks, measured on evaluate blocks, or on the tiles of a folder that are
for each; the card's figures come from here and from nowhere else.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors.numpy import save_file

from skyedge.earth import CALIBRATE, CLIMATE_ZONES, EVALUATE, Earth
from skyedge.earth.camera import Camera
from skyedge.earth.imagery import MONTHS
from skyedge.earth.tile_folder import TileFolder, find_folder
from skyedge.errors import InputError
from skyedge.learning.card import Card, Recipe, check_classes, read_card
from skyedge.learning.data import EarthSource, FolderSource, Pictured, Pictures, Source
from skyedge.learning.networks import TinyNet
from skyedge.learning.quantise import quantise
from skyedge.learning.training import BATCH, train
from skyedge.learning.zoo import Model, build_network, check_network, load_model
from skyedge.streams import stream

EVALUATE_PER_CLASS = 250
CALIBRATE_PER_CLASS = 120


def train_card(path: Path, replicas: list[int], camera: Camera) -> dict[str, Any]:
    """Train the given replicas of the card at ``path``; returns what was measured and writes it into the card.

    The pictures are those of ``camera``, but for their size, which is the recipe's.

    Raises:
        InputError: for a card without a recipe, or whose classes are not those of its pictures.
    """
    card, path = read_card(path)
    if card.recipe is None:
        raise InputError("this card has no recipe to train by", where=path)
    thumbnail_px = card.recipe.thumbnail_px
    source = source_of(card.recipe, path, replace(camera, thumbnail_px=thumbnail_px))
    if card.task != "cloud":
        check_classes(card.name, card.classes, source.classes, where=path)
    check_network(card, path, thumbnail_px)
    names = list(card.weights)
    for replica in replicas:
        name = f"weights/{card.name}-{replica}.safetensors"
        _save(path.parent / name, _train_one(card, path, source, replica))
        if name not in names:
            names.append(name)
    card = card.model_copy(update={"weights": tuple(sorted(names, key=_replica_first))})
    _write_card(path, card)
    measured = measure(card, path, source, thumbnail_px)
    _write_card(path, card.model_copy(update={"measured": measured}))
    return measured


def source_of(recipe: Recipe, card_path: Path, camera: Camera) -> Source:
    """Where a recipe has its pictures from.

    Raises:
        InputError: if its folder is missing or wrong.
    """
    if recipe.folder is None:
        return EarthSource(Earth.load(), camera)
    folder = find_folder(recipe.folder, kind="models", beside=card_path.parent, where=card_path)
    return FolderSource(TileFolder.open(folder), Earth.load(), camera)


def _labels(card: Card, pictures: Pictures) -> NDArray[np.int64]:
    return (pictures.cloud_cover > 0.5).astype(np.int64) if card.task == "cloud" else pictures.label


def _chances(card: Card, on_picture: Pictured) -> NDArray[np.float32]:
    if card.task == "cloud":
        cloudy = on_picture.cloud_cover > 0.5
        return np.stack([~cloudy, cloudy], axis=1).astype(np.float32)
    return on_picture.shares


def _train_one(card: Card, path: Path, source: Source, replica: int) -> dict[str, NDArray[Any]]:
    assert card.recipe is not None
    recipe, clear_only = card.recipe, card.task != "cloud"
    archive = source.archive(recipe.months, recipe.per_class, 100 + replica, clear_only=clear_only)
    network = build_network(card, path)
    draw = stream(replica, recipe.name, "training")
    batches = ((tiles, _chances(card, on_picture)) for tiles, on_picture in archive.batches(BATCH, draw))
    train(network, batches, recipe, draw)
    if card.format == "int8":
        if not isinstance(network, TinyNet):
            raise InputError("only the architecture 'tiny' can be quantised to int8", where=path)
        calibration = source.pictures(CALIBRATE, recipe.months, CALIBRATE_PER_CLASS, 200 + replica, clear_only=clear_only)
        return quantise(network, calibration.tiles).to_arrays()
    return {
        key: value.numpy().astype(np.float16) if value.is_floating_point() else value.numpy()
        for key, value in network.state_dict().items()
    }


def measure(card: Card, path: Path, source: Source, thumbnail_px: int) -> dict[str, Any]:
    """Accuracy on pictures to evaluate by class, month and climate zone, over all replicas; size and work."""
    torch.set_num_threads(1)
    pictures = source.pictures(EVALUATE, MONTHS, EVALUATE_PER_CLASS, 300, clear_only=card.task != "cloud")
    labels = _labels(card, pictures)
    models: list[Model] = [load_model(path, n, thumbnail_px=thumbnail_px) for n in range(len(card.weights))]
    correct = np.stack([model.logits(pictures.tiles).argmax(axis=1) == labels for model in models])
    by_class = {
        name: round(float(correct[:, labels == number].mean()), 4)
        for number, name in enumerate(card.classes)
        if (labels == number).any()
    }
    by_month = {
        month: round(float(correct[:, pictures.month == month].mean()), 4)
        for month in MONTHS
        if (pictures.month == month).any()
    }
    by_zone = {
        zone: round(float(correct[:, pictures.climate == number].mean()), 4)
        for number, zone in enumerate(CLIMATE_ZONES)
        if number and (pictures.climate == number).any()
    }
    return {
        "pictures": len(pictures),
        "accuracy": round(float(correct.mean()), 4),
        "accuracy_by_class": by_class,
        "accuracy_by_month": by_month,
        "accuracy_by_climate_zone": by_zone,
        "parameters": models[0].parameters,
        "multiply_accumulates": models[0].multiply_accumulates,
        "weight_bytes": models[0].weight_bytes,
        "digests": [model.digest[:16] for model in models],
    }


def _replica_first(name: str) -> tuple[int, str]:
    """Weights in the order of their replicas: replica 10 comes after replica 9 and not after replica 1."""
    number = Path(name).stem.rpartition("-")[2]
    return (int(number) if number.isascii() and number.isdigit() else -1, name)


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, partial)
    os.replace(partial, path)


def _write_card(path: Path, card: Card) -> None:
    content = card.model_dump(mode="json", exclude_none=True)
    partial = path.with_suffix(".partial")
    partial.write_text(yaml.safe_dump(content, sort_keys=False, width=110), encoding="utf-8")
    os.replace(partial, path)
