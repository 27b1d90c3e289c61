"""The patch of ground under a picture: a square of so many kilometres, north up, at any latitude.

Every map here is plate carrée, whose pixels shrink with latitude; a tile must not.  So a tile's pixels are laid out in
kilometres on an azimuthal equidistant projection about its centre (Snyder 1987, eq. 20-14 and 20-15, on a sphere), and
then looked up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS_KM = 6371.0088  # IUGG mean radius


def footprint(
    lat_deg: ArrayLike, lon_deg: ArrayLike, ground_km: float, size_px: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude in degrees of each pixel centre, two arrays (tiles, size, size), north in row 0."""
    offsets = (np.arange(size_px) + 0.5 - size_px / 2) * (ground_km / size_px) / EARTH_RADIUS_KM
    east, north = np.meshgrid(offsets, -offsets)
    distance = np.hypot(east, north)
    # sin(c)/c, with its limit 1 at the centre
    ratio = np.sinc(distance / np.pi)
    cosine = np.cos(distance)
    lat = np.radians(np.asarray(lat_deg, np.float64)).reshape(-1, 1, 1)
    lon = np.radians(np.asarray(lon_deg, np.float64)).reshape(-1, 1, 1)
    sine_lat = np.clip(cosine * np.sin(lat) + north * ratio * np.cos(lat), -1, 1)
    turned = np.arctan2(east * ratio, cosine * np.cos(lat) - north * ratio * np.sin(lat))
    longitude = (np.degrees(lon + turned) + 180.0) % 360.0 - 180.0
    return np.degrees(np.arcsin(sine_lat)), longitude


def nearest_pixel(grid: NDArray[np.uint8], lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values of a plate carrée ``grid`` (rows from the north pole, columns from 180° W) at the given places."""
    rows, columns = grid.shape
    row = np.minimum(((90.0 - lat_deg) * (rows / 180.0)).astype(np.intp), rows - 1)
    column = ((lon_deg + 180.0) * (columns / 360.0)).astype(np.intp) % columns
    return grid[row, column]


def interpolate(
    picture: NDArray[np.uint8], lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Bilinear values (..., channels) of a plate carrée ``picture`` (rows, columns, channels); wraps at 180°."""
    rows, columns = picture.shape[:2]
    y = np.clip((90.0 - lat_deg) * (rows / 180.0) - 0.5, 0, rows - 1)
    x = (lon_deg + 180.0) * (columns / 360.0) - 0.5
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    down = (y - top).astype(np.float32)[..., None]
    right = (x - left).astype(np.float32)[..., None]
    bottom = np.minimum(top + 1, rows - 1)
    west, east = left % columns, (left + 1) % columns
    upper = picture[top, west] * (1 - right) + picture[top, east] * right
    lower = picture[bottom, west] * (1 - right) + picture[bottom, east] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
