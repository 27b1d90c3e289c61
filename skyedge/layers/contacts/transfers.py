"""Which bytes of which job go in which pass: simple orders, the optimum, and why a job misses its deadline.

A simple order takes the jobs one by one (earliest deadline first, most value a byte first, first come first served); each
takes the earliest capacity that is left between its release and its deadline, by that satellite which finishes it first,
or nothing at all if it cannot be finished.

The optimum chooses which jobs to carry and by which satellite (or, for a job that may not be split, in which session):

    maximise    sum over jobs of value × sum over options of taken(job, option)
    subject to  sum over options of taken(job, option) <= 1
                sum over the pieces of an option of share(job, piece) = taken(job, option)
                sum over jobs of amount(job) × share(job, piece) <= what is free in the piece

with sessions cut in pieces at every release and deadline inside.  Its choice is carried out by earliest deadline first,
which finishes in time whatever can be finished in time on one lane (Horn 1974; the speed of the lane may change with time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from skyedge.errors import InputError, nearest
from skyedge.layers.contacts.jobs import Lane, TransferJobs
from skyedge.layers.contacts.reservations import CRUMB, Reservation, ReservationBook
from skyedge.space.plan import ContactPlan

TransferPolicy = Literal["earliest-deadline", "value-density", "first-come", "optimal"]
Stretch = tuple[int, float, float]  # session, from, to


@dataclass(frozen=True, eq=False)
class TransferDecision:
    """What goes when, and what does not go.

    Args:
        reservations: in order of (begin, session).
        finish_us: when the last byte of each job has gone, (jobs,); -1 for a job that misses.
        misses: a sentence for each job that misses, by name.
        value: of the jobs that are carried.
        bound: no choice of jobs is worth more; NaN where nobody has counted.
        struck: the time limit stopped the search, so the answer depends on the machine.
    """

    reservations: tuple[Reservation, ...]
    finish_us: NDArray[np.int64]
    misses: Mapping[str, str]
    value: float
    bound: float = float("nan")
    struck: bool = False

    def gap(self) -> float:
        """Share of the bound that this may fall short of the best; NaN where nobody has counted."""
        return 1 - self.value / self.bound if self.bound > 0 else 0.0 * self.bound


def plan_transfers(
    jobs: TransferJobs,
    book: ReservationBook,
    policy: TransferPolicy = "earliest-deadline",
    *,
    time_limit_s: float = 10.0,
) -> TransferDecision:
    """Reserve passes for ``jobs`` in what ``book`` has left; the book holds the reservations afterwards.

    Raises:
        InputError: if there is no such policy, or a job of one of these names has reservations already.
    """
    if policy not in get_args(TransferPolicy):
        names = get_args(TransferPolicy)
        raise InputError(f"there is no policy '{policy}'", where="policy", nearest=nearest(policy, names))
    held = {reservation.job for reservation in book.reservations()}
    for name in jobs.names:
        if name in held:
            raise InputError("it has reservations already", where=f"job {name}")
    before, sessions = book.copy(), _sessions_by_satellite(book.plan)
    if policy == "optimal":
        options, bound, struck = _best_options(jobs, book, sessions, time_limit_s)
        made = _carry_out(jobs, book, options)
        simple = [before.copy() for _ in _SIMPLE]
        for tried, name in zip(simple, _SIMPLE, strict=True):
            _in_order(jobs, tried, sessions, _order(jobs, name))
        values = [_value(jobs, tried) for tried in simple]
        if max(values) > made:
            book.take_over(simple[int(np.argmax(values))])
        bound = max(bound, made, *values)
    else:
        _in_order(jobs, book, sessions, _order(jobs, policy))
        bound, struck = float("nan"), False
    return _decision(jobs, book, before, sessions, bound, struck)


_SIMPLE: tuple[TransferPolicy, ...] = ("earliest-deadline", "value-density", "first-come")


def bound_of(jobs: TransferJobs, book: ReservationBook) -> float:
    """The linear relaxation: no choice of jobs in what ``book`` has left is worth more."""
    programme = _Programme.of(jobs, book, _sessions_by_satellite(book.plan))
    return programme.solve(np.inf, integral=False)[1] if programme else 0.0


def _order(jobs: TransferJobs, policy: TransferPolicy) -> list[int]:
    """Jobs in the order in which they choose; ties go to the earlier deadline, then by name."""
    first = {
        "earliest-deadline": jobs.deadline_us,
        "value-density": -jobs.value / jobs.amount,
        "first-come": jobs.release_us,
    }[policy]
    order: list[int] = np.lexsort((np.arange(len(jobs)), jobs.deadline_us, first)).tolist()
    return order


def _sessions_by_satellite(plan: ContactPlan) -> list[list[int]]:
    """Sessions of each satellite in order of time."""
    sessions: list[list[int]] = [[] for _ in plan.satellite_names]
    for session in np.argsort(plan.opens_us, kind="stable").tolist():
        sessions[plan.satellite[session]].append(session)
    return sessions


def _in_order(jobs: TransferJobs, book: ReservationBook, sessions: list[list[int]], order: Sequence[int]) -> None:
    """Each job in turn takes the earliest that is left, all or nothing."""
    for job in order:
        lane = Lane(jobs.lane[job])
        best: tuple[int, int, list[Stretch]] | None = None
        for satellite in jobs.satellites_of(job).tolist():
            mine = sessions[satellite]
            for choice in [mine] if jobs.may_split[job] else [[session] for session in mine]:
                found = _earliest(jobs, job, book, choice)
                if found is None:
                    continue
                finish = book.reached(found[-1][0], lane, found[-1][2])
                if best is None or (finish, satellite) < best[:2]:
                    best = (finish, satellite, found)
        for session, low, high in best[2] if best else []:
            book.reserve(jobs.names[job], session, lane, low, high)


def _earliest(
    jobs: TransferJobs,
    job: int,
    book: ReservationBook,
    sessions: Sequence[int],
) -> list[Stretch] | None:
    """The earliest free stretches that carry all of a job in ``sessions``; None if they do not."""
    lane, wanted, stretches = Lane(jobs.lane[job]), float(jobs.amount[job]), list[Stretch]()
    release, deadline = int(jobs.release_us[job]), int(jobs.deadline_us[job])
    for session in sessions:
        if book.plan.closes_us[session] <= release or book.plan.calls_us[session] >= deadline:
            continue
        for low, high in book.free(session, lane, *book.span(session, lane, release, deadline)):
            part = min(high - low, wanted)
            stretches.append((session, low, low + part))
            wanted -= part
            if wanted <= CRUMB:
                return stretches
    return None


def _best_options(
    jobs: TransferJobs, book: ReservationBook, sessions: list[list[int]], time_limit_s: float
) -> tuple[list[tuple[int, list[int]]], float, bool]:
    """Jobs to carry with the sessions that may carry each, a bound, and whether the time limit struck."""
    programme = _Programme.of(jobs, book, sessions)
    if programme is None:
        return [], 0.0, False
    taken, bound, struck = programme.solve(time_limit_s, integral=True)
    return [programme.options[row] for row in np.flatnonzero(taken).tolist()], bound, struck


def _carry_out(jobs: TransferJobs, book: ReservationBook, options: list[tuple[int, list[int]]]) -> float:
    """Earliest deadline first over what was chosen; a job of one session has no later deadline than that session."""
    closes = {job: min(int(jobs.deadline_us[job]), int(book.plan.closes_us[rows].max())) for job, rows in options}
    value = 0.0
    for job, rows in sorted(options, key=lambda option: (closes[option[0]], option[0])):
        found = _earliest(jobs, job, book, rows)
        for session, low, high in found or []:
            book.reserve(jobs.names[job], session, Lane(jobs.lane[job]), low, high)
        value += float(jobs.value[job]) if found else 0.0
    return value


def _value(jobs: TransferJobs, book: ReservationBook) -> float:
    """Of the jobs that have reservations."""
    carried = {reservation.job for reservation in book.reservations()}
    return float(sum(value for name, value in zip(jobs.names, jobs.value.tolist(), strict=True) if name in carried))


@dataclass(frozen=True, eq=False)
class _Programme:
    """Columns: the options (0 or 1), then the shares of a job in a piece."""

    options: list[tuple[int, list[int]]]  # job, sessions
    cost: NDArray[np.float64]
    matrix: csr_array
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, jobs: TransferJobs, book: ReservationBook, sessions: list[list[int]]) -> _Programme | None:
        """The programme; None if no job has a pass."""
        options: list[tuple[int, list[int]]] = []
        for job in range(len(jobs)):
            for satellite in jobs.satellites_of(job).tolist():
                mine = [s for s in sessions[satellite] if _touches(jobs, job, book.plan, s)]
                options += [(job, mine)] if jobs.may_split[job] and mine else [(job, [s]) for s in mine]
        pieces = _pieces(jobs, book, options)
        first_piece, count = dict[tuple[int, int], int](), 0
        for key, found in pieces.items():
            first_piece[key] = count
            count += len(found)
        rows, columns, values = list[int](), list[int](), list[float]()
        cost = [-float(jobs.value[job]) for job, _ in options]
        for option, (job, mine) in enumerate(options):
            # Row of the job, row of the option, rows of the pieces.
            rows += [job, len(jobs) + option]
            columns += [option, option]
            values += [1.0, -1.0]
            for session in mine:
                key = (session, int(jobs.lane[job]))
                for number, (begin, end, low, high) in enumerate(pieces[key]):
                    if begin < jobs.release_us[job] or end > jobs.deadline_us[job]:
                        continue
                    share = len(cost)
                    cost.append(0.0)
                    rows += [len(jobs) + option, len(jobs) + len(options) + first_piece[key] + number]
                    columns += [share, share]
                    values += [1.0, float(jobs.amount[job]) / (high - low)]
        if not options:
            return None
        height = len(jobs) + len(options) + count
        matrix = csr_array(coo_array((values, (rows, columns)), shape=(height, len(cost))))
        least, most = np.full(height, -np.inf), np.ones(height)
        least[len(jobs) : len(jobs) + len(options)] = most[len(jobs) : len(jobs) + len(options)] = 0.0
        return cls(options, np.array(cost), matrix, least, most)

    def solve(self, time_limit_s: float, *, integral: bool) -> tuple[NDArray[np.bool_], float, bool]:
        """Options taken, a bound, and whether the time limit struck."""
        count = len(self.options)
        kinds = np.zeros(len(self.cost))
        kinds[:count] = integral
        result = milp(
            self.cost,
            integrality=kinds,
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(self.matrix, self.low, self.high),
            options={"time_limit": time_limit_s, "mip_rel_gap": 0.0},
        )
        found = result.mip_dual_bound if integral else result.fun
        everything = float(-self.cost.sum())
        bound = min(-found, everything) if found is not None and np.isfinite(found) else everything
        taken = np.zeros(count, bool) if result.x is None else result.x[:count] > 0.5
        return taken, bound, result.status != 0


def _touches(jobs: TransferJobs, job: int, plan: ContactPlan, session: int) -> bool:
    """Whether some of a session lies between the release and the deadline of a job."""
    return bool(plan.calls_us[session] < jobs.deadline_us[job] and plan.closes_us[session] > jobs.release_us[job])


def _pieces(
    jobs: TransferJobs, book: ReservationBook, options: list[tuple[int, list[int]]]
) -> dict[tuple[int, int], list[tuple[int, int, float, float]]]:
    """By session and lane, what is free in it, cut at releases and deadlines: between which instants, from and to."""
    cuts: dict[tuple[int, int], set[int]] = {}
    for job, mine in options:
        for session in mine:
            cuts.setdefault((session, int(jobs.lane[job])), set()).update(
                (int(jobs.release_us[job]), int(jobs.deadline_us[job]))
            )
    pieces: dict[tuple[int, int], list[tuple[int, int, float, float]]] = {}
    for (session, lane), inside in sorted(cuts.items()):
        times, _ = book.curve(session, Lane(lane))
        ends = sorted({int(times[0]), int(times[-1]), *(at for at in inside if times[0] < at < times[-1])})
        pieces[session, lane] = [
            (begin, end, low, high)
            for begin, end in pairwise(ends)
            for low, high in book.free(session, Lane(lane), *book.span(session, Lane(lane), begin, end))
        ]
    return pieces


def _decision(
    jobs: TransferJobs,
    book: ReservationBook,
    before: ReservationBook,
    sessions: list[list[int]],
    bound: float,
    struck: bool,
) -> TransferDecision:
    number = {name: row for row, name in enumerate(jobs.names)}
    mine = [reservation for reservation in book.reservations() if reservation.job in number]
    finish = np.full(len(jobs), -1, np.int64)
    for reservation in mine:
        row = number[reservation.job]
        finish[row] = max(int(finish[row]), reservation.end_us)
    misses = {jobs.names[job]: _why(jobs, job, book, before, sessions) for job in np.flatnonzero(finish < 0).tolist()}
    return TransferDecision(tuple(mine), finish, misses, float(jobs.value[finish >= 0].sum()), bound, struck)


def _why(jobs: TransferJobs, job: int, book: ReservationBook, before: ReservationBook, sessions: list[list[int]]) -> str:
    """Why a job misses: no pass, too little of it, no pass large enough by itself, or others that took it."""
    plan, lane = book.plan, Lane(jobs.lane[job])
    release, deadline = int(jobs.release_us[job]), int(jobs.deadline_us[job])
    asked = _written(lane, float(jobs.amount[job]))
    passes = {s: [p for p in sessions[s] if _touches(jobs, job, plan, p)] for s in jobs.satellites_of(job).tolist()}
    if not any(passes.values()):
        names = [plan.satellite_names[s] for s in passes]
        who = f"any of {len(names)} satellites" if len(names) > 3 else " or ".join(names)
        return f"no pass of {who} before its deadline"

    def most(of: ReservationBook, whole: bool) -> float:
        sums = [[of.left(p, lane, release, deadline) for p in mine] for mine in passes.values() if mine]
        return max(sum(parts) if whole else max(parts) for parts in sums)

    raw, wanted = ReservationBook(plan), float(jobs.amount[job]) - CRUMB
    if most(raw, True) < wanted:
        return f"passes before the deadline carry {_written(lane, most(raw, True))} of the {asked} asked"
    if not jobs.may_split[job] and most(raw, False) < wanted:
        return (
            f"no single pass before the deadline carries more than {_written(lane, most(raw, False))} of the {asked} asked"
        )
    whole = bool(jobs.may_split[job])
    if most(before, whole) < wanted:
        return f"earlier reservations leave {_written(lane, most(before, whole))} of the {asked} asked"
    return f"other jobs go first and leave {_written(lane, most(book, whole))} of the {asked} asked"


def _written(lane: Lane, amount: float) -> str:
    if lane == Lane.ANTENNA:
        return f"{amount:,.0f} s"
    unit, name = next((pair for pair in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if amount >= pair[0]), (1.0, "bytes"))
    return f"{amount / unit:,.3g} {name}" if amount < 1000 * unit else f"{amount / unit:,.0f} {name}"
