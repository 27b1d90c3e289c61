"""Whose word on localities counts: the destination rule's, else the service's, else the mesh's (Istio).

Two kinds of setting exist, priorities by locality and zone awareness; at one level zone awareness comes first.  A level
that speaks ends the search, even to switch the matter off.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from skyedge.errors import InputError, nearest

SHARED_PLACES = (
    "topology.istio.io/network",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
)
"""Labels that say where something runs, the widest first."""

NETWORK_TO_ZONE = SHARED_PLACES[:3]

DISTRIBUTIONS = {
    "PreferClose": NETWORK_TO_ZONE,
    "PreferSameZone": NETWORK_TO_ZONE,
    "PreferSameNode": (*SHARED_PLACES, "kubernetes.io/hostname"),
}
"""By a service's ``trafficDistribution``: labels that are compared, the most important first."""


class Kind(Enum):
    """What a setting is about."""

    LOCALITY = "locality"
    ZONE_AWARE = "zone_aware"


@dataclass(frozen=True)
class LocalitySetting:
    """A setting as far as it matters here; ``enabled`` None is not said, which is on."""

    enabled: bool | None = None
    failover_priority: tuple[str, ...] = ()
    has_failover: bool = False


@dataclass(frozen=True)
class Level:
    """What the mesh or a destination rule says; None is nothing."""

    locality: LocalitySetting | None = None
    zone_aware: LocalitySetting | None = None

    def first(self) -> tuple[Kind, LocalitySetting] | None:
        """The setting that counts at this level."""
        if self.zone_aware is not None:
            return Kind.ZONE_AWARE, self.zone_aware
        return None if self.locality is None else (Kind.LOCALITY, self.locality)


@dataclass(frozen=True)
class Effective:
    """The setting in force.

    Attributes:
        force_failover: priorities are in force without outlier detection too.
    """

    kind: Kind | None = None
    setting: LocalitySetting | None = None
    force_failover: bool = False


def effective_setting(mesh: Level, rule: Level, traffic_distribution: str | None = None) -> Effective:
    """The setting in force for a service.

    Raises:
        InputError: if the traffic distribution is not known.
    """
    chosen = rule.first()
    if chosen is None and traffic_distribution not in (None, "", "Any"):
        labels = DISTRIBUTIONS.get(str(traffic_distribution))
        if labels is None:
            close = nearest(str(traffic_distribution), DISTRIBUTIONS)
            raise InputError(f"there is no traffic distribution '{traffic_distribution}'", nearest=close)
        return Effective(Kind.LOCALITY, LocalitySetting(True, labels), True)
    chosen = chosen or mesh.first()
    if chosen is None or chosen[1].enabled is False:
        return Effective()
    return Effective(*chosen, force_failover=chosen[0] is Kind.ZONE_AWARE)
