"""The book of what is reserved in the passes of a plan: a job that needs a pass reserves it, others see what is left.

Every session has a lane of each kind, with a curve of what it has carried up to each instant.  A reservation is a stretch
of such a curve, from so many bytes to so many; the curve turns it into a time.  Kept in bytes and not in microseconds, a
thousand small reservations fill a pass to the brim.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.contacts.jobs import Lane
from skyedge.space.plan import ContactPlan
from skyedge.time import SECOND

CRUMB = 1e-3
"""A thousandth of a byte, or of a second, forgives the rounding of sums."""


@dataclass(frozen=True)
class Reservation:
    """A stretch of a lane of a session, for a job."""

    job: str
    session: int
    lane: Lane
    low: float  # on the lane's curve, bytes or seconds
    high: float
    begin_us: int
    end_us: int

    @property
    def amount(self) -> float:
        """Bytes, or seconds of the antenna."""
        return self.high - self.low


class ReservationBook:
    """Who has reserved what in the sessions of ``plan``."""

    def __init__(self, plan: ContactPlan) -> None:
        self.plan = plan
        self._taken: dict[tuple[int, Lane], list[Reservation]] = {}

    def curve(self, session: int, lane: Lane) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Instants, and what the lane has carried up to each, (samples,) both."""
        if lane == Lane.DOWN:
            return self.plan.curve(session)
        begin = int((self.plan.calls_us if lane == Lane.ANTENNA else self.plan.opens_us)[session])
        end = int(self.plan.closes_us[session])
        a_second = 1.0 if lane == Lane.ANTENNA else self.plan.uplink_mbps * 1e6 / 8
        return np.array([begin, end], np.int64), np.array([0.0, (end - begin) / SECOND * a_second])

    def span(self, session: int, lane: Lane, release_us: int, deadline_us: int) -> tuple[float, float]:
        """The part of the lane's curve between two instants: from and to, in bytes or seconds."""
        times, carried = self.curve(session, lane)
        low, high = np.interp([release_us, deadline_us], times, carried)
        return float(low), float(high)

    def free(self, session: int, lane: Lane, low: float, high: float) -> list[tuple[float, float]]:
        """Stretches of the curve between ``low`` and ``high`` that nobody has reserved, in order."""
        stretches, at = [], low
        for taken in self._taken.get((session, lane), []):
            if taken.high <= at:
                continue
            if taken.low >= high:
                break
            if taken.low - at > CRUMB:
                stretches.append((at, taken.low))
            at = taken.high
        if high - at > CRUMB:
            stretches.append((at, high))
        return stretches

    def left(self, session: int, lane: Lane, release_us: int | None = None, deadline_us: int | None = None) -> float:
        """What can still be reserved, in all or between two instants."""
        times, _ = self.curve(session, lane)
        begin = int(times[0]) if release_us is None else release_us
        end = int(times[-1]) if deadline_us is None else deadline_us
        return sum(high - low for low, high in self.free(session, lane, *self.span(session, lane, begin, end)))

    def reserve(self, job: str, session: int, lane: Lane, low: float, high: float) -> Reservation:
        """Reserve a stretch of a lane's curve for ``job``.

        Raises:
            InputError: if there is no such stretch, or another job has some of it.
        """
        where = f"job {job}"
        if not 0 <= session < len(self.plan):
            raise InputError(f"the plan has no session {session}", where=where)
        times, carried = self.curve(session, lane)
        if not 0 <= low < high <= carried[-1] + CRUMB:
            raise InputError(f"session {session} does not carry from {low:g} to {high:g}", where=where)
        mine = self._taken.setdefault((session, lane), [])
        for other in mine:
            if other.low < high - CRUMB and low < other.high - CRUMB:
                raise InputError(f"job {other.job} has reserved some of this of session {session}", where=where)
        # Out of a flat stretch of the curve: the last instant at which low, the first at which high is reached.
        after = max(int(np.searchsorted(carried, low, side="right")), 1)
        begin = int(np.floor(_between(times, carried, after, low)))
        made = Reservation(job, session, lane, low, high, begin, self.reached(session, lane, high))
        mine.append(made)
        mine.sort(key=lambda reservation: reservation.low)
        return made

    def reached(self, session: int, lane: Lane, amount: float) -> int:
        """The first instant at which the lane has carried ``amount``."""
        times, carried = self.curve(session, lane)
        after = max(int(np.searchsorted(carried, amount - CRUMB / 2, side="left")), 1)
        return int(np.ceil(_between(times, carried, after, amount)))

    def cancel(self, job: str) -> None:
        """Give back all that ``job`` has reserved."""
        for key, taken in self._taken.items():
            self._taken[key] = [reservation for reservation in taken if reservation.job != job]

    def reservations(self) -> list[Reservation]:
        """All, in order of (begin, session, lane, low)."""
        return sorted(_flat(self._taken.values()), key=lambda r: (r.begin_us, r.session, r.lane, r.low))

    def take_over(self, other: ReservationBook) -> None:
        """Hold what ``other``, a book of the same plan, holds, and nothing else."""
        self._taken = {key: list(taken) for key, taken in other._taken.items()}

    def copy(self) -> ReservationBook:
        """Another book with the same reservations, to try something out."""
        book = ReservationBook(self.plan)
        book.take_over(self)
        return book


def _between(times: NDArray[np.int64], carried: NDArray[np.float64], after: int, amount: float) -> float:
    """The instant between samples ``after - 1`` and ``after`` at which the curve has reached ``amount``."""
    after = min(after, len(times) - 1)
    step = float(carried[after] - carried[after - 1])
    share = min(max((amount - float(carried[after - 1])) / step, 0.0), 1.0) if step > 0 else 0.0
    return float(times[after - 1] + share * (times[after] - times[after - 1]))


def _flat(lists: Iterable[list[Reservation]]) -> list[Reservation]:
    return [reservation for taken in lists for reservation in taken]
