"""Hierarchical DRF: fairness between the branches of a tree, and within each branch again.

Bhattacharya, Culler, Friedman, Ghodsi, Shenker and Stoica (SoCC 2013). Adding up the dominant shares of a branch's
children would starve a branch whose children want different resources. Instead, the children that still want something
are scaled down to the least (weighted) dominant share among them before their resources are added; a child that cannot
use what is offered (it has all that it asks for, or some resource that it needs is used up) is *blocked*, is left out
of that least share, and goes last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Ints
from skyedge.layers.scheduler.plugin import Floats, Key
from skyedge.layers.scheduler.plugins.proportion import largest_share

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session


@dataclass(eq=False)
class Branch:
    """A node of the tree: an inner one, or the leaf of a queue.

    Attributes:
        share: dominant share, of the scaled sum for an inner branch.
        blocked: nothing below it can use more.
    """

    name: str
    weight: float = 1.0
    queue: int | None = None
    children: dict[str, Branch] = field(default_factory=dict)
    share: float = 0.0
    blocked: bool = False


class ShareTree:
    """The tree of all queues, from their ``hierarchy``; a queue without one hangs on the root by its own weight."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._root = Branch("root")
        self._paths: list[list[Branch]] = []
        queues = session.snapshot.queues
        for queue, said in enumerate(queues.hierarchy):
            # The first level is the root itself.
            levels = said[1:] if said else ((queues.names[queue], float(queues.weight[queue])),)
            branch, path = self._root, []
            for name, weight in levels:
                branch = branch.children.setdefault(name, Branch(name, weight))
                path.append(branch)
            branch.queue = queue
            self._paths.append(path)
        self._version = -1

    def key(self, queue: int) -> Key:
        """What sorts queues: level by level, blocked branches last, then weighted share."""
        if self._version != self._session.version:
            held = self._session.queue_allocated
            left = self._session.total - held.sum(axis=0)
            settle(self._root, held, self._session.queue_request, self._session.total, left > 0)
            self._version = self._session.version
        return tuple((branch.blocked, branch.share / branch.weight, branch.name) for branch in self._paths[queue])


def settle(branch: Branch, held: Ints, request: Ints, total: Ints, left: Flags) -> Floats:
    """Find the share of ``branch`` and all below it; the (scaled) amount that it counts as, (resources,).

    Args:
        held, request: (queues, resources).
        total: (resources,); ``left`` says of which there is something left.
    """
    if branch.queue is not None and not branch.children:
        has, wants = held[branch.queue], request[branch.queue]
        lacks = wants > has
        branch.blocked = not lacks.any() or bool((lacks & ~left).any())
        branch.share = largest_share(has, total)
        return has.astype(np.float64)
    amounts = [(child, settle(child, held, request, total, left)) for child in branch.children.values()]
    branch.blocked = all(child.blocked for child, _ in amounts)
    # By weight, so that children that hold what their weights give them count in full.
    going = [child.share / child.weight for child, _ in amounts if not child.blocked and child.share > 0]
    least = min(going, default=1.0)
    counted = np.zeros(len(total))
    for child, amount in amounts:
        scale = 1.0 if child.blocked or not child.share else min(1.0, least * child.weight / child.share)
        counted += amount * scale
    there = total > 0
    branch.share = float((counted[there] / total[there]).max()) if there.any() else 0.0
    return counted
