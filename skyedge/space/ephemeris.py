"""Where every satellite is at any instant of a run: SGP4 at nodes, Hermite polynomials in between.

SGP4 costs about half a microsecond a call and a run asks millions of times; the curve between two calls some minutes
apart is smooth.  Position and velocity come from SGP4, the acceleration from the Earth's pull with its oblateness, in the
turning frame; the quintic through all three at both ends errs by less than two metres, far below SGP4's own kilometre.
The nodes of a satellite are as far apart as its speed at perigee allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sgp4.api import SGP4_ERRORS, Satrec, SatrecArray

from skyedge.errors import InputError
from skyedge.space.constellation import Constellation
from skyedge.space.frames import EARTH_ROTATION_RAD_S, to_earth_fixed
from skyedge.time import MINUTE, SECOND, Instant, format_utc, julian_date

Floats = NDArray[np.float64]
Times = NDArray[np.int64] | NDArray[np.float64]

NODE_ANGLE_RAD = 0.335
"""How far a satellite may turn from one node to the next, at its perigee."""
SPACINGS_S = (1200, 600, *range(300, 0, -30), 10)
"""Spacings to choose from: few, since satellites of one spacing are propagated and searched together."""

ROUND_ECCENTRICITY = 0.003
"""Above it SGP4's velocity is not the slope of its positions closely enough (2 m/s off at an eccentricity of 0.7)."""
DEEP_SPACE_PERIOD_S = 225 * 60
SLOPE_TOLERANCE_KM_S = 4e-5
RESONANCE_STEP_US = 720 * MINUTE
_ASIDE_S = 4.0

# The constants that SGP4 itself uses (WGS 72; Vallado et al. 2006, table 1).
_MU_KM3_S2 = 398600.8
_RADIUS_KM = 6378.135
_J2 = 0.001082616


@dataclass(frozen=True, eq=False)
class Ephemeris:
    """Earth-fixed states of all satellites, each at evenly spaced nodes of its own."""

    constellation: Constellation
    start: Instant
    spacing_us: NDArray[np.int64]
    """Between the nodes of each satellite, (satellites,)."""
    nodes: NDArray[np.intp]
    """How many nodes each satellite has, (satellites,)."""
    states: NDArray[np.float64]
    """Position in km, velocity in km/s, acceleration in km/s², relative to the turning Earth: (satellites, nodes, 3, 3).

    The last state of a satellite with fewer nodes than others is repeated.
    """

    @classmethod
    def of(cls, constellation: Constellation, start: Instant, end: Instant, spacing_s: int | None = None) -> Ephemeris:
        """Propagate ``constellation`` from ``start`` to ``end`` (and up to one node beyond).

        Raises:
            InputError: if SGP4 cannot propagate a satellite that far.
        """
        spacing_us = np.array([(spacing_s or node_spacing_s(record)) * SECOND for record in constellation.records], np.int64)
        nodes = (-(-(end - start) // spacing_us) + 2).astype(np.intp)
        states = np.empty((len(constellation), nodes.max(initial=0), 3, 3))
        for spacing in np.unique(spacing_us).tolist():
            chosen = np.flatnonzero(spacing_us == spacing)
            group = Constellation(
                tuple(constellation.names[number] for number in chosen),
                tuple(constellation.records[number] for number in chosen),
            )
            count = int(nodes[chosen[0]])
            known = _states(group, start + np.arange(count, dtype=np.int64) * spacing)
            states[chosen, :count], states[chosen, count:] = known, known[:, -1:]
        return cls(constellation, start, spacing_us, nodes, states)

    def __len__(self) -> int:
        return len(self.states)

    @property
    def positions_km(self) -> NDArray[np.float64]:
        """At the nodes, (satellites, nodes, 3)."""
        return self.states[..., 0, :]

    @property
    def velocities_km_s(self) -> NDArray[np.float64]:
        """At the nodes, relative to the turning Earth, (satellites, nodes, 3)."""
        return self.states[..., 1, :]

    @property
    def end(self) -> Instant:
        """The last instant at which every satellite has a node or an earlier and a later one."""
        return int((self.start + (self.nodes - 1) * self.spacing_us).min())

    def at(self, satellite: NDArray[np.integer] | int, times_us: Times) -> NDArray[np.float64]:
        """Earth-fixed positions in km (times, 3) of ``satellite`` (one, or one a time) at ``times_us`` (times,)."""
        c, t = self._polynomials(satellite, times_us)
        return np.moveaxis(c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5])))), 0, -1)

    def velocity_at(self, satellite: NDArray[np.integer] | int, times_us: Times) -> NDArray[np.float64]:
        """Velocities in km/s (times, 3) relative to the turning Earth: the derivative of :meth:`at`."""
        return self.state_at(satellite, times_us)[1]

    def state_at(
        self, satellite: NDArray[np.integer] | int, times_us: Times
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position in km and velocity in km/s, each (times, 3): both for the price of one and a half."""
        c, t = self._polynomials(satellite, times_us)
        position = c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5]))))
        slope = c[1] + t * (2 * c[2] + t * (3 * c[3] + t * (4 * c[4] + t * 5 * c[5])))
        slope /= self.spacing_us[satellite] / SECOND
        return np.moveaxis(position, 0, -1), np.moveaxis(slope, 0, -1)

    def exactly_at(self, satellite: NDArray[np.integer], times_us: Times) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position in km and velocity in km/s, each (times, 3), by SGP4 itself at whole microseconds.

        About as quick as :meth:`at` while there are many times a satellite.
        """
        times = np.rint(np.asarray(times_us, np.float64)).astype(np.int64)
        whole, fraction = julian_date(times)
        position, velocity = np.empty((len(times), 3)), np.empty((len(times), 3))
        order = np.argsort(satellite, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(np.asarray(satellite)[order])) + 1):
            if len(rows):
                record = self.constellation.records[int(satellite[rows[0]])]
                _, position[rows], velocity[rows] = record.sgp4_array(whole[rows], fraction[rows])
        return _turning(position, velocity, times)

    def states_at_nodes(self, satellite: NDArray[np.integer] | int, node: NDArray[np.integer]) -> Floats:
        """Position, velocity and acceleration, each by component, (3, 3, ...): long rows, which NumPy is quick with."""
        rows = np.asarray(satellite * self.states.shape[1] + node)
        taken = self.states.reshape(-1, 9).take(rows.reshape(-1), axis=0)
        return np.ascontiguousarray(taken.T).reshape(3, 3, *rows.shape)

    def _polynomials(self, satellite: NDArray[np.integer] | int, times_us: Times) -> tuple[list[Floats], Floats]:
        """Six coefficients (3, times) of the quintic in the fraction t (times,) of a node spacing."""
        spacing_us = self.spacing_us[satellite]
        offset = (np.asarray(times_us) - self.start) / spacing_us
        node = np.clip(np.floor(offset).astype(np.intp), 0, self.nodes[satellite] - 2)
        before, after = self.states_at_nodes(satellite, node), self.states_at_nodes(satellite, node + 1)
        return quintic(before, after, spacing_us / SECOND), offset - node


def quintic(before: Floats, after: Floats, spacing_s: Floats | float) -> list[Floats]:
    """Coefficients, each (3, ...), of the quintic Hermite polynomial between two states (3, 3, ...).

    ``spacing_s`` is the time between them, one or (...).
    """
    h = spacing_s
    half_square = h * h / 2
    p0, v0, a0 = before[0], before[1] * h, before[2] * half_square
    # What is missing at the far end to position, velocity and half the acceleration of the first three terms:
    p = after[0] - (p0 + v0 + a0)
    v = after[1] * h - (v0 + 2 * a0)
    a = after[2] * half_square - a0
    return [p0, v0, a0, 10 * p - 4 * v + a, -15 * p + 7 * v - 2 * a, 6 * p - 3 * v + a]


def node_spacing_s(record: Satrec) -> int:
    """Seconds between nodes that keep the quintic within two metres of SGP4."""
    perigee_km = (1 + record.altp) * _RADIUS_KM
    # Angular momentum over radius squared is the rate at perigee; an orbit through the Earth's centre has none.
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.sqrt(_MU_KM3_S2 * perigee_km * (1 + record.ecco)) / np.square(perigee_km)
    return next((spacing for spacing in SPACINGS_S if spacing * rate <= NODE_ANGLE_RAD), SPACINGS_S[-1])


def _states(constellation: Constellation, times_us: NDArray[np.int64]) -> Floats:
    """States of satellites at common instants, (satellites, times, 3, 3)."""
    whole, fraction = julian_date(times_us)
    errors, position, velocity = constellation.array().sgp4(whole, fraction)
    bad = (errors != 0) | ~np.isfinite(position).all(axis=-1)
    if bad.any():
        satellite, time = np.argwhere(bad)[0]
        reason = SGP4_ERRORS.get(int(errors[satellite, time]), "its elements are no orbit")
        at = format_utc(int(times_us[time]), "seconds")
        raise InputError(f"satellite {constellation.names[satellite]} cannot be propagated to {at}: {reason}")
    states = np.empty((*position.shape[:2], 3, 3))
    states[..., 0, :], states[..., 1, :] = _turning(position, velocity, times_us)
    states[..., 2, :] = _acceleration(states[..., 0, :], states[..., 1, :])
    _take_differences(constellation, times_us, states)
    return states


def _take_differences(constellation: Constellation, times_us: NDArray[np.int64], states: NDArray[np.float64]) -> None:
    """Replace velocity and acceleration by differences of positions over a second, where SGP4's velocity is not their slope.

    That is so on eccentric and on deep-space orbits, and where drag is strong, which three instants tell.
    """
    tried = [0, len(times_us) // 2, len(times_us) - 1]
    slope, _ = _differences(constellation.array(), times_us[tried], states[:, tried, 0, :])
    off_km_s = np.linalg.norm(slope - states[:, tried, 1, :], axis=-1).max(axis=1)
    deep = np.array([2 * np.pi / record.no_kozai * 60 > DEEP_SPACE_PERIOD_S for record in constellation.records])
    eccentric = np.array([record.ecco > ROUND_ECCENTRICITY for record in constellation.records])
    chosen = np.flatnonzero(deep | eccentric | (off_km_s > SLOPE_TOLERANCE_KM_S))
    if not len(chosen):
        return
    records = SatrecArray([constellation.records[number] for number in chosen])
    states[chosen, :, 1, :], states[chosen, :, 2, :] = _differences(records, times_us, states[chosen, :, 0, :])
    epochs = constellation.epochs_us()
    for number in np.flatnonzero(deep):
        # SGP4 takes resonances in steps of half a day and jumps by some millimetres at each, which must not come between.
        from_jump = (times_us - epochs[number] + RESONANCE_STEP_US // 2) % RESONANCE_STEP_US - RESONANCE_STEP_US // 2
        near = np.flatnonzero(np.abs(from_jump) <= 2 * SECOND)
        if len(near):
            aside = times_us[near] + round(_ASIDE_S * SECOND)
            record = constellation.records[number]
            beside = to_earth_fixed(record.sgp4_array(*julian_date(aside))[1], aside)
            velocity, acceleration = (part[0] for part in _differences(SatrecArray([record]), aside, beside[None]))
            jerk = (_acceleration(beside, velocity) - _acceleration(*np.moveaxis(states[number, near, :2], 1, 0))) / _ASIDE_S
            states[number, near, 2, :] = acceleration - jerk * _ASIDE_S
            states[number, near, 1, :] = velocity - acceleration * _ASIDE_S + jerk * (_ASIDE_S**2 / 2)


def _differences(records: SatrecArray, times_us: NDArray[np.int64], now: Floats) -> tuple[Floats, Floats]:
    """Velocity and acceleration (satellites, times, 3) from positions ``now``, a second before and a second after."""
    before, after = (
        to_earth_fixed(records.sgp4(*julian_date(moments))[1], moments) for moments in (times_us - SECOND, times_us + SECOND)
    )
    return (after - before) / 2, after + before - 2 * now


def _turning(
    position: NDArray[np.float64], velocity: NDArray[np.float64], times_us: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Position and velocity (..., times, 3) of the frame of SGP4, seen from the turning Earth."""
    fixed, turning = to_earth_fixed(position, times_us), to_earth_fixed(velocity, times_us)
    # The Earth turns below: subtract omega x r.
    turning[..., 0] += EARTH_ROTATION_RAD_S * fixed[..., 1]
    turning[..., 1] -= EARTH_ROTATION_RAD_S * fixed[..., 0]
    return fixed, turning


def _acceleration(position: NDArray[np.float64], velocity: NDArray[np.float64]) -> NDArray[np.float64]:
    """km/s² (..., 3) in the turning frame: gravity with J2 (Vallado 2013, eq. 8-30), Coriolis and centrifugal."""
    x, y, z = np.moveaxis(position, -1, 0)
    square = x * x + y * y + z * z
    pull = -_MU_KM3_S2 / (square * np.sqrt(square))
    oblate = 1.5 * _J2 * _RADIUS_KM**2 / square
    slant = 5 * z * z / square
    w = EARTH_ROTATION_RAD_S
    level = pull * (1 + oblate * (1 - slant)) + w * w
    return np.stack(
        [level * x + 2 * w * velocity[..., 1], level * y - 2 * w * velocity[..., 0], pull * (1 + oblate * (3 - slant)) * z],
        axis=-1,
    )
