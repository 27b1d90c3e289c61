"""Seats by Webster's method, for many parliaments at once.

Replicas go to clusters as seats go to parties.  Webster (1832) and Sainte-Laguë (1910) give one seat at a time to the
party with the most votes / (2 x seats + 1).  Unlike the largest remainder, one more seat never costs anybody a seat, so
scaling a workload up moves no replica that runs.

One at a time is slow: 10,000 workloads of a thousand replicas are ten million turns.  But the order of all the seats ever
given is fixed beforehand: by that quotient, then by the stated rule for ties.  So a divisor is guessed at which nearly all
are given away, all that lie clearly above it are given at once, and the few that remain are given in rounds.  The guess
decides only how many rounds there are, never who gets a seat: the outcome is that of one seat at a time, to the last tie.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Figures = NDArray[np.float64]

GUESSES = 3
"""Divisors tried before the rest is given in rounds; a better guess costs as much as the round that it saves."""

ELEMENTS_AT_ONCE = 1 << 17
"""Workloads x clusters in one go: what stays in a core's cache."""


MOST_VOTES = 1 << 61
"""Votes x parties up to which a vote and a place fit into one number."""


class TieBreak(Enum):
    """Who of parties with the same quotient is first."""

    FEWER_SEATS_THEN_NAME = "fewer_seats_then_name"
    NAME = "name"


def webster_seats(
    new_seats: Counts,
    votes: Counts,
    held: Counts | None = None,
    members: Flags | None = None,
    descending: Flags | None = None,
    tie_break: TieBreak = TieBreak.FEWER_SEATS_THEN_NAME,
) -> Counts:
    """Seats of each party after ``new_seats`` have been given, (rows, parties); columns are in the order of names.

    Args:
        new_seats: to give in each row, (rows,).
        votes: not negative, under 2^53, (rows, parties).  Where all are zero, all members count as equal.
        held: seats that count as given already, (rows, parties); none if left out.
        members: who takes part, (rows, parties); all if left out.  Others keep what they hold.
            A row without members gives nothing away.
        descending: in which rows ties of name go to the last name, (rows,); in none if left out.
        tie_break: who is first among equals.

    Raises:
        InputError: if a number of seats or votes is negative.
    """
    if min(new_seats.min(initial=0), votes.min(initial=0), 0 if held is None else held.min(initial=0)) < 0:
        raise InputError("seats and votes are never negative")
    rows, parties = votes.shape
    seats = np.zeros((rows, parties), np.int64) if held is None else held.astype(np.int64, copy=True)
    if not parties:
        return seats
    step = max(1, ELEMENTS_AT_ONCE // parties)
    turns = np.minimum(new_seats, parties if members is None else members.sum(axis=1))
    # Rows with as many winners at most lie together; who holds seats already may stand behind parties with fewer votes.
    alone = held is None and int(votes.max(initial=0)) < MOST_VOTES // parties
    order = np.argsort(turns, kind="stable")
    for start in range(0, rows, step):
        here = order[start : start + step]
        most = int(turns[here[-1]])
        if not most:
            continue
        mine = np.ones((len(here), parties), np.bool_) if members is None else members[here]
        ranks = _ranks(parties, None if descending is None else descending[here], len(here))
        to_give = np.where(mine.any(axis=1), new_seats[here], 0)
        weights = _weights(votes[here], mine, ranks, tie_break)
        if alone and most <= parties // 2:
            first = _foremost(weights, ranks, most)
            ranks = _ranks(most, None if descending is None else descending[here], len(here))
            some = np.zeros(first.shape, np.int64)
            _give(some, to_give, np.take_along_axis(weights, first, 1), ranks, tie_break)
            seats[here[:, None], first] = some
        else:
            given = seats[here]
            _give(given, to_give, weights, ranks, tie_break)
            seats[here] = given
    return seats


def webster(
    new_seats: int,
    votes: Mapping[str, int],
    held: Mapping[str, int] | None = None,
    tie_break: TieBreak = TieBreak.FEWER_SEATS_THEN_NAME,
    descending: bool = False,
) -> dict[str, int]:
    """Seats of each party by name; who only holds seats has no votes, but a place.

    Raises:
        InputError: if a number of seats or votes is negative.
    """
    held = held or {}
    names = sorted({*votes, *held})
    seats = webster_seats(
        np.array([new_seats], np.int64),
        np.array([[votes.get(name, 0) for name in names]], np.int64),
        np.array([[held.get(name, 0) for name in names]], np.int64),
        descending=np.array([descending]),
        tie_break=tie_break,
    )
    return dict(zip(names, seats[0].tolist(), strict=True))


def _weights(votes: Counts, members: Flags, ranks: Counts, tie_break: TieBreak) -> Figures:
    """Votes of members, and less than none of the others, so that these never get a turn."""
    weights: Figures = np.where(members, votes, -1).astype(np.float64)
    silent = np.flatnonzero(weights.max(axis=1, initial=-1) == 0)
    if len(silent):
        # With quotients all zero, only the rule for ties speaks: in turn, which is what equal votes do, or the first always.
        mine = members[silent]
        if tie_break is TieBreak.NAME:
            ranked = np.where(mine, ranks[silent], ranks.shape[1])
            mine = ranked == ranked.min(axis=1, keepdims=True)
        weights[silent] = np.where(mine, 1.0, -1.0)
    return weights


def _ranks(parties: int, descending: Flags | None, rows: int) -> Counts:
    """Places by name, from the last one where ties descend, (rows, parties)."""
    ranks = np.broadcast_to(np.arange(parties, dtype=np.int64), (rows, parties))
    return ranks if descending is None else np.where(descending[:, None], parties - 1 - ranks, ranks)


def _foremost(weights: Figures, ranks: Counts, most: int) -> NDArray[np.intp]:
    """The columns of the ``most`` parties that come first, in order, (rows, most); no other of so many seats gets one."""
    parties = weights.shape[1]
    key = weights.astype(np.int64) * parties + (parties - 1 - ranks)
    first = np.argpartition(key, parties - most, axis=1)[:, parties - most :]
    first.sort(axis=1)
    return first


def _give(seats: Counts, to_give: Counts, weights: Figures, ranks: Counts, tie_break: TieBreak) -> None:
    """Give seats away, in place."""
    left = to_give - _give_the_clear(seats, to_give, weights)
    rows = np.flatnonzero(left > 0)
    while len(rows):
        odd, mine = 2.0 * seats[rows] + 1.0, weights[rows]
        after_next = (mine / (odd + 2.0)).max(axis=1, keepdims=True)
        # Whoever stands above every second turn has a first turn before anybody has a second one.
        turns = mine / odd
        turns[turns <= after_next] = -np.inf
        winners = _first(turns, left[rows], seats[rows], ranks[rows], tie_break)
        seats[rows] += winners
        left[rows] -= winners.sum(axis=1)
        rows = rows[left[rows] > 0]


def _give_the_clear(seats: Counts, to_give: Counts, weights: Figures) -> Counts:
    """Give, in place, those seats that come before all others, as many as a guess can tell; how many those were, (rows,)."""
    positive = np.maximum(weights, 0.0)
    votes, held = positive.sum(axis=1), seats.sum(axis=1)
    # A party has as many seats as its quotients reach a divisor, votes / (2 k + 1) >= divisor: about votes / (2 divisor).
    per_vote = (to_give + held) / np.maximum(votes, 1.0)
    # Rounding gives no party more than half a seat too many, so this is never too much for those that start without any.
    safe = (to_give - (positive > 0).sum(axis=1) / 2) / np.maximum(votes, 1.0)
    best_per_vote = np.where(held == 0, np.maximum(safe, 0.0), 0.0)
    for _ in range(GUESSES):
        guess = _at(per_vote, positive, seats)
        short = to_give + held - guess.sum(axis=1)
        best_per_vote = np.where(short >= 0, np.maximum(best_per_vote, per_vote), best_per_vote)
        # Newton's step, by those parties alone that get more than they hold; too few rather than too many.
        moving = votes if not held.any() else np.where(guess > seats, positive, 0.0).sum(axis=1)
        step = (short - np.sqrt(np.abs(short)) / 2) / np.maximum(moving, 1.0)
        per_vote = np.clip(per_vote + step, per_vote / 2, per_vote * 2)
    guess = _at(best_per_vote, positive, seats)
    best_left = (positive / (2.0 * guess + 1.0)).max(axis=1, keepdims=True)
    # The divisor is only about right: what does not lie strictly before all that is left is not clear.
    guess -= (guess > seats) & (positive / np.maximum(2.0 * guess - 1.0, 1.0) <= best_left)
    given: Counts = guess.sum(axis=1) - held
    clear = (given > 0) & (given <= to_give)
    seats[clear] = guess[clear]
    return np.where(clear, given, 0)


def _at(per_vote: Figures, positive: Figures, seats: Counts) -> Counts:
    guess = positive * per_vote[:, None]
    guess += 0.5
    rounded: Counts = guess.astype(np.int64)
    return np.maximum(rounded, seats, out=rounded)


def _first(turns: Figures, at_most: Counts, seats: Counts, ranks: Counts, tie_break: TieBreak) -> Flags:
    """The first ``at_most`` of each row by quotient and then by the rule for ties; those at minus infinity never."""
    bar = _nth_smallest(-turns, np.minimum(at_most, turns.shape[1]))
    first = (turns >= -bar) & np.isfinite(turns)
    tied = np.flatnonzero(first.sum(axis=1) > at_most)
    if len(tied):
        mine = turns[tied]
        above = mine > -bar[tied]
        keys = ranks[tied] + (seats[tied] * turns.shape[1] if tie_break is TieBreak.FEWER_SEATS_THEN_NAME else 0)
        keys[mine != -bar[tied]] = np.iinfo(np.int64).max
        first[tied] = above | (keys <= _nth_smallest(keys, at_most[tied] - above.sum(axis=1)))
    return first


def _nth_smallest(table: NDArray[Any], nth: Counts) -> NDArray[Any]:
    """The ``nth`` smallest figure of each row, counted from 1, (rows, 1)."""
    most = int(nth.max())
    smallest = np.partition(table, most - 1, axis=1)[:, :most]
    smallest.sort(axis=1)
    return smallest[np.arange(len(table)), nth - 1][:, None]
