"""What a cycle does, one module an action; each is a function of the session."""

from __future__ import annotations

from collections.abc import Callable

from skyedge.layers.scheduler.actions.allocate import allocate
from skyedge.layers.scheduler.actions.backfill import backfill
from skyedge.layers.scheduler.actions.easy_backfill import easy_backfill
from skyedge.layers.scheduler.actions.enqueue import enqueue
from skyedge.layers.scheduler.actions.preempt import preempt
from skyedge.layers.scheduler.actions.reclaim import reclaim
from skyedge.layers.scheduler.actions.shuffle import shuffle
from skyedge.layers.scheduler.session import Session

ACTION: dict[str, Callable[[Session], None]] = {
    "enqueue": enqueue,
    "allocate": allocate,
    "backfill": backfill,
    "easy-backfill": easy_backfill,
    "preempt": preempt,
    "reclaim": reclaim,
    "shuffle": shuffle,
}
