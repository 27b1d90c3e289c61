"""A camera looks straight down and takes one square picture after the other along the ground track.

The pictures here are thumbnails that stand for a real product: the product's pixels decide its bytes and the work of
looking at it, the thumbnail is what the models see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.earth.imagery import Earth
from skyedge.errors import InputError
from skyedge.profiles import profile_from

_RANGES = {
    "swath_km": (0.1, 5000.0),
    "product_px": (1, 1_000_000),
    "bands": (1, 1000),
    "bits_per_sample": (1, 64),
    "thumbnail_px": (1, 512),
    "minimum_sun_elevation_deg": (-90.0, 90.0),
    "minimum_purity": (0.0, 1.0),
    "south_deg": (-90.0, 90.0),
    "north_deg": (-90.0, 90.0),
    "west_deg": (-180.0, 180.0),
    "east_deg": (-180.0, 180.0),
}


@dataclass(frozen=True)
class Camera:
    """A nadir-pointing frame camera.

    The defaults are of the class of HyperScout-2, which flew on phi-sat-1: about 300 km of swath from some 500 km, 75 m
    a pixel, so about 4,000 pixels across; three bands of 12 bits of it are taken (an assumption).  ``south_deg`` to
    ``east_deg`` bound the area that the mission photographs.
    """

    swath_km: float = 300.0
    product_px: int = 4000
    bands: int = 3
    bits_per_sample: int = 12
    thumbnail_px: int = 16
    minimum_sun_elevation_deg: float = 10.0
    minimum_purity: float = 0.5
    south_deg: float = -90.0
    north_deg: float = 90.0
    west_deg: float = -180.0
    east_deg: float = 180.0

    @property
    def raw_bytes(self) -> int:
        """Bytes of one product before compression."""
        return self.product_px**2 * self.bands * self.bits_per_sample // 8

    @property
    def work_factor(self) -> float:
        """Pixels of the product for each pixel of the thumbnail: what the models' work is multiplied by."""
        return (self.product_px / self.thumbnail_px) ** 2

    def covers(self, lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which places lie in the area that is photographed; ``west_deg`` may be east of ``east_deg``, across 180°."""
        eastward = (lon_deg - self.west_deg) % 360.0
        width = self.east_deg - self.west_deg
        inside = eastward <= (width if 0 <= width <= 360 else width % 360)
        return (lat_deg >= self.south_deg) & (lat_deg <= self.north_deg) & inside

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, where: object = None) -> Camera:
        """A camera from parsed YAML.

        Raises:
            InputError: for an unknown key, or a figure that is none or out of range.
        """
        camera = profile_from(cls, mapping, _RANGES, what="a camera", where=where)
        if not -90 <= camera.south_deg < camera.north_deg <= 90:
            raise InputError("south_deg must lie below north_deg", where=where)
        return camera


@dataclass(frozen=True, eq=False)
class Captures:
    """Planned pictures of one satellite, columns of one length."""

    at_us: NDArray[np.int64]
    lat_deg: NDArray[np.float64]
    lon_deg: NDArray[np.float64]
    label: NDArray[np.int8]
    water_share: NDArray[np.float32]
    sun_elevation_deg: NDArray[np.float64]


def plan_captures(
    times_us: NDArray[np.int64],
    lat_deg: NDArray[np.float64],
    lon_deg: NDArray[np.float64],
    sun_elevation_deg: NDArray[np.float64],
    earth: Earth,
    camera: Camera,
) -> Captures:
    """The pictures that a mission planner would order along a ground track: over land, in daylight, of one thing.

    Args:
        times_us: instants of the track, one every frame (the swath divided by the ground speed apart), (track,).
        lat_deg: sub-satellite latitude, (track,).
        lon_deg: sub-satellite longitude, (track,).
        sun_elevation_deg: elevation of the sun there, (track,).
        earth: tells what is below.
        camera: its limits.
    """
    lit = (sun_elevation_deg >= camera.minimum_sun_elevation_deg) & camera.covers(lat_deg, lon_deg)
    label, purity, water = earth.label(lat_deg[lit], lon_deg[lit], camera.swath_km)
    wanted = (label >= 0) & (purity >= camera.minimum_purity)
    rows = np.flatnonzero(lit)[wanted]
    return Captures(times_us[rows], lat_deg[rows], lon_deg[rows], label[wanted], water[wanted], sun_elevation_deg[rows])
