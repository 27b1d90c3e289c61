"""The best antenna assignment, as a mixed-integer programme, with a bound that no assignment can beat.

A binary x says whether a segment of a contact has an antenna; y marks the segments at which a session begins, and costs
what is not gained while the antenna is set up:

    maximise    sum worth(s) x(s) − sum lost(s) y(s)
    subject to  x(s) − x(previous segment of the contact) <= y(s)
                sum of y(r) over those r <= s of the contact whose shortest session reaches into s <= x(s)
                sum of x over a clique <= antennas of its site, or 1 for a satellite

The second line is the minimum up-time of unit commitment in its tight form (Rajan & Takriti 2005).  At one instant the
third is a matching of satellites and antennas, whose relaxation is whole by itself, so HiGHS rarely has to branch.

Contacts that do not compete, not even by way of others, are separate programmes.  Where most of a fleet competes, the
programme is sliced in time: in a slice, a session that comes over from the slice before is set up for nothing and as short
as it likes.  This can only gain, so the bounds of the slices add up to a bound of the whole; what the slices decided is put
together again at its true worth, and greed fills what was lost at the seams.

HiGHS is stopped by a time limit if nothing else stops it.  Pieces then fall back on what was found or on greed; what
comes out depends on the machine in that case alone, and :attr:`OptimalAssignment.struck` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from skyedge.layers.contacts.antennas import AntennaContest, Assignment, first_come
from skyedge.layers.contacts.greedy import fill, greedy, runs, sessions_of
from skyedge.layers.contacts.overlaps import Rows
from skyedge.layers.contacts.segments import Segments, components, cut

PIECE_SEGMENTS = 1_500
"""A piece with more segments is sliced."""
LEAST_SHARE_S = 1.0
"""Pieces take milliseconds as a rule."""
LARGEST_GAIN = 100.0
"""The programme's numbers are scaled so that the best segment gains this: HiGHS's tolerances are absolute."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OptimalAssignment:
    """The best assignment that was found, and what is known about how good it is.

    Args:
        assignment: at least as good as both of the simple ones.
        bound: no assignment that changes over at rises and sets of rivals is worth more.
        first_come_total: what first come, first served is worth.
        greedy_total: what greed is worth.
        pieces: programmes that were solved.
        struck: how many of them the time limit stopped.
    """

    assignment: Assignment
    bound: float
    first_come_total: float
    greedy_total: float
    pieces: int
    struck: int

    def gap(self, total: float | None = None) -> float:
        """Share of the bound that an assignment worth ``total`` (this one, if not given) may fall short of the best."""
        return 1 - (self.assignment.total if total is None else total) / self.bound if self.bound > 0 else 0.0


def optimal(
    contest: AntennaContest,
    *,
    time_limit_s: float = 10.0,
    relative_gap: float = 0.0,
    piece_segments: int = PIECE_SEGMENTS,
) -> OptimalAssignment:
    """The assignment of the greatest worth.

    Args:
        contest: who wants antennas.
        time_limit_s: for all pieces together; each gets a share in proportion to its size, and a second at least, lest
            many easy pieces starve.
        relative_gap: a piece is good enough when its bound is no further away than this share.
        piece_segments: pieces larger than this are sliced in time.
    """
    order = contest.canonical_order()
    ordered = contest.take(order)
    segments, place = cut(ordered, piece_segments)
    taken, bound, pieces, struck = _solve(ordered, segments, place, time_limit_s, relative_gap)
    first, last = runs(segments, taken)
    long_enough = segments.end_us[last] - segments.begin_us[first] >= ordered.shortest_us
    for begin, end in zip(first[~long_enough].tolist(), last[~long_enough].tolist(), strict=True):
        taken[begin : end + 1] = False  # cut in two by the edge of a slice
    found = sessions_of(contest, ordered, order, segments, fill(ordered, segments, taken))
    by_greed, by_arrival = greedy(contest), first_come(contest)
    best = max((found, by_greed, by_arrival), key=lambda assignment: assignment.total)
    return OptimalAssignment(best, max(bound, best.total), by_arrival.total, by_greed.total, pieces=pieces, struck=struck)


def _solve(
    contest: AntennaContest, segments: Segments, place: NDArray[np.int64], time_limit_s: float, relative_gap: float
) -> tuple[NDArray[np.bool_], float, int, int]:
    """What to take, (segments,), a bound, the pieces solved, and how many the time limit stopped."""
    count = len(segments)
    if not count:
        return np.zeros(0, bool), 0.0, 0, 0
    gain, lost = segment_worth(contest, segments)
    follows = ~segments.is_first
    carried = follows.copy()
    carried[1:] &= place[1:] != place[:-1]
    linked = np.flatnonzero(follows & ~carried)
    piece = components(count, segments.cliques, (linked - 1, linked))
    contested = np.zeros(count, bool)
    contested[segments.cliques.member] = True
    in_contest = np.bincount(piece, contested) > 0
    # Who has no rival anywhere has an antenna from rise to set.
    taken = ~in_contest[piece]
    taken &= np.diff(segments.offsets)[segments.contact] > 0
    whole = contest.whole_worth()
    too_short = (contest.set_us - contest.rise_us < contest.shortest_us) | (whole <= 0)
    taken &= ~too_short[segments.contact]
    alone = np.bincount(piece[taken], (gain - np.where(follows, 0.0, lost))[taken])
    bound = float(np.maximum(alone, 0.0).sum())
    active = np.flatnonzero(in_contest[piece])
    if not len(active):
        return taken, bound, 0, 0
    # Pieces are solved in order of their first segment, and the columns of a piece lie side by side.
    _, first_of, number = np.unique(piece[active], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first_of))[number]
    active = active[np.argsort(rank, kind="stable")]
    rank = np.sort(rank)
    programme = _Programme.of(contest, segments, active, carried, gain, lost)
    edges = np.searchsorted(rank, np.arange(rank[-1] + 2))
    struck = 0
    fallback: NDArray[np.bool_] | None = None
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        limit = min(time_limit_s, max(time_limit_s * (last - first) / len(active), LEAST_SHARE_S))
        chosen, piece_bound, stopped = programme.solve(first, last, limit, relative_gap)
        struck += stopped
        if chosen is None:
            fallback = fill(contest, segments, np.zeros(count, bool)) if fallback is None else fallback
            chosen = fallback[active[first:last]]
        taken[active[first:last]] = chosen
        bound += piece_bound
    return taken, bound, len(edges) - 1, struck


def segment_worth(contest: AntennaContest, segments: Segments) -> tuple[Floats, Floats]:
    """What each segment gains, and what is lost by setting up from its begin on, (segments,) each."""
    begin = contest.worth.at(segments.contact, segments.begin_us)
    end = contest.worth.at(segments.contact, segments.end_us)
    ready = contest.worth.at(segments.contact, segments.begin_us + contest.setup_us)
    return end - begin, ready - begin


@dataclass(frozen=True, eq=False)
class _Programme:
    """All pieces as one programme; column 2 s is x and column 2 s + 1 is y of segment s, rows are in order of piece."""

    cost: Floats  # (2 segments,), to be made small
    upper: Floats  # (2 segments,)
    matrix: csr_array
    limit: Floats  # (rows,)
    row_of: Rows  # (segments + 1,): rows of the segments from first to last are row_of[first] to row_of[last]
    scale: float

    @classmethod
    def of(
        cls,
        contest: AntennaContest,
        segments: Segments,
        active: Rows,
        carried: NDArray[np.bool_],
        gain: Floats,
        lost: Floats,
    ) -> _Programme:
        """The programme of the segments ``active``, numbered in that order."""
        count = len(active)
        number = np.full(len(segments), -1, np.intp)
        number[active] = np.arange(count)
        begin = segments.begin_us[active]
        free = carried[active]
        starts = np.arange(count)[~free]
        # x(s) - x(s - 1) - y(s) <= 0
        has_previous = starts[~segments.is_first[active[starts]]]
        parts = [
            (starts, 2 * starts, np.ones(len(starts))),
            (starts, 2 * starts + 1, -np.ones(len(starts))),
            (has_previous, 2 * number[active[has_previous] - 1], -np.ones(len(has_previous))),
        ]
        # sum y(r) - x(s) <= 0; a session set up at r reaches into s if s begins before the shortest one ends.
        reaches = _reach(segments, active, begin + contest.shortest_us, carried)
        spread = np.repeat(starts, reaches[starts])
        step = np.arange(len(spread)) - np.repeat(np.cumsum(reaches[starts]) - reaches[starts], reaches[starts])
        held = number[active[spread] + step]
        parts += [
            (count + held, 2 * spread + 1, np.ones(len(spread))),
            (count + np.arange(count), 2 * np.arange(count), -np.ones(count)),
        ]
        # One row a clique, which stands with its first member.
        cliques = segments.cliques
        inside = number[cliques.member]
        parts.append((2 * count + cliques.clique, 2 * inside, np.ones(len(inside))))
        home = np.full(len(cliques), count, np.intp)
        np.minimum.at(home, cliques.clique, inside)
        limit = np.concatenate([np.zeros(2 * count), cliques.capacity])
        # Put the rows in order of the piece that they belong to.
        belongs = np.concatenate([np.arange(count), np.arange(count), home])
        order = np.argsort(belongs, kind="stable")
        place = np.argsort(order)
        row, column, value = (np.concatenate(column) for column in zip(*parts, strict=True))
        matrix = csr_array(coo_array((value, (place[row], column)), shape=(len(belongs), 2 * count)))
        scale = LARGEST_GAIN / max(float(gain[active].max()), 1e-300)
        cost, upper = np.empty(2 * count), np.ones(2 * count)
        cost[0::2], cost[1::2] = -gain[active] * scale, lost[active] * scale
        ends = contest.set_us[segments.contact[active]]
        upper[1::2] = (begin + contest.shortest_us <= ends) & ~free
        row_of = np.searchsorted(belongs[order], np.arange(count + 1))
        return cls(cost, upper, matrix, limit[order], row_of, scale)

    def solve(
        self, first: int, last: int, time_limit_s: float, relative_gap: float
    ) -> tuple[NDArray[np.bool_] | None, float, bool]:
        """What to take of segments ``first`` to ``last`` (None: nothing was found), a bound, and if the limit struck."""
        columns, rows = slice(2 * first, 2 * last), slice(self.row_of[first], self.row_of[last])
        integral = np.zeros(2 * (last - first))
        integral[0::2] = 1
        result = milp(
            self.cost[columns],
            integrality=integral,
            bounds=Bounds(0, self.upper[columns]),
            constraints=LinearConstraint(self.matrix[rows][:, columns], ub=self.limit[rows]),
            options={"time_limit": time_limit_s, "mip_rel_gap": relative_gap},
        )
        bound = -result.mip_dual_bound if result.mip_dual_bound is not None else np.inf
        # Not even a relaxation in time: nothing gains more than everything.
        everything = float(-self.cost[columns][0::2].sum())
        bound = min(bound, everything) if np.isfinite(bound) else everything
        chosen = None if result.x is None else result.x[0::2] > 0.5
        return chosen, bound / self.scale, result.status != 0


def _reach(segments: Segments, active: Rows, until: NDArray[np.int64], carried: NDArray[np.bool_]) -> Rows:
    """How many segments of its contact, and of its slice, a session from each segment until ``until`` holds, (active,)."""
    span = int(segments.end_us.max() - segments.begin_us.min()) + 1
    base = segments.begin_us.min()
    key = segments.contact * span + (segments.begin_us - base)
    stop = np.searchsorted(key, segments.contact[active] * span + np.clip(until - base, 0, span - 1), side="left")
    # No further than to the next edge of a slice.
    edges = np.append(np.flatnonzero(carried | segments.is_first), len(segments))
    edge = edges[np.searchsorted(edges, active, side="right")]
    return np.asarray(np.maximum(np.minimum(stop, edge) - active, 1), np.intp)
