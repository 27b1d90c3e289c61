"""Where the sun is, to about 0.01°."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.space.frames import greenwich_sidereal_angle, zenith
from skyedge.time import julian_date

ASTRONOMICAL_UNIT_KM = 149_597_870.7


def sun_position_km(times_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Geocentric position of the sun, Earth-fixed, (times, 3).

    The low-precision formula of the Astronomical Almanac (as in Vallado 2013, algorithm 29).
    """
    whole, fraction = julian_date(times_us)
    days = whole - 2451545.0 + fraction
    anomaly = np.radians((357.529 + 0.98560028 * days) % 360)
    longitude = np.radians((280.459 + 0.98564736 * days) % 360)
    ecliptic = longitude + np.radians(1.915) * np.sin(anomaly) + np.radians(0.020) * np.sin(2 * anomaly)
    distance = (1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)) * ASTRONOMICAL_UNIT_KM
    obliquity = np.radians(23.439 - 3.6e-7 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(obliquity) * np.sin(ecliptic))
    hour = right_ascension - greenwich_sidereal_angle(times_us)
    return distance[..., None] * np.stack(
        [np.cos(declination) * np.cos(hour), np.cos(declination) * np.sin(hour), np.sin(declination)], axis=-1
    )


def sun_elevation_deg(
    lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64], times_us: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Elevation of the sun's centre above the horizon of places, without refraction, in the shape of the input."""
    sun = sun_position_km(times_us)
    direction = sun / np.linalg.norm(sun, axis=-1, keepdims=True)
    return np.degrees(np.arcsin(np.clip(np.einsum("...i,...i", direction, zenith(lat_deg, lon_deg)), -1, 1)))
