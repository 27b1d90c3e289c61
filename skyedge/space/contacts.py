"""When can a satellite and a site see one another?

A contact is the time between a rise above the elevation mask of the site and the set below it; the edges come from
:mod:`skyedge.space.visibility`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.frames import LIGHT_KM_S
from skyedge.space.sites import Sites
from skyedge.space.visibility import find_edges, summit
from skyedge.time import MINUTE, Instant

_SATELLITES_AT_ONCE = 128
_SHORT_PASS = 20 * MINUTE
_SAMPLES = 48


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
    position, velocity = ephemeris.state_at(satellite, times_us)
    line = position - sites.positions_km()[site]
    rate = np.einsum("...i,...i", line, velocity) / np.linalg.norm(line, axis=-1)
    return np.asarray(-rate / LIGHT_KM_S)


def find_contacts(ephemeris: Ephemeris, sites: Sites, start: Instant, end: Instant, mask_deg: float) -> ContactTable:
    """All contacts between ``start`` and ``end``; one that is open at either is cut off there."""
    groups = [np.flatnonzero(ephemeris.spacing_us == spacing) for spacing in np.unique(ephemeris.spacing_us)]
    parts = [part for group in groups for part in np.array_split(group, -(-len(group) // _SATELLITES_AT_ONCE))]
    pieces = [find_edges(ephemeris, sites, satellites, mask_deg) for satellites in parts]
    satellite, site, at = (
        np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("satellite", "site", "at_us")
    )
    # Rises and sets come by turns.
    satellite, site = satellite[0::2], site[0::2]
    rise, set_ = (np.clip(np.rint(at[first::2]), start, end).astype(np.int64) for first in (0, 1))
    kept = set_ > rise
    satellite, site, rise, set_ = satellite[kept], site[kept], rise[kept], set_[kept]
    order = np.lexsort((site, satellite, rise))
    satellite, site, rise, set_ = satellite[order], site[order], rise[order], set_[order]
    top = _culminations(ephemeris, sites, satellite, site, rise, set_)
    highest, _ = elevation_deg(ephemeris, sites, satellite, site, top)
    return ContactTable(satellite, site, rise, top, set_, highest)


def require_contacts(contacts: ContactTable, names: tuple[str, ...]) -> None:
    """Check that every satellite sees some site.

    Raises:
        InputError: naming a satellite that never does.
    """
    blind = np.setdiff1d(np.arange(len(names)), contacts.satellite)
    if len(blind):
        more = f" (and {len(blind) - 1} more)" if len(blind) > 1 else ""
        raise InputError(f"satellite {names[blind[0]]}{more} never sees a site: check its inclination and the mask")


def _culminations(
    ephemeris: Ephemeris,
    sites: Sites,
    satellite: NDArray[np.intp],
    site: NDArray[np.intp],
    rise: NDArray[np.int64],
    set_: NDArray[np.int64],
) -> NDArray[np.int64]:
    """When each contact stands highest."""
    low, high = rise.astype(np.float64), set_.astype(np.float64)
    # A short pass climbs once and falls once; a long one, of a high orbit, may do so several times: sample it first.
    long = np.flatnonzero(set_ - rise > _SHORT_PASS)
    if len(long):
        times = low[long, None] + (high - low)[long, None] * np.linspace(0, 1, _SAMPLES)
        pairs = np.repeat(satellite[long], _SAMPLES), np.repeat(site[long], _SAMPLES)
        heights, _ = elevation_deg(ephemeris, sites, *pairs, times.reshape(-1))
        best, rows = heights.reshape(times.shape).argmax(axis=1), np.arange(len(long))
        low[long], high[long] = times[rows, np.maximum(best - 1, 0)], times[rows, np.minimum(best + 1, _SAMPLES - 1)]
    top = summit(lambda rows, time: _climb(ephemeris, sites, satellite[rows], site[rows], time), low, high)
    return np.clip(np.rint(top), rise, set_).astype(np.int64)


def _climb(
    ephemeris: Ephemeris, sites: Sites, satellite: NDArray[np.intp], site: NDArray[np.intp], times_us: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A number with the sign of the rate of the elevation, which falls about evenly in time through a pass.

    The sine of the elevation is up / range; its rate times range³ is (rate of up) range² − up (range times its rate).
    """
    position, velocity = ephemeris.state_at(satellite, times_us)
    away, zenith = position - sites.positions_km()[site], sites.zeniths()[site]
    square, approach = np.einsum("ni,ni->n", away, away), np.einsum("ni,ni->n", away, velocity)
    up, ascent = np.einsum("ni,ni->n", away, zenith), np.einsum("ni,ni->n", velocity, zenith)
    return np.asarray(ascent * square - up * approach)
