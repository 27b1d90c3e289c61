"""What the ground is: land-cover classes and climate zones, and the label of a footprint.

The seventeen IGBP classes of MODIS MCD12C1 are grouped into eight that can be told apart from space at kilometres a
pixel: the five kinds of forest look alike there, and so do the two of shrubland and of savanna.  Towns never fill a
footprint of some hundred kilometres; where they are, they count as land of no class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLASSES: tuple[str, ...] = (
    "forest",
    "shrubland",
    "savanna",
    "grassland",
    "wetland",
    "cropland",
    "barren",
    "snow and ice",
)
"""The labels, in the order of the models' outputs."""

CLIMATE_ZONES: tuple[str, ...] = ("sea", "tropical", "arid", "temperate", "continental", "polar")
"""Köppen–Geiger main classes, in the order of the packed map."""

SEA = -1
OTHER_LAND = len(CLASSES)
_WATER = len(CLASSES) + 1

_IGBP_TO_CLASS = np.full(256, OTHER_LAND, np.uint8)
_IGBP_TO_CLASS[0] = _WATER
for _class, _igbp in enumerate([(1, 2, 3, 4, 5), (6, 7), (8, 9), (10,), (11,), (12, 14), (16,), (15,)]):
    _IGBP_TO_CLASS[list(_igbp)] = _class


def class_shares(land_cover: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much of each footprint each thing covers, float32 (tiles, classes + 2): the classes, other land, water.

    Args:
        land_cover: IGBP classes of the footprints' pixels, (tiles, size, size).
    """
    if not len(land_cover):
        return np.empty((0, _WATER + 1), np.float32)
    classes = _IGBP_TO_CLASS[land_cover].reshape(len(land_cover), -1)
    shares = np.stack([(classes == value).mean(axis=1) for value in range(_WATER + 1)], axis=1)
    return np.asarray(shares, np.float32)


def majority(shares: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Label, purity and share of water of footprints.

    Args:
        shares: from :func:`class_shares`, (tiles, classes + 2).

    Returns:
        label int8 (tiles,), SEA where water or no class prevails; the share of the footprint that has the label,
        float32 (tiles,); the share of water, float32 (tiles,).
    """
    best = shares.argmax(axis=1)
    label = np.where(best < OTHER_LAND, best, SEA).astype(np.int8)
    return label, shares[np.arange(len(shares)), best], shares[:, _WATER]
