"""The scheduler configuration that manifests hold."""

from __future__ import annotations

from skyedge.errors import InputError
from skyedge.kube import Manifests, scheduler_configurations
from skyedge.layers.scheduler.configuration import DEFAULT, Configuration, configuration_from


def read_configuration(manifests: Manifests) -> Configuration:
    """The scheduler configuration in ``manifests``, or Volcano's default.

    Raises:
        InputError: if there are two, or what it says is not known.
    """
    found = scheduler_configurations(manifests)
    if len(found) > 1:
        raise InputError(f"there is a scheduler configuration already, at {found[0][1]}", where=found[1][1])
    return configuration_from(found[0][0], where=found[0][1]) if found else DEFAULT
