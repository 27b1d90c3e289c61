"""The Earth cut into 10° blocks, each for training, for calibration or for evaluation, and for ever.

Neighbouring footprints look alike, so a split by scene would let a model meet its examination in training.  A split by
block does not.  The split is a pure function of the block: no seed and no experiment can move a border.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.earth.footprint import footprint

if TYPE_CHECKING:
    from skyedge.earth.imagery import Earth

BLOCK_DEG = 10
ROWS, COLUMNS = 180 // BLOCK_DEG, 360 // BLOCK_DEG
TRAIN, CALIBRATE, EVALUATE = 0, 1, 2
SPLIT_NAMES = ("train", "calibrate", "evaluate")
TRAIN_SHARE, CALIBRATE_SHARE = 0.40, 0.15


def split_by_hash(name: str) -> int:
    """The split of whatever has this name: TRAIN, CALIBRATE or EVALUATE in their shares."""
    digest = hashlib.blake2b(f"skyedge {name}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2**64
    return TRAIN if draw < TRAIN_SHARE else CALIBRATE if draw < TRAIN_SHARE + CALIBRATE_SHARE else EVALUATE


SPLIT_OF_BLOCK: NDArray[np.int8] = np.array([split_by_hash(f"block {block}") for block in range(ROWS * COLUMNS)], np.int8)


def block_of(lat_deg: ArrayLike, lon_deg: ArrayLike) -> NDArray[np.int16]:
    """Number of the block, 0 to 647, row by row from the south-west, in the shape of the input."""
    row = np.clip(np.floor((np.asarray(lat_deg, float) + 90.0) / BLOCK_DEG), 0, ROWS - 1)
    column = np.floor((np.asarray(lon_deg, float) + 180.0) / BLOCK_DEG) % COLUMNS
    return np.asarray(row * COLUMNS + column, np.int16)


def split_of(block: ArrayLike) -> NDArray[np.int8]:
    """TRAIN, CALIBRATE or EVALUATE for each block number."""
    return SPLIT_OF_BLOCK[np.asarray(block)]


def lies_within_split(lat_deg: ArrayLike, lon_deg: ArrayLike, ground_km: float, split: int) -> NDArray[np.bool_]:
    """Does the whole footprint, border included, lie in blocks of ``split``?  (tiles,)"""
    lat, lon = np.atleast_1d(np.asarray(lat_deg, float)), np.atleast_1d(np.asarray(lon_deg, float))
    inside = split_of(block_of(lat, lon)) == split
    # Coarse grids first: most footprints that reach out do so at a corner, and few are left for the fine one.
    for points in (2, 17):
        rows = np.flatnonzero(inside)
        # Pixel centres of a footprint n/(n-1) as large lie on the border of this one; 5 % more allow for what is between.
        grid = footprint(lat[rows], lon[rows], ground_km * 1.05 * points / (points - 1), points)
        inside[rows] = (split_of(block_of(*grid)) == split).all(axis=(1, 2))
    return inside


def footprint_split(lat_deg: ArrayLike, lon_deg: ArrayLike, ground_km: float) -> NDArray[np.int8]:
    """The split that the whole of each footprint lies in, int8 (tiles,); -1 where it reaches into another."""
    lat, lon = np.atleast_1d(lat_deg), np.atleast_1d(lon_deg)
    split = split_of(block_of(lat, lon)).copy()
    for value in (TRAIN, CALIBRATE, EVALUATE):
        rows = np.flatnonzero(split == value)
        split[rows[~lies_within_split(lat[rows], lon[rows], ground_km, value)]] = -1
    return split


def sample_points(
    earth: Earth,
    split: int,
    ground_km: float,
    minimum_purity: float,
    per_class: int,
    generator: np.random.Generator,
    *,
    draws: int = 200_000,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]]:
    """Random footprints of a split, at most ``per_class`` of each class.

    Places are drawn evenly over the sphere; a footprint that reaches into a block of another split is not taken.

    Returns:
        latitude, longitude (float64) and label (int8), each (tiles,), ordered by class.
    """
    lat = np.degrees(np.arcsin(generator.uniform(-1, 1, draws)))
    lon = generator.uniform(-180, 180, draws)
    inside = lies_within_split(lat, lon, ground_km, split)
    lat, lon = lat[inside], lon[inside]
    label, purity, _ = earth.label(lat, lon, ground_km)
    good = (label >= 0) & (purity >= minimum_purity)
    lat, lon, label = lat[good], lon[good], label[good]
    chosen = np.concatenate([np.flatnonzero(label == value)[:per_class] for value in range(int(label.max()) + 1)])
    return lat[chosen], lon[chosen], label[chosen]
