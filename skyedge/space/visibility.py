"""The search behind contact windows: where does a satellite cross the elevation mask of a site?

For a site with zenith z and a satellite at r from it, let

    g(t) = r . z − sin(mask) |r|,

which is positive just while the satellite stands above the mask.  Most pairs of satellite and site are nowhere near each
other most of the time, so the search narrows in steps, each over all pairs at once:

1. intervals between ephemeris nodes are kept only if a bound on the angular rate lets the satellite come into view, and
   does not keep it there all the time;
2. a kept interval is sampled eight times; a change of sign brackets an edge, and where the slope says that a peak (or a
   dip) hides between two samples of one sign it is looked for, which is how short passes are not lost;
3. Newton's method on the interpolated orbit finds each edge, and one more step with SGP4 itself polishes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.space.ephemeris import Ephemeris, quintic
from skyedge.space.frames import EARTH_ROTATION_RAD_S
from skyedge.space.sites import Sites
from skyedge.time import SECOND

SAMPLES = 8
"""Samples of an interval between two nodes, which are some minutes apart."""
_STEPS = 30
_NEAR_US = 50_000.0
_THERE_US = 2_000.0
_POLISHES = 3
# The zenith is up to 0.2° off the radius of the Earth, and the radius changes with it; oblateness pulls radii by 0.5 %.
_SLACK_RAD = np.radians(0.3)
_SLACK_RADIUS = 0.005

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Pairs:
    """A view of satellites from sites: which, and the mask between them, columns of one length."""

    ephemeris: Ephemeris
    sites: Sites
    satellite: Rows
    site: Rows
    sine: float

    def take(self, rows: Rows) -> Pairs:
        """The rows chosen."""
        return Pairs(self.ephemeris, self.sites, self.satellite[rows], self.site[rows], self.sine)

    def height(self, times_us: Floats) -> Floats:
        """g at one time a pair, km."""
        away = self.ephemeris.at(self.satellite, times_us) - self.sites.positions_km()[self.site]
        up = np.einsum("ni,ni->n", away, self.sites.zeniths()[self.site])
        return np.asarray(up - self.sine * np.sqrt(np.einsum("ni,ni->n", away, away)))

    def height_and_slope(self, times_us: Floats, *, exactly: bool = False) -> tuple[Floats, Floats]:
        """g in km and its rate in km/s, by interpolation or by SGP4 itself."""
        state = self.ephemeris.exactly_at if exactly else self.ephemeris.state_at
        position, velocity = state(self.satellite, times_us)
        zenith = self.sites.zeniths()[self.site]
        away = position - self.sites.positions_km()[self.site]
        range_km = np.sqrt(np.einsum("ni,ni->n", away, away))
        g = np.einsum("ni,ni->n", away, zenith) - self.sine * range_km
        slope = np.einsum("ni,ni->n", velocity, zenith) - self.sine * np.einsum("ni,ni->n", away, velocity) / range_km
        return g, slope


@dataclass(frozen=True, eq=False)
class Edges:
    """Crossings of the mask in order of (satellite, site, time): rises and sets by turns, open ends included."""

    satellite: Rows
    site: Rows
    at_us: Floats


def find_edges(ephemeris: Ephemeris, sites: Sites, satellites: Rows, mask_deg: float) -> Edges:
    """All crossings of ``mask_deg`` by ``satellites``, whose nodes are one spacing apart.

    Who is in view at the first or last node has an edge there.
    """
    spacing_us = float(ephemeris.spacing_us[satellites[0]])
    satellite, site, node = intervals_to_search(ephemeris, sites, satellites, mask_deg)
    pairs = Pairs(ephemeris, sites, satellite, site, float(np.sin(np.radians(mask_deg))))
    g: Floats = _sampled(pairs, node, spacing_us / SECOND)
    step_us = spacing_us / SAMPLES
    first_us = np.asarray(ephemeris.start + node * spacing_us, np.float64)
    above = g > 0
    row, sample = np.nonzero(above[:, :-1] != above[:, 1:])
    low = first_us[row] + sample * step_us
    guess = low + _cubic_root(g, row, sample) * step_us
    found = [_newton(pairs.take(row), low, low + step_us, g[row, sample], guess)]
    rows = [row]
    # Only an interval that comes near the mask, for the bend of its curve, can hide a peak or a dip.
    close = np.flatnonzero(np.abs(g).min(axis=1) <= np.abs(_second_differences(g)).max(axis=1))
    for sign in (1.0, -1.0):
        hidden, before, top, after = _hidden_peaks(
            pairs.take(close), np.multiply(sign, g[close]), first_us[close], step_us, sign
        )
        if len(hidden):
            hidden = close[hidden]
            there = pairs.take(hidden)
            for low, high in ((before, top), (top, after)):
                at_low, at_high = there.height(low), there.height(high)
                guess = low + (high - low) * at_low / np.where(at_low == at_high, 1.0, at_low - at_high)
                found.append(_newton(there, low, high, at_low, guess))
            rows += [hidden, hidden]
    edge_rows, time = np.concatenate(rows), np.concatenate(found)
    time = _polished(pairs.take(edge_rows), time)
    last = int(ephemeris.nodes[satellites[0]]) - 2
    for end, column in ((0, 0), (last, SAMPLES)):
        open_rows = np.flatnonzero((node == end) & above[:, column])
        edge_rows = np.concatenate([edge_rows, open_rows])
        time = np.concatenate([time, first_us[open_rows] + column * step_us])
    order = np.lexsort((time, site[edge_rows], satellite[edge_rows]))
    return Edges(satellite[edge_rows][order], site[edge_rows][order], time[order])


def intervals_to_search(ephemeris: Ephemeris, sites: Sites, satellites: Rows, mask_deg: float) -> tuple[Rows, Rows, Rows]:
    """Satellite, site and node of the first and last intervals, and of those in which the satellite may cross the mask.

    A satellite at radius r stands above the mask m of a site at radius R only within the central angle
    acos(R cos m / r) − m of it, and turns about the Earth's centre by at most h / r² plus the Earth's own rate, with h
    the angular momentum.  So it comes into view between two nodes only if the sum of its central angles at both is at
    most twice the one plus what it can turn; and it stays in view if the sum plus what it can turn is less than twice
    the one, at its lowest.
    """
    nodes = int(ephemeris.nodes[satellites[0]])
    states = ephemeris.states[satellites, :nodes]
    position, velocity = states[..., 0, :], states[..., 1, :]
    radius = np.sqrt(np.einsum("sni,sni->sn", position, position))
    outward = np.einsum("sni,sni->sn", position, velocity)
    # The turning frame moves velocities by at most the Earth's rate, which the bound adds again.
    momentum = radius * np.sqrt(np.einsum("sni,sni->sn", velocity, velocity)) + EARTH_ROTATION_RAD_S * radius**2
    spacing_s = float(ephemeris.spacing_us[satellites[0]]) / SECOND
    ends = radius[:, :-1], radius[:, 1:]
    perigee_inside = (outward[:, :-1] < 0) & (outward[:, 1:] > 0)
    apogee_inside = (outward[:, :-1] > 0) & (outward[:, 1:] < 0)
    lowest = np.where(perigee_inside, radius.min(axis=1, keepdims=True), np.minimum(*ends)) * (1 - _SLACK_RADIUS)
    highest = np.where(apogee_inside, radius.max(axis=1, keepdims=True), np.maximum(*ends)) * (1 + _SLACK_RADIUS)
    turn = (np.maximum(momentum[:, :-1], momentum[:, 1:]) / lowest**2 + EARTH_ROTATION_RAD_S) * spacing_s
    place = sites.positions_km()
    place_radius = np.linalg.norm(place, axis=1)
    mask = np.radians(mask_deg)
    widest = np.arccos(np.minimum(place_radius.min() * np.cos(mask) / highest, 1.0)) - mask + _SLACK_RAD
    narrowest = np.arccos(np.minimum(place_radius.max() * np.cos(mask) / lowest, 1.0)) - mask - _SLACK_RAD
    cosine = (position / radius[..., None]) @ (place / place_radius[:, None]).T  # (satellites, nodes, sites)
    nearer = np.maximum(cosine[:, :-1], cosine[:, 1:]) >= np.cos(np.minimum(widest + turn / 2, np.pi))[..., None]
    number, node, site = np.unravel_index(np.flatnonzero(nearer), nearer.shape)
    before = (number * nodes + node) * len(sites) + site
    angles = np.arccos(np.clip(cosine.reshape(-1)[np.stack([before, before + len(sites)])], -1, 1))
    both, may_turn = angles[0] + angles[1], turn[number, node]
    enters = both <= 2 * widest[number, node] + may_turn
    stays = both + may_turn < 2 * narrowest[number, node]
    kept = enters & ~(stays & (node > 0) & (node < nodes - 2))
    return satellites[number[kept]], site[kept], node[kept]


def _sampled(pairs: Pairs, node: Rows, spacing_s: float) -> Floats:
    """g at the ends and between, (intervals, samples + 1); at a node it is the same number from both sides."""
    before, after = (pairs.ephemeris.states_at_nodes(pairs.satellite, end) for end in (node, node + 1))
    coefficients = np.stack(quintic(before, after, spacing_s)).reshape(6, -1)
    powers = (np.arange(SAMPLES + 1) / SAMPLES)[:, None] ** np.arange(6)
    position = (powers @ coefficients).reshape(SAMPLES + 1, 3, -1)
    position[0], position[-1] = before[0], after[0]
    zenith, place = pairs.sites.zeniths().T[:, pairs.site], pairs.sites.positions_km().T[:, pairs.site]
    position -= place
    x, y, z = position[:, 0], position[:, 1], position[:, 2]
    up = x * zenith[0] + y * zenith[1] + z * zenith[2]
    return np.ascontiguousarray((up - pairs.sine * np.sqrt(x * x + y * y + z * z)).T)


def _second_differences(g: Floats) -> Floats:
    return np.asarray(g[:, :-2] - 2 * g[:, 1:-1] + g[:, 2:])


def _hidden_peaks(
    pairs: Pairs, g: Floats, first_us: Floats, step_us: float, sign: float
) -> tuple[Rows, Floats, Floats, Floats]:
    """Intervals in which ``g`` (already signed) rises above zero between two samples below: row, before, top, after.

    Only next to a sample that is higher than its neighbours can such a peak lie; the slopes there say on which side,
    and the tangents bound how high it can be.  A parabola rises above its highest sample by at most an eighth of its
    second difference; samples that the whole of that does not lift above zero are passed over.
    """
    count = g.shape[1]
    padded = np.pad(g, ((0, 0), (1, 1)), constant_values=-np.inf)
    bend = np.pad(np.abs(_second_differences(g)), ((0, 0), (1, 1)), mode="edge")
    row, sample = np.nonzero((g <= 0) & (g > -bend) & (g >= padded[:, :-2]) & (g >= padded[:, 2:]))
    # A peak that a neighbour has already lifted above zero is bracketed by a change of sign.
    near = np.maximum(padded[row, sample], padded[row, sample + 2]) <= 0
    row, sample = row[near], sample[near]
    at = first_us[row] + sample * step_us
    chosen = pairs.take(row)
    slope = sign * chosen.height_and_slope(at)[1] * (step_us / SECOND)
    sample = np.where(slope > 0, sample, sample - 1)
    inside = (sample >= 0) & (sample < count - 1) & (g[row, sample + (slope <= 0)] + np.abs(slope) > 0)
    row, sample = row[inside], sample[inside]
    if not len(row):
        empty = np.empty(0)
        return row, empty, empty, empty
    low = first_us[row] + sample * step_us
    chosen = pairs.take(row)
    top = summit(lambda rows, time: sign * chosen.take(rows).height_and_slope(time)[1], low, low + step_us)
    real = sign * chosen.height(top) > 0
    real &= (g[row, sample] <= 0) & (g[row, sample + 1] <= 0)
    return row[real], low[real], top[real], low[real] + step_us


def _cubic_root(g: Floats, row: Rows, sample: Rows) -> Floats:
    """Where the cubic through four samples crosses zero between ``sample`` and the next, as a share of the step."""
    first = np.clip(sample - 1, 0, g.shape[1] - 4)
    y = [g[row, first + number] for number in range(4)]
    d1, d2, d3 = y[1] - y[0], y[2] - 2 * y[1] + y[0], y[3] - 3 * y[2] + 3 * y[1] - y[0]
    before = sample - first
    low, high = g[row, sample], g[row, sample + 1]
    share = low / (low - high)
    for _ in range(3):
        u = before + share
        value = y[0] + u * (d1 + (u - 1) / 2 * (d2 + (u - 2) / 3 * d3))
        share = np.clip(share + value / (low - high), 0.0, 1.0)
    return np.asarray(share)


def _newton(pairs: Pairs, low: Floats, high: Floats, at_low: Floats, guess: Floats) -> Floats:
    """Roots of g between ``low`` and ``high``, where its sign differs; Newton's steps, kept inside the bracket."""
    falling, low, high, time = at_low > 0, low.copy(), high.copy(), guess
    active = np.arange(len(time))
    for _ in range(_STEPS):
        if not len(active):
            break
        now = time[active]
        g, slope = pairs.take(active).height_and_slope(now)
        beyond = (g > 0) != falling[active]  # the root lies before this time
        low[active], high[active] = np.where(beyond, low[active], now), np.where(beyond, now, high[active])
        with np.errstate(divide="ignore", invalid="ignore"):
            proposed = now - g / slope * SECOND
        inside = (proposed >= low[active]) & (proposed <= high[active])
        time[active] = np.where(inside, proposed, (low[active] + high[active]) / 2)
        # Newton's step squares the error, and another with SGP4 itself will follow.
        active = active[np.abs(time[active] - now) > _NEAR_US]
    return time


def _polished(pairs: Pairs, time_us: Floats) -> Floats:
    """One more step, on SGP4 itself, or some where the satellite comes near to grazing the mask; none of over a second."""
    time = time_us.copy()
    active = np.arange(len(time))
    for _ in range(_POLISHES):
        if not len(active):
            break
        g, slope = pairs.take(active).height_and_slope(time[active], exactly=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = g / slope * SECOND
        small = np.abs(step) < SECOND
        time[active[small]] -= step[small]
        active = active[small & (np.abs(step) > _THERE_US)]
    return time


def summit(rate: Callable[[Rows, Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Times at which ``rate``, of rows at times, falls through zero between ``low`` and ``high``.

    Regula falsi with the rule of Anderson and Björck (1973).  Where the rate does not fall through zero, the end that it
    climbs to.
    """
    low, high = low.copy(), high.copy()
    everything = np.arange(len(low))
    at_low, at_high = rate(everything, low), rate(everything, high)
    time = np.where(at_high >= 0, high, low)
    was_rising = np.zeros(len(low), np.int8)
    active = np.flatnonzero((at_low > 0) & (at_high < 0))
    for _ in range(_STEPS):
        left, right = at_low[active], at_high[active]
        now = low[active] + left / (left - right) * (high[active] - low[active])
        climb = rate(active, now)
        rising = climb > 0
        # An end that stays a second time is trusted less: as much as the other has not come down by.
        share = 1 - climb / np.where(rising, left, right)
        trust = np.where(was_rising[active] == np.where(rising, 1, -1), np.where(share > 0, share, 0.5), 1.0)
        at_low[active] = np.where(rising, climb, left * trust)
        at_high[active] = np.where(rising, right * trust, climb)
        low[active], high[active] = np.where(rising, now, low[active]), np.where(rising, high[active], now)
        was_rising[active] = np.where(rising, 1, -1)
        moved = np.abs(now - time[active])
        time[active] = now
        # Its error is a hundredth of this step or less.
        active = active[(moved > _NEAR_US) & (climb != 0)]
        if not len(active):
            break
    return time
