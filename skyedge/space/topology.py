"""Who can talk to whom, and how far away that is: snapshots of satellites, their links and the ground, in time.

Nodes are numbered: satellites first, then sites.  Links between satellites are given once and stay, as long as the Earth
is not in the way; a site is linked to whatever satellite stands over its lowest elevation, and near enough if a longest
range is given.  A snapshot is one instant; between two of them nothing is known, so take steps as short as what you ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.space.ephemeris import Ephemeris
from skyedge.space.frames import EQUATORIAL_RADIUS_KM, FLATTENING
from skyedge.space.isl import LOWEST_KM, delays_s, lengths_km, lowest_points_km
from skyedge.space.sites import Sites
from skyedge.time import Instant

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

_POSITIONS_AT_ONCE = 100_000


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The links that are there at one instant, columns of one length; each works both ways."""

    at: Instant
    nodes: int
    first: Rows
    second: Rows
    delay_s: Floats
    """One way, by distance."""

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, eq=False)
class Topology:
    """Satellites, their links (links, 2) and the sites that they see.

    ``longest_range_km`` bounds the links to the ground beside the elevation, ``lowest_km`` is the height below which no
    link between satellites passes.
    """

    ephemeris: Ephemeris
    links: Rows
    sites: Sites
    min_elevation_deg: float = 25.0
    longest_range_km: float = np.inf
    lowest_km: float = LOWEST_KM

    @property
    def nodes(self) -> int:
        """Satellites and sites."""
        return len(self.ephemeris) + len(self.sites)

    def name(self, node: int) -> str:
        """Of a satellite or a site."""
        satellites = len(self.ephemeris)
        return self.ephemeris.constellation.names[node] if node < satellites else self.sites.names[node - satellites]

    def snapshots(self, times_us: NDArray[np.int64]) -> Iterator[Snapshot]:
        """One for each of ``times_us`` (times,), in their order."""
        step = max(1, _POSITIONS_AT_ONCE // max(1, len(self.ephemeris)))
        for begin in range(0, len(times_us), step):
            times = times_us[begin : begin + step]
            positions = positions_km(self.ephemeris, times)
            length = lengths_km(positions, self.links)
            clear = lowest_points_km(positions, self.links) >= self.lowest_km
            time, satellite, site, range_km = self._ground(positions)
            stops = np.searchsorted(time, np.arange(len(times) + 1))
            for number, at in enumerate(times.tolist()):
                up, seen = np.flatnonzero(clear[number]), slice(stops[number], stops[number + 1])
                yield Snapshot(
                    at,
                    self.nodes,
                    np.concatenate([self.links[up, 0], satellite[seen]]),
                    np.concatenate([self.links[up, 1], len(self.ephemeris) + site[seen]]),
                    delays_s(np.concatenate([length[number, up], range_km[seen]])),
                )

    def _ground(self, positions: Floats) -> tuple[Rows, Rows, Rows, Floats]:
        """Links to the ground by time, then site, then satellite: time, satellite, site and range, each (links,)."""
        sine = np.sin(np.radians(self.min_elevation_deg))
        found = []
        for number, (place, up) in enumerate(zip(self.sites.positions_km(), self.sites.zeniths(), strict=True)):
            # Above the horizon is what one product says; ranges are taken of those alone.
            time, satellite = np.nonzero(positions @ up > place @ up)
            away = positions[time, satellite] - place
            range_km = np.sqrt(np.einsum("ij,ij->i", away, away))
            kept = (away @ up >= sine * range_km) & (range_km <= self.longest_range_km)
            found.append((time[kept], satellite[kept], np.full(int(kept.sum()), number), range_km[kept]))
        time, satellite, site, range_km = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(time, kind="stable")
        return time[order], satellite[order], site[order], range_km[order]


def positions_km(ephemeris: Ephemeris, times_us: NDArray[np.int64]) -> Floats:
    """Earth-fixed, of all satellites at common instants: (times, satellites, 3)."""
    satellites = np.tile(np.arange(len(ephemeris)), len(times_us))
    return ephemeris.at(satellites, np.repeat(times_us, len(ephemeris))).reshape(len(times_us), len(ephemeris), 3)


def great_circle_km(first_km: Floats, second_km: Floats) -> float:
    """What no path between two Earth-fixed places is shorter than: their angle on a sphere of the Earth's polar radius.

    Nothing goes through that sphere; a straight line that leaves it is longer than the arc below it.
    """
    across, along = np.linalg.norm(np.cross(first_km, second_km)), first_km @ second_km
    return float(np.arctan2(across, along) * EQUATORIAL_RADIUS_KM * (1 - FLATTENING))
