"""How a federation answers to a dead cluster, as settings; and three answers by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.health import BEATING, KARMADA_LEASED, KARMADA_PROBED, HealthSettings


@dataclass(frozen=True)
class EvictionRate:
    """How many workloads leave dead clusters in a second.  Defaults are Karmada's (eviction queue options, 1.15).

    Attributes:
        per_s: one after the other, the first at once.
        secondary_per_s: when more than ``unhealthy_share`` of the clusters are not ready.
        unhealthy_share: see there.
        large_clusters: a federation of no more clusters than this halts instead.
    """

    per_s: float = 0.5
    secondary_per_s: float = 0.1
    unhealthy_share: float = 0.55
    large_clusters: int = 10

    def now_per_s(self, not_ready: int, clusters: int) -> float:
        """The rate that holds while so many of the clusters are not ready; 0 halts."""
        if not_ready <= self.unhealthy_share * clusters:
            return self.per_s
        return self.secondary_per_s if clusters > self.large_clusters else 0.0


@dataclass(frozen=True)
class FailoverSettings:
    """What is done when a cluster is not ready.

    Attributes:
        health: how clusters are watched that can be reached from outside.
        pulled_health: how those are watched that ask for their work (Karmada's mode Pull); None: as the others.
        watched: False: nobody looks, and nothing is ever detected.
        evicts: whether a dead cluster is tainted ``NoExecute``, so that workloads leave it.
        rate: how fast they leave; None: all at once.
        checks_room_first: a workload leaves only if there is room elsewhere, and only as many of its replicas as there is
            room for; otherwise all leave, and run elsewhere only if all of them find room.
        shuns_suspects: a cluster that is only suspected takes nothing new.
        graceful_timeout_s: an old copy is deleted when new ones are healthy, or after so long.  Infinite: never before.
        adopts: a cluster that comes back keeps what is not healthy elsewhere yet; the move is called off.
        decision_s: from the eviction to where the new copies go.
    """

    health: HealthSettings = KARMADA_PROBED
    pulled_health: HealthSettings | None = KARMADA_LEASED
    watched: bool = True
    evicts: bool = False
    rate: EvictionRate | None = EvictionRate()
    checks_room_first: bool = False
    shuns_suspects: bool = False
    graceful_timeout_s: float = 600.0
    adopts: bool = False
    decision_s: float = 0.032

    def __post_init__(self) -> None:
        for name in ("graceful_timeout_s", "decision_s"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must not be less than 0, and is {getattr(self, name):g}")


NO_FAILOVER = FailoverSettings(watched=False)
"""Nobody looks."""

KARMADA_DEFAULTS = FailoverSettings()
"""Karmada as it is installed: detected, but ``--enable-no-execute-taint-eviction=false``; a decision takes 32 ms (p99 of
its test report of 2022)."""

KARMADA_EVICTION_ON = FailoverSettings(evicts=True)
"""The same with the eviction switched on."""

SKYEDGE = FailoverSettings(
    BEATING,
    pulled_health=None,
    evicts=True,
    rate=None,
    checks_room_first=True,
    shuns_suspects=True,
    graceful_timeout_s=math.inf,
    adopts=True,
)
"""Heartbeats and witnesses, room first, all at once, and an old copy goes only when new ones are healthy."""

SETTINGS = {
    "no-failover": NO_FAILOVER,
    "karmada-defaults": KARMADA_DEFAULTS,
    "karmada-eviction-on": KARMADA_EVICTION_ON,
    "skyedge": SKYEDGE,
}


def settings_named(name: str, *, where: object = None) -> FailoverSettings:
    """Settings by name.

    Raises:
        InputError: if there are none of that name.
    """
    if name not in SETTINGS:
        right = nearest(name, SETTINGS)
        which = "" if right else f"; there are {', '.join(SETTINGS)}"
        raise InputError(f"there is no failover '{name}'{which}", where=where, nearest=right)
    return SETTINGS[name]
