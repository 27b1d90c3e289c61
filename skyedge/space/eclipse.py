"""How much of the sun a satellite sees: the conical shadow of the Earth (Montenbruck & Gill 2000, section 3.4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.space.ephemeris import Ephemeris
from skyedge.space.frames import EQUATORIAL_RADIUS_KM
from skyedge.space.sun import sun_position_km
from skyedge.time import SECOND

SUN_RADIUS_KM = 695_700.0


def illumination(positions_km: NDArray[np.float64], sun_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the sun's disc, 0 in the umbra to 1 in full light, seen from ``positions_km`` (..., 3)."""
    to_sun = sun_km - positions_km
    sun_distance = np.linalg.norm(to_sun, axis=-1)
    distance = np.linalg.norm(positions_km, axis=-1)
    a = np.arcsin(SUN_RADIUS_KM / sun_distance)
    b = np.arcsin(np.minimum(1.0, EQUATORIAL_RADIUS_KM / distance))
    cosine = -np.einsum("...i,...i", positions_km, to_sun) / (distance * sun_distance)
    c = np.arccos(np.clip(cosine, -1, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        x = (c**2 + a**2 - b**2) / (2 * c)
        y = np.sqrt(np.maximum(a**2 - x**2, 0))
        hidden = a**2 * np.arccos(np.clip(x / a, -1, 1)) + b**2 * np.arccos(np.clip((c - x) / b, -1, 1)) - c * y
    partly = 1 - hidden / (np.pi * a**2)
    return np.clip(np.where(c >= a + b, 1.0, np.where(c <= b - a, 0.0, partly)), 0.0, 1.0)


def sunlit_seconds(ephemeris: Ephemeris, step_s: int = 20) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sunlight since the start: instants (samples,), and seconds of full sun up to each, (satellites, samples)."""
    times = np.arange(ephemeris.start, ephemeris.end + 1, step_s * SECOND, dtype=np.int64)
    sun = sun_position_km(times)
    total = np.zeros((len(ephemeris), len(times)))
    for satellite in range(len(ephemeris)):
        light = illumination(ephemeris.at(satellite, times), sun)
        total[satellite, 1:] = np.cumsum((light[1:] + light[:-1]) / 2) * step_s
    return times, total
