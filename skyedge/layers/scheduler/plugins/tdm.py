"""Tdm: time division, the sharing of nodes between online and offline work by the hour (Volcano's ``tdm``, v1.16 alpha).

A node with the label ``volcano.sh/revocable-zone: rz1`` is lent: it takes batch pods during the hours of its zone
(``tdm.revocable-zone.rz1: "10:00-21:00"``) and belongs to others at other times.  Only pods that carry the zone, or ``*``,
may go there, they prefer it, and when the hours are over those that are preemptable are sent away by the action
``shuffle``, as many of a job at a time as its budget allows (annotations ``volcano.sh/jdb-min-available`` and
``volcano.sh/jdb-max-unavailable`` of the pod group, numbers or percent; one pod without them).

Work that cannot wait goes first, and may take the place of preemptable pods on nodes that are *not* lent.

Hours are UTC: the snapshot's ``now_s`` counts seconds since the epoch.  Hours that end before they begin run over midnight;
at midnight of ``20:00-06:00`` the zone is open, which in Volcano it is not, for there the hours begin anew each day.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import Flags, Rows
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.plugin import Arguments, Floats, Key, Plugin, Vote

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

ZONE_LABEL = "volcano.sh/revocable-zone"
PREEMPTABLE = "volcano.sh/preemptable"
MIN_AVAILABLE = "volcano.sh/jdb-min-available"
MAX_UNAVAILABLE = "volcano.sh/jdb-max-unavailable"
ANY_ZONE = "*"
PREFIX = "tdm.revocable-zone."
DAY_S = 86_400
WITHOUT_BUDGET = 1
"""Pods of a job without budget that are sent away at a time."""


class Tdm(Plugin):
    """Lends nodes for some hours.

    Arguments: ``tdm.revocable-zone.NAME``, hours as ``HH:MM-HH:MM``, both ends belonging to them; ``tdm.evict.period``
    (``1m``) is how far apart cycles with ``shuffle`` should be: a cycle has no memory of the one before it, so that is for
    the caller to keep.
    """

    name: ClassVar[str] = "tdm"
    known_arguments: ClassVar[tuple[str, ...]] = (PREFIX, "tdm.evict.period")
    packs = True

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        zones = {key.removeprefix(PREFIX): str(said) for key, said in arguments.items() if key.startswith(PREFIX)}
        self._hours_s = {zone: _hours(zone, said) for zone, said in sorted(zones.items())}

    def open(self, session: Session) -> None:
        """Find out which nodes are lent, and which of them are open now."""
        super().open(session)
        nodes = session.snapshot.nodes
        codes, number = nodes.label_index.column(ZONE_LABEL)
        self._lent: Flags = np.array([bool(zone) for zone in number], np.bool_)[codes]
        self._zones = {zone: codes == code for zone, code in number.items() if zone}
        self._open = {zone for zone in self._zones if self._is_open(zone)}
        self.looks_beyond_shapes = bool(self._zones)
        self._allowed: dict[str, Flags] = {}

    def _is_open(self, zone: str) -> bool:
        hours = self._hours_s.get(zone)
        if hours is None:
            return False
        start_s, end_s = hours
        time_s = math.floor(self.session.snapshot.now_s) % DAY_S
        return start_s <= time_s <= end_s if start_s < end_s else time_s >= start_s or time_s <= end_s

    # Nodes.

    def distinguishes(self, pod: int) -> Hashable:
        """The zone that the pod carries."""
        return self.session.snapshot.pods.revocable_zone[pod]

    def predicate(self, pod: int) -> Flags:
        """Nodes that are not lent, and those of open zones that the pod may use, (nodes,)."""
        zone = self.session.snapshot.pods.revocable_zone[pod]
        flags = self._allowed.get(zone)
        if flags is None:
            flags = self._allowed[zone] = self._not_lent_or_of(self._open, zone)
        return flags

    def predicate_ever(self, pod: int) -> Flags:
        """The same whatever the hour: nodes of every zone that has hours."""
        return self._not_lent_or_of(self._zones.keys() & self._hours_s, self.session.snapshot.pods.revocable_zone[pod])

    def _not_lent_or_of(self, zones: Iterable[str], zone: str) -> Flags:
        flags = ~self._lent
        for name in zones:
            if zone in (ANY_ZONE, name):
                flags |= self._zones[name]
        return flags

    def refusal(self, pod: int, node: int) -> str | None:
        """Why a lent node is refused, or None."""
        if self.predicate(pod)[node]:
            return None
        zone = self.session.snapshot.nodes.label_index.value(ZONE_LABEL, node)
        if zone not in self._hours_s:
            return f"its revocable zone '{zone}' has no hours"
        if zone not in self._open:
            return f"its revocable zone '{zone}' is closed at this hour"
        return f"it is lent to pods of the revocable zone '{zone}' only"

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """100 for lent nodes that the pod may use, (nodes,)."""
        lent: Floats = np.where(self._lent[nodes] & self.predicate(pod)[nodes], 100.0, 0.0)
        return lent

    # Jobs.

    def job_order(self, group: int) -> Key:
        """Jobs that cannot be preempted go first."""
        return int(self._is_preemptable(group))

    def job_pipelined(self, group: int) -> Vote:
        """Whether as many pods as the gang needs have a place now or soon."""
        enough = self.session.occupied[group] + self.session.waiting[group]
        return Vote.PERMIT if enough >= int(self.session.snapshot.groups.min_member[group]) else Vote.REJECT

    def job_starving(self, group: int) -> bool:
        """Whether a job that cannot be preempted has pods that wait."""
        members = self.session.members(group)
        return not self._is_preemptable(group) and bool((self.session.pod_phase[members] == PodPhase.PENDING).any())

    def _is_preemptable(self, group: int) -> bool:
        return self.session.snapshot.groups.annotations[group].get(PREEMPTABLE, "").lower() == "true"

    # Victims.

    def preemptable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        """Preemptable pods on nodes that are not lent, for a pod that is neither preemptable nor of a zone itself."""
        pods = self.session.snapshot.pods
        if pods.preemptable[pod] or pods.revocable_zone[pod]:
            return []
        rows = np.array(candidates, np.intp)
        running = pods.preemptable[rows] & (self.session.pod_phase[rows] == PodPhase.RUNNING)
        return self._within_budgets(rows[running & ~self._lent[self.session.pod_node[rows]]])

    def victims(self, running: Rows) -> Rows:
        """Preemptable pods on nodes of zones that are closed now."""
        closed: Flags = np.zeros(len(self.session.snapshot.nodes), np.bool_)
        for zone in self._hours_s:
            if zone in self._zones and zone not in self._open:
                closed |= self._zones[zone]
        there = closed[self.session.pod_node[running]] & self.session.snapshot.pods.preemptable[running]
        return np.array(self._within_budgets(running[there]), np.intp)

    def _within_budgets(self, pods: Rows) -> list[int]:
        """As many of each job's pods, the first by (age, name), as it can lose at a time."""
        chosen: list[int] = []
        left: dict[int, int] = {}
        for pod in np.sort(pods).tolist():
            group = int(self.session.snapshot.pods.group[pod])
            if group not in left:
                left[group] = self._budget(group)
            if left[group] > 0:
                left[group] -= 1
                chosen.append(pod)
        return chosen

    def _budget(self, group: int) -> int:
        annotations = self.session.snapshot.groups.annotations[group]
        phase = self.session.pod_phase[self.session.members(group)]
        many, running = len(phase), int((phase == PodPhase.RUNNING).sum())
        place = f"pod group '{self.session.snapshot.groups.names[group]}'"
        if MAX_UNAVAILABLE in annotations:
            ended = int(np.isin(phase, (PodPhase.SUCCEEDED, PodPhase.FAILED)).sum())
            return max(0, _number_of(annotations[MAX_UNAVAILABLE], many, place, MAX_UNAVAILABLE) - (many - ended - running))
        if MIN_AVAILABLE in annotations:
            # Volcano sends one away when a job is below what it says must be available; here none.
            return max(0, running - _number_of(annotations[MIN_AVAILABLE], many, place, MIN_AVAILABLE))
        return WITHOUT_BUDGET


def _hours(zone: str, said: str) -> tuple[int, int]:
    """Start and end of ``HH:MM-HH:MM`` in seconds of the day."""
    match = re.fullmatch(r"\s*(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s*", said)
    numbers = [int(text) for text in match.groups()] if match else []
    if not numbers or max(numbers[0], numbers[2]) > 23 or max(numbers[1], numbers[3]) > 59:
        raise InputError(f"'{PREFIX}{zone}' should be hours such as 10:00-21:00, not '{said}'")
    return numbers[0] * 3600 + numbers[1] * 60, numbers[2] * 3600 + numbers[3] * 60


def _number_of(said: str, many: int, place: str, key: str) -> int:
    """A number of pods, or percent of ``many`` rounded up."""
    match = re.fullmatch(r"(\d+)(%?)", said.strip())
    if not match:
        raise InputError(f"{key} should be a number or percent, not '{said}'", where=place)
    number = int(match[1])
    return -(-number * many // 100) if match[2] else number
