"""The zoo: models by name, loaded, run in padded batches of one size, and told apart by a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import nn

from skyedge.errors import InputError, nearest
from skyedge.inference.int8 import QuantizedNetwork
from skyedge.inference.scores import DECIMALS
from skyedge.learning.card import Card, read_card
from skyedge.learning.networks import ARCHITECTURES, multiply_accumulates
from skyedge.learning.training import as_input
from skyedge.plugins import is_import_path, load_class, source_digest

BATCH = 64
"""Every batch has this size, padded if need be: a batch of another size changes the last bits of a logit."""


@dataclass(frozen=True, eq=False)
class Model:
    """A model that can answer.

    ``multiply_accumulates`` are those of one thumbnail; ``weight_bytes`` is what an update would have to carry.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    digest: str
    parameters: int
    multiply_accumulates: int
    weight_bytes: int
    forward: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def logits(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits, rounded to 1e-4, float32 (tiles, classes), of ``tiles`` (tiles, height, width, 3) uint8."""
        return np.round(self.forward(tiles), DECIMALS)


def load_model(name_or_path: str | Path, replica: int = 0, *, thumbnail_px: int = 16, beside: Path | None = None) -> Model:
    """Replica ``replica`` (counted round) of the model with this card.

    Raises:
        InputError: for an unknown model, or weights that are missing, corrupt or of another shape.
    """
    card, path = read_card(name_or_path, beside)
    if not card.weights and card.format != "module":
        raise InputError(f"model {card.name} has no weights yet; 'skyedge train {path.name}' makes them", where=path)
    file = path.parent / card.weights[replica % len(card.weights)] if card.weights else None
    arrays = _read_weights(file) if file else {}
    digest = _digest(card, file)
    if card.format == "int8":
        try:
            network = QuantizedNetwork.from_arrays(arrays, where=file)
            work = network.multiply_accumulates(thumbnail_px, thumbnail_px)
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            raise InputError(f"these weights do not fit model {card.name}: {_line(error)}", where=file) from None
        size = sum(array.nbytes for array in arrays.values())
        _probe(card, network.forward, thumbnail_px, file)
        return Model(card.name, card.task, card.classes, digest, network.parameters, work, size, network.forward)
    module = build_network(card, path)
    if arrays:
        try:
            module.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in arrays.items()})
        except RuntimeError as error:
            raise InputError(f"these weights do not fit model {card.name}: {_line(error)}", where=file) from None
    parameters = sum(parameter.numel() for parameter in module.parameters())
    work = _work(card, module, thumbnail_px, path)
    size = sum(array.nbytes for array in arrays.values()) or 4 * parameters
    forward = _padded(module)
    _probe(card, forward, thumbnail_px, path)
    return Model(card.name, card.task, card.classes, digest, parameters, work, size, forward)


def check_network(card: Card, path: Path, thumbnail_px: int) -> None:
    """Check that the network of a card can be made and answers what the card says, before any time goes into it.

    Raises:
        InputError: if not.
    """
    module = build_network(card, path)
    _work(card, module, thumbnail_px, path)
    _probe(card, _padded(module), thumbnail_px, path)


def _work(card: Card, module: nn.Module, thumbnail_px: int, path: Path) -> int:
    try:
        return multiply_accumulates(module, thumbnail_px, thumbnail_px)
    except Exception as error:  # whatever a user's own module does
        raise InputError(f"model {card.name} cannot look at a picture: {_line(error)}", where=path) from None


def _probe(card: Card, forward: Callable[[NDArray[np.uint8]], Any], thumbnail_px: int, where: object) -> None:
    """Let a model look at one picture: it must give one finite number for each class of its card."""
    try:
        answer = np.asarray(forward(np.zeros((1, thumbnail_px, thumbnail_px, 3), np.uint8)))
    except Exception as error:  # whatever a user's own module does
        raise InputError(f"model {card.name} cannot look at a picture: {_line(error)}", where=where) from None
    if answer.shape != (1, len(card.classes)):
        said = f"{answer.shape[1]} numbers" if answer.ndim == 2 else f"an array of {answer.ndim} dimensions"
        raise InputError(f"model {card.name} has {len(card.classes)} classes and answers {said} a picture", where=where)
    if not np.isfinite(answer).all():
        raise InputError(f"model {card.name} answers {answer.flat[0]}: its weights are spoilt", where=where)


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def build_network(card: Card, path: Path) -> nn.Module:
    """The untrained network of a card: one of ours, or a user's own ``torch.nn.Module``."""
    architecture: Any = ARCHITECTURES.get(card.architecture)
    if architecture is None and is_import_path(card.architecture):
        architecture = load_class(card.architecture, where=path)
    if architecture is None:
        hint = nearest(card.architecture, ARCHITECTURES)
        raise InputError(f"unknown architecture '{card.architecture}'", where=path, nearest=hint)
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in card.arguments.items()}
    try:
        network = architecture(len(card.classes), **arguments)
    except Exception as error:  # whatever a user's own class does
        raise InputError(f"architecture '{card.architecture}': {_line(error)}", where=path) from None
    if not isinstance(network, nn.Module):
        raise InputError(f"'{card.architecture}' is not a torch.nn.Module", where=path)
    return network


def check_same_classes(models: Sequence[Model]) -> None:
    """Check that models which answer one question know the same classes.

    Raises:
        InputError: naming the two that differ and how.
    """
    for model in models[1:]:
        if model.classes != models[0].classes:
            odd = sorted(set(model.classes) ^ set(models[0].classes)) or ["another order"]
            raise InputError(f"models {models[0].name} and {model.name} have different classes: {', '.join(odd)}")


def _padded(module: nn.Module) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    module.eval()
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        torch.set_num_threads(1)
        answers = []
        with torch.inference_mode():
            for start in range(0, len(tiles), BATCH):
                batch = tiles[start : start + BATCH]
                short = BATCH - len(batch)
                padded = np.concatenate([batch, np.zeros((short, *batch.shape[1:]), np.uint8)]) if short else batch
                logits = module(as_input(padded).contiguous(memory_format=torch.channels_last))
                answers.append(logits.numpy()[: len(batch)].copy())
        return np.concatenate(answers) if answers else np.empty((0, 0), np.float32)

    return forward


def _read_weights(file: Path) -> dict[str, NDArray[Any]]:
    try:
        arrays = load_file(file)
    except FileNotFoundError:
        raise InputError("this weight file is missing", where=file) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"this weight file is corrupt: {error}", where=file) from None
    return {key: value.astype(np.float32) if value.dtype == np.float16 else value for key, value in arrays.items()}


def _digest(card: Card, file: Path | None) -> str:
    identity = json.dumps([card.architecture, card.arguments, card.classes, card.format], sort_keys=True)
    if is_import_path(card.architecture):
        identity += source_digest(card.architecture)
    content = file.read_bytes() if file else b""
    return hashlib.sha256(identity.encode() + content).hexdigest()
