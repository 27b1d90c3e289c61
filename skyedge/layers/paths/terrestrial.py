"""Over the ground: how long a message is on its way between two places, and over how many hops.

Nobody publishes the fibre between any two places, so both follow from the great circle.  The route is longer than that as
ITU-T Y.1541 (2011, clause 8.2) has it: half as long again up to 1,000 km, a quarter from 1,200 km on.  Light in fibre is
two thirds as quick as in vacuum (a group index of 1.47 is usual, ITU-T G.652).  What stands at the ends, and how many
routers lie between, is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from skyedge.errors import InputError
from skyedge.space.frames import LIGHT_KM_S, from_geodetic
from skyedge.space.topology import great_circle_km

FIBRE_KM_S = LIGHT_KM_S * 2 / 3

SHORT_KM, LONG_KM = 1000.0, 1200.0
SHORT_DETOUR, LONG_DETOUR = 1.5, 1.25
"""Of ITU-T Y.1541; between the two distances the route is as long as the shorter rule has it at its end."""


@dataclass(frozen=True)
class Place:
    """Where something stands on the Earth, in degrees."""

    lat_deg: float
    lon_deg: float

    def km_to(self, other: Place) -> float:
        """Along the great circle."""
        here, there = (from_geodetic(place.lat_deg, place.lon_deg, 0.0) for place in (self, other))
        return great_circle_km(here, there)


@dataclass(frozen=True)
class TerrestrialPath:
    """One way between two places."""

    latency_us: int
    hops: int


@dataclass(frozen=True)
class TerrestrialRules:
    """What distance comes to; all but the detour is assumed.

    Attributes:
        base_hops: of any path, however short: the access networks at its ends.
        km_per_hop: a further router stands every so many kilometres of route.
        equipment_ms: one way, what all routers and hosts of a path add together.
    """

    base_hops: int = 2
    km_per_hop: float = 1000.0
    equipment_ms: float = 1.0

    def path(self, km: float) -> TerrestrialPath:
        """The path between places ``km`` apart on the great circle; never quicker than a microsecond."""
        route = route_km(km)
        latency_s = route / FIBRE_KM_S + self.equipment_ms / 1000
        return TerrestrialPath(max(1, round(latency_s * 1_000_000)), self.base_hops + math.floor(route / self.km_per_hop))


@dataclass(frozen=True)
class TerrestrialNetwork:
    """Named places that all reach one another; what two of them have between them does not depend on the direction."""

    places: Mapping[str, Place]
    rules: TerrestrialRules = TerrestrialRules()
    _known: dict[frozenset[str], TerrestrialPath] = field(default_factory=dict, repr=False, compare=False)

    def path(self, one: str, other: str) -> TerrestrialPath:
        """Between two of the places.

        Raises:
            InputError: if one of them is not known.
        """
        key = frozenset((one, other))
        if key not in self._known:
            for name in key:
                if name not in self.places:
                    raise InputError(f"nobody knows where '{name}' is")
            self._known[key] = self.rules.path(self.places[one].km_to(self.places[other]))
        return self._known[key]


def route_km(km: float) -> float:
    """The length of fibre between places ``km`` apart (ITU-T Y.1541)."""
    if km < SHORT_KM:
        return SHORT_DETOUR * km
    return max(SHORT_DETOUR * SHORT_KM, LONG_DETOUR * km)
