"""Contacts cut at every instant at which a rival rises or sets: the smallest parts for which an antenna is given.

Between two such instants nothing changes about who can talk to whom.  Contacts that nobody contests stay whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skyedge.layers.contacts.antennas import AntennaContest
from skyedge.layers.contacts.overlaps import Cliques, Ints, Rows, joined, overfull_cliques, overlapping


@dataclass(frozen=True, eq=False)
class Segments:
    """Parts of contacts in order of (contact, begin), columns of one length, and the cliques of those in contest."""

    contact: Rows
    begin_us: Ints
    end_us: Ints
    offsets: Rows  # (contacts + 1,): the parts of contact i are rows offsets[i] to offsets[i + 1]
    cliques: Cliques

    def __len__(self) -> int:
        return len(self.contact)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """Which segments begin with their contact, (segments,)."""
        first = np.zeros(len(self), bool)
        first[self.offsets[:-1]] = True
        return first


def contest_cliques(contest: AntennaContest, of: Rows, begin: Ints, end: Ints) -> Cliques:
    """Who cannot all talk at once among parts of contacts: by the antennas of each site, and one site a satellite.

    Args:
        contest: whose contacts they are.
        of: the contact of each part, (parts,).
        begin: when each part begins.
        end: when it ends.
    """
    site, satellite = contest.site[of], contest.satellite[of]
    one = np.ones(int(satellite.max()) + 1 if len(satellite) else 0, np.int64)
    return joined(
        [
            overfull_cliques(group, begin, end, capacity, overlapping(group, begin, end))
            for group, capacity in ((site, contest.antennas), (satellite, one))
        ]
    )


def cut(contest: AntennaContest, slice_above: int | None = None) -> tuple[Segments, Ints]:
    """The segments of a contest, and which slice of time each lies in, (segments,).

    Args:
        contest: the contacts.
        slice_above: a group of contacts that hang together by their contests and make more segments than this is
            sliced in time, at instants at which few of its contacts are open; a contact that is open then is cut too.
    """
    count = len(contest)
    rows = np.arange(count)
    whole = contest_cliques(contest, rows, contest.rise_us, contest.set_us)
    contact, instant = _instants_of_rivals(contest, whole)
    label = components(count, whole)
    slices = np.zeros((0, 2), np.int64)
    if slice_above is not None:
        slices = _slices(contest, label, np.bincount(contact, minlength=count) + 1, slice_above)
        for group, at in slices:
            mine = np.flatnonzero((label == group) & (contest.rise_us < at) & (contest.set_us > at))
            contact, instant = np.concatenate([contact, mine]), np.concatenate([instant, np.full(len(mine), at)])
    contact, instant = np.concatenate([contact, rows, rows]), np.concatenate([instant, contest.rise_us, contest.set_us])
    order = np.lexsort((instant, contact))
    contact, instant = contact[order], instant[order]
    new = np.ones(len(contact), bool)
    new[1:] = (contact[1:] != contact[:-1]) | (instant[1:] != instant[:-1])
    contact, instant = contact[new], instant[new]
    inner = np.flatnonzero(contact[1:] == contact[:-1])
    of, begin, end = contact[inner], instant[inner], instant[inner + 1]
    offsets = np.searchsorted(of, np.arange(count + 1)).astype(np.intp)
    # A slice is a number of its own in each group of contacts.
    place = np.zeros(len(of), np.int64)
    for group, at in slices:
        place += (label[of] == group) & (begin >= at)
    return Segments(of, begin, end, offsets, contest_cliques(contest, of, begin, end)), place


def components(count: int, cliques: Cliques, linked: tuple[Rows, Rows] | None = None) -> Rows:
    """Numbers of the groups that hang together by cliques, and by pairs ``linked``, (count,)."""
    nodes = count + len(cliques)
    left, right = cliques.member, cliques.clique + count
    if linked is not None:
        left, right = np.concatenate([left, linked[0]]), np.concatenate([right, linked[1]])
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1][:count], np.intp)


def _instants_of_rivals(contest: AntennaContest, whole: Cliques) -> tuple[Rows, Ints]:
    """Pairs of a contact and an instant inside it at which a rival rises or sets."""
    contested = np.zeros(len(contest), bool)
    contested[whole.member] = True
    contact: list[Rows] = []
    instant: list[Ints] = []
    for group in (contest.site, contest.satellite):
        first, second = overlapping(group, contest.rise_us, contest.set_us)
        both = contested[first] & contested[second]
        for one, other in ((first[both], second[both]), (second[both], first[both])):
            for at in (contest.rise_us[other], contest.set_us[other]):
                inside = (at > contest.rise_us[one]) & (at < contest.set_us[one])
                contact.append(one[inside])
                instant.append(at[inside])
    of, at = np.concatenate(contact), np.concatenate(instant)
    order = np.lexsort((at, of))
    of, at = of[order], at[order]
    new = np.ones(len(of), bool)
    new[1:] = (of[1:] != of[:-1]) | (at[1:] != at[:-1])
    return of[new], at[new]


def _slices(contest: AntennaContest, label: Rows, parts: Rows, above: int) -> NDArray[np.int64]:
    """Pairs of (group, instant) at which the large groups are sliced, in that order."""
    found: list[tuple[int, int]] = []
    sizes = np.bincount(label, weights=parts)
    for group in np.flatnonzero(sizes > above):
        mine = np.flatnonzero(label == group)
        mine = mine[np.argsort(contest.rise_us[mine], kind="stable")]
        rise, sets = contest.rise_us[mine], np.sort(contest.set_us[mine])
        grown = np.cumsum(parts[mine])
        number = int(-(-sizes[group] // above))
        for k in range(1, number):
            low, high = np.searchsorted(grown, sizes[group] * (np.array([-0.25, 0.25]) + k) / number)
            candidates = np.arange(max(low, 1), max(high, max(low, 1) + 1))
            candidates = candidates[candidates < len(rise)]
            if not len(candidates):
                continue
            # Open just after an instant: those that have risen less those that have set.
            open_then = candidates - np.searchsorted(sets, rise[candidates], side="right")
            at = int(rise[candidates[np.argmin(open_then)]])
            if at > rise[0] and (not found or found[-1] != (int(group), at)):
                found.append((int(group), at))
    return np.array(sorted(set(found)), np.int64).reshape(-1, 2)
