"""A model card: what a model is, how it is trained, and what it was measured to do."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from skyedge.earth.imagery import MONTHS
from skyedge.errors import InputError, nearest
from skyedge.profiles import Part
from skyedge.resources import find
from skyedge.yaml_files import read_marked


class Recipe(Part):
    """How the model is trained."""

    name: str = Field(description="Keys the random streams, so that two models with one recipe differ.")
    months: tuple[int, ...] = Field((), description="Months whose pictures are trained on; tiles of a folder have none.")
    folder: str | None = Field(None, description="Train on this folder of labelled tiles, found beside the card.")
    per_class: int = Field(gt=0, description="Places a class, at most, each seen in every month; or tiles a class.")
    thumbnail_px: int = Field(16, gt=0, le=512, description="Side of the pictures: that of the camera that is to fly.")
    steps: int = Field(gt=0, description="Batches of 128 pictures.")
    learning_rate: float = Field(gt=0, le=100)
    weight_decay: float = Field(1e-4, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    augment: Literal["light", "strong"] = "light"

    @field_validator("months")
    @classmethod
    def _months_there_are(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        for month in months:
            if month not in MONTHS:
                raise ValueError(f"there are pictures of the months {', '.join(map(str, MONTHS))}, not of {month}")
        if len(set(months)) < len(months):
            raise ValueError("a month is there twice")
        return months

    @model_validator(mode="after")
    def _months_or_folder(self) -> Recipe:
        if bool(self.months) == (self.folder is not None):
            raise ValueError("either months or a folder of tiles is needed")
        return self


class Card(Part):
    """A model card."""

    apiVersion: Literal["skyedge/v1"] = "skyedge/v1"  # noqa: N815
    kind: Literal["Model"] = "Model"
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
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

    @model_validator(mode="after")
    def _can_be(self) -> Card:
        if len(set(self.classes)) < max(2, len(self.classes)):
            raise ValueError("classes: two or more are needed, each once")
        if self.task == "cloud" and len(self.classes) != 2:
            raise ValueError("classes: a cloud filter tells two apart, clear and cloudy")
        if self.format == "int8" and self.architecture != "tiny":
            raise ValueError(f"format: only the architecture 'tiny' can be int8, not '{self.architecture}'")
        return self


def read_card(name_or_path: str | Path, beside: Path | None = None) -> tuple[Card, Path]:
    """The card at a path, or of that name in ``models/``, and where it is.

    Raises:
        InputError: if it is not there or not a card.
    """
    text = str(name_or_path)
    path = find(text if text.endswith((".yaml", ".yml")) else f"{text}.yaml", kind="models", beside=beside)
    stat = path.stat()
    return _parsed(path, stat.st_mtime_ns, stat.st_size), path


@lru_cache(maxsize=64)
def _parsed(path: Path, modified_ns: int, size_bytes: int) -> Card:
    """The card in a file: digests of experiments ask for the same ones hundreds of times."""
    content, marks = read_marked(path)
    if not isinstance(content, dict):
        raise InputError("a card is a mapping of keys to values", where=path)
    try:
        return Card.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = Recipe.model_fields if first["loc"][:1] == ("recipe",) and len(first["loc"]) > 1 else Card.model_fields
        unknown = first["type"] == "extra_forbidden"
        message = first["msg"].removeprefix("Value error, ")
        if unknown:
            message = f"a card has no '{first['loc'][-1]}' here"
        elif first["type"] == "missing":
            message = "this key is missing"
        place = next((marks[first["loc"][:n]] for n in range(len(first["loc"]), 0, -1) if first["loc"][:n] in marks), path)
        hint = nearest(str(first["loc"][-1]), known) if unknown else None
        raise InputError(f"{key}: {message}" if key else message, where=place, nearest=hint) from None


def check_classes(name: str, known: tuple[str, ...], labels: tuple[str, ...], where: object = None) -> None:
    """Check that the model called ``name`` tells apart what the pictures are labelled with.

    Raises:
        InputError: naming the classes that only one of them has.
    """
    if known != labels:
        odd = sorted(set(known) ^ set(labels)) or [f"the order is {', '.join(labels)}"]
        raise InputError(f"model {name} has other classes than the pictures: {', '.join(odd)}", where=where)
