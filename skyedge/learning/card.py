"""A model card: what a model is, how it is trained, and what it was measured to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skyedge.errors import InputError, nearest
from skyedge.resources import find
from skyedge.yaml_files import read_yaml


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Recipe(_Part):
    """How the model is trained."""

    name: str = Field(description="Keys the random streams, so that two models with one recipe differ.")
    months: tuple[int, ...] = Field((), description="Months whose pictures are trained on; tiles of a folder have none.")
    folder: str | None = Field(None, description="Train on this folder of labelled tiles, found beside the card.")
    per_class: int = Field(gt=0, description="Places a class, at most, each seen in every month; or tiles a class.")
    thumbnail_px: int = Field(16, gt=0, description="Side of the pictures: that of the camera that is to fly.")
    steps: int = Field(gt=0, description="Batches of 128 pictures.")
    learning_rate: float = Field(gt=0)
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    augment: Literal["light", "strong"] = "light"

    @model_validator(mode="after")
    def _months_or_folder(self) -> Recipe:
        if bool(self.months) == (self.folder is not None):
            raise ValueError("either months or a folder of tiles is needed")
        return self


class Card(_Part):
    """A model card."""

    apiVersion: Literal["skyedge/v1"] = "skyedge/v1"  # noqa: N815
    kind: Literal["Model"] = "Model"
    name: str
    description: str = ""
    task: Literal["land-cover", "classification", "cloud"] = Field(
        description="What the Earth's map says, what a folder's names say, or clear and cloudy."
    )
    classes: tuple[str, ...]
    format: Literal["int8", "float16", "module"]
    architecture: str = Field(description="A name of skyedge.learning.networks, or package.module:Class of your own.")
    arguments: dict[str, Any] = Field(default_factory=dict)
    recipe: Recipe | None = None
    weights: tuple[str, ...] = Field(default=(), description="One file a replica, beside the card.")
    measured: dict[str, Any] = Field(default_factory=dict, description="Written by `skyedge train`, never by hand.")


def read_card(name_or_path: str | Path, beside: Path | None = None) -> tuple[Card, Path]:
    """The card at a path, or of that name in ``models/``, and where it is.

    Raises:
        InputError: if it is not there or not a card.
    """
    text = str(name_or_path)
    path = find(text if text.endswith((".yaml", ".yml")) else f"{text}.yaml", kind="models", beside=beside)
    try:
        return Card.model_validate(read_yaml(path)), path
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        hint = nearest(str(first["loc"][-1]), Card.model_fields) if first["type"] == "extra_forbidden" else None
        message = first["msg"].removeprefix("Value error, ").lower()
        raise InputError(f"{key}: {message}", where=path, nearest=hint) from None


def check_classes(name: str, known: tuple[str, ...], labels: tuple[str, ...], where: object = None) -> None:
    """Check that the model called ``name`` tells apart what the pictures are labelled with.

    Raises:
        InputError: naming the classes that only one of them has.
    """
    if known != labels:
        odd = sorted(set(known) ^ set(labels)) or [f"the order is {', '.join(labels)}"]
        raise InputError(f"model {name} has other classes than the pictures: {', '.join(odd)}", where=where)
