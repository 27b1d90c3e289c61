"""Antennas by greed: what gains most in a second of antenna time goes first, and takes what is left of its contact.

Quick, never better than the optimum, and what is fallen back on where the optimum is not found in time.  Ties go to the
contact that rises, then sets first, then to the satellite and the site of the lower number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.contacts.antennas import AntennaContest, Assignment
from skyedge.layers.contacts.segments import Segments, cut


def greedy(contest: AntennaContest) -> Assignment:
    """Sessions by value density."""
    order = contest.canonical_order()
    ordered = contest.take(order)
    segments, _ = cut(ordered)
    taken = fill(ordered, segments, np.zeros(len(segments), bool))
    return sessions_of(contest, ordered, order, segments, taken)


def fill(contest: AntennaContest, segments: Segments, taken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``taken`` (segments,) and what can still be taken, by falling value density; sessions that are there grow first."""
    cliques = segments.cliques
    left = (cliques.capacity - np.bincount(cliques.clique[taken[cliques.member]], minlength=len(cliques))).tolist()
    by_member = np.argsort(cliques.member, kind="stable")
    stops = np.searchsorted(cliques.member[by_member], np.arange(len(segments) + 1)).tolist()
    clique_of = cliques.clique[by_member].tolist()
    begin, end, mine = segments.begin_us.tolist(), segments.end_us.tolist(), taken.tolist()
    offsets = segments.offsets.tolist()
    density = contest.whole_worth() / (contest.set_us - contest.rise_us)
    for contact in np.argsort(-density, kind="stable").tolist():
        first, last = offsets[contact], offsets[contact + 1]
        run: list[int] = []
        for segment in range(first, last + 1):
            may = segment < last and (
                mine[segment] or all(left[clique_of[p]] > 0 for p in range(stops[segment], stops[segment + 1]))
            )
            if may:
                run.append(segment)
                continue
            if run and (
                any(mine[part] for part in run)
                or (end[run[-1]] - begin[run[0]] >= contest.shortest_us and density[contact] > 0)
            ):
                for part in run:
                    if not mine[part]:
                        mine[part] = True
                        for p in range(stops[part], stops[part + 1]):
                            left[clique_of[p]] -= 1
            run = []
    return np.array(mine, bool)


def sessions_of(
    contest: AntennaContest,
    ordered: AntennaContest,
    order: NDArray[np.intp],
    segments: Segments,
    taken: NDArray[np.bool_],
) -> Assignment:
    """Runs of taken segments as sessions of ``contest``, of which ``ordered`` holds the contacts in another ``order``."""
    first, last = runs(segments, taken)
    contact, begin, end = segments.contact[first], segments.begin_us[first], segments.end_us[last]
    gains = ordered.session_worth(contact, begin, end) > 0
    return Assignment.of(contest, order[contact[gains]], begin[gains], end[gains])


def runs(segments: Segments, taken: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last segment of each longest run of taken ones within a contact, (runs,) each."""
    before, after = np.zeros(len(taken), bool), np.zeros(len(taken), bool)
    before[1:] = taken[:-1] & (segments.contact[1:] == segments.contact[:-1])
    after[:-1] = taken[1:] & (segments.contact[1:] == segments.contact[:-1])
    return np.flatnonzero(taken & ~before), np.flatnonzero(taken & ~after)
