"""The life of a cluster in a federation: it joins, takes work, is drained, upgraded, and leaves.

A cluster registers with a file that says where it comes from; :data:`TRAITS` says what that means for it.  Its life is a
table, :data:`TRANSITIONS`; how it *is* (does it answer?) is another matter and in another module.  What a phase means to
workloads are taints, so that filters and evictions need no rule of their own: a draining cluster lets nothing new in, and
drives out what has somewhere else to go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.objects import Cluster, Taint


class Origin(Enum):
    """Where a cluster comes from, as a registration says it."""

    PUBLIC_CLOUD = "public-cloud"
    DATA_CENTRE = "data-centre"
    EDGE = "edge"
    THIRD_PARTY = "third-party"


@dataclass(frozen=True)
class Traits:
    """What an origin means.

    Attributes:
        pulls: the cluster asks for its work, as nobody can reach it from outside (Karmada's mode Pull).
        upgraded_by_us: whether the federation may upgrade its control plane.
        leaves_without_notice: whether it may be gone from one moment to the next, so that work that must not stop keeps
            a copy elsewhere.
    """

    pulls: bool
    upgraded_by_us: bool
    leaves_without_notice: bool


TRAITS = {
    Origin.PUBLIC_CLOUD: Traits(pulls=False, upgraded_by_us=True, leaves_without_notice=False),
    Origin.DATA_CENTRE: Traits(pulls=True, upgraded_by_us=True, leaves_without_notice=False),
    Origin.EDGE: Traits(pulls=True, upgraded_by_us=True, leaves_without_notice=True),
    Origin.THIRD_PARTY: Traits(pulls=True, upgraded_by_us=False, leaves_without_notice=True),
}


class Phase(Enum):
    """Where a cluster is in its life."""

    REGISTERED = "Registered"
    JOINING = "Joining"
    MEMBER = "Member"
    DRAINING = "Draining"
    DRAINED = "Drained"
    UPGRADING = "Upgrading"
    LEFT = "Left"


class Event(Enum):
    """What moves it on; the words of whoever runs the federation, and of the cluster."""

    JOIN = "join"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DRAIN = "drain"
    EMPTY = "empty"
    CANCEL = "cancel"
    UPGRADE = "upgrade"
    UPGRADED = "upgraded"
    UPGRADE_FAILED = "upgrade-failed"
    LEAVE = "leave"


TRANSITIONS = {
    (Phase.REGISTERED, Event.JOIN): Phase.JOINING,
    (Phase.REGISTERED, Event.LEAVE): Phase.LEFT,
    (Phase.JOINING, Event.ACCEPTED): Phase.MEMBER,
    (Phase.JOINING, Event.REFUSED): Phase.REGISTERED,
    (Phase.MEMBER, Event.DRAIN): Phase.DRAINING,
    (Phase.DRAINING, Event.EMPTY): Phase.DRAINED,
    (Phase.DRAINING, Event.CANCEL): Phase.MEMBER,
    (Phase.DRAINED, Event.CANCEL): Phase.MEMBER,
    (Phase.DRAINED, Event.UPGRADE): Phase.UPGRADING,
    (Phase.DRAINED, Event.LEAVE): Phase.LEFT,
    (Phase.UPGRADING, Event.UPGRADED): Phase.MEMBER,
    (Phase.UPGRADING, Event.UPGRADE_FAILED): Phase.DRAINED,
    (Phase.LEFT, Event.JOIN): Phase.JOINING,
}
"""What is not listed is refused: nobody leaves, and nothing is upgraded, with work on it."""

DRAINING_KEY = "skyedge.io/draining"
OUT_KEY = "skyedge.io/not-a-member"

TAINTS = {
    Phase.MEMBER: (),
    Phase.DRAINING: (Taint(DRAINING_KEY, "", "NoSchedule"), Taint(DRAINING_KEY, "", "NoExecute")),
    Phase.DRAINED: (Taint(DRAINING_KEY, "", "NoSchedule"),),
    Phase.UPGRADING: (Taint(DRAINING_KEY, "", "NoSchedule"),),
    Phase.REGISTERED: (Taint(OUT_KEY, "", "NoSchedule"),),
    Phase.JOINING: (Taint(OUT_KEY, "", "NoSchedule"),),
    Phase.LEFT: (Taint(OUT_KEY, "", "NoSchedule"), Taint(OUT_KEY, "", "NoExecute")),
}
"""What a cluster carries in each phase, beside its own taints."""


@dataclass(frozen=True)
class Membership:
    """A cluster's place in the federation.

    Attributes:
        since_s: when it came into this phase.
    """

    cluster: str
    origin: Origin
    phase: Phase = Phase.REGISTERED
    since_s: float = 0.0

    @property
    def traits(self) -> Traits:
        """What its origin means."""
        return TRAITS[self.origin]

    def on(self, event: Event, now_s: float) -> Membership:
        """The membership after an event.

        Raises:
            InputError: if the event cannot be in this phase, or not with this origin; what can be is said.
        """
        if event is Event.UPGRADE and not self.traits.upgraded_by_us:
            raise InputError(f"{self.cluster} is a {self.origin.value} cluster, which its owner upgrades")
        phase = TRANSITIONS.get((self.phase, event))
        if phase is None:
            possible = ", ".join(sorted(known.value for at, known in TRANSITIONS if at is self.phase))
            words = f"{self.cluster} is {self.phase.value}: '{event.value}' cannot be now"
            raise InputError(f"{words}; what can: {possible or 'nothing'}")
        return replace(self, phase=phase, since_s=now_s)


def as_member(cluster: Cluster, membership: Membership) -> Cluster:
    """The cluster as placement sees it in its phase: with the phase's taints, stamped with the time of its beginning."""
    own = tuple(taint for taint in cluster.taints if taint.key not in (DRAINING_KEY, OUT_KEY))
    phase = tuple(replace(taint, added_at_s=membership.since_s) for taint in TAINTS[membership.phase])
    return replace(cluster, taints=own + phase)


def origin_from(word: str) -> Origin:
    """The origin that a registration names.

    Raises:
        InputError: if there is none of the name, with the nearest.
    """
    words = [origin.value for origin in Origin]
    if word not in words:
        raise InputError(f"a cluster comes from {', '.join(words)}, not from '{word}'", nearest=nearest(word, words))
    return Origin(word)


def phase_from(word: str) -> Phase:
    """The phase that a registration names.

    Raises:
        InputError: if there is none of the name, with the nearest.
    """
    words = [phase.value for phase in Phase]
    if word not in words:
        raise InputError(f"a cluster is {', '.join(words)}, not '{word}'", nearest=nearest(word, words))
    return Phase(word)
