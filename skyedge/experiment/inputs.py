"""The files that an experiment names, and what identifies their content.

A result is kept under a digest of its experiment, and ``--resume`` takes it from there.  Names alone would not do: whoever
trains a model again, or puts newer elements into the same file, must not be handed the results of the old ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from skyedge.experiment.spec import Experiment, Models
from skyedge.learning.card import read_card
from skyedge.plugins import is_import_path, source_digest
from skyedge.resources import find

ORBIT_KEYS = ("constellation", "sites", "link", "spacecraft")
DEVICE_KEYS = ("satellite_device", "edge_device", "ground_device")
LAYER_FILE_KEYS = (
    ("elastic", "pool"),
    ("scheduler", "policy"),
    ("federation", "clusters"),
    ("federation", "policy"),
)
"""Files of layers; what they hold is read with the experiment and counts in its digest as if it stood there."""
CARD_KEYS = tuple(key for key in Models.model_fields if key not in DEVICE_KEYS)


def place_beside(content: dict[str, Any], folder: Path) -> None:
    """Let names in ``content``, a parsed experiment file in ``folder``, mean the files beside it where there are any."""
    for part, keys in (("space", ORBIT_KEYS), ("models", (*CARD_KEYS, *DEVICE_KEYS)), ("imagery", ("folder",))):
        named = content.get(part)
        if not isinstance(named, dict):
            continue
        for key in keys:
            name = named.get(key)
            if isinstance(name, str) and (folder / name).exists():
                named[key] = str(folder / name)
    layers = content.get("layers")
    for layer, key in LAYER_FILE_KEYS:
        named = layers.get(layer) if isinstance(layers, dict) else None
        if isinstance(named, dict) and isinstance(named.get(key), str) and (folder / named[key]).is_file():
            named[key] = str(folder / named[key])


def input_files(experiment: Experiment) -> Iterator[Path]:
    """Every file that decides the results of ``experiment``, imagery apart.

    Raises:
        InputError: if one is missing, or a card is none.
    """
    for key in ORBIT_KEYS:
        source = getattr(experiment.space, key)
        if isinstance(source, str):
            yield find(source, kind="orbit")
    for key in CARD_KEYS:
        card, path = read_card(getattr(experiment.models, key))
        yield path
        yield from (path.parent / name for name in card.weights)
    for key in DEVICE_KEYS:
        yield find_device(getattr(experiment.models, key))


def user_code(experiment: Experiment) -> Iterator[str]:
    """Import paths of the user's own classes that ``experiment`` names, arms apart."""
    miner = experiment.pipeline.miner.name
    architectures = [read_card(getattr(experiment.models, key))[0].architecture for key in CARD_KEYS]
    elastic, scheduler = experiment.layers.elastic, experiment.layers.scheduler
    autoscalers = elastic.autoscaler.parts() if elastic else ()
    plugins = [option.name for tier in scheduler.configuration().tiers for option in tier] if scheduler else []
    scores = experiment.layers.federation.score_names() if experiment.layers.federation else []
    yield from (name for name in (miner, *architectures, *autoscalers, *plugins, *scores) if is_import_path(name))


def find_device(name: str) -> Path:
    """The device profile of that name in ``models/devices/``, or at that path."""
    return find(name if name.endswith(".yaml") else f"devices/{name}.yaml", kind="models")


def content_digest(experiment: Experiment) -> str:
    """Identifies the content of all :func:`input_files` and of :func:`user_code`; a missing weight file counts as empty."""
    whole = hashlib.sha256()
    for name in user_code(experiment):
        whole.update(source_digest(name).encode())
    for path in input_files(experiment):
        stat = path.stat() if path.is_file() else None
        whole.update(_file_digest(path, stat.st_mtime_ns, stat.st_size) if stat else b"missing")
    return whole.hexdigest()[:16]


@lru_cache(maxsize=256)
def _file_digest(path: Path, modified_ns: int, size_bytes: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
