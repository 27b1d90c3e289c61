"""Which node is best for a pod, remembered from one pod to the next like it.

For each kind of pod there is a row of scores over all nodes, minus infinity where the pod does not fit.  A placement
touches few nodes; a row is brought up to date, when its kind comes up again, on the nodes touched since.  Where the
scoring *packs* (the best node stays the best for the next such pod until it is full, as with binpack), identical pods fill
the best node in one step instead of being placed one at a time, with the same result.

Ties go to the first node by name, unless a plugin orders them.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Ints, Rows
from skyedge.layers.scheduler.plugin import Floats, overrides

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

NOT_HERE = -np.inf


@dataclass(eq=False)
class Ranking:
    """What is known about the nodes for one kind of pod.

    Attributes:
        allowed: where it may run, resources apart.
        needs: pairs of resource and amount, those above zero only.
        score: by node, as of ``version``.
    """

    allowed: Flags
    needs: list[tuple[int, int]]
    devices: tuple[int, int]  # how many, thousandths of each
    score: Floats
    version: int
    volatile: bool


class Rankings:
    """The rankings of a cycle."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._by_kind: dict[Hashable, Ranking] = {}
        self._breaks_ties = next((plugin for plugin in session.points.plugins if overrides(plugin, "tie_order")), None)
        amounts_decide = all(plugin.by_amounts for plugin in session.points.scoring)
        self._alike = _alike(session) if amounts_decide else None

    def of(self, pod: int) -> Ranking:
        """The ranking for ``pod``, up to date."""
        session = self._session
        kind = session.points.kind(pod)
        ranking = self._by_kind.get(kind)
        if ranking is None:
            ranking = self._by_kind[kind] = self._make(pod)
            self._score_first(ranking, pod)
        elif ranking.volatile:
            if ranking.version != session.version:
                self._rescore(ranking, pod, np.flatnonzero(ranking.allowed))
        elif ranking.version != session.version:
            touched = np.flatnonzero(session.touched_at > ranking.version)
            self._rescore(ranking, pod, touched[ranking.allowed[touched]])
        ranking.version = session.version
        return ranking

    def fill(self, pod: int, many: int, within: Flags | None) -> tuple[list[int], list[int]]:
        """Nodes, best first, and how many of ``many`` pods like ``pod`` go to each, on what is idle now.

        Without packing, and where devices or volatile answers are involved, it is one pod on one node.
        """
        ranking = self.of(pod)
        score = ranking.score if within is None else np.where(within, ranking.score, NOT_HERE)
        if not len(score):
            return [], []
        if not self._session.points.packs or ranking.volatile or ranking.devices[0] or self._breaks_ties:
            many = min(many, 1)
        nodes: list[int] = []
        counts: list[int] = []
        idle = [(self._session.idle[resource], need) for resource, need in ranking.needs]
        while many > 0:
            best = int(score.argmax())
            if score[best] == NOT_HERE:
                break
            if self._breaks_ties is not None:
                equals = np.flatnonzero(score == score[best])
                best = int(equals[self._breaks_ties.tie_order(pod, equals).argmin()])
            room = min(many, *[column.item(best) // need for column, need in idle])
            if self._session.reserves:
                future = self._session.future_idle(slice(best, best + 1))[:, 0].tolist()
                room = min(room, *[future[resource] // need for resource, need in ranking.needs])
            nodes.append(best)
            counts.append(room)
            many -= room
            # Full now, or no longer needed: when this is applied the node counts as touched and is scored anew.
            score[best] = NOT_HERE
        return nodes, counts

    def best_in_future(self, pod: int, within: Flags | None) -> int | None:
        """The best node among those that fit ``pod`` once what is being released is free, or None."""
        session = self._session
        ranking = self.of(pod)
        fits = ranking.allowed.copy() if within is None else ranking.allowed & within
        future = session.future_idle()
        for resource, need in ranking.needs:
            fits &= future[resource] >= need
        count, _ = ranking.devices
        if count:
            # A device that is being given back counts as free; which one it is, is settled when it is.
            fits &= (session.snapshot.nodes.devices > 0).sum(axis=1) >= count
        nodes = np.flatnonzero(fits)
        nodes = nodes[session.points.allowed_now(pod, nodes)]
        if not len(nodes):
            return None
        return int(nodes[session.points.score(pod, nodes).argmax()])

    def best_first(self, pod: int, nodes: Rows) -> Rows:
        """``nodes``, whether ``pod`` fits them now or not, best first: where a preemptor looks for victims."""
        session = self._session
        nodes = nodes[session.points.allowed_now(pod, nodes)]
        return nodes[np.argsort(-session.points.score(pod, nodes), kind="stable")]

    def _make(self, pod: int) -> Ranking:
        session = self._session
        shape = int(session.snapshot.pods.shape[pod])
        request: Ints = session.request[shape]
        needs = [(int(resource), int(request[resource])) for resource in np.flatnonzero(request)]
        of = session.snapshot.shapes[shape]
        score = np.full(len(session.snapshot.nodes), NOT_HERE)
        volatile = session.points.volatile(pod)
        return Ranking(session.points.allowed(pod), needs, (of.device_count, of.device_milli), score, 0, volatile)

    def _score_first(self, ranking: Ranking, pod: int) -> None:
        """Score all nodes: of those that were alike when the cycle began and are untouched, one for all."""
        session = self._session
        if self._alike is None or ranking.devices[0] or session.points.filtering_now:
            self._rescore(ranking, pod, np.flatnonzero(ranking.allowed))
            return
        example, like = self._alike
        sample = replace(ranking, score=np.full(len(ranking.score), NOT_HERE))
        untouched = session.touched_at == 0
        # An example may have been touched since; then its place is taken by any node like it that has not.
        stand_in = example.copy()
        stand_in[like[untouched]] = np.flatnonzero(untouched)
        self._rescore(sample, pod, stand_in)
        usable = untouched & ranking.allowed
        ranking.score[usable] = sample.score[stand_in][like[usable]]
        self._rescore(ranking, pod, np.flatnonzero(~untouched & ranking.allowed))

    def _rescore(self, ranking: Ranking, pod: int, nodes: Rows) -> None:
        """Bring the scores of ``nodes``, all of them allowed, up to date."""
        if not len(nodes):
            return
        session = self._session
        ranking.score[nodes] = NOT_HERE
        fitting = nodes
        for resource, need in ranking.needs:
            fitting = fitting[session.idle[resource, fitting] >= need]
        if session.reserves:
            future = session.future_idle(fitting)
            fitting = fitting[np.all([future[resource] >= need for resource, need in ranking.needs], axis=0)]
        count, milli = ranking.devices
        if count:
            fitting = fitting[(session.devices_free[fitting] >= milli).sum(axis=1) >= count]
        if session.points.filtering_now and len(fitting):
            fitting = fitting[session.points.allowed_now(pod, fitting)]
        if len(fitting):
            ranking.score[fitting] = session.points.score(pod, fitting) if session.points.scoring else 0.0


def _alike(session: Session) -> tuple[Rows, Rows] | None:
    """An example of each set of nodes that are alike in all amounts, and the set of each node; None if few are alike."""
    many = len(session.snapshot.nodes)
    amounts = np.concatenate([session.snapshot.nodes.allocatable, session.idle.T], axis=1)
    # Sorting one number a node is much quicker than sorting rows; that no two sets share a number is checked.
    factors = np.array([pow(0x9E3779B97F4A7C15, n + 1, 1 << 64) for n in range(amounts.shape[1])], np.uint64)
    _, example, like = np.unique(amounts.astype(np.uint64) @ factors, return_index=True, return_inverse=True)
    if len(example) * 4 > many or (amounts != amounts[example[like]]).any():
        return None
    return example, like


def nodes_to_find(nodes: int, percentage: float, least_percentage: float, least: int) -> int:
    """How many feasible nodes are enough to choose from (Volcano's sampling on large clusters).

    Args:
        nodes: how many there are.
        percentage: of them to look for; 0 to let it sink with their number: 50 less one for each 125 nodes.
        least_percentage: that it does not sink below.
        least: number of nodes that are always looked for.
    """
    if nodes <= least or percentage >= 100:
        return nodes
    share = percentage if percentage > 0 else max(least_percentage, 50 - nodes // 125)
    return max(least, int(nodes * share / 100))
