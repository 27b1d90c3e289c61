"""The words of a failover in virtual time: what can happen, what it ends with, and what it asks of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Counts = NDArray[np.int64]
NO_ROOM = "too little room elsewhere"
"""Why replicas have no home, as often as not."""

Home = tuple[int, int]
"""A cluster, and how many replicas of one workload it takes."""


class Event(IntEnum):
    """What a row of the timeline says; the numbers are those of a column."""

    DOWN = 0
    SUSPECTED = 1
    DETECTED = 2
    TAINTED = 3
    EVICTED = 4
    NOWHERE = 5
    REPLACED = 6
    DATA_THERE = 7
    STARTED = 8
    HEALTHY = 9
    DELETED = 10
    KEPT = 11
    CALLED_OFF = 12
    UP = 13
    RECOVERED = 14


class Begun(NamedTuple):
    """New copies on their way, as times; infinite: never.

    Attributes:
        started_s: their containers run.
        data_s: their data is there.
        ready_s: they serve.
    """

    started_s: Floats
    data_s: Floats
    ready_s: Floats


class Homes(Protocol):
    """Where replicas may go.  It keeps the account of room: what it names is taken."""

    def find(
        self, workload: Rows, replicas: Counts, closed: NDArray[np.bool_], whole: bool
    ) -> Sequence[Sequence[Home] | None]:
        """New homes for so many replicas of each workload, in order; fewer than asked for where there is too little room.

        None: a copy that needs no home, as others have all that the workload is, and they are enough.

        Args:
            workload: numbers of the workloads, (moves,).
            replicas: how many of each, (moves,).
            closed: clusters that take nothing new, (clusters,).
            whole: all of a move's replicas, or none.
        """

    def why_not(self, workload: int) -> str:
        """Why the last search found no home for some replicas of a workload, shortly; empty: nothing is known of it."""

    def give_back(self, workload: int, cluster: int, replicas: int) -> None:
        """These replicas are not there any more."""


class Starts(Protocol):
    """How long new copies take."""

    def begin(self, at_s: float, workload: Rows, cluster: Rows, replicas: Counts) -> Begun:
        """Copies that begin to start now."""


@dataclass(frozen=True, eq=False)
class Copies:
    """Replicas of one workload on one cluster, columns of one length.

    Attributes:
        workload, cluster, replicas: who, where, how many.
        healthy_at_s: from when they could serve; infinite: never.
        deleted_at_s: until when; infinite: they are still there.
    """

    workload: Rows
    cluster: Rows
    replicas: Counts
    healthy_at_s: Floats
    deleted_at_s: Floats

    @classmethod
    def running(cls, workload: Rows, cluster: Rows, replicas: Counts) -> Copies:
        """Such as have been healthy for ever."""
        return cls(workload, cluster, replicas, np.full(len(workload), -np.inf), np.full(len(workload), np.inf))


@dataclass(frozen=True, eq=False)
class Timeline:
    """What happened, in the order of time; columns of one length, and the copies with which it ended.

    Attributes:
        at_s: when.
        event: numbers of :class:`Event`.
        workload: whose; -1 if it is about a cluster.
        cluster: where.
        replicas: how many; 0 if it is about a cluster.
        copies: all there ever were, those of the beginning first.
        deleted_alone: replicas that were deleted while no other of their workload was healthy and its cluster up.
        because: of rows that say that there was no home: why, by the number of the row; not of all.
    """

    at_s: Floats
    event: NDArray[np.uint8]
    workload: Rows
    cluster: Rows
    replicas: Counts
    copies: Copies
    deleted_alone: int
    because: Mapping[int, str] = field(default_factory=dict)

    def rows_of(self, event: Event) -> Rows:
        """Numbers of the rows that say so."""
        return np.flatnonzero(self.event == event)
