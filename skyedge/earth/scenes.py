"""Scenes: what was photographed, and what the picture looks like.

A picture is the ground, dimmed by a low sun, with clouds over it and the noise of the sensor.  Noise is a hash of
(seed, scene, pixel), so a scene looks the same whichever scenes it is rendered with.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skyedge.earth.blocks import block_of, footprint_split
from skyedge.earth.camera import Camera
from skyedge.earth.cloud import CloudField
from skyedge.earth.imagery import Earth
from skyedge.errors import InputError
from skyedge.streams import stream

CAMERA_VIEW = "camera"
_NOISE_LEVELS = 2.0  # standard deviation of the sensor's noise, in 8-bit levels: an assumption
_NOISE_TABLE = 1 << 20

COMPRESSION_RATIO = {"q85": 8.0, "q50": 16.0, "q30": 24.0, "q15": 40.0}
"""Raw bytes ÷ compressed bytes of a 12-bit product, by JPEG quality.

Eight-bit RGB test pictures of 512 px shrank 21-fold at quality 85 and 48-fold at 50 (measured with Pillow on a
synthetic texture); real land has more detail than that texture, so about a third to a half of it is taken.  An
assumption, and the one figure that scales every scene's bytes alike.
"""


@dataclass(frozen=True, eq=False)
class SceneTable:
    """One row a scene; everything that is known of it, the truth included."""

    satellite: NDArray[np.int16]
    captured_at: NDArray[np.int64]
    lat_deg: NDArray[np.float32]
    lon_deg: NDArray[np.float32]
    label: NDArray[np.int8]
    climate: NDArray[np.int8]
    block: NDArray[np.int16]
    split: NDArray[np.int8]  # of the whole footprint; -1 where it reaches into another
    water_share: NDArray[np.float32]
    sun_elevation_deg: NDArray[np.float32]
    cloud_cover: NDArray[np.float32]
    cloudy: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.satellite)

    def take(self, rows: NDArray[Any]) -> SceneTable:
        """The rows chosen by an index or boolean array."""
        return SceneTable(**{name: column[rows] for name, column in self.columns().items()})

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def digest(self) -> str:
        """Identifies the content of all columns."""
        whole = hashlib.sha256()
        for name, column in self.columns().items():
            whole.update(name.encode())
            whole.update(np.ascontiguousarray(column).tobytes())
        return whole.hexdigest()

    @classmethod
    def empty(cls) -> SceneTable:
        """A table without scenes."""
        types = (np.int16, np.int64, np.float32, np.float32, np.int8, np.int8, np.int16, np.int8, *(np.float32,) * 3, bool)
        return cls(*(np.empty(0, dtype) for dtype in types))

    @classmethod
    def load(cls, path: Path) -> SceneTable:
        """The table that was saved as the columns of an ``.npz`` file."""
        with np.load(path) as columns:
            return cls(**{name: columns[name] for name in columns.files})


def scene_table(
    earth: Earth,
    swath_km: float,
    satellite: NDArray[np.int16],
    captured_at: NDArray[np.int64],
    lat_deg: NDArray[np.float64],
    lon_deg: NDArray[np.float64],
    label: NDArray[np.int8],
    water_share: NDArray[np.float32],
    sun_elevation_deg: NDArray[np.float64],
) -> SceneTable:
    """A table of scenes in order of (capture, satellite); clouds are added by :func:`with_clouds`."""
    order = np.lexsort((satellite, captured_at))
    lat, lon = lat_deg[order].astype(np.float32), lon_deg[order].astype(np.float32)
    block = block_of(lat, lon)
    return SceneTable(
        satellite=satellite[order],
        captured_at=captured_at[order],
        lat_deg=lat,
        lon_deg=lon,
        label=label[order],
        climate=earth.climate_zone(lat, lon),
        block=block,
        split=footprint_split(lat, lon, swath_km),
        water_share=water_share[order],
        sun_elevation_deg=sun_elevation_deg[order].astype(np.float32),
        cloud_cover=np.zeros(len(order), np.float32),
        cloudy=np.zeros(len(order), bool),
    )


def with_clouds(scenes: SceneTable, opacity: NDArray[np.float32], cloudy_above: float) -> SceneTable:
    """The same scenes with their cover (the share of pixels more than half opaque) and whether that counts as cloudy."""
    cover = (opacity > 0.5).mean(axis=(1, 2)).astype(np.float32)
    return replace(scenes, cloud_cover=cover, cloudy=cover > cloudy_above)


def sky_over(scenes: SceneTable, clouds: CloudField, camera: Camera) -> NDArray[np.float32]:
    """Opacity of the sky over each pixel of each scene, float32 (scenes, size, size)."""
    return clouds.opacity(
        scenes.lat_deg,
        scenes.lon_deg,
        scenes.captured_at,
        scenes.water_share,
        camera.swath_km,
        camera.thumbnail_px,
    )


def render(
    ground: NDArray[np.uint8],
    opacity: NDArray[np.float32],
    sun_elevation_deg: NDArray[np.floating[Any]],
    seed: int,
) -> NDArray[np.uint8]:
    """Pictures as taken, uint8 (scenes, size, size, 3).

    Args:
        ground: cloudless pictures (scenes, size, size, 3).
        opacity: of the sky, (scenes, size, size).
        sun_elevation_deg: (scenes,).
        seed: of the sensor's noise; a scene's noise depends on this and on its row.
    """
    noise_table = stream(seed, "camera", "noise").normal(0, _NOISE_LEVELS, _NOISE_TABLE).astype(np.float32)
    pictures = np.empty_like(ground)
    pixels = int(np.prod(ground.shape[1:]))
    for start in range(0, len(ground), 2048):
        part = slice(start, min(start + 2048, len(ground)))
        # Exposure makes up for most of a low sun; a little of the dimming stays.
        light = 0.55 + 0.45 * np.sin(np.radians(np.asarray(sun_elevation_deg[part], np.float32)))
        veil = (opacity[part] * 0.96)[..., None]
        white = 250.0 - 35.0 * (1 - opacity[part])[..., None]
        seen = (ground[part].astype(np.float32) * (1 - veil) + white * veil) * light[:, None, None, None]
        row = np.arange(part.start, part.stop, dtype=np.uint64)
        offset = (row * np.uint64(2654435761) + np.uint64(seed * 7919 + 17)) % np.uint64(_NOISE_TABLE)
        index = (offset[:, None].astype(np.int64) + np.arange(pixels)) % _NOISE_TABLE
        pictures[part] = np.clip(np.rint(seen + noise_table[index].reshape(seen.shape)), 0, 255)
    return pictures


def degrade(pictures: NDArray[np.uint8], view: str) -> NDArray[np.uint8]:
    """The pictures as they come out of ``view``: ``camera`` as taken, ``q30`` and the like after JPEG at that quality.

    Raises:
        InputError: for a view that is neither.
    """
    if view == CAMERA_VIEW:
        return pictures
    quality = jpeg_quality(view)
    # Tiles side by side in one picture: blocks of JPEG are 8 px and tiles a multiple of that, so none touches another.
    count, height, width, _ = pictures.shape
    pad_height, pad_width = -height % 8, -width % 8
    padded = np.pad(pictures, ((0, 0), (0, pad_height), (0, pad_width), (0, 0)), mode="edge")
    columns = 64
    degraded = np.empty_like(padded)
    for start in range(0, count, columns):
        strip = padded[start : start + columns]
        buffer = io.BytesIO()
        Image.fromarray(np.concatenate(list(strip), axis=1)).save(buffer, "JPEG", quality=quality, subsampling=0)
        with Image.open(buffer) as image:
            decoded = np.asarray(image.convert("RGB"), np.uint8)
        degraded[start : start + columns] = np.stack(np.split(decoded, len(strip), axis=1))
    return degraded[:, :height, :width]


def jpeg_quality(view: str) -> int:
    """The quality that ``q30`` names."""
    if view.startswith("q") and view[1:].isdigit() and 1 <= int(view[1:]) <= 95:
        return int(view[1:])
    raise InputError(f"unknown view '{view}': 'camera', or a JPEG quality such as q50")


def product_bytes(camera: Camera, view: str) -> int:
    """Bytes of one product in ``view``; ratios between the tabulated qualities are interpolated."""
    if view == CAMERA_VIEW:
        return camera.raw_bytes
    qualities = sorted((jpeg_quality(name), ratio) for name, ratio in COMPRESSION_RATIO.items())
    ratio = np.interp(jpeg_quality(view), [quality for quality, _ in qualities], [ratio for _, ratio in qualities])
    return round(camera.raw_bytes / float(ratio))
