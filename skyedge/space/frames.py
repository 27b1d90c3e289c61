"""From the frame of SGP4 to the Earth: true-equator-mean-equinox to Earth-fixed, and to latitude and longitude.

The Earth's turn is Greenwich mean sidereal time (IAU 1982: Aoki et al. 1982, eq. 14) at UT1.  UT1 differs from UTC by
up to 0.9 s, or 400 m at the equator, so it is looked up (:mod:`skyedge.space.earth_rotation`); polar motion (about 10 m)
is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.space.earth_rotation import ut1_minus_utc
from skyedge.time import julian_date

LIGHT_KM_S = 299_792.458
EQUATORIAL_RADIUS_KM = 6378.137
FLATTENING = 1 / 298.257223563
EARTH_ROTATION_RAD_S = 7.292115146706979e-5  # Vallado 2013, eq. 3-40


def greenwich_sidereal_angle(times_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Greenwich mean sidereal time in radians, 0..2π, in the shape of ``times_us``."""
    whole, fraction = julian_date(times_us)
    ut1_fraction = fraction + ut1_minus_utc(times_us) / 86400.0
    centuries = (whole - 2451545.0 + ut1_fraction) / 36525.0
    seconds = 67310.54841 + centuries * (8640184.812866 + centuries * (0.093104 - centuries * 6.2e-6))
    # 876600 h a century are whole turns of the day: taken from the exact fractions to keep the digits.
    turns = (whole - 2451545.0) % 1.0 + ut1_fraction + seconds / 86400.0
    return np.asarray((turns % 1.0) * 2 * np.pi)


def to_earth_fixed(vectors: NDArray[np.float64], times_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn TEME ``vectors`` (..., times, 3) into the Earth-fixed frame at ``times_us`` (times,)."""
    angle = greenwich_sidereal_angle(times_us)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack([cosine * x + sine * y, cosine * y - sine * x, vectors[..., 2]], axis=-1)


def to_geodetic(
    positions_km: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude in degrees and height in km (WGS84) of Earth-fixed ``positions_km`` (..., 3).

    Bowring's closed formula (1985), good to a millimetre for satellites near the Earth.
    """
    x, y, z = np.moveaxis(np.asarray(positions_km), -1, 0)
    a, f = EQUATORIAL_RADIUS_KM, FLATTENING
    b = a * (1 - f)
    e2, ep2 = f * (2 - f), (a / b) ** 2 - 1
    p = np.hypot(x, y)
    r = np.hypot(p, z)
    tan_u = (b * z) / (a * p + 1e-300) * (1 + ep2 * b / r)
    cos_u = 1 / np.sqrt(1 + tan_u**2)
    sin_u = tan_u * cos_u
    latitude = np.arctan2(z + ep2 * b * sin_u**3, p - e2 * a * cos_u**3)
    height = p * np.cos(latitude) + z * np.sin(latitude) - a * np.sqrt(1 - e2 * np.sin(latitude) ** 2)
    return np.degrees(latitude), np.degrees(np.arctan2(y, x)), height


def from_geodetic(
    lat_deg: NDArray[np.float64] | float, lon_deg: NDArray[np.float64] | float, height_km: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Earth-fixed position in km (..., 3) of geodetic coordinates (WGS84)."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    e2 = FLATTENING * (2 - FLATTENING)
    normal = EQUATORIAL_RADIUS_KM / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    height = np.asarray(height_km)
    return np.stack(
        [
            (normal + height) * np.cos(lat) * np.cos(lon),
            (normal + height) * np.cos(lat) * np.sin(lon),
            (normal * (1 - e2) + height) * np.sin(lat),
        ],
        axis=-1,
    )


def zenith(lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vector (..., 3), Earth-fixed, that points straight up at a geodetic place."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
