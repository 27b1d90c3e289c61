"""The control plane's part of the experiment file: one field for each layer, and none of them needs to be there.

A layer that a file does not name works as it always has, so such files keep their digests and their digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from skyedge.errors import InputError
from skyedge.experiment.federation_layer import Federation
from skyedge.experiment.mesh_layer import Mesh
from skyedge.experiment.scheduler_layer import Scheduler
from skyedge.layers.contacts.policy import AntennaRules, PolicyName, ValueName
from skyedge.layers.elastic import AUTOSCALERS, Autoscaler, Outlook, PoolProfile, autoscaler_from
from skyedge.profiles import Part
from skyedge.resources import find
from skyedge.yaml_files import read_yaml


class Antennas(Part):
    """Who gets an antenna when several satellites want it."""

    policy: PolicyName = Field(default="first-come", description="optimal may cut a pass short where a better one comes.")
    value: ValueName = Field(
        default="volume", description="What greedy and optimal make most of: bytes, seconds, or the number of passes."
    )
    slew_s: float = Field(default=0.0, ge=0, le=3600, description="An antenna turns so long before each session.")
    time_limit_s: float = Field(default=10.0, gt=0, le=86_400, description="Of the search for the optimum.")

    def rules(self, antennas: int) -> AntennaRules:
        """As the layer understands them, with ``antennas`` at each site."""
        return AntennaRules(self.policy, self.value, antennas, self.slew_s, self.time_limit_s)


def _content(value: Any) -> Any:
    """What a file holds in place of its name, so that the content and not the name decides the digest."""
    if not isinstance(value, str):
        return value
    try:
        return read_yaml(find(value, kind="experiments"))
    except InputError as error:
        raise ValueError(str(error)) from None


def _named(value: Any) -> Any:
    """A bare name is one without parameters."""
    return {"name": value} if isinstance(value, str) else value


class AutoscalerChoice(Part):
    """How many instances there should be, by name, or your own as package.module:Class."""

    name: str = Field(description="fixed, queue-depth, concurrency, contact-plan or combined.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Of the autoscaler; of combined: those of each part by its name."
    )

    def parts(self) -> dict[str, Mapping[str, Any]]:
        """Names and parameters, more than one if it is a combination."""
        chosen = self.parameters if self.name == "combined" else {self.name: self.parameters}
        return {_CLASS_OF.get(name, name): parameters or {} for name, parameters in chosen.items()}

    def make(self, outlook: Outlook) -> Autoscaler:
        """A fresh one that knows what can be known before the flight.

        Raises:
            InputError: if there is none of the name, or it does not take a parameter.
        """
        parts, where = self.parts(), "layers.elastic.autoscaler"
        for name, parameters in parts.items():
            if not isinstance(parameters, Mapping):
                raise InputError(f"the parameters of {name} should be a mapping of keys to values", where=where)
        if not parts:
            raise InputError("a combination needs at least one autoscaler", where=f"{where}.parameters")
        made: Autoscaler = autoscaler_from(parts, outlook, where=where)
        return made

    def check(self) -> None:
        """Check that it can be made.

        Raises:
            InputError: see :meth:`make`.
        """
        self.make(Outlook(np.zeros(1, np.intp), np.empty(0, np.int64), np.empty(0), 1.0))


_CLASS_OF = {"fixed": "Fixed", "queue-depth": "QueueDepth", "concurrency": "Concurrency", "contact-plan": "ContactPlan"}
assert set(_CLASS_OF.values()) == set(AUTOSCALERS)


class Elastic(Part):
    """The cloud pool as instances that come and go; each is one ``models.ground_device``."""

    pool: Annotated[PoolProfile, BeforeValidator(_content)] = Field(
        default=PoolProfile(), description="What an instance is, how it starts and what it costs, or a file that says so."
    )
    autoscaler: Annotated[AutoscalerChoice, BeforeValidator(_named)] = AutoscalerChoice(name="queue-depth")
    expected_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Of the planned captures, how many are thought to reach the pool: what contact-plan counts on.",
    )


class Layers(Part):
    """The layers that an experiment switches on."""

    antennas: Antennas | None = Field(default=None, description="First come, first served if not given.")
    elastic: Elastic | None = Field(default=None, description="The cloud pool is always there if not given.")
    scheduler: Scheduler | None = Field(default=None, description="Every site serves its pictures alone if not given.")
    federation: Federation | None = Field(default=None, description="There is one cloud if not given.")
    mesh: Mesh | None = Field(default=None, description="Of a federation: the nearest cluster that serves if not given.")
