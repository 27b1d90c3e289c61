"""The models and computers of an experiment, by the part that they play."""

from __future__ import annotations

from dataclasses import dataclass

from skyedge.earth import CLASSES
from skyedge.errors import InputError
from skyedge.experiment.inputs import find_device
from skyedge.experiment.spec import Experiment
from skyedge.experiment.world import tile_folder
from skyedge.inference.device import DeviceProfile
from skyedge.learning.card import check_classes
from skyedge.learning.zoo import Model, check_same_classes, load_model
from skyedge.yaml_files import read_yaml


@dataclass(frozen=True)
class Fleet:
    """The models of an experiment by their role, for one seed's replicas."""

    flight: Model
    archive: Model
    cloud_filter: Model
    edge: Model
    ground: Model

    def by_name(self) -> dict[str, Model]:
        """By the names that nodes use."""
        return {role: getattr(self, role) for role in ("flight", "archive", "cloud_filter", "edge", "ground")}


def load_fleet(experiment: Experiment, seed: int, thumbnail_px: int) -> Fleet:
    """The models, replica ``seed`` of each (counted round).

    Raises:
        InputError: if one is missing, they answer different questions, or the user's own imagery asks another.
    """
    names = experiment.models
    fleet = Fleet(
        *(
            load_model(name, seed, thumbnail_px=thumbnail_px)
            for name in (names.on_board, names.on_board_archive, names.cloud_filter, names.edge, names.ground)
        )
    )
    for role, model in fleet.by_name().items():
        if (model.task == "cloud") != (role == "cloud_filter"):
            where = "models." + {"flight": "on_board", "archive": "on_board_archive"}.get(role, role)
            wanted = "tells clouds apart" if role == "cloud_filter" else "tells land covers or a folder's classes apart"
            raise InputError(f"model {model.name} has the task '{model.task}'; one is needed that {wanted}", where=where)
    check_same_classes([fleet.flight, fleet.archive, fleet.edge, fleet.ground])
    folder = tile_folder(experiment)
    check_classes(fleet.flight.name, fleet.flight.classes, folder.classes if folder else CLASSES, experiment.imagery.folder)
    if folder is not None:
        folder.tiles(thumbnail_px)  # a file that is no picture is named here, before anything is run
    return fleet


def read_device(name: str) -> DeviceProfile:
    """The device profile of that name in ``models/devices/``, or at that path."""
    path = find_device(name)
    return DeviceProfile.from_mapping(read_yaml(path), where=path)
