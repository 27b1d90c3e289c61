"""Synthetic clouds: seeded, correlated in space, moving, and as frequent as the observed ones.

A Gaussian random field on the sphere, a sum of octaves of lattice noise in three dimensions (so there is neither a seam
at 180° nor a knot at the poles), turns with the mean westerly wind and drifts through the lattice, which makes clouds
form and dissolve.  Where the field exceeds a threshold there is cloud; the threshold is the normal quantile of the mean
cloud fraction of the place, so the means come out right by construction.

Mean cloud fractions: 67 % of the globe, 55 % over land and 72 % over sea (King et al. 2013, MODIS).  The dependence on
latitude (a maximum at the inner-tropical convergence, a minimum in the subtropics, a maximum in the storm tracks) has
the shape of the zonal means there; its figures are read off by eye and scaled to the means: an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.earth.footprint import footprint
from skyedge.streams import stream
from skyedge.time import DAY

_LATITUDES = np.array([-90, -75, -60, -45, -30, -20, -10, 0, 8, 18, 28, 40, 52, 65, 78, 90], float)
_OVER_SEA = np.array([0.62, 0.72, 0.90, 0.83, 0.68, 0.62, 0.62, 0.64, 0.70, 0.58, 0.62, 0.72, 0.82, 0.80, 0.74, 0.70])
_OVER_LAND = np.array([0.50, 0.52, 0.72, 0.66, 0.42, 0.42, 0.62, 0.70, 0.66, 0.33, 0.37, 0.54, 0.66, 0.66, 0.62, 0.58])

_LATTICE = 64
_FIRST_WAVES = 5.0  # lattice cells per Earth radius in the first octave: systems of some 1,300 km
_AMPLITUDES = np.array([1.0, 0.75, 0.5, 0.35, 0.25])
_WIND_TURN_RAD_DAY = 2 * np.pi / 28  # about 16 m/s at the equator, 11 m/s at 45°
_DRIFT_CELLS_DAY = np.array([0.9, 0.5, 0.7])
_EDGE = 0.35  # width of the rim of a cloud, in standard deviations of the field
_CHUNK = 1024

_SHARES = np.linspace(0.001, 0.999, 999)
_QUANTILES = np.array([NormalDist().inv_cdf(share) for share in _SHARES])


def mean_cover(lat_deg: ArrayLike, water_share: ArrayLike) -> NDArray[np.float64]:
    """Long-term mean cloud fraction of places, by latitude and the share of water."""
    lat, water = np.asarray(lat_deg, float), np.asarray(water_share, float)
    sea, land = np.interp(lat, _LATITUDES, _OVER_SEA), np.interp(lat, _LATITUDES, _OVER_LAND)
    return np.asarray(land + (sea - land) * water)


@dataclass(frozen=True)
class CloudField:
    """The clouds of one seed: a pure function of place and time."""

    seed: int

    @cached_property
    def _lattices(self) -> NDArray[np.float32]:
        shape = (len(_AMPLITUDES), _LATTICE, _LATTICE, _LATTICE)
        return stream(self.seed, "earth", "cloud lattice").standard_normal(shape, np.float32)

    def opacity(
        self,
        lat_deg: ArrayLike,
        lon_deg: ArrayLike,
        times_us: ArrayLike,
        water_share: ArrayLike,
        ground_km: float,
        size_px: int,
    ) -> NDArray[np.float32]:
        """How opaque the sky is over each pixel of footprints, 0 to 1, float32 (tiles, size, size)."""
        lat, lon = np.atleast_1d(lat_deg), np.atleast_1d(lon_deg)
        times = np.broadcast_to(np.asarray(times_us, np.int64), lat.shape)
        water = np.broadcast_to(np.asarray(water_share, float), lat.shape)
        threshold = np.interp(1 - mean_cover(lat, water), _SHARES, _QUANTILES)
        sky = np.empty((len(lat), size_px, size_px), np.float32)
        for start in range(0, len(lat), _CHUNK):
            part = slice(start, start + _CHUNK)
            field = self._field(*footprint(lat[part], lon[part], ground_km, size_px), times[part] / DAY)
            excess = (field - threshold[part, None, None]) / _EDGE
            sky[part] = np.clip(0.5 + excess, 0.0, 1.0)
        return sky

    def _field(
        self, lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64], days: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Standard normal at every pixel, (tiles, size, size)."""
        lat = np.radians(lat_deg)
        lon = np.radians(lon_deg) - (_WIND_TURN_RAD_DAY * days % (2 * np.pi))[:, None, None]
        place = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
        total = np.zeros(lat.shape, np.float32)
        for octave, amplitude in enumerate(_AMPLITUDES):
            waves = _FIRST_WAVES * 2**octave
            # Small clouds live shorter than large ones: the drift in cells grows with the octave.
            drift = (_DRIFT_CELLS_DAY * 2 ** (octave / 2) * days[:, None]) % _LATTICE
            total += amplitude * _lattice_noise(self._lattices[octave], place * waves + drift[:, None, None, :])
        return total / np.float32(np.sqrt((_AMPLITUDES**2).sum()))


def _lattice_noise(lattice: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Trilinear noise of unit variance everywhere; ``points`` (..., 3) in cells, periodic.

    An average of eight independent values has less variance than one of them; dividing by the root of the summed
    squares of the weights undoes that, so that a quantile means the same between the lattice points as on them.
    """
    cell = np.floor(points)
    part = (points - cell).astype(np.float32)
    low = cell.astype(np.int32) % _LATTICE
    high = (low + 1) % _LATTICE
    flat = lattice.reshape(-1)
    total = np.zeros(points.shape[:-1], np.float32)
    squares = np.zeros(points.shape[:-1], np.float32)
    for corner in range(8):
        index = np.zeros(points.shape[:-1], np.int32)
        weight = np.ones(points.shape[:-1], np.float32)
        for axis in range(3):
            upper = corner >> axis & 1
            index = index * _LATTICE + (high if upper else low)[..., axis]
            weight = weight * (part[..., axis] if upper else 1 - part[..., axis])
        total += weight * flat[index]
        squares += weight * weight
    return np.asarray(total / np.sqrt(squares))
