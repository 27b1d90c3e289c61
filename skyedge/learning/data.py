"""Training pictures from the Earth: chosen months, chosen blocks, the same renderer that the fleet sees through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.earth import Earth
from skyedge.earth.blocks import sample_points
from skyedge.earth.camera import Camera
from skyedge.earth.cloud import CloudField
from skyedge.earth.scenes import render
from skyedge.streams import stream
from skyedge.time import DAY, parse_utc

YEAR = 2022
"""The year of the training pictures' clouds; the Blue Marble itself is of 2004."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Labelled pictures, columns of one length."""

    tiles: NDArray[np.uint8]  # (pictures, size, size, 3)
    label: NDArray[np.int64]
    cloud_cover: NDArray[np.float32]
    month: NDArray[np.int8]
    climate: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Pictures:
        """The rows chosen by an index or boolean array."""
        return Pictures(self.tiles[rows], self.label[rows], self.cloud_cover[rows], self.month[rows], self.climate[rows])


def make_pictures(
    earth: Earth,
    camera: Camera,
    split: int,
    months: tuple[int, ...],
    per_class: int,
    seed: int,
    *,
    clear_only: bool = True,
) -> Pictures:
    """Pictures of at most ``per_class`` places a class in each month, with clouds and a sun of 10° to 70°.

    ``clear_only`` keeps those that count as clear; otherwise about as many cloudy ones come along.
    """
    parts = []
    for month in months:
        draw = stream(seed, f"month {month}", "training pictures")
        lat, lon, label = sample_points(earth, split, camera.swath_km, camera.minimum_purity, per_class, draw)
        times = np.full(len(lat), parse_utc(f"{YEAR}-{month:02d}-15"))
        # A sky of its own for each picture, so that no two share a cloud.
        sky_times = times + draw.integers(0, 365 * 24, len(lat)) * (DAY // 24)
        water = earth.label(lat, lon, camera.swath_km)[2]
        clouds = CloudField(seed + 1_000_003)
        opacity = clouds.opacity(lat, lon, sky_times, water, camera.swath_km, camera.thumbnail_px)
        cover = (opacity > 0.5).mean(axis=(1, 2)).astype(np.float32)
        rows = np.flatnonzero(cover <= 0.5) if clear_only else np.arange(len(lat))
        ground = earth.tiles(lat[rows], lon[rows], times[rows], camera.swath_km, camera.thumbnail_px)
        tiles = render(ground, opacity[rows], draw.uniform(10, 70, len(rows)), seed + month)
        zone = earth.climate_zone(lat[rows], lon[rows])
        month_column = np.full(len(rows), month, np.int8)
        parts.append(Pictures(tiles, label[rows].astype(np.int64), cover[rows], month_column, zone))
    return Pictures(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("tiles", "label", "cloud_cover", "month", "climate")
        )
    )
