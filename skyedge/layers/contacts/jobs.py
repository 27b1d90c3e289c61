"""Jobs that need a pass: bytes down, bytes up, or seconds of an antenna, between a release and a deadline.

Objects at the rim (:class:`TransferJob`), columns inside (:class:`TransferJobs`), in the order of their names, which is
also what breaks ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest


class Lane(IntEnum):
    """What a pass carries.  The three do not disturb one another: up and down are different bands of one antenna."""

    DOWN = 0  # bytes, along the link's curve
    UP = 1  # bytes, at the even rate of the uplink
    ANTENNA = 2  # seconds, from the station's call on: ranging, tracking, a rehearsal


@dataclass(frozen=True)
class TransferJob:
    """One job, as people write it.

    Args:
        name: unlike that of any other.
        satellites: any one of these will do, and all of the job goes by that one; any of the fleet if empty.
        lane: what it needs.
        amount: bytes, or seconds of an antenna.
        release_us: nothing of it can go sooner.
        deadline_us: all of it must have gone by then.
        value: of the whole job in time; a part of it, or one that is late, is worth nothing.
        may_split: whether several passes may carry it.
    """

    name: str
    satellites: tuple[str, ...] = ()
    lane: Lane = Lane.DOWN
    amount: float = 0.0
    release_us: int = 0
    deadline_us: int = 0
    value: float = 1.0
    may_split: bool = True


@dataclass(frozen=True, eq=False)
class TransferJobs:
    """Columns of jobs in the order of their names; satellites of job i are ``satellite[offsets[i]:offsets[i + 1]]``."""

    names: tuple[str, ...]
    offsets: NDArray[np.intp]
    satellite: NDArray[np.intp]
    lane: NDArray[np.int8]
    amount: NDArray[np.float64]
    release_us: NDArray[np.int64]
    deadline_us: NDArray[np.int64]
    value: NDArray[np.float64]
    may_split: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.names)

    def satellites_of(self, job: int) -> NDArray[np.intp]:
        """Satellites of which any will do."""
        return self.satellite[self.offsets[job] : self.offsets[job + 1]]

    @classmethod
    def of(cls, jobs: Sequence[TransferJob], satellite_names: Sequence[str]) -> TransferJobs:
        """Columns of ``jobs``, of a fleet of ``satellite_names``.

        Raises:
            InputError: for two jobs of one name, an unknown satellite, or figures that make no sense.
        """
        number = {name: row for row, name in enumerate(satellite_names)}
        seen: set[str] = set()
        for job in jobs:
            where = f"job {job.name}"
            if job.name in seen:
                raise InputError("another job has this name", where=where)
            seen.add(job.name)
            for name in job.satellites:
                if name not in number:
                    raise InputError(f"there is no satellite '{name}'", where=where, nearest=nearest(name, number))
            if not (job.amount > 0 and np.isfinite(job.amount)):
                raise InputError(f"it should ask for more than nothing, not for {job.amount}", where=where)
            if not (job.value >= 0 and np.isfinite(job.value)):
                raise InputError(f"its value should be a number from 0 on, not {job.value}", where=where)
            if job.deadline_us <= job.release_us:
                raise InputError("its deadline is not after its release", where=where)
        ordered = sorted(jobs, key=lambda job: job.name)
        choices = [sorted({number[name] for name in job.satellites}) or range(len(number)) for job in ordered]
        return cls(
            tuple(job.name for job in ordered),
            np.cumsum([0, *(len(rows) for rows in choices)]).astype(np.intp),
            np.array([row for rows in choices for row in rows], np.intp),
            np.array([job.lane for job in ordered], np.int8),
            np.array([job.amount for job in ordered], np.float64),
            np.array([job.release_us for job in ordered], np.int64),
            np.array([job.deadline_us for job in ordered], np.int64),
            np.array([job.value for job in ordered], np.float64),
            np.array([job.may_split for job in ordered], np.bool_),
        )
