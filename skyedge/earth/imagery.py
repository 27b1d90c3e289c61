"""The Earth as a data set: the picture, the label and the climate of any footprint on any date.

Pictures are NASA's Blue Marble of five months; a date between two of them blends them by time, each standing for the
middle of its month.  From September to December there is no month on one side for four months and more, so such a
date is refused unless the user accepts the blend of August and January.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from skyedge.earth.footprint import footprint, interpolate, nearest_pixel
from skyedge.earth.land import class_shares, majority
from skyedge.errors import InputError
from skyedge.resources import folder
from skyedge.time import day_of_year, format_utc

MONTHS: tuple[int, ...] = (1, 3, 5, 7, 8)
MID_MONTH_DAYS = np.array([14.5, 73.0, 134.5, 195.5, 226.5])
"""Day of the (common) year of the middle of each month in :data:`MONTHS`."""
LAST_COVERED_DAY = 243.0
"""The end of August."""

_CHUNK = 2048
_LABEL_SAMPLES = 16


@dataclass(frozen=True)
class Earth:
    """Maps of the Earth, read when first needed.

    Args:
        data: the folder with the packed maps.
    """

    data: Path

    @classmethod
    def load(cls, data: Path | None = None) -> Earth:
        """The Earth in ``data``, or the one that comes with skyedge.

        Raises:
            InputError: if a map is missing.
        """
        earth = cls(data or folder("orbit") / "earth")
        names = [f"blue-marble-{month:02d}.jpg" for month in MONTHS]
        for name in [*names, "land-cover-igbp-2019.png", "climate-zone.png"]:
            if not (earth.data / name).is_file():
                raise InputError(f"the map '{name}' is missing", where=earth.data)
        return earth

    @cached_property
    def pictures(self) -> tuple[NDArray[np.uint8], ...]:
        """One picture a month, (1024, 2048, 3)."""
        return tuple(_read(self.data / f"blue-marble-{month:02d}.jpg", "RGB") for month in MONTHS)

    @cached_property
    def land_cover(self) -> NDArray[np.uint8]:
        """IGBP classes, (3600, 7200)."""
        return _read(self.data / "land-cover-igbp-2019.png", "L")

    @cached_property
    def climate(self) -> NDArray[np.uint8]:
        """Climate zones, (1800, 3600)."""
        return _read(self.data / "climate-zone.png", "L")

    def tiles(
        self,
        lat_deg: ArrayLike,
        lon_deg: ArrayLike,
        times_us: ArrayLike,
        ground_km: float,
        size_px: int,
        *,
        accept_blend: bool = False,
    ) -> NDArray[np.uint8]:
        """Cloudless pictures of footprints, uint8 (tiles, size, size, 3), north up.

        Args:
            lat_deg: centres, (tiles,).
            lon_deg: centres, (tiles,).
            times_us: dates, (tiles,) or one for all.
            ground_km: side of the footprint.
            size_px: side of the picture.
            accept_blend: take a date from September to December as a blend of August and January.

        Raises:
            InputError: for such a date otherwise.
        """
        lat, lon = np.atleast_1d(lat_deg), np.atleast_1d(lon_deg)
        times = np.broadcast_to(np.asarray(times_us, np.int64), lat.shape)
        before, after, weight = months_at(times, accept_blend=accept_blend)
        tiles = np.empty((len(lat), size_px, size_px, 3), np.uint8)
        for start in range(0, len(lat), _CHUNK):
            part = slice(start, start + _CHUNK)
            places = footprint(lat[part], lon[part], ground_km, size_px)
            blended = np.zeros((len(lat[part]), size_px, size_px, 3), np.float32)
            for month in range(len(MONTHS)):
                share = np.where(before[part] == month, 1 - weight[part], 0.0)
                share = share + np.where(after[part] == month, weight[part], 0.0)
                rows = np.flatnonzero(share > 0)
                if len(rows):
                    seen = interpolate(self.pictures[month], places[0][rows], places[1][rows])
                    blended[rows] += share[rows, None, None, None].astype(np.float32) * seen
            tiles[part] = np.rint(blended)
        return tiles

    def shares(self, lat_deg: ArrayLike, lon_deg: ArrayLike, ground_km: float) -> NDArray[np.float32]:
        """How much of each footprint each class covers: see :func:`skyedge.earth.land.class_shares`."""
        lat, lon = np.atleast_1d(lat_deg), np.atleast_1d(lon_deg)
        parts = [
            class_shares(
                nearest_pixel(
                    self.land_cover,
                    *footprint(lat[start : start + _CHUNK], lon[start : start + _CHUNK], ground_km, _LABEL_SAMPLES),
                )
            )
            for start in range(0, max(1, len(lat)), _CHUNK)
        ]
        return np.concatenate(parts)

    def label(
        self, lat_deg: ArrayLike, lon_deg: ArrayLike, ground_km: float
    ) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """Label, purity and share of water of footprints: see :func:`skyedge.earth.land.majority`."""
        return majority(self.shares(lat_deg, lon_deg, ground_km))

    def climate_zone(self, lat_deg: ArrayLike, lon_deg: ArrayLike) -> NDArray[np.int8]:
        """Index into :data:`skyedge.earth.land.CLIMATE_ZONES`, int8 (places,)."""
        lat, lon = np.atleast_1d(np.asarray(lat_deg, float)), np.atleast_1d(np.asarray(lon_deg, float))
        return nearest_pixel(self.climate, lat, lon).astype(np.int8)


def months_at(
    times_us: NDArray[np.int64], *, accept_blend: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Which two of :data:`MONTHS` a date lies between, and the weight of the second, three arrays (dates,).

    Raises:
        InputError: for a date from September to December, unless ``accept_blend``.
    """
    day = np.minimum(day_of_year(times_us), 365.0)
    late = day >= LAST_COVERED_DAY
    if late.any() and not accept_blend:
        first = format_utc(int(np.asarray(times_us)[late].min()), "seconds")[:10]
        raise InputError(
            f"there is no imagery near {first}: the months are January, March, May, July and August "
            "(imagery.accept_blend: true blends August and January)"
        )
    after = np.searchsorted(MID_MONTH_DAYS, day)
    # Before mid-January the picture is January's; after mid-August it turns towards January only if that is accepted.
    first_half, autumn = after == 0, after == len(MONTHS)
    before = np.where(first_half, 0, after - 1)
    following = np.where(autumn, 0, after)
    start = MID_MONTH_DAYS[before]
    stop = np.where(autumn, MID_MONTH_DAYS[0] + 365.0, MID_MONTH_DAYS[np.minimum(after, len(MONTHS) - 1)])
    weight = np.where(first_half, 0.0, (day - start) / np.where(first_half, 1.0, stop - start))
    return before, following, np.where(autumn & ~late, 0.0, weight)


def _read(path: Path, mode: str) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        # A palette image holds class numbers, not colours: converting it would lose them.
        return np.asarray(image if image.mode in ("P", mode) else image.convert(mode), np.uint8)
