"""Capacity that comes and goes: a contact plan as nodes of the batch scheduler, each of which exists during one pass.

A pod that needs a pass asks for ``skyedge.io/downlink-mb``, ``skyedge.io/uplink-mb`` or ``skyedge.io/antenna-s``; the
scheduler binds it to a pass as it binds any pod to a machine, and what jobs have reserved is not there to be had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.contacts.jobs import Lane
from skyedge.layers.contacts.reservations import ReservationBook
from skyedge.layers.scheduler.objects import THOUSANDTHS, Node
from skyedge.time import format_utc

RESOURCES = {
    Lane.DOWN: ("skyedge.io/downlink-mb", 1e6),
    Lane.UP: ("skyedge.io/uplink-mb", 1e6),
    Lane.ANTENNA: ("skyedge.io/antenna-s", 1.0),
}
"""What a lane is called in a manifest, and how many bytes or seconds one of it is."""


@dataclass(frozen=True, eq=False)
class PassIntervals:
    """When each pass can be had and what is left of it, columns in order of (begin, satellite)."""

    names: tuple[str, ...]
    session: NDArray[np.intp]
    begin_us: NDArray[np.int64]
    end_us: NDArray[np.int64]
    left: NDArray[np.float64]  # (passes, lanes): bytes down, bytes up, seconds of the antenna

    def __len__(self) -> int:
        return len(self.names)

    def at(self, now_us: int) -> NDArray[np.intp]:
        """Rows of the passes that are open at ``now_us``."""
        return np.flatnonzero((self.begin_us <= now_us) & (now_us < self.end_us))

    def next_change(self, now_us: int) -> int | None:
        """When a pass opens or closes next: a scheduler needs no cycle before that for want of capacity."""
        later = np.concatenate([self.begin_us[self.begin_us > now_us], self.end_us[self.end_us > now_us]])
        return int(later.min()) if len(later) else None


def pass_intervals(book: ReservationBook) -> PassIntervals:
    """The passes of a book's plan, with what nobody has reserved yet."""
    plan = book.plan
    order = np.lexsort((plan.satellite, plan.opens_us))
    names = tuple(
        f"{plan.satellite_names[plan.satellite[s]]}.{plan.site_names[plan.site[s]]}."
        f"{format_utc(int(plan.opens_us[s]), 'seconds')}"
        for s in order.tolist()
    )
    left = np.array([[book.left(s, lane) for lane in Lane] for s in order.tolist()]).reshape(-1, len(Lane))
    return PassIntervals(names, order, plan.opens_us[order], plan.closes_us[order], left)


def pass_nodes(book: ReservationBook, now_us: int) -> tuple[Node, ...]:
    """The nodes that exist at ``now_us``: the passes that are open, with what can still be had from now on.

    Labels name the satellite and the site, so that a pod can select either.
    """
    plan, passes = book.plan, pass_intervals(book)
    nodes = []
    for row in passes.at(now_us).tolist():
        session = int(passes.session[row])
        end = int(plan.closes_us[session])
        left = {lane: book.left(session, lane, now_us, end) for lane in Lane}
        allocatable = {name: int(left[lane] / unit * THOUSANDTHS) for lane, (name, unit) in RESOURCES.items()}
        labels = {
            "skyedge.io/satellite": plan.satellite_names[plan.satellite[session]],
            "skyedge.io/site": plan.site_names[plan.site[session]],
        }
        nodes.append(Node(passes.names[row], allocatable, labels))
    return tuple(nodes)
