"""Where every satellite is at any instant of a run: SGP4 at nodes, Hermite polynomials in between.

SGP4 costs about half a microsecond a call and a run asks millions of times; the curve between two calls a minute apart
is smooth.  Cubic Hermite interpolation of position and velocity in the Earth-fixed frame errs by less than a metre for
low orbits, far below SGP4's own kilometre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sgp4.api import SGP4_ERRORS

from skyedge.errors import InputError
from skyedge.space.constellation import Constellation
from skyedge.space.frames import EARTH_ROTATION_RAD_S, to_earth_fixed
from skyedge.time import SECOND, Instant, julian_date

NODE_SPACING_S = 60


@dataclass(frozen=True, eq=False)
class Ephemeris:
    """Earth-fixed states of all satellites at evenly spaced nodes."""

    start: Instant
    spacing_us: int
    positions_km: NDArray[np.float64]  # (satellites, nodes, 3)
    velocities_km_s: NDArray[np.float64]  # (satellites, nodes, 3), relative to the turning Earth

    @classmethod
    def of(cls, constellation: Constellation, start: Instant, end: Instant, spacing_s: int = NODE_SPACING_S) -> Ephemeris:
        """Propagate ``constellation`` from ``start`` to ``end`` (and one node beyond).

        Raises:
            InputError: if SGP4 cannot propagate a satellite that far.
        """
        spacing_us = spacing_s * SECOND
        times = start + np.arange(-(-(end - start) // spacing_us) + 2, dtype=np.int64) * spacing_us
        whole, fraction = julian_date(times)
        errors, position, velocity = constellation.array().sgp4(whole, fraction)
        if errors.any():
            satellite, _ = np.argwhere(errors)[0]
            reason = SGP4_ERRORS[int(errors[errors != 0][0])]
            raise InputError(f"satellite {constellation.names[satellite]} cannot be propagated: {reason}")
        fixed = to_earth_fixed(position, times)
        turning = to_earth_fixed(velocity, times)
        # The Earth turns below: subtract omega x r.
        turning[..., 0] += EARTH_ROTATION_RAD_S * fixed[..., 1]
        turning[..., 1] -= EARTH_ROTATION_RAD_S * fixed[..., 0]
        return cls(start, spacing_us, fixed, turning)

    def __len__(self) -> int:
        return len(self.positions_km)

    @property
    def node_times(self) -> NDArray[np.int64]:
        """Instants of the nodes, (nodes,)."""
        return self.start + np.arange(self.positions_km.shape[1], dtype=np.int64) * self.spacing_us

    def at(
        self, satellite: NDArray[np.integer] | int, times_us: NDArray[np.int64] | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Earth-fixed positions in km (times, 3) of ``satellite`` (one, or one a time) at ``times_us`` (times,)."""
        node, t = self._locate(times_us)
        h = self.spacing_us / SECOND
        p0, p1 = self.positions_km[satellite, node], self.positions_km[satellite, node + 1]
        v0, v1 = self.velocities_km_s[satellite, node] * h, self.velocities_km_s[satellite, node + 1] * h
        t = t[..., None]
        # Horner form of the cubic Hermite polynomial
        return np.asarray(p0 + t * (v0 + t * (3 * (p1 - p0) - 2 * v0 - v1 + t * (2 * (p0 - p1) + v0 + v1))))

    def velocity_at(
        self, satellite: NDArray[np.integer] | int, times_us: NDArray[np.int64] | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Velocities in km/s (times, 3) relative to the turning Earth: the derivative of :meth:`at`."""
        node, t = self._locate(times_us)
        h = self.spacing_us / SECOND
        p0, p1 = self.positions_km[satellite, node], self.positions_km[satellite, node + 1]
        v0, v1 = self.velocities_km_s[satellite, node] * h, self.velocities_km_s[satellite, node + 1] * h
        t = t[..., None]
        slope = v0 + t * (2 * (3 * (p1 - p0) - 2 * v0 - v1) + 3 * t * (2 * (p0 - p1) + v0 + v1))
        return np.asarray(slope / h)

    def _locate(self, times_us: NDArray[np.int64] | NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Node before each time, and the fraction of the way to the next."""
        offset = (np.asarray(times_us) - self.start) / self.spacing_us
        node = np.clip(np.floor(offset).astype(np.intp), 0, self.positions_km.shape[1] - 2)
        return node, offset - node
