"""When can a satellite and a site see one another?

For a site with zenith z and a satellite at r from it, let

    g(t) = r . z − sin(mask) |r|,

which is positive just while the satellite stands above the mask.  g and its slope are known at the ephemeris nodes.
A change of sign between two nodes is a rise or a set; a peak hidden between two nodes shows in the slopes, which is how
short passes are not lost.  Roots are found on the interpolated orbit by bisection, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.sites import Sites
from skyedge.time import SECOND, Instant

_BISECTIONS = 26  # of a minute: to a microsecond
_SATELLITES_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class ContactTable:
    """Contacts in order of (rise, satellite, site), columns of one length."""

    satellite: NDArray[np.intp]
    site: NDArray[np.intp]
    rise_us: NDArray[np.int64]
    culmination_us: NDArray[np.int64]
    set_us: NDArray[np.int64]
    max_elevation_deg: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.satellite)

    def take(self, rows: NDArray[Any]) -> ContactTable:
        """The rows chosen by an index or boolean array."""
        return ContactTable(*(getattr(self, field.name)[rows] for field in fields(self)))


def elevation_deg(
    ephemeris: Ephemeris,
    sites: Sites,
    satellite: NDArray[np.integer],
    site: NDArray[np.integer],
    times_us: NDArray[np.int64] | NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Elevation in degrees and slant range in km, each (times,), of ``satellite`` seen from ``site``."""
    line = ephemeris.at(satellite, times_us) - sites.positions_km()[site]
    range_km = np.linalg.norm(line, axis=-1)
    upward = np.einsum("...i,...i", line, sites.zeniths()[site])
    return np.degrees(np.arcsin(np.clip(upward / range_km, -1, 1))), range_km


def doppler_ratio(
    ephemeris: Ephemeris,
    sites: Sites,
    satellite: NDArray[np.integer],
    site: NDArray[np.integer],
    times_us: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Shift of a received frequency as a share of it, −(range rate) / c, (times,); positive while approaching."""
    line = ephemeris.at(satellite, times_us) - sites.positions_km()[site]
    rate = np.einsum("...i,...i", line, ephemeris.velocity_at(satellite, times_us)) / np.linalg.norm(line, axis=-1)
    return np.asarray(-rate / 299792.458)


def find_contacts(ephemeris: Ephemeris, sites: Sites, start: Instant, end: Instant, mask_deg: float) -> ContactTable:
    """All contacts between ``start`` and ``end``; one that is open at either is cut off there."""
    sine = float(np.sin(np.radians(mask_deg)))
    pieces = [
        _edges(ephemeris, sites, site, satellites, sine)
        for site in range(len(sites))
        for satellites in np.array_split(np.arange(len(ephemeris)), max(1, -(-len(ephemeris) // _SATELLITES_AT_ONCE)))
    ]
    satellite, site_index, rise, set_ = (np.concatenate(column) for column in zip(*pieces, strict=True))
    rise, set_ = np.maximum(np.rint(rise), start).astype(np.int64), np.minimum(np.rint(set_), end).astype(np.int64)
    kept = set_ > rise
    satellite, site_index, rise, set_ = satellite[kept], site_index[kept], rise[kept], set_[kept]
    order = np.lexsort((site_index, satellite, rise))
    satellite, site_index, rise, set_ = satellite[order], site_index[order], rise[order], set_[order]
    top = _culminations(ephemeris, sites, satellite, site_index, rise, set_)
    highest, _ = elevation_deg(ephemeris, sites, satellite, site_index, top)
    return ContactTable(satellite, site_index, rise, top, set_, highest)


def require_contacts(contacts: ContactTable, names: tuple[str, ...]) -> None:
    """Check that every satellite sees some site.

    Raises:
        InputError: naming a satellite that never does.
    """
    blind = np.setdiff1d(np.arange(len(names)), contacts.satellite)
    if len(blind):
        more = f" (and {len(blind) - 1} more)" if len(blind) > 1 else ""
        raise InputError(f"satellite {names[blind[0]]}{more} never sees a site: check its inclination and the mask")


def _edges(
    ephemeris: Ephemeris, sites: Sites, site: int, satellites: NDArray[np.intp], sine: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Satellite, site, rise and set (microseconds, float) of the contacts of some satellites with one site."""
    place, up = sites.positions_km()[site], sites.zeniths()[site]
    line = ephemeris.positions_km[satellites] - place
    speed = ephemeris.velocities_km_s[satellites] * (ephemeris.spacing_us / SECOND)  # km a node spacing
    range_km = np.linalg.norm(line, axis=-1)
    g = line @ up - sine * range_km
    slope = speed @ up - sine * np.einsum("sni,sni->sn", line, speed) / range_km
    above = g > 0
    crossing = above[:, :-1] != above[:, 1:]
    # A hidden peak (or dip) lies where the slopes point at one another; the tangents bound how high it can be.
    peak = ~above[:, :-1] & ~above[:, 1:] & (slope[:, :-1] > 0) & (slope[:, 1:] < 0)
    peak &= np.maximum(g[:, :-1] + slope[:, :-1], g[:, 1:] - slope[:, 1:]) > 0
    dip = above[:, :-1] & above[:, 1:] & (slope[:, :-1] < 0) & (slope[:, 1:] > 0)
    dip &= np.minimum(g[:, :-1] + slope[:, :-1], g[:, 1:] - slope[:, 1:]) < 0

    def value(row: NDArray[np.intp], time: NDArray[np.float64]) -> NDArray[np.float64]:
        away = ephemeris.at(satellites[row], time) - place
        return np.asarray(away @ up - sine * np.linalg.norm(away, axis=-1), np.float64)

    def instant(node: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray(ephemeris.start + node * float(ephemeris.spacing_us), np.float64)

    rows, nodes = np.nonzero(crossing)
    roots = [_bisect(value, rows, instant(nodes), instant(nodes + 1))]
    root_rows = [rows]
    rows, nodes = np.nonzero(peak | dip)
    if len(rows):
        sign = np.where(dip[rows, nodes], -1.0, 1.0)
        extremum = _ternary(lambda row, time: sign * value(row, time), rows, instant(nodes), instant(nodes + 1))
        real = sign * value(rows, extremum) > 0
        rows, nodes, extremum = rows[real], nodes[real], extremum[real]
        roots += [_bisect(value, rows, instant(nodes), extremum), _bisect(value, rows, extremum, instant(nodes + 1))]
        root_rows += [rows, rows]
    time, row = np.concatenate(roots), np.concatenate(root_rows)
    # A satellite above the mask at the first or last node has an edge there.
    last = g.shape[1] - 1
    for node in (0, last):
        open_rows = np.flatnonzero(above[:, node])
        time, row = np.concatenate([time, instant(np.full(len(open_rows), node))]), np.concatenate([row, open_rows])
    order = np.lexsort((time, row))
    time, row = time[order], row[order]
    rise, set_ = time[0::2], time[1::2]
    return satellites[row[0::2]], np.full(len(rise), site), rise, set_


def _bisect(value: Any, rows: NDArray[np.intp], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[Any]:
    """Roots of ``value`` between ``low`` and ``high``, where its sign differs."""
    low, high = low.copy(), high.copy()
    if not len(rows):
        return low
    positive_at_low = value(rows, low) > 0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        same = (value(rows, middle) > 0) == positive_at_low
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return (low + high) / 2


def _ternary(value: Any, rows: NDArray[np.intp], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[Any]:
    """Where ``value``, with a single peak between ``low`` and ``high``, is greatest."""
    for _ in range(34):
        third = (high - low) / 3
        left, right = low + third, high - third
        rising = value(rows, left) < value(rows, right)
        low, high = np.where(rising, left, low), np.where(rising, high, right)
    return (low + high) / 2


def _culminations(
    ephemeris: Ephemeris,
    sites: Sites,
    satellite: NDArray[np.intp],
    site: NDArray[np.intp],
    rise: NDArray[np.int64],
    set_: NDArray[np.int64],
) -> NDArray[np.int64]:
    """When each contact stands highest: the best of a few samples, refined between its neighbours."""
    if not len(satellite):
        return rise
    samples = 24
    share = np.linspace(0, 1, samples)
    times = rise[:, None] + (set_ - rise)[:, None] * share
    heights, _ = elevation_deg(ephemeris, sites, np.repeat(satellite, samples), np.repeat(site, samples), times.reshape(-1))
    best = heights.reshape(times.shape).argmax(axis=1)
    rows = np.arange(len(satellite))
    low, high = times[rows, np.maximum(best - 1, 0)], times[rows, np.minimum(best + 1, samples - 1)]
    top = _ternary(lambda row, time: elevation_deg(ephemeris, sites, satellite[row], site[row], time)[0], rows, low, high)
    return np.clip(np.rint(top), rise, set_).astype(np.int64)
