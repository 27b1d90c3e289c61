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

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Figures = NDArray[np.float64]

GUESSES = 4
"""Divisors tried before the rest is given in rounds; a better guess costs as much as the round that it saves."""

ELEMENTS_AT_ONCE = 1 << 17
"""Workloads x clusters in one go: what stays in a core's cache."""


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
    rank = np.arange(parties, dtype=np.int64)
    for start in range(0, rows, step):
        here = slice(start, start + step)
        mine = np.ones((len(seats[here]), parties), np.bool_) if members is None else members[here]
        ranks = np.broadcast_to(rank, mine.shape)
        if descending is not None:
            ranks = np.where(descending[here, None], parties - 1 - ranks, ranks)
        to_give = np.where(mine.any(axis=1), new_seats[here], 0)
        _give(seats[here], to_give, _weights(votes[here], mine, ranks, tie_break), ranks, tie_break)
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


def _give(seats: Counts, to_give: Counts, weights: Figures, ranks: Counts, tie_break: TieBreak) -> None:
    """Give seats away, in place."""
    left = to_give - _give_the_clear(seats, to_give, weights)
    rows = np.flatnonzero(left > 0)
    while len(rows):
        taken = seats[rows]
        next_ones = weights[rows] / (2 * taken + 1)
        after_next = (weights[rows] / (2 * taken + 3)).max(axis=1, keepdims=True)
        # Whoever stands above every second turn has a first turn before anybody has a second one.
        turns = np.where(next_ones > after_next, next_ones, -np.inf)
        winners = _first(turns, left[rows], taken, ranks[rows], tie_break)
        seats[rows] += winners
        left[rows] -= winners.sum(axis=1)
        rows = rows[left[rows] > 0]


def _give_the_clear(seats: Counts, to_give: Counts, weights: Figures) -> Counts:
    """Give, in place, those seats that come before all others, as many as a guess can tell; how many those were, (rows,)."""
    held = seats.copy()
    positive = np.maximum(weights, 0.0)
    whole = positive.sum(axis=1)
    wanted = to_give + held.sum(axis=1)
    divisor = np.maximum(whole / np.maximum(2 * wanted, 1), np.finfo(np.float64).tiny)
    given = np.zeros(len(seats), np.int64)
    for _ in range(GUESSES):
        # A party has as many seats as its quotients reach the divisor: votes / (2 k + 1) >= divisor.
        guess = np.maximum(held, ((positive / divisor[:, None] + 1.0) * 0.5).astype(np.int64))
        best_left = (positive / (2 * guess + 1)).max(axis=1, keepdims=True)
        # The divisor is only about right: what does not lie strictly before all that is left is not clear.
        guess -= (guess > held) & (positive / np.maximum(2 * guess - 1, 1) <= best_left)
        total = guess.sum(axis=1) - held.sum(axis=1)
        better = (total <= to_give) & (total > given)
        seats[better] = guess[better]
        given[better] = total[better]
        # Newton's step on the number of seats, by those parties alone that get any.
        moving = np.where(guess > held, positive, 0.0).sum(axis=1)
        moving = np.where(moving > 0, moving, whole)
        divisor = divisor * np.exp(np.clip(2 * divisor * (total - to_give) / np.maximum(moving, 1e-300), -1.0, 1.0))
        divisor = np.maximum(divisor, np.finfo(np.float64).tiny)
    return given


def _first(turns: Figures, at_most: Counts, seats: Counts, ranks: Counts, tie_break: TieBreak) -> Flags:
    """The first ``at_most`` of each row by quotient and then by the rule for ties; those at minus infinity never."""
    open_turns = np.isfinite(turns)
    many = open_turns.sum(axis=1)
    first = open_turns.copy()
    short = np.flatnonzero(many > at_most)
    if not len(short):
        return first
    ordered = np.sort(turns[short], axis=1)
    bar = ordered[np.arange(len(short)), turns.shape[1] - at_most[short]][:, None]
    above = turns[short] > bar
    equal = turns[short] == bar
    keys = ranks[short] + (seats[short] * turns.shape[1] if tie_break is TieBreak.FEWER_SEATS_THEN_NAME else 0)
    keys = np.where(equal, keys, np.iinfo(np.int64).max)
    still = at_most[short] - above.sum(axis=1)
    last = np.sort(keys, axis=1)[np.arange(len(short)), still - 1][:, None]
    first[short] = above | (equal & (keys <= last))
    return first
