"""What the failover loop keeps in mind: copies, moves under way, and which of several things at one moment comes first.

A move belongs to one old copy.  It is over when all its new copies are healthy and the old one is deleted, or when it was
called off because the old copy serves again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from skyedge.layers.federation.failover_events import Home


class Turn(IntEnum):
    """Of what falls on one moment: the order."""

    DOWN = 0
    UP = 1
    CLEARED = 2
    SUSPECTED = 3
    DECLARED = 4
    PLACED = 5
    HEALTHY = 6
    EXPIRED = 7
    EVICT = 8


@dataclass(slots=True, eq=False)
class Copy:
    """The replicas of a workload on a cluster.

    Attributes:
        healthy_at_s: when it began to serve.
        started_at_s, data_at_s, ready_at_s: while it starts: when its containers will run, its data be there, it serve.
        deleted_at_s: infinite while it is there.
        started: whether it has begun to start.
        for_move: the move that it was made for.
        move: the move that takes it away.
        expired: whether the time for it to leave gracefully is up.
    """

    workload: int
    cluster: int
    replicas: int
    healthy_at_s: float
    deleted_at_s: float = math.inf
    started: bool = True
    for_move: Move | None = None
    move: Move | None = None
    expired: bool = False
    started_at_s: float = math.inf
    data_at_s: float = math.inf
    ready_at_s: float = math.inf

    @property
    def there(self) -> bool:
        """Whether it has not been deleted."""
        return self.deleted_at_s == math.inf


@dataclass(slots=True, eq=False)
class Move:
    """An old copy, the homes that were found for it, and the new copies, of which so many are not healthy yet."""

    old: Copy
    homes: Sequence[Home]
    new: list[Copy] = field(default_factory=list)
    waiting: int = 0
    over: bool = False
