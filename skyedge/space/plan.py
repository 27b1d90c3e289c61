"""The contact plan: who talks to whom, when, and how many bytes it carries.

Computed once for a run.  Geometry gives the contacts; antennas are handed out (a site has so many, a satellite talks to
one site at a time; first come, first served, longer contacts first among those that rise together, unless whoever asks for
the plan brings another way); the link gives each session a curve of bytes against time, with the fortune of the pass (its
yield) in it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.space.contacts import ContactTable, elevation_deg
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.link import LinkProfile
from skyedge.space.sites import Sites
from skyedge.time import FOREVER, MINUTE, SECOND, Instant, format_utc

SAMPLE_S = 10.0
MINIMUM_SESSION_S = 60.0

AntennaPolicy = Callable[[ContactTable], tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]]
"""Which contacts become sessions: rows (one may be there twice), when the station calls, when the session closes."""


@dataclass(frozen=True)
class Outage:
    """A site that is silent from ``start`` to ``end``."""

    site: str
    start: Instant
    end: Instant


@dataclass(frozen=True, eq=False)
class ContactPlan:
    """Sessions in order of (opening, satellite); the curve of session i is rows ``offsets[i]`` to ``offsets[i+1]``."""

    satellite_names: tuple[str, ...]
    site_names: tuple[str, ...]
    satellite: NDArray[np.intp]
    site: NDArray[np.intp]
    calls_us: NDArray[np.int64]  # the station's carrier is on
    opens_us: NDArray[np.int64]  # the satellite has locked and may send
    closes_us: NDArray[np.int64]
    max_elevation_deg: NDArray[np.float64]
    pass_yield: NDArray[np.float64]
    retransmitted_share: NDArray[np.float64]  # of the bytes delivered
    uplink_mbps: float
    offsets: NDArray[np.intp]
    curve_times_us: NDArray[np.int64]
    curve_bytes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.satellite)

    def curve(self, session: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Instants, and bytes that can be delivered up to each, both (samples,), of one session."""
        rows = slice(self.offsets[session], self.offsets[session + 1])
        return self.curve_times_us[rows], self.curve_bytes[rows]

    def volumes_bytes(self) -> NDArray[np.float64]:
        """What each session can deliver, (sessions,)."""
        return self.curve_bytes[self.offsets[1:] - 1]

    def digest(self) -> str:
        """Identifies the content."""
        whole = hashlib.sha256(repr((self.satellite_names, self.site_names)).encode())
        for column in (self.satellite, self.site, self.opens_us, self.closes_us, self.curve_bytes):
            whole.update(np.ascontiguousarray(column).tobytes())
        return whole.hexdigest()

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a session, to print or to save."""
        volumes = self.volumes_bytes()
        return [
            {
                "satellite": self.satellite_names[self.satellite[i]],
                "site": self.site_names[self.site[i]],
                "opens": format_utc(int(self.opens_us[i])),
                "closes": format_utc(int(self.closes_us[i])),
                "max_elevation_deg": round(float(self.max_elevation_deg[i]), 2),
                "volume_mb": round(float(volumes[i]) / 1e6, 1),
                "yield": round(float(self.pass_yield[i]), 3),
            }
            for i in range(len(self))
        ]

    def __str__(self) -> str:
        """A table, one line a session."""
        lines = [f"{'satellite':<16} {'site':<16} {'opens':<24} {'closes':<24} {'max °':>6} {'MB':>8} {'yield':>6}"]
        lines += [
            f"{row['satellite']:<16} {row['site']:<16} {row['opens']:<24} {row['closes']:<24} "
            f"{row['max_elevation_deg']:>6.1f} {row['volume_mb']:>8.1f} {row['yield']:>6.3f}"
            for row in self.rows()
        ]
        return "\n".join(lines)

    def save(self, path: Path) -> None:
        """Write the plan as ``.npz``, whole or not at all."""
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **{field.name: np.asarray(getattr(self, field.name)) for field in fields(self)})  # type: ignore[arg-type]
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> ContactPlan:
        """The plan that :meth:`save` wrote.

        Raises:
            InputError: if it is not there or not a plan.
        """
        try:
            with np.load(path) as stored:
                columns: dict[str, Any] = {field.name: stored[field.name] for field in fields(cls)}
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise InputError(f"this is no contact plan: {error}", where=path) from None
        for name in ("satellite_names", "site_names"):
            columns[name] = tuple(columns[name].tolist())
        return cls(**{**columns, "uplink_mbps": float(columns["uplink_mbps"])})


def plan_contacts(
    ephemeris: Ephemeris,
    sites: Sites,
    contacts: ContactTable,
    satellite_names: Sequence[str],
    link: LinkProfile,
    *,
    antennas: int = 1,
    seed: int = 0,
    outages: Sequence[Outage] = (),
    policy: AntennaPolicy | None = None,
) -> ContactPlan:
    """Hand out antennas and apply the link; ``seed`` draws the yield of each pass.

    ``policy`` hands them out in place of :func:`assign_antennas`, from what outages leave of the contacts.
    """
    remaining = without_outages(contacts, sites, outages)
    if policy is None:
        rows, calls = assign_antennas(remaining, len(satellite_names), len(sites), antennas)
        closes = remaining.set_us[rows]
    else:
        rows, calls, closes = policy(remaining)
        order = np.lexsort((remaining.satellite[rows], calls))
        rows, calls, closes = rows[order], calls[order], closes[order]
    chosen = remaining.take(rows)
    # The fortune of a pass hangs on its own rise, whoever has an antenna for how long.
    opens = calls + round(link.acquisition_s * SECOND)
    yields = np.array(
        [
            # By the minute, so that a better ephemeris, a millisecond off, does not draw another fortune.
            link.pass_yield(seed, satellite_names[satellite], sites.names[site], round(int(rise) / MINUTE) * MINUTE)
            for satellite, site, rise in zip(chosen.satellite, chosen.site, chosen.rise_us, strict=True)
        ],
        float,
    )
    chosen = replace(chosen, set_us=closes)
    offsets, times, delivered, repeated = _curves(ephemeris, sites, chosen, opens, link, yields)
    return ContactPlan(
        tuple(satellite_names),
        sites.names,
        chosen.satellite,
        chosen.site,
        calls,
        opens,
        chosen.set_us,
        chosen.max_elevation_deg,
        yields,
        repeated,
        link.uplink_mbps,
        offsets,
        times,
        delivered,
    )


def without_outages(contacts: ContactTable, sites: Sites, outages: Sequence[Outage]) -> ContactTable:
    """The contacts less those parts in which their site is silent; of a part cut in two the longer stays."""
    rise, set_ = contacts.rise_us.copy(), contacts.set_us.copy()
    for outage in outages:
        hit = (contacts.site == sites.names.index(outage.site)) & (rise < outage.end) & (set_ > outage.start)
        before, after = outage.start - rise, set_ - outage.end
        keep_before = hit & (before >= after)
        set_[keep_before] = np.maximum(outage.start, rise[keep_before])
        keep_after = hit & ~keep_before
        rise[keep_after] = np.minimum(outage.end, set_[keep_after])
    cut = replace(contacts, rise_us=rise, set_us=set_)
    return cut.take(set_ - rise >= MINIMUM_SESSION_S * SECOND)


def nominal_curves(
    ephemeris: Ephemeris, sites: Sites, contacts: ContactTable, link: LinkProfile
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64]]:
    """What the link would carry in each contact from its rise on, if it were a good pass: offsets, instants, bytes.

    The curve of contact i is rows ``offsets[i]`` to ``offsets[i + 1]``.  Whoever plans knows the geometry and not yet the
    fortune of a pass, so its yield is not in it.
    """
    ones = np.ones(len(contacts))
    offsets, times, delivered, _ = _curves(ephemeris, sites, contacts, contacts.rise_us, link, ones)
    return offsets, times, delivered


def assign_antennas(
    contacts: ContactTable,
    satellites: int,
    sites: int,
    antennas: int | NDArray[np.integer],
    *,
    minimum_us: int = round(MINIMUM_SESSION_S * SECOND),
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Which contacts become sessions, and from when: rows of ``contacts`` and instants, in order of (from, satellite).

    A contact whose antenna or satellite is busy at first begins late, if ``minimum_us`` of it is left.  ``antennas`` is
    how many each site has: one number, or (sites,).
    """
    free_satellite = [-FOREVER] * satellites
    free_antennas = [[-FOREVER] * int(count) for count in np.broadcast_to(antennas, sites)]
    chosen: list[tuple[int, int, int]] = []
    order = np.lexsort((contacts.satellite, contacts.rise_us - contacts.set_us, contacts.rise_us))
    columns = (contacts.satellite, contacts.site, contacts.rise_us, contacts.set_us)
    satellite, site, rise, set_ = (column.tolist() for column in columns)
    for row in order.tolist():
        antenna_times = free_antennas[site[row]]
        if not antenna_times:
            continue
        antenna = antenna_times.index(min(antenna_times))
        begin = max(rise[row], free_satellite[satellite[row]], antenna_times[antenna])
        if set_[row] - begin >= minimum_us:
            free_satellite[satellite[row]] = antenna_times[antenna] = set_[row]
            chosen.append((begin, satellite[row], row))
    chosen.sort()
    return np.array([row for _, _, row in chosen], np.intp), np.array([begin for begin, _, _ in chosen], np.int64)


def _curves(
    ephemeris: Ephemeris,
    sites: Sites,
    contacts: ContactTable,
    opens: NDArray[np.int64],
    link: LinkProfile,
    yields: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Offsets, instants, bytes and retransmitted share of the capacity curves of all sessions at once."""
    duration_s = np.maximum((contacts.set_us - opens) / SECOND, 1e-3)
    samples = np.ceil(duration_s / SAMPLE_S).astype(np.intp) + 1
    offsets = np.concatenate([[0], np.cumsum(samples)]).astype(np.intp)
    session = np.repeat(np.arange(len(contacts)), samples)
    place = np.arange(len(session)) - offsets[session]
    share = place / np.maximum(samples[session] - 1, 1)
    times = opens[session] + np.rint(share * duration_s[session] * SECOND).astype(np.int64)
    elevation, range_km = elevation_deg(ephemeris, sites, contacts.satellite[session], contacts.site[session], times)
    lost = link.frame_error_rate(link.ebn0_db(range_km, elevation))
    rate_bytes_s = link.rate_mbps(elevation) * 1e6 / 8 * yields[session]
    good = rate_bytes_s * (1 - lost)
    step_s = np.diff(times, prepend=times[:1]) / SECOND
    step_s[place == 0] = 0.0
    previous = np.concatenate([[0.0], good[:-1]])
    grown = np.cumsum((previous + good) / 2 * step_s)
    delivered = grown - grown[offsets[:-1]][session]
    sent = np.add.reduceat(rate_bytes_s * step_s, offsets[:-1]) if len(contacts) else np.empty(0)
    through = np.add.reduceat(good * step_s, offsets[:-1]) if len(contacts) else np.empty(0)
    return offsets, times, delivered, np.maximum(sent / np.maximum(through, 1e-9) - 1, 0.0)
